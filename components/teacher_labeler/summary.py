"""From counts to report: quantiles, AUC and R2."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from components.teacher_labeler.columns import HardLabel, hard_labels
from components.teacher_labeler.faults import Reason
from components.teacher_labeler.plan import LabelPlan
from components.teacher_labeler.shard import empty_statistics
from components.teacher_labeler.statistics import SAMPLE_SIZE, Agreement, Moments, SplitStatistics
from contracts.label_report import (
    CounterpartReport,
    FeatureReport,
    LabelReport,
    SplitReport,
    TaskReport,
)
from schema.surface import TaskKind

_QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)


def summarize(plan: LabelPlan, splits: Mapping[str, SplitStatistics], seconds: float) -> LabelReport:
    """The report of a whole run."""
    overall = empty_statistics(plan, SAMPLE_SIZE)
    for statistics in splits.values():
        overall.merge(statistics)
    return LabelReport(
        surface=plan.surface.name,
        teacher=plan.signature.model_dir,
        teacher_fingerprint=plan.teacher_fingerprint,
        signature=plan.signature.name,
        splits={name: _split_report(plan, splits[name]) for name in sorted(splits)},
        overall=_split_report(plan, overall),
        seconds=seconds,
        examples_per_second=overall.read / seconds,
    )


def _split_report(plan: LabelPlan, statistics: SplitStatistics) -> SplitReport:
    teacher = plan.surface.teacher
    features = {
        name: _feature_report(int(counts[0]), int(counts[1]), statistics.adapted)
        for name, counts in zip(teacher.features, statistics.filled, strict=True)
    }
    rates = [feature.fill_rate for feature in features.values() if feature.fill_rate is not None]
    return SplitReport(
        read=statistics.read,
        labelled=statistics.labelled,
        bad=dict(statistics.bad),
        features=features,
        fill_rate=sum(rate == 1 for rate in rates) / len(rates) if rates else None,
        mean_fill_rate=sum(rates) / len(rates) if rates else None,
        tasks={name: _task_report(index, name, statistics) for index, name in enumerate(teacher.tasks)},
        counterparts=_counterparts(plan, statistics),
        sampled=len(statistics.sample.keys),
    )


def _feature_report(filled: int, unmapped: int, rows: int) -> FeatureReport:
    rate = filled / rows if rows else None
    return FeatureReport(present=rows - filled, filled=filled, fill_rate=rate, unmapped=unmapped)


def _task_report(index: int, name: str, statistics: SplitStatistics) -> TaskReport:
    moments = statistics.tasks[index]
    known = moments.count > 0
    sample = statistics.sample.values[:, index]
    return TaskReport(
        count=moments.count,
        non_finite=statistics.at_fault[Reason.NON_FINITE, name],
        mean=moments.mean if known else None,
        std=_std(moments) if known else None,
        min=moments.low if known else None,
        max=moments.high if known else None,
        quantiles={str(q): float(np.quantile(sample, q)) for q in _QUANTILES} if known else {},
    )


def _std(moments: Moments) -> float:
    return math.sqrt(moments.squares / moments.count)


def _counterparts(plan: LabelPlan, statistics: SplitStatistics) -> dict[str, CounterpartReport]:
    tasks = list(plan.surface.teacher.tasks)
    reports = {}
    for index, label in enumerate(hard_labels(plan.surface)):
        predicted = statistics.sample.values[:, tasks.index(label.teacher_task)]
        actual = statistics.sample.values[:, len(tasks) + index]
        teacher_kind = plan.surface.teacher.tasks[label.teacher_task].kind
        reports[label.task] = _counterpart(label, teacher_kind, statistics.agreements[index], predicted, actual)
    return reports


def _counterpart(
    label: HardLabel, teacher_kind: TaskKind, agreement: Agreement, predicted: NDArray, actual: NDArray
) -> CounterpartReport:
    """Any number ranks a binary label; only a regression's value can be compared with a regression's label."""
    count = agreement.labels.count
    report = CounterpartReport(
        teacher_task=label.teacher_task,
        metric=None,
        value=None,
        rows=count,
        labelled=count,
        mean_label=agreement.labels.mean if count else None,
    )
    if label.kind is TaskKind.BINARY:
        known = ~np.isnan(actual)
        return report.model_copy(
            update={"metric": "auc", "value": _auc(actual[known], predicted[known]), "rows": int(known.sum())}
        )
    if teacher_kind is TaskKind.REGRESSION:
        return report.model_copy(update={"metric": "r2", "value": _r2(agreement)})
    return report


def _auc(labels: NDArray, scores: NDArray) -> float | None:
    """None with one class only, where AUC is not defined."""
    return float(roc_auc_score(labels, scores)) if len(np.unique(labels)) == 2 else None


def _r2(agreement: Agreement) -> float | None:
    """1 - SSE / SST; None where the labels do not vary."""
    return 1 - agreement.squared_errors / agreement.labels.squares if agreement.labels.squares > 0 else None
