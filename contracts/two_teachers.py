"""What two teachers say of the same examples, as `crosskd teachers` tells it."""

from __future__ import annotations

from contracts.base import Part
from contracts.decision import Measurement


class Agreement(Part):
    """How far two teachers say the same of one of their tasks, in one slice.

    Attributes:
      task: The teacher's task.
      slice: The slice; "" for all examples.
      examples: How many.
      correlation: Pearson's, of their logits, or of their values for a regression.
      shift: By how much the new one says more, on average: of probability for a binary task, else of its value.
      spread: The standard deviation of the new one's logits to that of the old one's.
    """

    task: str
    slice: str
    examples: int
    correlation: Measurement
    shift: Measurement
    spread: float | None


class Quality(Part):
    """How near two teachers come to hard labels of a task that learns from them, in one slice.

    Attributes:
      task: The surface's task.
      teacher_task: The teacher's task that it learns from.
      metric: AUC or R2, or the calibration ratio of a binary task.
      slice: The slice; "" for all examples.
      examples: Those with a label.
      old: The old teacher's.
      new: The new one's.
      difference: New minus old.
    """

    task: str
    teacher_task: str
    metric: str
    slice: str
    examples: int
    old: Measurement
    new: Measurement
    difference: Measurement


class SideBySide(Part):
    """What two teachers say of the same examples.

    Attributes:
      agreement: By teacher task and slice, all examples first.
      quality: By task, metric and slice, likewise.
      worse: Tasks on which the new one is worse: its AUC or R2 over all examples by more than is negligible,
        with intervals that are joint over the tasks.
      better: Those on which it is better, likewise, by whatever it is.
      not_compared: Why something is not compared, a sentence each.
    """

    agreement: tuple[Agreement, ...]
    quality: tuple[Quality, ...]
    worse: tuple[str, ...]
    better: tuple[str, ...]
    not_compared: tuple[str, ...]


class Compared(Part):
    """What became of the examples.

    Attributes:
      examples: Those that both answered.
      left_out: Those that the labeller would leave out, by either teacher.
      side_by_side: What was found.
    """

    examples: int
    left_out: int
    side_by_side: SideBySide
