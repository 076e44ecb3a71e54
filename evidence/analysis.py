"""From predictions to means, differences and verdicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluation.influence import MetricScore
from evaluation.registry import score
from evidence.arms import LOGITS_AS_INPUTS, TEACHER, Group
from evidence.data import RunData
from evidence.result import Comparison, Difference, Finding, Mean, Transfer
from evidence.statistics import Estimate, difference
from evidence.transfer import transfer
from evidence.verdicts import Compared, corrected_confidence, judge
from models.columns import WEIGHT_COLUMN, hard_label_column, sampling_columns
from schema.base import TaskKind
from schema.metrics import NEGLIGIBLE, main_metric
from schema.surface import Surface

# By arm, run and seed: predictions by task, float [examples].
Predictions = Mapping[str, Sequence[Sequence[Mapping[str, NDArray[Any]]]]]
_Scores = list[list[MetricScore]]


@dataclass(frozen=True)
class Family:
    """The candidates whose verdicts hold together.

    Attributes:
      groups: The candidates with their controls and placebos.
      confidence: Joint confidence of the verdicts' intervals, of each family of a slice's
        intervals, and of the family of comparisons between candidates.
      margin: A difference this small is none.
    """

    groups: Sequence[Group]
    confidence: float
    margin: float = NEGLIGIBLE


@dataclass(frozen=True)
class Analysis:
    """Means of all arms, findings on all candidates, how these compare, and the size of the family of verdicts."""

    means: list[Mean]
    findings: list[Finding]
    comparisons: list[Comparison]
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
    family: Family,
    runs: Sequence[RunData],
    predictions: Predictions,
    clusters: str | None,
) -> Analysis:
    """Judges all candidates.

    Args:
      surface: The surface; techniques share its tasks.
      family: The candidates.
      runs: The data of each run.
      predictions: The predictions of all arms.
      clusters: Raw column whose values are clusters of examples.
    """
    verdicts = len(family.groups) * len(surface.tasks)
    codes = [np.unique(run.raw[clusters], return_inverse=True)[1] if clusters else None for run in runs]
    judge_cell = _Judge(surface, family, runs, codes, corrected_confidence(family.confidence, verdicts))
    parts = [None, *(name for name in runs[0].slices if all(name in run.slices for run in runs))]
    cells = [_cell(surface, task, part, runs, predictions) for part in parts for task in surface.tasks]
    return Analysis(
        means=[mean for cell in cells for mean in _means(surface, cell, runs, [*predictions])],
        findings=[judge_cell.finding(cell, each) for cell in cells for each in family.groups],
        comparisons=[found for cell in cells if cell.slice is None for found in judge_cell.comparisons(cell)],
        verdicts=verdicts,
    )


def _cell(surface: Surface, task: str, part: str | None, runs: Sequence[RunData], predictions: Predictions) -> _Cell:
    metric = main_metric(surface.tasks[task].kind)
    rows = [_labelled(run, task, part) for run in runs]
    scores: dict[str, _Scores] = {}
    for arm, of_runs in predictions.items():
        found = [
            [
                score(metric, _labels(run, task)[chosen], seed[task][chosen], _weights(surface, run, task, chosen))
                for seed in of_seeds
            ]
            for run, chosen, of_seeds in zip(runs, rows, of_runs, strict=True)
        ]
        known = [[each for each in of_seeds if each is not None] for of_seeds in found]
        if all(len(kept) == len(of_seeds) for kept, of_seeds in zip(known, found, strict=True)):
            scores[arm] = known
    return _Cell(task, part, rows, scores)


def _labels(run: RunData, task: str) -> NDArray[Any]:
    return run.evaluation[hard_label_column(task)]


def _weights(surface: Surface, run: RunData, task: str, rows: NDArray[np.int64]) -> NDArray[Any] | None:
    """What the rows count for: as the surface weighs them, and a negative for those sampled away with it."""
    found = run.evaluation[WEIGHT_COLUMN][rows] if surface.weighted_evaluation else None
    sampled = surface.tasks[task].sampled
    if sampled is None:
        return found
    column = sampling_columns(surface).get(task)
    moved = -sampled.shift if column is None else run.evaluation[column][rows].astype(np.float64)
    stands_for = np.where(_labels(run, task)[rows] == 0, np.exp(moved), 1.0)
    return stands_for if found is None else found * stands_for


def _labelled(run: RunData, task: str, part: str | None) -> NDArray[np.int64]:
    present = np.isfinite(_labels(run, task))
    return np.flatnonzero(present if part is None else present & run.slices[part])


def _means(surface: Surface, cell: _Cell, runs: Sequence[RunData], arms: Sequence[str]) -> list[Mean]:
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
    for name, told in _teachers(runs).items():
        if all(cell.task in each for each in told):
            value = _quality(surface, cell, runs, told)
            found.append(Mean(arm=name, task=cell.task, slice=cell.slice, mean=value, std=None))
    return found


def _teachers(runs: Sequence[RunData]) -> dict[str, list[Mapping[str, NDArray[Any]]]]:
    """What each teacher says, by run, by the name of its line."""
    found: dict[str, list[Mapping[str, NDArray[Any]]]] = {TEACHER: [run.teacher for run in runs]}
    for name in runs[0].other_teachers:
        found[f"{name}/{TEACHER}"] = [run.other_teachers[name] for run in runs]
    return found


def _quality(
    surface: Surface, cell: _Cell, runs: Sequence[RunData], told: Sequence[Mapping[str, NDArray[Any]]]
) -> float | None:
    """A teacher's own metric, on the rows that it labelled."""
    values = []
    for run, rows, said in zip(runs, cell.rows, told, strict=True):
        of_rows = said[cell.task][rows]
        known = rows[np.isfinite(of_rows if of_rows.ndim == 1 else of_rows.sum(axis=1))]
        labels, weights = _labels(run, cell.task)[known], _weights(surface, run, cell.task, known)
        found = score(main_metric(surface.tasks[cell.task].kind), labels, said[cell.task][known], weights)
        if found is None:
            return None
        values.append(found.value)
    return float(np.mean(values))


@dataclass(frozen=True)
class _Judge:
    """What all findings of a family share.

    Attributes:
      surface: The surface.
      family: The candidates.
      runs: The data of each run.
      codes: Per run the cluster of each evaluation example, or None.
      level: Confidence of a single interval of the verdicts.
    """

    surface: Surface
    family: Family
    runs: Sequence[RunData]
    codes: Sequence[NDArray[np.int64] | None]
    level: float

    def finding(self, cell: _Cell, judged: Group) -> Finding:
        """One candidate in one cell."""
        kind = self.surface.tasks[cell.task].kind
        labels = _labels(self.runs[0], cell.task)[cell.rows[0]]
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
            every = [_labels(run, cell.task)[rows] for run, rows in zip(self.runs, cell.rows, strict=True)]
            note = f"no verdict: {_undefined(kind, every)} among {len(labels)} labelled examples"
            return finding.model_copy(update={"note": note})
        return finding.model_copy(update=self._judged(cell, judged))

    def comparisons(self, cell: _Cell) -> list[Comparison]:
        """Every two candidates and every two of their controls, the later one minus the earlier one; and ablations.

        Where candidates differ in more than distillation, their controls tell what the rest is worth alone.  What
        the part is worth that an ablation is without, is the difference of its candidate to it.
        """
        candidates = [each.candidate.name for each in self.family.groups]
        controls = list(dict.fromkeys(each.control.name for each in self.family.groups))
        kinds = [[name for name in names if name in cell.scores] for names in (candidates, controls)]
        pairs = [(one, other, names) for names in kinds for at, other in enumerate(names) for one in names[at + 1 :]]
        for each in self.family.groups:
            names = [arm.name for arm in (each.candidate, *each.ablations) if arm.name in cell.scores]
            pairs += [(names[0], other, names) for other in names[1:] if names[0] == each.candidate.name]
        level = corrected_confidence(self.family.confidence, len(pairs) * len(self.surface.tasks))
        return [
            Comparison(
                candidate=one, task=cell.task, difference=_shown(other, self._compared(cell, one, other, level, names))
            )
            for one, other, names in pairs
        ]

    def _compared(self, cell: _Cell, one: str, other: str, level: float, among: Sequence[str] = ()) -> Estimate:
        """One arm minus another; `among` are arms whose variance over seeds is pooled with theirs."""
        others = [cell.scores[name] for name in among if name not in (one, other)]
        groups = self._clusters(cell)
        return difference(cell.scores[one], cell.scores[other], confidence=level, clusters=groups, others=others)

    def _clusters(self, cell: _Cell) -> list[NDArray[np.int64] | None]:
        return [None if of is None else of[rows] for of, rows in zip(self.codes, cell.rows, strict=True)]

    def _judged(self, cell: _Cell, judged: Group) -> dict[str, Any]:
        names = [arm.name for arm in judged.arms()]
        candidate, control = judged.candidate.name, judged.control.name
        placebos = [arm.name for arm in judged.placebos]

        def compared(one: str, other: str) -> Estimate:
            return self._compared(cell, one, other, self.level, names)

        against = {name: compared(candidate, name) for name in (control, *placebos)}
        gains = {name: compared(name, control) for name in placebos}
        best = min(against, key=lambda name: against[name].mean)
        shown = {
            "control": _shown(control, against[control]),
            "placebos": [_shown(name, against[name]) for name in placebos],
            "under_tuned": [name for name, gain in gains.items() if gain.low > 0],
            "best": _shown(best, against[best]),
        }
        if cell.slice is not None:
            return shown
        found = judge(against[control], [Compared(against[name], gains[name]) for name in placebos], self.family.margin)
        return shown | {
            "transfer": self._transfer(cell, candidate, control),
            "verdict": found.effect,
            "units_to_decide": found.units,
        }

    def _transfer(self, cell: _Cell, candidate: str, control: str) -> Transfer | None:
        of_its_own = f"{candidate}/{LOGITS_AS_INPUTS}"
        ceiling = of_its_own if of_its_own in cell.scores else LOGITS_AS_INPUTS
        if ceiling not in cell.scores:
            return None
        scores = (cell.scores[name] for name in (candidate, control, ceiling))
        return transfer(*scores, confidence=self.level, clusters=self._clusters(cell))


def _shown(arm: str, estimate: Estimate) -> Difference:
    return Difference(
        arm=arm,
        mean=estimate.mean,
        low=estimate.low,
        high=estimate.high,
        p_value=estimate.p_value,
        replicates=list(estimate.replicates),
    )


def _undefined(kind: TaskKind, labels: Sequence[NDArray[Any]]) -> str:
    """Why a metric is not defined in some run."""
    if all(len(np.unique(each)) > 1 for each in labels):
        return "predictions that are no numbers"
    return "one class only" if kind is TaskKind.BINARY else "labels that do not vary"
