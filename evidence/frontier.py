"""The trade-off of a page: engagement at equal discovery, over a range of what the score weighs.

A page is ranked by one number, and a formula that suits one arm may not suit the other.  So
both arms rank by every value of one name of the formula.  Each value gives a page with so much
engagement and so much discovery; together they are the arm's frontier.  Where the control's page
holds so many discoveries, the student's is taken between the two values of the grid whose pages
hold more and fewer, by a straight line, and their engagement is compared.

How sure that is: the student's engagement at the control's discovery moves with both arms' own
discoveries by the slope of the student's frontier there.  A person's part in it is what she did,
less the slope times the difference of her discoveries; the delta method on the ratio does the rest
(`evidence.statistics.lift`), over people, and the variance over pairs of seeds comes to it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from contracts.held_out import HeldOutRows
from evaluation.gains import FUNCTIONS
from evaluation.influence import MetricScore
from evidence.live import Pair, Progress, Traffic, chance, page_of, predict, score
from evidence.slates import DISCOVERY, ENGAGEMENT, Happened, draw_slates, outcome
from evidence.statistics import lift, mean_of
from evidence.verdicts import corrected_confidence
from schema.checks import nearest
from schema.errors import InputError
from schema.score import Score
from schema.surface import Surface
from worlds.simulated import World

# Values of the range, its ends among them.
VALUES = 9


@dataclass(frozen=True)
class Over:
    """A task, whose prediction counts so many times, or a constant of the score, and the range of its values."""

    name: str
    low: float
    high: float

    @property
    def values(self) -> list[float]:
        """`VALUES` of them, equally far apart."""
        return [float(each) for each in np.linspace(self.low, self.high, VALUES)]


@dataclass(frozen=True)
class Shown:
    """What one model's pages held, by value of the range, and what people did with them: float [people] a metric."""

    values: Sequence[float]
    happened: Sequence[Happened]

    def totals(self, metric: str) -> NDArray[np.float64]:
        """The sums over people, [values]."""
        return np.array([each[metric].sum() for each in self.happened])

    def slope(self, place: int) -> float:
        """How engagement moves with discovery after a value: a line through it, the next and their neighbours.

        It is 0 where all of them hold the same number of discoveries.
        """
        near = slice(max(place - 1, 0), place + 3)
        discovery, engagement = self.totals(DISCOVERY)[near], self.totals(ENGAGEMENT)[near]
        apart = discovery - discovery.mean()
        spread = float(np.square(apart).sum())
        return float((apart * engagement).sum()) / spread if spread else 0.0


@dataclass(frozen=True)
class Match:
    """A student's page that holds as many discoveries as a control's.

    Attributes:
      value: Of the range, between two of the grid.
      lift: Of engagement, relative to the control's.
    """

    value: float
    lift: MetricScore


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class EqualDiscovery(_Part):
    """The lift of engagement where the student's pages hold as many discoveries as the control's.

    Attributes:
      value: Of the range, for the student; mean over pairs.
      mean: Relative difference, mean over pairs; .01 is one percent more.
      low: The lower end of the joint interval.
      high: Its other end.
      p_value: Two-sided, not corrected.
      replicates: The lift of each pair.
    """

    value: float
    mean: float
    low: float
    high: float
    p_value: float
    replicates: list[float]


class FrontierPoint(_Part):
    """One value of the range, and what the control's page then held; sums a slate, means over pairs.

    Attributes:
      value: What the control's score weighed by.
      discovery: Of the control.
      engagement: Of the control.
      student_discovery: Of the student by the same value.
      student_engagement: Likewise.
      lift: At equal discovery; None where some student's pages never hold so much, or never so little.
      same_model_held: In how many of the A/A runs that had a match the interval held zero.
      same_model: How many had one.
    """

    value: float
    discovery: float
    engagement: float
    student_discovery: float
    student_engagement: float
    lift: EqualDiscovery | None
    same_model_held: int
    same_model: int


class FrontierResult(_Part):
    """Two frontiers, compared.

    Attributes:
      surface: `homepage` or `radio`.
      over: What was varied.
      slates: Shown by each arm for each value.
      people: Who saw them.
      pairs: Student and control of each pair.
      confidence: Joint confidence of the intervals of all points.
      draws: Number of A/A runs: a control against itself, under chance of its own.
      points: By value.
      held_out_rows: How new users and items are to held-out rows, and to the run's evaluation; empty for pairs that
        were given, of whose training nothing is known.
      seconds: All of it.
    """

    surface: str
    over: str
    slates: int
    people: int
    pairs: list[tuple[str, str]]
    confidence: float
    draws: int
    points: list[FrontierPoint]
    held_out_rows: list[HeldOutRows] = []
    seconds: float


def read_over(text: str, surface: Surface, option: str = "--over") -> Over:
    """Reads `NAME=LOW:HIGH`, given as this option.

    Raises:
      InputError: It is not so written, the range is empty, or the surface's score does not read the name.
    """
    name, equals, span = text.partition("=")
    low, colon, high = span.partition(":")
    try:
        found = Over(name, float(low), float(high))
    except ValueError:
        found = None
    if found is None or not (name and equals and colon) or not -np.inf < found.low < found.high < np.inf:
        raise InputError(f"{option} {text}: expected NAME=LOW:HIGH with two numbers, the lower one first")
    names = score_of(surface).expression().names
    if name not in names:
        raise InputError(
            f"{option} {text}: expected a name that the score reads, {', '.join(names)}{nearest(name, names)}"
        )
    return found


def compare(
    surface: Surface, world: World, pairs: Sequence[Pair], traffic: Traffic, over: Over, progress: Progress
) -> FrontierResult:
    """Lets all pairs rank the same slates by every value of the range.

    Args:
      surface: With a score.
      world: Whose people come.
      pairs: One or more.
      traffic: How much is shown.
      over: What is varied, as `read_over` gives it.
      progress: Told one line at each step.

    Raises:
      InputError: The surface has no score, or an export does not serve what it reads.
    """
    started = time.monotonic()
    page, formula = page_of(surface.name), score_of(surface)
    slates = draw_slates(world, traffic.slates, np.random.default_rng([traffic.seed, 0]))
    tasks = [name for name in formula.expression().names if name in surface.tasks]
    models = [predict(path, tasks) for pair in pairs for path in (pair.student, pair.control)]
    progress(f"{traffic.slates:,} slates, {len(pairs)} pairs: predicting for {slates.repeated.size:,} candidates")
    predicted = [dict(zip(tasks, each.T, strict=True)) for each in score(page, world, slates.candidates, models)]
    progress(f"ranking by {VALUES} values of {over.name!r}, and {traffic.draws} A/A runs")

    def show(model: int, draw: int) -> Shown:
        ranked = (value_of(formula, predicted[model], over.name, each) for each in over.values)
        return Shown(over.values, [outcome(page, world, slates, each, chance(traffic, draw)) for each in ranked])

    shown = [show(model, 0) for model in range(len(models))]
    again = [(show(1, 1 + 2 * draw), show(1, 2 + 2 * draw)) for draw in range(traffic.draws)]
    level = corrected_confidence(traffic.confidence, VALUES)
    return FrontierResult(
        surface=surface.name,
        over=f"{over.name}={over.low:g}:{over.high:g}",
        slates=traffic.slates,
        people=len(np.unique(slates.people)),
        pairs=[(each.student, each.control) for each in pairs],
        confidence=traffic.confidence,
        draws=traffic.draws,
        points=[_point(place, shown, again, level, traffic.slates) for place in range(VALUES)],
        seconds=time.monotonic() - started,
    )


def match(student: Shown, control: Happened, near: float) -> Match | None:
    """Where a student's frontier holds as many discoveries as a control's page, and what its engagement is there.

    Args:
      student: By value of the range, in order.
      control: One page of the control's: float [people] a metric.
      near: The control's value.  Chance may let a frontier turn back; then the match next to it is taken.

    Returns:
      None where no two neighbouring values of the student enclose it.
    """
    held = student.totals(DISCOVERY) - control[DISCOVERY].sum()
    found = _zeros(held)
    if not len(found):
        return None
    values = np.interp(found, np.arange(len(held)), student.values)
    chosen = int(np.argmin(np.abs(values - near)))
    place = min(int(found[chosen]), len(held) - 2)
    share = float(found[chosen]) - place
    before, after = student.happened[place], student.happened[place + 1]
    engagement, discovery = (before[each] + share * (after[each] - before[each]) for each in (ENGAGEMENT, DISCOVERY))
    measured = lift(engagement - student.slope(place) * (discovery - control[DISCOVERY]), control[ENGAGEMENT])
    return None if measured is None else Match(float(values[chosen]), measured)


def _zeros(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where a line through values at 0, 1, ... is zero."""
    first, second = values[:-1], values[1:]
    crossed = np.flatnonzero(first * second < 0)
    between = crossed + first[crossed] / (first[crossed] - second[crossed])
    return np.concatenate([np.flatnonzero(values == 0), between])


def score_of(surface: Surface) -> Score:
    """The surface's score.

    Raises:
      InputError: It has none.
    """
    if surface.score is None:
        raise InputError(f"surface {surface.name!r}: expected a `score:` in surface.yaml, by which pages are ranked")
    return surface.score


def value_of(
    formula: Score, predicted: Mapping[str, NDArray[Any]], name: str | None = None, value: float = 1.0
) -> NDArray[Any]:
    """The score of each candidate.

    Args:
      formula: Of the surface.
      predicted: By task, of each candidate.
      name: A task that counts `value` times, or a constant that has this value; None for the score as it is.
      value: Means nothing without a name.
    """
    names: dict[str, Any] = {**predicted, **formula.constants}
    if name is not None:
        names[name] = value * names[name] if name in predicted else value
    return np.asarray(formula.expression().value(names, FUNCTIONS))


def _point(
    place: int, shown: Sequence[Shown], again: Sequence[tuple[Shown, Shown]], level: float, slates: int
) -> FrontierPoint:
    students, controls, value = shown[::2], shown[1::2], shown[0].values[place]

    def mean(arms: Sequence[Shown], metric: str) -> float:
        return float(np.mean([each.happened[place][metric].sum() for each in arms])) / slates

    matches = [match(ours, theirs.happened[place], value) for ours, theirs in zip(students, controls, strict=True)]
    twice = [match(ours, theirs.happened[place], value) for ours, theirs in again]
    intervals = [mean_of([each.lift], confidence=level) for each in twice if each is not None]
    return FrontierPoint(
        value=value,
        discovery=mean(controls, DISCOVERY),
        engagement=mean(controls, ENGAGEMENT),
        student_discovery=mean(students, DISCOVERY),
        student_engagement=mean(students, ENGAGEMENT),
        lift=_lift(matches, level),
        same_model_held=sum(each.low <= 0 <= each.high for each in intervals),
        same_model=len(intervals),
    )


def _lift(matches: Sequence[Match | None], level: float) -> EqualDiscovery | None:
    """None unless every pair has a match."""
    known = [each for each in matches if each is not None]
    if len(known) < len(matches):
        return None
    found = mean_of([each.lift for each in known], confidence=level)
    return EqualDiscovery(
        value=float(np.mean([each.value for each in known])),
        mean=found.mean,
        low=found.low,
        high=found.high,
        p_value=found.p_value,
        replicates=list(found.replicates),
    )
