"""Parses batches of tf.Examples into dense columns that know which values were there.

Two ways with one result.  `parse_fixed` is the fast one: TensorFlow fills absent features
with a value that no data hold, and where that value stands the feature was absent.  It
refuses a batch in which a feature has another number of values (an empty list included).
`parse_ragged` takes any number of values, and costs about twice as much.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from records.tf_example import FLOAT, INT, STRING

_DTYPES = {FLOAT: tf.float32, INT: tf.int64, STRING: tf.string}
# The marks of an absent value: a NaN with a payload, and two constants drawn at random once.
_FLOAT_MARK_BITS = 0x7FC5A3E1
_MARKS = {
    FLOAT: np.array(_FLOAT_MARK_BITS, np.uint32).view(np.float32),
    INT: np.int64(-0x7A6B5C4D3E2F1A09),
    STRING: b"\xf3\x0b\x9e\x41absent\xd2\x07\x8c\x55",
}
_PLACEHOLDERS = {FLOAT: 0.0, INT: 0, STRING: "0"}  # "0" stays valid where strings are cast to numbers


ANY_SIZE = 0


@dataclass(frozen=True)
class ColumnShape:
    """How many values a column has in each example.

    Attributes:
      size: So many, or, of a variable column, at most so many (more are cut off); `ANY_SIZE`
        for as many as there are.
      variable: Whether examples may have fewer.
    """

    size: int
    variable: bool = False


@dataclass(frozen=True)
class MarkedColumn:
    """One parsed column.

    Attributes:
      values: [batch, size]; a placeholder (zero) where there is none.
      present: Boolean [batch]: rows with exactly `size` values, or any of a variable column.
      absent: Boolean [batch]: rows with none.  A row that is neither has a wrong number.
      lengths: Int [batch], values in each row; None for a column that is not variable.
    """

    values: tf.Tensor
    present: tf.Tensor
    absent: tf.Tensor
    lengths: tf.Tensor | None = None


def parse_fixed(
    serialized: tf.Tensor, kinds: Mapping[str, str], shapes: Mapping[str, ColumnShape]
) -> dict[str, MarkedColumn]:
    """Parses a batch in which each column that is not variable has `size` values or is absent.

    Args:
      serialized: String [batch].
      kinds: Kind by column.
      shapes: ColumnShape by column.

    Raises (when the graph runs):
      tf.errors.InvalidArgumentError: A record does not parse, or a column has another kind or size.
    """
    spec = {
        name: _ragged_spec(kind)
        if shapes[name].variable
        else tf.io.FixedLenFeature([shapes[name].size], _DTYPES[kind], [_MARKS[kind]] * shapes[name].size)
        for name, kind in kinds.items()
    }
    parsed = tf.io.parse_example(serialized, spec)
    return {
        name: _variable_column(parsed[name], kind, shapes[name].size)
        if shapes[name].variable
        else _marked_column(parsed[name], kind)
        for name, kind in kinds.items()
    }


def parse_ragged(
    serialized: tf.Tensor, kinds: Mapping[str, str], shapes: Mapping[str, ColumnShape]
) -> dict[str, MarkedColumn]:
    """Parses a batch of any sizes; arguments as for `parse_fixed`.

    Raises (when the graph runs):
      tf.errors.InvalidArgumentError: A record does not parse, or a column has another kind.
    """
    parsed = tf.io.parse_example(serialized, {name: _ragged_spec(kind) for name, kind in kinds.items()})
    return {
        name: (_variable_column if shapes[name].variable else _ragged_column)(parsed[name], kind, shapes[name].size)
        for name, kind in kinds.items()
    }


def _ragged_spec(kind: str) -> tf.io.RaggedFeature:
    return tf.io.RaggedFeature(_DTYPES[kind], row_splits_dtype=tf.int32)


def _marked_column(values: tf.Tensor, kind: str) -> MarkedColumn:
    absent = _is_mark(values[:, 0], kind)
    placeholder = tf.constant(_PLACEHOLDERS[kind], values.dtype)
    return MarkedColumn(tf.where(absent[:, tf.newaxis], placeholder, values), tf.logical_not(absent), absent)


def _is_mark(values: tf.Tensor, kind: str) -> tf.Tensor:
    if kind == FLOAT:  # NaN is not equal to itself: compare its bits
        return tf.equal(tf.bitcast(values, tf.int32), _FLOAT_MARK_BITS)
    return tf.equal(values, _MARKS[kind])


def _ragged_column(values: tf.RaggedTensor, kind: str, size: int) -> MarkedColumn:
    counts = values.row_lengths()
    present = tf.equal(counts, size)
    placeholders = tf.fill([size], tf.constant(_PLACEHOLDERS[kind], values.dtype))
    starts = tf.where(present, values.row_starts(), tf.size(values.flat_values))
    index = starts[:, tf.newaxis] + tf.range(size)
    dense = tf.gather(tf.concat([values.flat_values, placeholders], axis=0), index)
    return MarkedColumn(dense, present, tf.equal(counts, 0))


def _variable_column(values: tf.RaggedTensor, kind: str, size: int) -> MarkedColumn:
    lengths = values.row_lengths()
    dense = values.to_tensor(_PLACEHOLDERS[kind], shape=[None, None if size == ANY_SIZE else size])
    absent = tf.equal(lengths, 0)
    return MarkedColumn(dense, tf.logical_not(absent), absent, tf.minimum(lengths, tf.shape(dense)[1]))
