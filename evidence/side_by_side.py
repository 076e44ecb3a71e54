"""Two teachers on the same examples: how far they agree, and which is nearer to what happened.

A teacher is tried like this before it is used.  Every number has an interval over groups (requests,
people, or rows where the surface has no `group`), by the influence of each row on it: for a difference
of both teachers the differences of their influences, so that what is hard for both of them cancels.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from contracts.decision import Measurement
from contracts.two_teachers import Agreement, Quality, SideBySide
from evaluation.influence import MetricScore
from evaluation.registry import score
from evidence.watch.scoring import Floats, ScoredExamples, enough, error_of
from schema.base import TaskKind
from schema.metrics import CALIBRATION, NEGLIGIBLE, Metric, main_metric
from schema.surface import Surface

OLD, NEW = "old", "new"
_ALPHA = 0.05


@dataclass(frozen=True)
class _Pair:
    """A task that learns from a task of the teacher, both of the same kind."""

    task: str
    teacher_task: str
    kind: TaskKind


def compare(surface: Surface, scored: ScoredExamples) -> SideBySide:
    """Compares what both said.

    Args:
      surface: The surface, with a teacher.
      scored: The examples; its predictions are logits, or values, of the teachers' tasks, called `named` after
        `OLD` and `NEW`.
    """
    plain = [name for name, task in surface.teacher_tasks.items() if task.classes is None]
    several = [name for name in surface.teacher_tasks if name not in plain]
    pairs = list(_pairs(surface, plain))
    found = [
        each
        for pair in pairs
        for metric in _metrics(pair.kind)
        for key, rows in scored.slices.items()
        if (each := _quality(pair, metric, scored, key, rows)) is not None
    ]
    main = [each for each in found if not each.slice and each.metric != CALIBRATION.name]
    joint = float(stats.norm.isf(_ALPHA / 2 / max(1, len(main))) / stats.norm.isf(_ALPHA / 2))
    return SideBySide(
        agreement=tuple(
            _agreement(name, surface.teacher_tasks[name].kind, scored, key, rows)
            for name in plain
            for key, rows in scored.slices.items()
            if len(rows) > 1
        ),
        quality=tuple(found),
        worse=tuple(each.task for each in main if _surely(each.difference, -1, joint, NEGLIGIBLE)),
        better=tuple(each.task for each in main if _surely(each.difference, 1, joint, 0.0)),
        not_compared=tuple(f"{name}: a task of several classes." for name in several),
    )


def named(which: str, task: str) -> str:
    """The name of a teacher's task among predictions."""
    return f"{which}/{task}"


def _pairs(surface: Surface, plain: list[str]) -> Iterator[_Pair]:
    for name, task in surface.tasks.items():
        if task.distil is not None and task.distil.teacher_task in plain and task.classes is None:
            pair = _Pair(name, task.distil.teacher_task, task.kind)
            if surface.teacher_tasks[pair.teacher_task].kind is pair.kind:
                yield pair


def _metrics(kind: TaskKind) -> tuple[Metric, ...]:
    return (main_metric(kind), CALIBRATION) if kind is TaskKind.BINARY else (main_metric(kind),)


def _agreement(task: str, kind: TaskKind, scored: ScoredExamples, key: str, rows: NDArray[np.intp]) -> Agreement:
    old, new = (scored.predictions[named(which, task)][rows] for which in (OLD, NEW))
    groups = scored.groups[rows]
    gained = _told(new, kind) - _told(old, kind)
    shift = MetricScore(float(gained.mean()), gained - gained.mean())
    spread = float(new.std() / old.std()) if old.std() > 0 else None
    return Agreement(
        task=task,
        slice=key,
        examples=len(rows),
        correlation=_measurement(correlation(old, new), groups),
        shift=_measurement(shift, groups),
        spread=spread,
    )


def correlation(first: Floats, second: Floats) -> MetricScore | None:
    """Pearson's, with the influence x y - r (x^2 + y^2) / 2 of standardized x and y; None where one does not vary."""
    spreads = first.std(), second.std()
    if not min(spreads) > 0:
        return None
    x, y = ((each - each.mean()) / spread for each, spread in zip((first, second), spreads, strict=True))
    value = float((x * y).mean())
    return MetricScore(value, x * y - value * (x**2 + y**2) / 2)


def _quality(pair: _Pair, metric: Metric, scored: ScoredExamples, key: str, rows: NDArray[np.intp]) -> Quality | None:
    """None where there are too few labels, or the metric is not defined."""
    kept = rows[~np.isnan(scored.labels[pair.task][rows])]
    labels, groups = scored.labels[pair.task][kept], scored.groups[kept]
    if not enough(labels, pair.kind):
        return None
    weights = None if scored.weights is None else scored.weights[pair.task][kept]
    told = (_told(scored.predictions[named(which, pair.teacher_task)][kept], pair.kind) for which in (OLD, NEW))
    old, new = (score(metric, labels, each, weights, groups) for each in told)
    if old is None or new is None:
        return None
    return Quality(
        task=pair.task,
        teacher_task=pair.teacher_task,
        metric=metric.name,
        slice=key,
        examples=len(kept),
        old=_measurement(old, groups),
        new=_measurement(new, groups),
        difference=_measurement(MetricScore(new.value - old.value, new.influence - old.influence), groups),
    )


def _told(logits: Floats, kind: TaskKind) -> Floats:
    """Probabilities of a binary task; of another one the values as they are."""
    return 1 / (1 + np.exp(-logits)) if kind is TaskKind.BINARY else logits


def _measurement(found: MetricScore | None, groups: NDArray[np.int64]) -> Measurement:
    if found is None or not np.isfinite(found.value):
        return Measurement(value=None)
    half = float(stats.norm.isf(_ALPHA / 2)) * error_of(found.influence, groups)
    return Measurement(value=found.value, lower=found.value - half, upper=found.value + half)


def _surely(difference: Measurement, sign: int, joint: float, margin: float) -> bool:
    """Whether a difference is beyond a margin on that side, by the interval that is joint over all tasks."""
    if difference.value is None or difference.upper is None:
        return False
    half = (difference.upper - difference.value) * joint
    return sign * difference.value - half > margin


def finite_rows(predictions: Mapping[str, Floats]) -> NDArray[np.bool_]:
    """The rows of which every teacher says a number in every task."""
    return np.logical_and.reduce([np.isfinite(each) for each in predictions.values()])
