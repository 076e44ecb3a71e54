"""How far the columns of a span are from those that the gate judged the model on, by TFDV's comparators.

The thresholds are those of the schema's `drift_comparator`; where it has none, .1: of the
largest change of a value's share (L-infinity) for categories, of the Jensen-Shannon
divergence for numbers.  What TFDV does not compare is the share of examples without a value,
for which the threshold is .1 as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias

import tfx  # noqa: F401 - TFDV cannot be imported before it

# isort: split
import numpy as np
import pyarrow as pa
import tensorflow_data_validation as tfdv
from numpy.typing import NDArray
from tensorflow_data_validation.statistics import stats_impl
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

from contracts.watch import Distance, WatchedDrift
from evidence.watch.scoring import ScoredExamples
from schema.features import FeatureKind
from schema.surface import SOFT_LABEL_PREFIX, Surface

THRESHOLD = 0.1
PREDICTION_PREFIX = "prediction/"
# With fewer examples, chance alone moves shares by as much as the thresholds.
LEAST_ROWS = 200

_Measurement = anomalies_pb2.DriftSkewInfo.Measurement
_DISTANCES = {
    _Measurement.L_INFTY: Distance.L_INFINITY,
    _Measurement.JENSEN_SHANNON_DIVERGENCE: Distance.JENSEN_SHANNON,
}
Statistics: TypeAlias = statistics_pb2.DatasetFeatureStatisticsList


def statistics_of(surface: Surface, schema: schema_pb2.Schema, scored: ScoredExamples) -> Statistics:
    """Statistics of what the model reads, of what it predicts, and of soft labels where there are some."""
    watched = _schema(surface, schema)
    names = [each.name for each in watched.feature if each.name in scored.columns.schema.names]
    (batch,) = scored.columns.select(names).combine_chunks().to_batches()
    told = {f"{PREDICTION_PREFIX}{task}": _as_lists(values) for task, values in scored.predictions.items()}
    whole = pa.RecordBatch.from_arrays([*batch.columns, *told.values()], [*names, *told])
    options = tfdv.StatsOptions(schema=watched, num_top_values=1000, num_rank_histogram_buckets=1000)
    return stats_impl.generate_statistics_in_memory(whole, options)


def drift(surface: Surface, schema: schema_pb2.Schema, before: Statistics, now: Statistics) -> list[WatchedDrift]:
    """Every distance of every column; none where there are too few examples.

    Args:
      surface: The surface.
      schema: The schema of the examples.
      before: Statistics of what the gate judged the model on.
      now: Those of the span.
    """
    if min(each.datasets[0].num_examples for each in (before, now)) < LEAST_ROWS:
        return []
    shares = [_present(each) for each in (before, now)]
    there = {name for name in shares[0] if all(of.get(name, 0.0) > 0 for of in shares)}
    compared = schema_pb2.Schema()
    compared.feature.extend(each for each in _schema(surface, schema).feature if each.name in there)
    found = tfdv.validate_statistics(_only(now, there), compared, previous_statistics=_only(before, there))
    return sorted([*_distances(found), *_absences(*shares)], key=lambda each: (each.column, each.distance.value))


def _distances(found: anomalies_pb2.Anomalies) -> Iterator[WatchedDrift]:
    for info in found.drift_skew_info:
        for each in info.drift_measurements:
            if each.type in _DISTANCES:
                name = "/".join(info.path.step)
                yield WatchedDrift(
                    column=name, distance=_DISTANCES[each.type], value=each.value, threshold=each.threshold
                )


def _absences(before: Mapping[str, float], now: Mapping[str, float]) -> Iterator[WatchedDrift]:
    for name, share in before.items():
        if name.startswith(SOFT_LABEL_PREFIX) and not now.get(name):
            continue  # later examples need not be labelled by the teacher
        value = abs(now.get(name, 0.0) - share)
        yield WatchedDrift(column=name, distance=Distance.ABSENT, value=value, threshold=THRESHOLD)


def _present(statistics: Statistics) -> dict[str, float]:
    """The share of examples with a value, by column."""
    (dataset,) = statistics.datasets
    return {each.path.step[0]: _common(each).num_non_missing / dataset.num_examples for each in dataset.features}


def _common(feature: statistics_pb2.FeatureNameStatistics) -> statistics_pb2.CommonStatistics:
    return getattr(feature, str(feature.WhichOneof("stats"))).common_stats


def _only(statistics: Statistics, names: set[str]) -> Statistics:
    (dataset,) = statistics.datasets
    kept = [each for each in dataset.features if each.path.step[0] in names]
    reduced = Statistics()
    reduced.datasets.add(name=dataset.name, num_examples=dataset.num_examples, features=kept)
    return reduced


def _schema(surface: Surface, schema: schema_pb2.Schema) -> schema_pb2.Schema:
    """The columns that are watched, each with a comparator, and nothing else that could be an anomaly."""
    watched = schema_pb2.Schema()
    for each in schema.feature:
        if each.name in surface.raw_columns or each.name.startswith(SOFT_LABEL_PREFIX):
            added = watched.feature.add(name=each.name, type=each.type)
            if each.type == schema_pb2.INT and _categorical(surface, each.name):
                added.int_domain.is_categorical = True
            _compare(added, each)
    for task in surface.tasks:
        _compare(watched.feature.add(name=f"{PREDICTION_PREFIX}{task}", type=schema_pb2.FLOAT), None)
    return watched


def _categorical(surface: Surface, name: str) -> bool:
    feature = surface.features.get(name)
    return feature is not None and feature.kind is FeatureKind.CATEGORICAL


def _compare(added: schema_pb2.Feature, original: schema_pb2.Feature | None) -> None:
    if original is not None and original.HasField("drift_comparator"):
        added.drift_comparator.CopyFrom(original.drift_comparator)
    elif added.type == schema_pb2.BYTES or added.int_domain.is_categorical:
        added.drift_comparator.infinity_norm.threshold = THRESHOLD
    else:
        added.drift_comparator.jensen_shannon_divergence.threshold = THRESHOLD


def _as_lists(values: NDArray[np.float64]) -> pa.LargeListArray:
    return pa.LargeListArray.from_arrays(pa.array(np.arange(len(values) + 1)), pa.array(values.astype(np.float32)))
