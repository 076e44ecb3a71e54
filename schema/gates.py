"""Gates: what is asked of a student's metrics before it may serve."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum, auto
from typing import Annotated

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from schema.base import Name, Strict
from schema.metrics import METRICS, Direction, GatedMetric, Metric


class JudgedOn(StrEnum):
    """What of an estimate a bound applies to: itself, an end of its 95% confidence interval, or both ends."""

    POINT = "point"
    LOWER_LIMIT = "lower_limit"
    UPPER_LIMIT = "upper_limit"
    BOTH_LIMITS = "both_limits"


class TeacherAgeGate(Strict):
    """How old the teacher may be.

    Attributes:
      at_most: Spans since a run had it first.
    """

    at_most: NonNegativeInt


_OPPOSITE = {JudgedOn.LOWER_LIMIT: JudgedOn.UPPER_LIMIT, JudgedOn.UPPER_LIMIT: JudgedOn.LOWER_LIMIT}


@dataclass(frozen=True)
class Limits:
    """What is asked of one number: a metric, or the difference of two models' metrics as it was measured.

    Attributes:
      least: It must not be lower; None asks nothing.
      most: It must not be higher; None asks nothing.
      judged_on: What of the number is meant.
    """

    least: float | None
    most: float | None
    judged_on: JudgedOn

    @property
    def also_of_the_point(self) -> bool:
        """Whether the point estimate meets what is asked wherever the limit that is judged does."""
        if self.judged_on is JudgedOn.LOWER_LIMIT:
            return self.most is None
        return self.judged_on is not JudgedOn.UPPER_LIMIT or self.least is None


class Change(Strict):
    """A bound on the change against another model, in the metric's unit, with better as positive.

    Where lower is better, that is `baseline - candidate`; where a value in the middle is best, how much
    nearer to it the candidate is.

    Attributes:
      at_least: The bound; a negative one admits as much loss.
    """

    at_least: float


class Gate(Strict):
    """One condition on one metric of one task; every gate must hold for a push.

    Attributes:
      metric: One of those for the task's kind.
      at_least: Absolute bound.
      at_most: The same from above.
      between: Both, as a list of two numbers.
      vs_last_blessed: Bound on the change against the last blessed model.
      vs_control: Bound on the change against the control without distillation.
      slice: Name of a slice of the surface; None is the overall slice.
      min_examples: With fewer labelled examples the gate cannot be judged.
      min_positives: The same for positive examples of a binary task.
      may_be_unjudged: A gate on all examples that cannot be judged blocks the push, and so does
        one on a slice of which the evaluation data have no labelled example; true lets them
        pass unjudged.  A slice with some examples, and too few, never blocks.
      judged_on: What the bounds apply to: the `point` estimate, the `lower_limit` or the
        `upper_limit` of its 95% confidence interval, or `both_limits` (for a change, of the
        paired change, with better as positive).
    """

    metric: GatedMetric
    at_least: float | None = None
    at_most: float | None = None
    between: tuple[float, float] | None = None
    vs_last_blessed: Change | None = None
    vs_control: Change | None = None
    slice: Name | None = None
    min_examples: PositiveInt = 1
    min_positives: PositiveInt = 1
    may_be_unjudged: bool = False
    judged_on: JudgedOn = JudgedOn.POINT

    @model_validator(mode="after")
    def _asks_something(self) -> Gate:
        if all(each is None for _, each in (*self._bounds(), *self._changes())):
            raise ValueError("a gate needs at_least, at_most, between, vs_last_blessed or vs_control")
        if self.between is not None and (self.at_least is not None or self.at_most is not None):
            raise ValueError("a gate has either `between` or `at_least` and `at_most`, found both; keep one")
        least, most = self._ends()
        if least is not None and most is not None and least >= most:
            raise ValueError(f"expected a range from a lower to a higher number, found {least:g} to {most:g}")
        return self

    @model_validator(mode="after")
    def _can_hold_and_can_fail(self) -> Gate:
        metric = METRICS[self.metric]
        for key, bound in self._bounds():
            if bound is not None and not metric.least <= bound <= metric.most:
                raise ValueError(_out_of_range(key, metric, bound, f"a value {_range(metric.least, metric.most)}"))
        widest = metric.most - metric.least
        for key, change in self._changes():
            if change is not None and not -widest < change.at_least < widest:
                expected = f"a change {_range(-widest, widest)}, the ends excluded"
                raise ValueError(_out_of_range(f"{key}.at_least", metric, change.at_least, expected))
        return self

    def _bounds(self) -> Iterator[tuple[str, float | None]]:
        """Every absolute bound by its key."""
        yield "at_least", self.at_least
        yield "at_most", self.at_most
        yield from (("between", bound) for bound in self.between or ())

    def _changes(self) -> Iterator[tuple[str, Change | None]]:
        yield "vs_last_blessed", self.vs_last_blessed
        yield "vs_control", self.vs_control

    def _ends(self) -> tuple[float | None, float | None]:
        return self.between or (self.at_least, self.at_most)

    def absolute(self) -> Limits | None:
        """What is asked of the metric itself; None if nothing is."""
        least, most = self._ends()
        return None if least is None and most is None else Limits(least, most, self.judged_on)

    def of_change(self, change: Change) -> Limits:
        """What a bound on a change asks of the measured difference.

        That is candidate - baseline or, of a metric that is best at a target, how much nearer
        to it the candidate is.
        """
        if METRICS[self.metric].direction is not Direction.LOWER:
            return Limits(change.at_least, None, self.judged_on)
        return Limits(None, -change.at_least, _OPPOSITE.get(self.judged_on, self.judged_on))


class Against(StrEnum):
    """The model beside which no task may be worse."""

    CONTROL = auto()
    LAST_BLESSED = auto()


class JointGate(Strict):
    """No task may be worse than another model by more than a margin, with one confidence for all of them.

    Each task's one-sided limit is taken at `confidence`, without a correction for their number: the
    student passes only if *every* task does, and then the chance that it passes although some task is
    worse by the margin is at most 1 - confidence (an intersection-union test; Berger 1982).

    Attributes:
      against: The other model.
      worse_by: The margin.
      relative: Whether the margin is a share of the other model's metric, or in the metric's unit.
      metrics: What a task is judged on; by default its main metric.
      confidence: That of the whole statement.
      may_be_unjudged: Where some task cannot be judged, the gate fails; true lets it pass unjudged.
    """

    against: Against
    worse_by: Annotated[float, Field(gt=0)]
    relative: bool = True
    metrics: dict[Name, GatedMetric] = Field(default_factory=dict)
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    may_be_unjudged: bool = False


def _range(least: float, most: float) -> str:
    if math.isinf(least) and math.isinf(most):
        return "of any size"
    if math.isinf(most):
        return f"of {least:g} or more"
    return f"of {most:g} or less" if math.isinf(least) else f"of {least:g} to {most:g}"


def _out_of_range(key: str, metric: Metric, found: float, expected: str) -> str:
    fraction = math.isfinite(metric.most)
    percent = f"; {found:g}% is {found / 100:g}" if fraction and 1 < abs(found) <= 100 else ""
    kind = " is a fraction," if fraction else ":"
    return f"{key}: {metric.name}{kind} expected {expected}, found {found:g}{percent}"
