"""How long an experiment must run, from a log of days without one.

A lift d of the treatment over the control has the variance (1 + d)^2 cv^2 (1 / n_t + 1 / n_c),
with cv^2 the variance of a unit's influence over the squared metric and n units in the arms,
where the treatment moves each unit by the same share (its spread grows along with the mean;
where it does not, less is needed).  A two-sided test at level a finds it with probability p if

    d >= (z(1 - a / 2) + z(p)) sqrt(variance of the lift).

Both sides change with the days: more people come, and each has more days to add up.  So the
smallest lift that d days would find is worked out of the log's own first d days, for every
d; beyond the log, new units are taken to come as they did in its second half, and the
variance of one to stay as it was at its end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict
from scipy import stats

from evidence.ab.lifts import Floats, explained
from evidence.ab.spec import LogMetric, LogSpec
from evidence.ab.units import Units, units_of
from records.logs import Log
from schema.errors import InputError

MOST_DAYS = 365


@dataclass(frozen=True)
class Wish:
    """What an experiment is to find.

    Attributes:
      lift: The smallest lift that matters; .01 is one percent.
      power: How probable it should be to find it.
      shares: Shares of the units, treatment first and control second; of all units, which need not add up to 1.
      confidence: 1 minus the probability that any of the metrics moves by chance alone.
    """

    lift: float
    power: float = 0.8
    shares: tuple[float, float] = (0.5, 0.5)
    confidence: float = 0.95


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class DayOfPlan(_Part):
    """What so many days would find: `units` of both arms, and the smallest `lift`; None for no lift at all."""

    days: int
    units: int
    lift: float | None


class MetricPlan(_Part):
    """How long one metric takes.

    Attributes:
      metric: The metric.
      value: Its value over the log.
      reduction: The share of the variance that CUPED takes away; None where nothing is known from before.
      units: Units of both arms that are needed, at the variance of the last day that counts.
      days: Days that are needed; None where a year does not do.
      extrapolated: Whether that is longer than the log.
      course: Smallest lift by day, of the log's days.
    """

    metric: str
    value: float
    reduction: float | None
    units: int
    days: int | None
    extrapolated: bool
    course: list[DayOfPlan]


class LogPlan(_Part):
    """How long an experiment must run.

    Attributes:
      lift: The smallest lift that matters.
      power: How probable it is to find it.
      confidence: Joint, for all metrics (Bonferroni).
      units_per_day: New units per day in the log's second half.
      days: Days until every metric is decided; None where a year does not do.
      metrics: Each.
    """

    lift: float
    power: float
    confidence: float
    units_per_day: float
    days: int | None
    metrics: list[MetricPlan]


def plan(log: Log, spec: LogSpec, wish: Wish) -> LogPlan:
    """Plans an experiment on the people of a log.

    Args:
      log: What `spec.columns` reads.
      spec: What its columns mean; without arms.
      wish: What is to be found.

    Raises:
      InputError: The log has fewer than two days, or a metric is not defined in it.
    """
    units = units_of(log, spec)
    if len(units.days) < 2:
        raise InputError("--plan: expected a log of two days or more (--day), found fewer")
    known = list(units.to_date())
    arrivals = _arrivals([int(seen.sum()) for seen, _ in known])
    needed = (len(spec.metrics), wish)
    metrics = [_metric_plan(units, metric, known, arrivals, needed) for metric in spec.metrics]
    days = [each.days for each in metrics]
    return LogPlan(
        lift=wish.lift,
        power=wish.power,
        confidence=wish.confidence,
        units_per_day=arrivals,
        days=None if None in days else max(day for day in days if day is not None),
        metrics=metrics,
    )


def smallest_lift(variance: float, units: float, wish: Wish, metrics: int) -> float:
    """The smallest lift that so many units would find.

    Args:
      variance: Of one unit's influence, over the squared metric (and after CUPED).
      units: All that come, of which each arm has its share.
      wish: Power, shares, confidence.
      metrics: How many are tested together.

    Returns:
      The lift; infinite where the units are too few for any.
    """
    per_unit = sum(1 / share for share in wish.shares)
    without_lift = _quantiles(wish, metrics) * float(np.sqrt(variance * per_unit / units))
    return without_lift / (1 - without_lift) if without_lift < 1 else float("inf")


def units_needed(variance: float, wish: Wish, metrics: int) -> int:
    """Units of both arms that find the wished-for lift."""
    per_unit = sum(1 / share for share in wish.shares)
    everyone = variance * per_unit * (_quantiles(wish, metrics) * (1 + wish.lift) / wish.lift) ** 2
    return int(np.ceil(everyone * sum(wish.shares)))


def _quantiles(wish: Wish, metrics: int) -> float:
    return float(stats.norm.isf((1 - wish.confidence) / metrics / 2) + stats.norm.ppf(wish.power))


def _arrivals(units: Sequence[int]) -> float:
    """New units per day in the second half of the log."""
    middle = len(units) // 2
    return (units[-1] - units[middle - 1]) / (len(units) - middle)


def _metric_plan(
    units: Units,
    metric: LogMetric,
    known: Sequence[tuple[np.ndarray, dict[str, Floats]]],
    arrivals: float,
    needed: tuple[int, Wish],
) -> MetricPlan:
    metrics, wish = needed
    course = []
    found = None
    for day, (seen, sums) in enumerate(known, start=1):
        found = explained(units.of(metric, sums).of(seen))
        if found is not None:
            people = int(seen.sum())
            smallest = smallest_lift(found.variance, people, wish, metrics)
            known_lift = smallest if np.isfinite(smallest) else None
            course.append(DayOfPlan(days=day, units=round(people * sum(wish.shares)), lift=known_lift))
    if found is None:
        raise InputError(
            f"--metric {metric.name}: expected numbers that do not add up to 0, of two units or more; found no others "
            "in the whole log, so that there is no lift over it"
        )
    first = next((each for each in course if each.lift is not None and each.lift <= wish.lift), None)
    everyone = units_needed(found.variance, wish, metrics)
    days = first.days if first else _beyond(everyone / sum(wish.shares), int(known[-1][0].sum()), arrivals, len(known))
    return MetricPlan(
        metric=metric.name,
        value=found.value,
        reduction=found.reduction,
        units=first.units if first else everyone,
        days=days,
        extrapolated=first is None,
        course=course,
    )


def _beyond(wanted: float, there: int, arrivals: float, days: int) -> int | None:
    if arrivals <= 0:
        return None
    more = days + int(np.ceil((wanted - there) / arrivals))
    return more if more <= MOST_DAYS else None
