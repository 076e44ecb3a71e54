"""Metrics over groups of examples that were ranked together, as TFMA metrics."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

import apache_beam as beam
from tensorflow_model_analysis.metrics import metric_types, metric_util
from tensorflow_model_analysis.proto import config_pb2

from evaluation import derived, groups
from evaluation.groups import GroupSums, Measure, MeasuredGroups, RankedRows, mean_over_groups
from evaluation.inputs import TaskInputs
from schema import metrics

# Of one ranking of the rows, all measures that a kind of task may ask for.
OF_LABELS: Mapping[str, Measure] = MappingProxyType(
    {
        metrics.NDCG.name: groups.at(groups.ndcg, metrics.RANKS),
        metrics.MRR.name: groups.reciprocal_rank,
        metrics.RECALL.name: groups.at(groups.recall, metrics.RANKS),
        metrics.GROUPED_AUC.name: groups.grouped_auc,
    }
)
OF_GAINS: Mapping[str, Measure] = MappingProxyType(
    {name: OF_LABELS[name] for name in (metrics.NDCG.name, metrics.MRR.name, metrics.RECALL.name)}
)
OF_NUMBERS: Mapping[str, Measure] = MappingProxyType({metrics.SPEARMAN.name: groups.spearman})
_FAMILIES = MappingProxyType({"labels": OF_LABELS, "gains": OF_GAINS, "numbers": OF_NUMBERS})


class _RowsCombineFn(beam.CombineFn):
    """Gathers the rows and ranks them at the end, since a group may be spread over batches."""

    def __init__(self, measures: Mapping[str, Measure], inputs: TaskInputs):
        self._measures = dict(measures)
        self._inputs = inputs

    def create_accumulator(self) -> list[RankedRows]:
        return []

    def add_input(self, accumulator: list[RankedRows], element: metric_types.StandardMetricInputs) -> list[RankedRows]:
        accumulator.append(RankedRows.of(self._inputs.rows(element)))
        return accumulator

    def merge_accumulators(self, accumulators: Iterable[list[RankedRows]]) -> list[RankedRows]:
        return [RankedRows.merged(part for parts in accumulators for part in parts)]

    def extract_output(self, accumulator: list[RankedRows]) -> dict[metric_types.MetricKey, MeasuredGroups]:
        return {self._inputs.key: MeasuredGroups.of(RankedRows.merged(accumulator), self._measures)}


class GroupMetric(metric_types.Metric):
    """The mean of a measure over groups, with intervals over groups."""

    def __init__(self, group: str, name: str, of: str = "labels"):
        """Initializes the metric.

        Args:
          group: Column that tells which examples were ranked together.  The extractors
            read it from the evaluation's configuration.
          name: Name of the metric, under which TFMA reports it.
          of: Among which measures it is computed: those of a binary task's `labels`, of a
            score's `gains`, or of the `numbers` of a regression task.
        """
        made = metric_util.merge_per_key_computations(_computations)
        super().__init__(made, group=group, name=name, of=of)


def _computations(
    group: str,
    name: str,
    of: str,
    eval_config: config_pb2.EvalConfig | None = None,
    model_name: str = "",
    output_name: str = "",
    example_weighted: bool = False,
) -> metric_types.MetricComputations:
    del group
    key = metric_types.MetricKey(name, model_name, output_name, example_weighted=example_weighted)
    gather: Any = partial(_RowsCombineFn, _FAMILIES[of])

    def sums_of(gathered: MeasuredGroups) -> GroupSums:
        return gathered.sums[name]

    return derived.computations(key, f"_groups_by_{of}", eval_config, gather, mean_over_groups, sums_of)
