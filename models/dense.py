"""Raw columns made dense: single values with a default where there is none, lists cut and padded."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import tensorflow as tf
import tensorflow_transform as tft

from schema.base import Scalar
from schema.errors import InputError
from schema.features import Feature


def fill_absent(name: str, feature: Feature, column: Any) -> tf.Tensor:
    """The column as a dense tensor, the feature's default where a value is absent.

    Raises:
      InputError: The column may be absent (it has no shape in the schema), yet the
        surface gives the feature no default.
    """
    if not isinstance(column, tf.SparseTensor):
        return column
    if feature.default is None:
        raise InputError(
            f"feature {name!r} may be absent from an example (no `shape` in the schema) and has no default. "
            "Give it a `default:` in surface.yaml, or `shape { }` and presence min_fraction 1 in the schema."
        )
    if feature.several == "mean":
        column = _means(column)
    return first_values(column, feature.size, _typed(feature.default, column.dtype))


def first_values(column: tf.SparseTensor, size: int, absent: Scalar) -> tf.Tensor:
    """The first `size` values of each example, [batch, size], and `absent` where there are fewer."""
    first = tf.sparse.retain(column, column.indices[:, 1] < size)
    sized = tf.SparseTensor(first.indices, first.values, tf.stack([column.dense_shape[0], size]))
    return tft.sparse_tensor_to_dense_with_shape(sized, [None, size], default_value=absent)


def clipped(values: tf.Tensor, feature: Feature) -> tf.Tensor:
    """Numbers within the feature's bounds, if it has any."""
    if feature.clip is None:
        return values
    low = -math.inf if feature.clip.low is None else feature.clip.low
    high = math.inf if feature.clip.high is None else feature.clip.high
    return tf.clip_by_value(values, tf.cast(low, values.dtype), tf.cast(high, values.dtype))


def is_absent(column: Any) -> tf.Tensor:
    """1 for each example that has no value of a column, and else 0; float32 [batch, 1]."""
    if not isinstance(column, tf.SparseTensor):
        return tf.zeros_like(tf.reshape(column, [tf.shape(column)[0], -1])[:, :1], tf.float32)
    return tf.cast(_counts(column)[:, tf.newaxis] == 0, tf.float32)


def chosen(values: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """The values [batch, ...] for which the mask, bool [batch], holds.

    `tf.boolean_mask` does the same with ten times the operations; Transform traces each of them ten times.
    """
    return tf.gather(values, tf.squeeze(tf.where(mask), axis=1))


@dataclass(frozen=True)
class Lists:
    """The values of a column with many values that are kept, and their places.

    Attributes:
      values: The values, [kept].
      places: Example and place in its list of each, int64 [kept, 2].
      rows: Number of examples.
      length: Places in a list.
    """

    values: tf.Tensor
    places: tf.Tensor
    rows: tf.Tensor
    length: int

    def padded(self, values: tf.Tensor, padding: float) -> tf.Tensor:
        """What was made of the values, in their places: [batch, length]."""
        empty = tf.fill([self.rows, self.length], tf.cast(padding, values.dtype))
        found = tf.tensor_scatter_nd_update(empty, self.places, values)
        return tf.ensure_shape(found, [None, self.length])


def lists(column: Any, length: int, *, reverse: bool = False) -> Lists:
    """The first values of each example's list.

    Args:
      column: Dense or sparse.
      length: How many are kept.
      reverse: Whether lists are read from their end, so that the last value comes first.
    """
    sparse = column if isinstance(column, tf.SparseTensor) else _as_sparse(column)
    rows, place = sparse.indices[:, 0], sparse.indices[:, 1]
    if reverse:
        place = tf.gather(_counts(sparse), rows) - 1 - place
    kept = place < length
    places = chosen(tf.stack([rows, place], axis=1), kept)
    return Lists(chosen(sparse.values, kept), places, sparse.dense_shape[0], length)


def _as_sparse(column: tf.Tensor) -> tf.SparseTensor:
    """All values of a dense column, zeros among them."""
    flat = tf.reshape(column, [tf.shape(column)[0], -1])
    places = tf.where(tf.ones_like(flat, tf.bool))
    return tf.SparseTensor(places, tf.reshape(flat, [-1]), tf.shape(flat, tf.int64))


def _counts(column: tf.SparseTensor) -> tf.Tensor:
    """Number of values of each example, int64 [batch]."""
    ones = tf.ones_like(column.indices[:, 0])
    return tf.math.unsorted_segment_sum(ones, column.indices[:, 0], column.dense_shape[0])


def _means(column: tf.SparseTensor) -> tf.SparseTensor:
    """The mean of an example's values, float64, in place of all of them."""
    rows, index = tf.unique(column.indices[:, 0])
    means = tf.math.unsorted_segment_mean(tf.cast(column.values, tf.float64), index, tf.size(rows))
    places = tf.stack([rows, tf.zeros_like(rows)], axis=1)
    return tf.SparseTensor(places, means, tf.stack([column.dense_shape[0], 1]))


def _typed(value: Scalar, dtype: tf.DType) -> Scalar:
    if dtype == tf.string:
        return str(value)
    return float(value) if dtype.is_floating else int(value)
