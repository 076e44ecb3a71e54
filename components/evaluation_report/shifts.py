"""How the features of the training examples moved since the run before, by TensorFlow Data Validation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import tensorflow_data_validation as tfdv
from google.protobuf.message import DecodeError
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2
from tfx.dsl.io import fileio

from components.evaluation_report.sources import Shift, ShiftEnd
from schema.errors import InputError
from schema.surface import TRAIN_SPLIT

# The divergence, with logarithms to base 2, is at most 1, so that at this threshold nothing is an anomaly.
_NEVER = 1.0


def read_statistics(uri: str) -> statistics_pb2.DatasetFeatureStatisticsList:
    """The statistics of the training split in an ExampleStatistics artifact.

    Raises:
      InputError: They are not there, or are damaged.
    """
    path = f"{uri.rstrip('/')}/Split-{TRAIN_SPLIT}/FeatureStats.pb"
    if not fileio.exists(path):
        raise InputError(f"{path}: expected the statistics of training examples, found no such file")
    with fileio.open(path, "rb") as file:
        content = file.read()
    try:
        return statistics_pb2.DatasetFeatureStatisticsList.FromString(content)
    except DecodeError as error:
        raise InputError(f"{path}: expected the statistics of training examples, found a damaged file") from error


def shifts(
    before: statistics_pb2.DatasetFeatureStatisticsList, now: statistics_pb2.DatasetFeatureStatisticsList
) -> list[Shift]:
    """Every feature of either: new ones and those that are gone first, then the one that moved most."""
    earlier, later = _by_name(before), _by_name(now)
    divergences = _divergences(before, now)
    examples = [each.datasets[0].num_examples if each.datasets else 0 for each in (before, now)]
    found = [
        Shift(
            name,
            divergences.get(name),
            _side(earlier[name], examples[0]) if name in earlier else None,
            _side(later[name], examples[1]) if name in later else None,
        )
        for name in dict.fromkeys([*later, *earlier])
    ]
    return sorted(found, key=_place)


def _place(shift: Shift) -> tuple[bool, bool, float, str]:
    is_on_both_sides = shift.before is not None and shift.now is not None
    return is_on_both_sides, shift.divergence is None, -(shift.divergence or 0), shift.name


def _by_name(
    statistics: statistics_pb2.DatasetFeatureStatisticsList,
) -> Mapping[str, statistics_pb2.FeatureNameStatistics]:
    return {".".join(each.path.step): each for part in statistics.datasets[:1] for each in part.features}


def _divergences(
    before: statistics_pb2.DatasetFeatureStatisticsList, now: statistics_pb2.DatasetFeatureStatisticsList
) -> dict[str, float]:
    """What TFDV measures where a schema asks it to compare every feature."""
    schema: schema_pb2.Schema = tfdv.infer_schema(now)
    for feature in schema.feature:
        feature.drift_comparator.jensen_shannon_divergence.threshold = _NEVER
    found = tfdv.validate_statistics(now, schema, previous_statistics=before).drift_skew_info
    return dict(_measured(found))


def _measured(found: Iterable[Any]) -> Iterator[tuple[str, float]]:
    for each in found:
        for measurement in each.drift_measurements:
            yield ".".join(each.path.step), float(measurement.value)


def _side(feature: statistics_pb2.FeatureNameStatistics, examples: float) -> ShiftEnd:
    kind = feature.WhichOneof("stats")
    stats = getattr(feature, str(kind))
    common = stats.common_stats
    return ShiftEnd(
        missing=1 - common.num_non_missing / examples if examples else None,
        mean=float(stats.mean) if kind == "num_stats" and common.num_non_missing else None,
        distinct=int(stats.unique) if kind == "string_stats" else None,
    )
