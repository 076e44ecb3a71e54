"""Features, sequences and crosses as the columns of `models.columns.input_columns`, in Transform."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from models.columns import list_length
from models.dense import Lists, clipped, fill_absent, is_absent, lists
from models.lookups import crossed, lookup
from models.numbers import bucketed, scaled
from schema.features import Feature, FeatureKind
from schema.surface import ABSENT_PREFIX, POOL_PREFIX, Surface

# Of an index in a list: there is no value in this place.
PADDING = -1


@dataclass(frozen=True)
class _Values:
    """The values of a categorical column, [values], and their places if it is a list."""

    values: tf.Tensor
    places: Lists | None = None

    def arranged(self, indices: tf.Tensor) -> tf.Tensor:
        return indices if self.places is None else self.places.padded(indices, PADDING)


def feature_columns(
    surface: Surface, inputs: Mapping[str, Any], labelled: tf.Tensor | None = None
) -> dict[str, tf.Tensor]:
    """What the model reads, of raw columns.

    Args:
      surface: The surface.
      inputs: Raw columns by name, dense or sparse as the schema says.
      labelled: Which examples numbers are scaled by, bool [batch]; None are all.

    Returns:
      Numbers, float32 [batch, size]; indices, int64 [batch], or [batch, length] with -1 where
      a list has no value; numbers of a sequence, float32 [batch, length], 0 there; weights of
      a pool, float32 [batch, length]; and whether a feature is absent, float32 [batch, 1].
    """
    values = {
        name: _values(surface, name, feature, inputs[name])
        for name, feature in surface.features.items()
        if feature.kind is FeatureKind.CATEGORICAL
    }
    found = _indices(surface, values)
    for name, feature in surface.features.items():
        if feature.kind is FeatureKind.NUMERIC:
            found[name] = _numbers(surface, name, feature, inputs[name], labelled)
        if feature.weights is not None:
            found[POOL_PREFIX + name] = _pool_weights(feature, inputs[feature.weights])
        if feature.indicator:
            found[ABSENT_PREFIX + name] = is_absent(inputs[name])
    for name, cross in surface.crosses.items():
        found[name] = crossed([values[each].values for each in cross.of], cross.hash)
    return found


def _values(surface: Surface, name: str, feature: Feature, column: Any) -> _Values:
    if not feature.listed:
        return _Values(tf.reshape(fill_absent(name, feature, column), [-1]))
    found = _lists(surface, feature, column)
    return _Values(found.values, found)


def _lists(surface: Surface, feature: Feature, column: Any) -> Lists:
    """The newest events of a sequence, the newest one first, or the first of many values."""
    reverse = feature.sequence is not None and surface.sequence(feature.sequence).newest == "last"
    return lists(column, list_length(surface, feature), reverse=reverse)


def _indices(surface: Surface, values: Mapping[str, _Values]) -> dict[str, tf.Tensor]:
    sharing: dict[str, list[str]] = {}
    for name in values:
        sharing.setdefault(surface.owner(name), []).append(name)
    found: dict[str, tf.Tensor] = {}
    for owner, names in sharing.items():
        feature = surface.features[owner]
        file = surface.files[feature.vocabulary] if feature.vocabulary is not None else None
        look_up = lookup(owner, feature, file, [values[name].values for name in names])
        found |= {name: values[name].arranged(look_up(values[name].values)) for name in names}
    return found


def _numbers(surface: Surface, name: str, feature: Feature, column: Any, labelled: tf.Tensor | None) -> tf.Tensor:
    if feature.sequence is not None:
        events = _lists(surface, feature, column)
        numbers = clipped(tf.cast(events.values, tf.float64), feature)
        of_labelled = None if labelled is None else tf.gather(labelled, events.places[:, 0])
        return events.padded(tf.reshape(scaled(numbers[:, tf.newaxis], feature, of_labelled), [-1]), 0.0)
    numbers = clipped(tf.cast(fill_absent(name, feature, column), tf.float64), feature)
    if feature.buckets is not None:
        return bucketed(tf.reshape(numbers, [-1]), feature.buckets, labelled)
    return scaled(tf.reshape(numbers, [-1, feature.size]), feature, labelled)


def _pool_weights(feature: Feature, column: Any) -> tf.Tensor:
    """The weights of the values in the same places; 1 where there is none."""
    weights = lists(column, feature.length)
    return weights.padded(tf.cast(weights.values, tf.float32), 1.0)
