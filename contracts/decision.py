"""The decision about a push: what was asked, what was found, and the sentence to read."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, ClassVar

from contracts.base import Document, Part
from contracts.roles import ModelRole


class Verdict(StrEnum):
    """What became of a gate."""

    PASS = "pass"
    FAIL = "fail"
    NOT_JUDGED = "not_judged"


class BoundKind(StrEnum):
    """What a bound applies to: the metric itself, or its change against another model."""

    ABSOLUTE = "absolute"
    LAST_BLESSED = ModelRole.LAST_BLESSED
    CONTROL = ModelRole.CONTROL


class Measurement(Part):
    """One metric of one model in one slice.

    Attributes:
      value: The point estimate; None where it is undefined (NaN).
      lower: Lower end of the 95% interval; None where there is none.
      upper: Upper end.
    """

    value: float | None
    lower: float | None = None
    upper: float | None = None


class GateResult(Part):
    """One bound on one metric of one task in one slice, judged.

    Attributes:
      task: Name of the task.
      metric: Name of the metric.
      kind: What the bound applies to.
      slice: Name of the gate's slice; None for the overall slice.
      slice_key: The slice's value, such as `shelf=3`; "" for the overall slice and for a
        slice without any example.
      bound: Least value allowed; for a change, of `difference`.
      at_most: Most value allowed, likewise; where lower is better, a change has this one.
      judged_on: `point`, or `lower_limit`, `upper_limit` or `both_limits` of the 95% interval of
        the metric or of `difference`.
      student: The student's metric; None when it was not computed.
      baseline: The other model's, where there is one.
      difference: student - baseline, with a paired interval; of a metric that is best at a
        target, how much nearer to it the student is.
      examples: Labelled examples in the slice.
      positives: Positive ones, of a binary task.
      verdict: The outcome.
      reason: Why, in a few words.
      sentence: All of it for people.
    """

    task: str
    metric: str
    kind: BoundKind
    slice: str | None
    slice_key: str
    bound: float | None
    at_most: float | None = None
    judged_on: str
    student: Measurement | None
    baseline: Measurement | None
    difference: Measurement | None
    examples: int
    positives: int | None
    verdict: Verdict
    reason: str
    sentence: str


class Check(Part):
    """A condition on the run as a whole, beside the gates.

    Attributes:
      name: Short name, such as `evaluation against control`.
      verdict: The outcome.
      sentence: The same for people.
    """

    name: str
    verdict: Verdict
    sentence: str


class MetricRow(Part):
    """A metric of one task in one slice, of all models: a row of the summary's table."""

    task: str
    metric: str
    slice: str
    examples: int
    positives: int | None
    student: Measurement | None
    control: Measurement | None
    last_blessed: Measurement | None


class TeacherAge(Part):
    """How old the teacher is.

    Attributes:
      fingerprint: The fingerprint of its content.
      first_seen: The newest span of the first run that had it, as people write it.
      spans: How many spans have come since, up to the newest of this run.
    """

    fingerprint: str
    first_seen: str
    spans: int


class MadeOf(Part):
    """What the judged run was made of, for the comparison with the run after it.

    Attributes:
      version: The version of crosskd.
      configuration: The surface, as JSON by the keys of `surface.yaml`, defaults included.
      statistics: The folder of the statistics of its newest examples; None where the gate was not told.
    """

    version: str
    configuration: dict[str, Any]
    statistics: str | None = None


class Decision(Document):
    """Whether the student may serve, and why.

    Attributes:
      surface: Name of the surface.
      blessed: True only if nothing failed and something was judged.
      first_run: True when there is no blessed model yet to compare with; None when that
        evaluation could not be read.
      sentence: The decision in one sentence.
      gates: Every gate and bound of the surface, judged.
      checks: Conditions on the run as a whole.
      metrics: All metrics of all models, overall first.
      made_of: What the run was made of; None in decisions of versions that did not note it.
      teacher_age: How old the teacher is; None where the examples have no spans.
    """

    FILE: ClassVar[str] = "decision.json"
    TITLE: ClassVar[str] = "a gate decision"

    surface: str
    blessed: bool
    first_run: bool | None
    sentence: str
    gates: tuple[GateResult, ...]
    checks: tuple[Check, ...]
    metrics: tuple[MetricRow, ...]
    made_of: MadeOf | None = None
    teacher_age: TeacherAge | None = None
