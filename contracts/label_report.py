"""The label report: what the teacher saw of the target, what it said, and how that agrees with the hard labels."""

from __future__ import annotations

from typing import ClassVar

from contracts.base import Document, Part
from schema.metrics import MetricName


class FeatureReport(Part):
    """One input of the teacher.

    Attributes:
      present: Examples that carried a value.
      filled: Examples in which the default, the padding or the constant stood for it.
      fill_rate: filled / (present + filled).
      unmapped: How many of the `present` ones have a value that is not in the vocabulary.
    """

    present: int
    filled: int
    fill_rate: float | None
    unmapped: int = 0


class TaskReport(Part):
    """The soft labels of one teacher task: logits, or values for a regression.

    Attributes:
      count: Examples labelled.
      non_finite: Examples for which this task's output was NaN or infinite.
      mean: Exact, like std (of the population), min and max.
      quantiles: The quantiles by probability, from the sample.
    """

    count: int
    non_finite: int
    mean: float | None
    std: float | None
    min: float | None
    max: float | None
    quantiles: dict[str, float]


class CounterpartReport(Part):
    """A teacher task against the hard label of the task that distils it.

    Attributes:
      teacher_task: The teacher's task.
      metric: Name of the hard label's metric; None when the teacher's output cannot be
        judged by it, since the kinds of the two tasks differ.
      value: None when it is not defined: no labels, one class only, or no variance.
      lower: Lower end of the value's 95% interval, by a jackknife over folds of the rows;
        None where it is not defined, and where the surface has a `group`, whose rows
        depend on each other while the folds know no groups.
      upper: Upper end.
      rows: Labelled rows the value rests on; all of them unless the sample was needed.
      labelled: Rows with both a soft and a hard label.
      mean_label: Mean hard label: the positive rate of a binary task.
    """

    teacher_task: str
    metric: MetricName | None
    value: float | None
    lower: float | None = None
    upper: float | None = None
    rows: int
    labelled: int
    mean_label: float | None


class SplitReport(Part):
    """One split, or all of them.

    Attributes:
      read: Records read.
      labelled: Records written, with soft labels.
      bad: Dead letters by reason.
      features: The reports of the teacher's inputs, by name.
      fill_rate: Part of the teacher's features that were filled in every example.
      mean_fill_rate: Mean over features of their fill rates.
      tasks: The reports of the soft labels, by the teacher's task.
      counterparts: The counterparts by task of the surface.
      sampled: Rows that quantiles and AUC rest on; equal to `labelled` when they are exact.
    """

    read: int
    labelled: int
    bad: dict[str, int]
    features: dict[str, FeatureReport]
    fill_rate: float | None
    mean_fill_rate: float | None
    tasks: dict[str, TaskReport]
    counterparts: dict[str, CounterpartReport]
    sampled: int


class LabelReport(Document):
    """Everything TeacherLabeler found.

    Attributes:
      surface: Name of the surface.
      teacher: Folder of the SavedModel.
      teacher_fingerprint: SHA-256 of its files.
      signature: The signature called.
      splits: The reports of the splits, by name.
      overall: All splits together.
      seconds: Time for labelling, the teacher's loading included.
      examples_per_second: overall.read / seconds.
    """

    FILE: ClassVar[str] = "report.json"
    TITLE: ClassVar[str] = "a label report"

    surface: str
    teacher: str
    teacher_fingerprint: str
    signature: str
    splits: dict[str, SplitReport]
    overall: SplitReport
    seconds: float
    examples_per_second: float
