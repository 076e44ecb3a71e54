"""From counts to report: quantiles, and how soft labels agree with hard ones."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from components.teacher_labeler.columns import HardLabel, hard_labels
from components.teacher_labeler.faults import Reason
from components.teacher_labeler.plan import LabelPlan
from components.teacher_labeler.shard import empty_statistics
from components.teacher_labeler.statistics import SAMPLE_SIZE, SplitStatistics, folds_of
from contracts.label_report import (
    CounterpartReport,
    FeatureReport,
    LabelReport,
    SplitReport,
    TaskReport,
)
from evaluation.jackknife import Jackknife, jackknife
from evaluation.ranking import Scores
from evaluation.registry import COMPUTATIONS
from evaluation.rows import Rows
from evaluation.sums import WeightedSums
from schema.base import TaskKind
from schema.metrics import Metric, main_metric

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
        std=moments.std if known else None,
        min=moments.low if known else None,
        max=moments.high if known else None,
        quantiles={str(q): float(np.quantile(sample, q)) for q in _QUANTILES} if known else {},
    )


def _counterparts(plan: LabelPlan, statistics: SplitStatistics) -> dict[str, CounterpartReport]:
    teacher = plan.surface.teacher
    tasks = list(teacher.tasks)
    reports = {}
    for index, label in enumerate(hard_labels(plan.surface)):
        sample = statistics.sample
        labels, predicted = sample.values[:, len(tasks) + index], sample.values[:, tasks.index(label.teacher_task)]
        known = ~np.isnan(labels)
        reports[label.task] = _counterpart(
            label,
            teacher.tasks[label.teacher_task].kind,
            statistics.agreements[index].sums,
            Rows.of(labels[known], predicted[known], folds_of(sample.keys[known])),
            grouped=plan.surface.group is not None,
        )
    return reports


def _counterpart(
    label: HardLabel, teacher_kind: TaskKind, sums: WeightedSums, sampled: Rows, *, grouped: bool
) -> CounterpartReport:
    """Any number can be judged by the order it gives; for the rest, the two must be of one kind."""
    metric, totals = main_metric(label.kind), sums.total()
    # Of a multiclass task only one number for each row is kept.
    comparable = (metric.order_only or teacher_kind is label.kind) and label.kind is not TaskKind.MULTICLASS
    found = _measured(metric, sums, sampled) if comparable else None
    ends = None if found is None or grouped else found.interval()
    return CounterpartReport(
        teacher_task=label.teacher_task,
        metric=metric.name if comparable else None,
        value=found.value if found and math.isfinite(found.value) else None,
        lower=ends[0] if ends else None,
        upper=ends[1] if ends else None,
        rows=len(sampled.labels) if metric.order_only else int(totals.count),
        labelled=int(totals.count),
        mean_label=totals.mean if totals.count and label.kind is not TaskKind.MULTICLASS else None,
    )


def _measured(metric: Metric, sums: WeightedSums, sampled: Rows) -> Jackknife:
    """Over all rows where sums suffice, over the sample where each row's score is needed."""
    computation = COMPUTATIONS[metric.name]
    if computation.of_scores is not None:
        return jackknife(Scores.of(sampled, dropped_bits=0), computation.of_scores)
    formula = computation.of_sums
    if formula is None:
        raise ValueError(f"{metric.name}: expected a metric of sums or of scores")
    return jackknife(sums, lambda gathered, included: formula(gathered.total(included)))
