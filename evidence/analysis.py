"""From predictions to means, differences and verdicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluation.influence import Score
from evaluation.registry import score
from evidence.arms import TEACHER, Group
from evidence.data import RunData
from evidence.result import Difference, Finding, Mean
from evidence.statistics import difference
from evidence.verdicts import corrected_confidence, judge
from models.columns import hard_label_column
from schema.base import TaskKind
from schema.metrics import main_metric
from schema.surface import Surface

# By arm, run and seed: predictions by task, float [examples].
Predictions = Mapping[str, Sequence[Sequence[Mapping[str, NDArray[Any]]]]]
_Scores = list[list[Score]]


@dataclass(frozen=True)
class Analysis:
    """Means of all arms, findings on all candidates, and the size of the family of verdicts."""

    means: list[Mean]
    findings: list[Finding]
    verdicts: int


@dataclass(frozen=True)
class _Cell:
    """One task in one part of the evaluation data.

    Attributes:
      task: The task.
      slice: None for all examples.
      rows: Per run, the labelled rows.
      scores: The scores by arm; absent where the metric is not defined in every run.
    """

    task: str
    slice: str | None
    rows: list[NDArray[np.int64]]
    scores: dict[str, _Scores]


def analyse(
    surface: Surface,
    groups: Sequence[Group],
    runs: Sequence[RunData],
    predictions: Predictions,
    confidence: float,
    clusters: str | None,
) -> Analysis:
    """Judges all candidates.

    Args:
      surface: The surface; techniques share its tasks.
      groups: The candidates with their controls and placebos.
      runs: The data of each run.
      predictions: The predictions of all arms.
      confidence: Joint confidence of the verdicts' intervals, and of each family of a
        slice's intervals.
      clusters: Raw column whose values are clusters of examples.
    """
    verdicts = len(groups) * len(surface.tasks)
    level = corrected_confidence(confidence, verdicts)
    codes = [np.unique(run.raw[clusters], return_inverse=True)[1] if clusters else None for run in runs]
    parts = [None, *(name for name in runs[0].slices if all(name in run.slices for run in runs))]
    means: list[Mean] = []
    findings: list[Finding] = []
    for part in parts:
        for task in surface.tasks:
            cell = _cell(surface, task, part, runs, predictions)
            means += _means(cell, runs, surface.tasks[task].kind, [*predictions])
            findings += [_finding(surface, cell, each, runs, codes, level) for each in groups]
    return Analysis(means, findings, verdicts)


def _cell(surface: Surface, task: str, part: str | None, runs: Sequence[RunData], predictions: Predictions) -> _Cell:
    metric = main_metric(surface.tasks[task].kind)
    rows = [_labelled(run, task, part) for run in runs]
    scores: dict[str, _Scores] = {}
    for arm, of_runs in predictions.items():
        found = [
            [score(metric, _labels(run, task)[chosen], seed[task][chosen]) for seed in of_seeds]
            for run, chosen, of_seeds in zip(runs, rows, of_runs, strict=True)
        ]
        known = [[each for each in of_seeds if each is not None] for of_seeds in found]
        if all(len(kept) == len(of_seeds) for kept, of_seeds in zip(known, found, strict=True)):
            scores[arm] = known
    return _Cell(task, part, rows, scores)


def _labels(run: RunData, task: str) -> NDArray[Any]:
    return run.evaluation[hard_label_column(task)]


def _labelled(run: RunData, task: str, part: str | None) -> NDArray[np.int64]:
    present = np.isfinite(_labels(run, task))
    return np.flatnonzero(present if part is None else present & run.slices[part])


def _means(cell: _Cell, runs: Sequence[RunData], kind: TaskKind, arms: Sequence[str]) -> list[Mean]:
    found = []
    for arm in arms:
        values = np.array([[each.value for each in of_seeds] for of_seeds in cell.scores.get(arm, [])])
        found.append(
            Mean(
                arm=arm,
                task=cell.task,
                slice=cell.slice,
                mean=float(values.mean()) if values.size else None,
                std=float(values.std(ddof=1)) if values.size > 1 else None,
            )
        )
    if all(cell.task in run.teacher for run in runs):
        found.append(Mean(arm=TEACHER, task=cell.task, slice=cell.slice, mean=_teacher(cell, runs, kind), std=None))
    return found


def _teacher(cell: _Cell, runs: Sequence[RunData], kind: TaskKind) -> float | None:
    """The teacher's own metric, on the rows that it labelled."""
    values = []
    for run, rows in zip(runs, cell.rows, strict=True):
        known = rows[np.isfinite(run.teacher[cell.task][rows])]
        found = score(main_metric(kind), _labels(run, cell.task)[known], run.teacher[cell.task][known])
        if found is None:
            return None
        values.append(found.value)
    return float(np.mean(values))


def _finding(
    surface: Surface,
    cell: _Cell,
    judged: Group,
    runs: Sequence[RunData],
    codes: Sequence[NDArray[np.int64] | None],
    level: float,
) -> Finding:
    kind = surface.tasks[cell.task].kind
    labels = _labels(runs[0], cell.task)[cell.rows[0]]
    finding = Finding(
        candidate=judged.candidate.name,
        task=cell.task,
        slice=cell.slice,
        metric=main_metric(kind).name,
        distilled=judged.candidate.surface.tasks[cell.task].distil is not None,
        examples=len(labels),
        positives=int((labels > 0).sum()) if kind is TaskKind.BINARY else None,
    )
    if any(arm.name not in cell.scores for arm in judged.arms()):
        reason = _undefined(kind, [_labels(run, cell.task)[rows] for run, rows in zip(runs, cell.rows, strict=True)])
        return finding.model_copy(update={"note": f"no verdict: {reason} among {len(labels)} labelled examples"})
    groups = [None if of is None else of[rows] for of, rows in zip(codes, cell.rows, strict=True)]
    against = {
        arm.name: difference(
            cell.scores[judged.candidate.name], cell.scores[arm.name], confidence=level, clusters=groups
        )
        for arm in (judged.control, *judged.placebos)
    }
    shown = {
        name: Difference(
            arm=name,
            mean=each.mean,
            low=each.low,
            high=each.high,
            p_value=each.p_value,
            replicates=list(each.replicates),
        )
        for name, each in against.items()
    }
    placebos = [each.name for each in judged.placebos]
    verdict = judge(against[judged.control.name], [against[name] for name in placebos])
    return finding.model_copy(
        update={
            "control": shown[judged.control.name],
            "placebos": [shown[name] for name in placebos],
            "verdict": verdict if cell.slice is None else None,
        }
    )


def _undefined(kind: TaskKind, labels: Sequence[NDArray[Any]]) -> str:
    """Why a metric is not defined in some run."""
    if all(len(np.unique(each)) > 1 for each in labels):
        return "predictions that are no numbers"
    return "one class only" if kind is TaskKind.BINARY else "labels that do not vary"
