"""Artifact types of this project's own components.

Their names have a namespace, because Kubeflow Pipelines takes no artifact type without one.
"""

from tfx.types.artifact import Artifact


class LabelReportArtifact(Artifact):
    """What the teacher saw and what it said: one file, ``report.json``.

    It is read as a `contracts.label_report.LabelReport`.
    """

    TYPE_NAME = "crosskd.LabelReport"


class DeadLetters(Artifact):
    """Records that could not be labelled: ``Split-<split>/*.jsonl.gz``, one JSON object a line.

    Each object holds split, file, position (0 is the file's first record), reason, detail
    and the raw record in base 64.  A shard without such records has no file.  Where several
    artifacts were labelled in one run, each has a numbered folder around its splits.
    """

    TYPE_NAME = "crosskd.DeadLetters"


class GateDecision(Artifact):
    """Whether the student may serve, and why: one file, ``decision.json``.

    It is read as a `contracts.decision.Decision`.
    """

    TYPE_NAME = "crosskd.GateDecision"


class ServingReportArtifact(Artifact):
    """Whether the student can be served, and how it compares: one file, ``report.json``.

    It is read as a `contracts.serving_report.ServingReport`.
    """

    TYPE_NAME = "crosskd.ServingReport"


class HtmlPage(Artifact):
    """One HTML page for people, ``index.html``, that needs no other file and no network.

    The type bears the name that Kubeflow Pipelines gives to pages it can show.
    """

    TYPE_NAME = "system.HTML"


class CandidateReportArtifact(Artifact):
    """Which pairs were made, and which not: one file, ``report.json``.

    It is read as a `contracts.candidate_report.CandidateReport`.
    """

    TYPE_NAME = "crosskd.CandidateReport"
