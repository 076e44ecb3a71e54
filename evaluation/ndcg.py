"""NDCG@k over groups of examples that were ranked together, as a TFMA metric."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import apache_beam as beam
import numpy as np
from numpy.typing import NDArray
from tensorflow_model_analysis.metrics import metric_types, metric_util
from tensorflow_model_analysis.proto import config_pb2

from evaluation.estimates import FOLDS, Floats, baseline_of, derived_metric
from evaluation.rows import TaskInputs, inputs_preprocessor


@dataclass(frozen=True)
class RankedRows:
    """Rows to be ranked: arrays of equal length [rows]; 28 bytes a row are kept until the end."""

    groups: NDArray[np.int64]
    scores: NDArray[np.float32]
    labels: Floats
    folds: NDArray[np.intp]

    @classmethod
    def merged(cls, parts: Iterable[RankedRows]) -> RankedRows:
        nothing = cls(np.zeros(0, np.int64), np.zeros(0, np.float32), np.zeros(0), np.zeros(0, np.intp))
        listed = [nothing, *parts]
        return cls(
            np.concatenate([part.groups for part in listed]),
            np.concatenate([part.scores for part in listed]),
            np.concatenate([part.labels for part in listed]),
            np.concatenate([part.folds for part in listed]),
        )


@dataclass(frozen=True)
class GroupSums:
    """NDCG summed over groups, and the number of groups, per fold: shapes [FOLDS]."""

    total: Floats
    count: Floats

    def fold_counts(self) -> Floats:
        return self.count


def group_sums(rows: RankedRows, k: int) -> GroupSums:
    """NDCG@k of each group that has a positive label, added up per fold.

    Järvelin and Kekäläinen 2002, with the label as gain and 1 / log2(1 + rank) as
    discount; rows with equal scores share the mean of their gains, as in scikit-learn's
    `ndcg_score`.  A score that is NaN makes its group's NDCG NaN.

    Args:
      rows: The rows, in any order.
      k: Ranks that count.
    """
    if not rows.groups.size:
        return GroupSums(np.zeros(FOLDS), np.zeros(FOLDS))
    by_score = np.lexsort((-rows.scores, rows.groups))
    by_label = np.lexsort((-rows.labels, rows.groups))
    groups, scores = rows.groups[by_score], rows.scores[by_score]
    firsts = _starts(groups[1:] != groups[:-1])
    sizes = np.diff(np.append(firsts, groups.size))
    rank = np.arange(groups.size) - np.repeat(firsts, sizes)
    discount = np.where(rank < k, 1 / np.log2(rank + 2), 0.0)
    ties = _starts((groups[1:] != groups[:-1]) | (scores[1:] != scores[:-1]))
    tie_sizes = np.diff(np.append(ties, groups.size))
    gains = np.repeat(np.add.reduceat(rows.labels[by_score], ties) / tie_sizes, tie_sizes)
    gains = np.where(np.isnan(scores), np.nan, gains)
    found = np.add.reduceat(gains * discount, firsts)
    ideal = np.add.reduceat(rows.labels[by_label] * discount, firsts)
    ranked = ideal > 0
    folds = rows.folds[by_score][firsts][ranked]
    values = found[ranked] / ideal[ranked]
    return GroupSums(
        np.bincount(folds, values, minlength=FOLDS).astype(np.float64),
        np.bincount(folds, minlength=FOLDS).astype(np.float64),
    )


def mean_over_groups(sums: GroupSums, included: Floats) -> float:
    """The mean NDCG of the groups in the folds that are included; NaN without any."""
    kept = included > 0
    count = sums.count[kept].sum()
    return float(sums.total[kept].sum() / count) if count else float("nan")


class _RowsCombineFn(beam.CombineFn):
    """Gathers the rows and ranks them at the end, since a group may be spread over batches."""

    def __init__(self, inputs: TaskInputs, k: int):
        self._inputs = inputs
        self._k = k

    def create_accumulator(self) -> list[RankedRows]:
        return []

    def add_input(self, accumulator: list[RankedRows], element: metric_types.StandardMetricInputs) -> list[RankedRows]:
        rows = self._inputs.rows(element)
        accumulator.append(RankedRows(rows.groups, rows.predictions.astype(np.float32), rows.labels, rows.folds))
        return accumulator

    def merge_accumulators(self, accumulators: Iterable[list[RankedRows]]) -> list[RankedRows]:
        return [RankedRows.merged(part for parts in accumulators for part in parts)]

    def extract_output(self, accumulator: list[RankedRows]) -> dict[metric_types.MetricKey, GroupSums]:
        return {self._inputs.key: group_sums(RankedRows.merged(accumulator), self._k)}


class Ndcg(metric_types.Metric):
    """Mean NDCG@k over groups with a positive label, with intervals over groups."""

    def __init__(self, group: str, k: int = 10, name: str = "ndcg"):
        """Initializes the metric.

        Args:
          group: Column that tells which examples were ranked together.  The extractors
            read it from the evaluation's configuration.
          k: Ranks that count.
          name: Name under which TFMA reports it.
        """
        super().__init__(metric_util.merge_per_key_computations(_computations), group=group, k=k, name=name)


def _computations(
    group: str,
    k: int,
    name: str,
    eval_config: config_pb2.EvalConfig | None = None,
    model_name: str = "",
    output_name: str = "",
) -> metric_types.MetricComputations:
    del group
    key = metric_types.MetricKey(name, model_name, output_name)
    baseline = baseline_of(eval_config, model_name)

    def sums_key(model: str) -> metric_types.MetricKey:
        return key._replace(name=f"_group_sums_at_{k}", model_name=model)

    gathering = [
        metric_types.MetricComputation(
            keys=[sums_key(model)],
            preprocessors=[inputs_preprocessor()],
            combiner=_RowsCombineFn(TaskInputs(sums_key(model), eval_config), k),
        )
        for model in [model_name, *([baseline] if baseline else [])]
    ]
    return [*gathering, derived_metric(key, sums_key, mean_over_groups, baseline)]


def _starts(changes: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Where runs start, given where each element but the first differs from the one before."""
    return np.concatenate([[0], np.flatnonzero(changes) + 1])
