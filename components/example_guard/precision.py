"""Columns that vary, and of which the model would see one value: float32 tells no more apart.

Judged by the quantiles in the statistics, so that no example need be read.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from tensorflow_metadata.proto.v0 import statistics_pb2

from schema.base import TaskKind
from schema.surface import Feature, FeatureKind, Surface
from schema.teacher_feature import Clip

_REMEDY = "Give the feature `clip: {min: ..., max: ...}` in surface.yaml, or mend the values that are far off."
_LABEL_REMEDY = "Subtract a constant from the label, or divide it."


def lost_columns(statistics: statistics_pb2.DatasetFeatureStatisticsList, surface: Surface) -> Iterator[str]:
    """Numeric features and labels of regressions that vary, and come out constant; one sentence a column.

    Args:
      statistics: The statistics of one split.
      surface: The surface.
    """
    labels = {task.label for task in surface.tasks.values() if task.kind is TaskKind.REGRESSION}
    for dataset in statistics.datasets:
        for column in dataset.features:
            name, ends = column.path.step[0], _quantiles(column)
            feature = surface.features.get(name)
            if not _varies(ends):
                continue
            if feature is not None and _is_z_scored(feature) and _is_lost(_scored(ends, column, feature)):
                yield (
                    f"feature {name!r} varies from {ends[0]:g} to {ends[-1]:g}, and almost all of its values are one "
                    f"and the same once they are z-scored. {_REMEDY}"
                )
            elif name in labels and len(np.unique(ends.astype(np.float32))) < len(np.unique(ends)):
                yield (
                    f"label {name!r} varies from {ends[0]:.17g} to {ends[-1]:.17g}, and float32, in which models "
                    f"learn and answer, does not tell its values apart. {_LABEL_REMEDY}"
                )


def _quantiles(column: statistics_pb2.FeatureNameStatistics) -> NDArray[np.float64]:
    """The ends of the buckets of equal numbers of values, in order; none if the column has no numbers."""
    for histogram in column.num_stats.histograms:
        if histogram.type == statistics_pb2.Histogram.QUANTILES and histogram.buckets:
            buckets = histogram.buckets
            return np.array([buckets[0].low_value, *(each.high_value for each in buckets)])
    return np.empty(0)


def _is_z_scored(feature: Feature) -> bool:
    """Whether the values themselves are; logarithms, ranks and buckets do not lie far off."""
    return feature.kind is FeatureKind.NUMERIC and feature.scale == "z_score" and feature.buckets is None


def _varies(ends: NDArray[np.float64]) -> bool:
    """Whether more than the least and the greatest value differ."""
    return bool(len(ends) > 2 and np.isfinite(ends).all() and len(np.unique(ends[1:-1])) > 1)


def _scored(
    ends: NDArray[np.float64], column: statistics_pb2.FeatureNameStatistics, feature: Feature
) -> NDArray[np.float32]:
    """What the quantiles become."""
    mean, deviation = column.num_stats.mean, column.num_stats.std_dev
    if feature.clip is not None:
        ends = _clip(ends, feature.clip)
        mean, deviation = ends.mean(), ends.std()
    return ((ends - mean) / (deviation or 1.0)).astype(np.float32)


def _clip(ends: NDArray[np.float64], clip: Clip) -> NDArray[np.float64]:
    return np.clip(ends, -np.inf if clip.low is None else clip.low, np.inf if clip.high is None else clip.high)


def _is_lost(scored: NDArray[np.float32]) -> bool:
    """Whether all but the least and the greatest are as good as equal beside the unit that they are scored in."""
    return bool(np.ptp(scored[1:-1]) < np.finfo(np.float32).eps)
