"""What watching a pushed model leaves: what was promised at the push, and what each later span showed."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from contracts.base import Document, Part


class Distance(StrEnum):
    """How far a column of a span is from what the gate judged the model on.

    `l_infinity`: the largest change of any value's share.  `jensen_shannon`: the divergence of
    two histograms, 1 at most.  `absent`: the change of the share of examples without a value.
    """

    L_INFINITY = "l_infinity"
    JENSEN_SHANNON = "jensen_shannon"
    ABSENT = "absent"


class WatchedMetric(Part):
    """A metric of one task in one slice, as measured on some examples.

    Attributes:
      task: Name of the task.
      metric: Name of the metric.
      slice: The slice's value, such as `shelf=3`; "" for all examples.
      examples: Labelled examples.
      value: The metric; None where it is not defined, or on too few examples to say.
      error: Its standard error; None likewise.
    """

    task: str
    metric: str
    slice: str
    examples: int
    value: float | None
    error: float | None


class WatchedDrift(Part):
    """How far a column drifted.

    Attributes:
      column: A column of the examples, or `prediction/TASK`.
      distance: Which distance.
      value: How far.
      threshold: From where on it is an alert.
    """

    column: str
    distance: Distance
    value: float
    threshold: float

    @property
    def over(self) -> bool:
        """Whether it is an alert."""
        return self.value > self.threshold


class Promise(Document):
    """What the gate saw of a version before it was pushed.

    Attributes:
      version: The version as it was pushed first; a rollback serves it under another number.
      run_id: The run that pushed it.
      decision: The sentence by which it was blessed.
      metrics: What was measured then.
      coverage: By feature, the share of values that the vocabulary knew, on the same examples.
      frequent: Values that are slices of their own, of columns that are cut down to the most frequent ones.
      notes: What cannot be watched, and why.
    """

    FILE: ClassVar[str] = "promise.json"
    TITLE: ClassVar[str] = "what was promised of a pushed version"

    version: int
    run_id: str
    decision: str
    metrics: tuple[WatchedMetric, ...]
    coverage: dict[str, float]
    frequent: dict[str, tuple[int | float | str, ...]]
    notes: tuple[str, ...]


class WatchedSpan(Document):
    """What one span of later examples showed of the version that served.

    Attributes:
      span: The name of the span.
      version: The version that was scored.
      pushed_as: The version as it was pushed first; another one after a rollback.
      digest: What tells this state of the span's files from another one.
      rows: Its examples.
      metrics: What was measured.
      drift: How far columns drifted.
      coverage: By feature, the share of values that the vocabulary knows.
    """

    FILE: ClassVar[str] = "span.json"
    TITLE: ClassVar[str] = "what a span showed"

    span: str
    version: int
    pushed_as: int
    digest: str
    rows: int
    metrics: tuple[WatchedMetric, ...]
    drift: tuple[WatchedDrift, ...]
    coverage: dict[str, float]


class WatchAlert(Part):
    """Something that got worse since the push.

    Attributes:
      version: The version that serves.
      subject: A task, or a column that drifted.
      measure: The metric, or the distance.
      slice: The slice; "" for all examples.
      began: The span where it began.
      raised: The span at which it was first to be seen.
      promised: What was promised; None for a drift.
      found: The metric since it began, over all examples; the distance in the last span.
      error: The standard error of it; None for a drift.
      sentence: All of it for people.
    """

    version: int
    subject: str
    measure: str
    slice: str
    began: str
    raised: str
    promised: float | None
    found: float
    error: float | None
    sentence: str
