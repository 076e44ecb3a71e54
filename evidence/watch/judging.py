"""From what was promised and what spans showed to alerts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from contracts.watch import Distance, Promise, WatchAlert, WatchedDrift, WatchedMetric, WatchedSpan
from evidence.watch.sequential import Alarm, lower_limit, watch
from schema.metrics import METRICS, NEGLIGIBLE, Direction, is_main

_NORMAL_975 = 1.959964
_WORDS = {
    Distance.L_INFINITY: "the share of one of its values changed by {value:.3f}",
    Distance.JENSEN_SHANNON: "its distribution is {value:.3f} away (Jensen-Shannon)",
    Distance.ABSENT: "the share of examples without it changed by {value:.3f}",
}


@dataclass(frozen=True)
class Tolerance:
    """What is no alert.

    Attributes:
      alpha: The probability that a model that keeps all its promises ever has an alert on a metric.
      margin: A fall of a main metric by so much is none, in its unit.
      share: A fall of any other metric by so much of what was promised is none.
    """

    alpha: float = 0.05
    margin: float = NEGLIGIBLE
    share: float = 0.05


Key = tuple[str, str, str]


def alerts(promise: Promise, spans: Sequence[WatchedSpan], tolerance: Tolerance) -> list[WatchAlert]:
    """What got worse in the spans of one version.

    The error is divided among all metrics of all slices, and both sides of those that are best
    at a target (Bonferroni), so that it is that of the whole page.

    Args:
      promise: What was promised of the version.
      spans: What its spans showed, in order.
      tolerance: What is no alert.

    Returns:
      Metrics first, each task's worst slice by standard errors first; then columns that drifted.
    """
    if not spans:
        return []
    promised = {_key(each): each for each in promise.metrics}
    sides = [(key, sign) for key in promised for sign in _signs(key[1])]
    found = [
        (alarm, key, sign)
        for key, sign in sides
        if (alarm := _look(promised[key], spans, key, sign, tolerance, len(sides))) is not None
    ]
    found.sort(key=lambda each: (each[1][0], -_badness(promised[each[1]], each[0])))
    metrics = [_of_metric(promised[key], alarm, spans) for alarm, key, _ in found]
    return [*metrics, *_of_drift(spans)]


def _key(each: WatchedMetric) -> Key:
    return each.task, each.metric, each.slice


def _signs(metric: str) -> tuple[float, ...]:
    """1 where a fall is bad, -1 where a rise is."""
    direction = METRICS[metric].direction
    if direction is Direction.TARGET:
        return (1.0, -1.0)
    return (-1.0,) if direction is Direction.LOWER else (1.0,)


def _look(
    promised: WatchedMetric, spans: Sequence[WatchedSpan], key: Key, sign: float, tolerance: Tolerance, sides: int
) -> Alarm | None:
    if promised.value is None or promised.error is None:
        return None
    shown = [{_key(each): each for each in span.metrics}.get(key) for span in spans]
    values = [np.nan if each is None or each.value is None else sign * each.value for each in shown]
    errors = [np.nan if each is None or each.error is None else each.error for each in shown]
    examples = [0 if each is None else each.examples for each in shown]
    limit = lower_limit(
        sign * promised.value, promised.error, _margin(promised.value, key[1], tolerance), tolerance.alpha / sides
    )
    alarm = watch(values, errors, examples, limit)
    return None if alarm is None else Alarm(alarm.raised, alarm.began, sign * alarm.mean, alarm.error)


def _margin(promised: float, metric: str, tolerance: Tolerance) -> float:
    return tolerance.margin if is_main(metric) else tolerance.share * abs(promised)


def _badness(promised: WatchedMetric, alarm: Alarm) -> float:
    return abs(alarm.mean - (promised.value or 0.0)) / alarm.error


def _of_metric(promised: WatchedMetric, alarm: Alarm, spans: Sequence[WatchedSpan]) -> WatchAlert:
    began, raised, last = spans[alarm.began], spans[alarm.raised], spans[-1]
    half = _NORMAL_975 * alarm.error
    where = f" where {promised.slice}" if promised.slice else ""
    sentence = (
        f"{promised.task}{where}: {METRICS[promised.metric].title} is {alarm.mean:.4f} "
        f"[{alarm.mean - half:.4f}, {alarm.mean + half:.4f}] since {began.span}; version {last.version} was pushed "
        f"with {promised.value:.4f}. First to be seen in {raised.span}."
    )
    return WatchAlert(
        version=last.version,
        subject=promised.task,
        measure=promised.metric,
        slice=promised.slice,
        began=began.span,
        raised=raised.span,
        promised=promised.value,
        found=alarm.mean,
        error=alarm.error,
        sentence=sentence,
    )


def _of_drift(spans: Sequence[WatchedSpan]) -> Iterator[WatchAlert]:
    """Columns that are over their threshold in the last span, each since it has been without a break."""
    over = [{(each.column, each.distance): each for each in span.drift if each.over} for span in spans]
    for (column, distance), last in over[-1].items():
        quiet = [place for place, found in enumerate(over) if (column, distance) not in found]
        began = spans[quiet[-1] + 1 if quiet else 0].span
        yield WatchAlert(
            version=spans[-1].version,
            subject=column,
            measure=distance.value,
            slice="",
            began=began,
            raised=began,
            promised=None,
            found=last.value,
            error=None,
            sentence=f"{column}: {_told(last)} since {began}, from what the gate judged version "
            f"{spans[-1].version} on; {last.threshold:g} is the threshold.",
        )


def _told(found: WatchedDrift) -> str:
    return _WORDS[found.distance].format(value=found.value)
