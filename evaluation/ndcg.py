"""NDCG@k over groups of examples that were ranked together, as a TFMA metric."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

import apache_beam as beam
import numpy as np
from tensorflow_model_analysis.metrics import metric_types, metric_util
from tensorflow_model_analysis.proto import config_pb2

from evaluation import derived
from evaluation.inputs import TaskInputs
from evaluation.ranking import GroupSums, RankedRows, group_sums, mean_over_groups


class _RowsCombineFn(beam.CombineFn):
    """Gathers the rows and ranks them at the end, since a group may be spread over batches."""

    def __init__(self, k: int, inputs: TaskInputs):
        self._k = k
        self._inputs = inputs

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
    return derived.computations(key, f"_group_sums_at_{k}", eval_config, partial(_RowsCombineFn, k), mean_over_groups)
