"""Artifact types of this project's own components.

Their names have a namespace, because Kubeflow Pipelines takes no artifact type without one.
"""

from tfx.types.artifact import Artifact

# Custom property of an artifact that stands for none: a backend whose every output is one
# artifact has no other way to say so.  `pipeline.kubeflow` leaves such inputs out.
ABSENT_PROPERTY = "absent"

# Custom property of a model that was pushed and rolled back: later students are not compared with it.
ROLLED_BACK_PROPERTY = "rolled_back"


class LabelReport(Artifact):
    """What the teacher saw and what it said: one file, ``report.json``.

    Read it with `components.teacher_labeler.report.read`.
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

    Read it with `components.blessing_gate.decision.read`.
    """

    TYPE_NAME = "crosskd.GateDecision"


class ServingReport(Artifact):
    """Whether the student can be served, and how it compares: one file, ``report.json``.

    Read it with `components.serving_validator.report.read`.
    """

    TYPE_NAME = "crosskd.ServingReport"


class HtmlPage(Artifact):
    """One HTML page for people, ``index.html``, that needs no other file and no network.

    The type bears the name that Kubeflow Pipelines gives to pages it can show.
    """

    TYPE_NAME = "system.HTML"


class CandidateReport(Artifact):
    """Which pairs were made, and which not: one file, ``report.json``.

    Read it with `components.candidate_sampler.report.read`.
    """

    TYPE_NAME = "crosskd.CandidateReport"
