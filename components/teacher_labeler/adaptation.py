"""Feature adaptation: from the target's serialized examples to the teacher's inputs, in one graph.

Rename, cast, default fill and size, as declared in the surface's `teacher.features`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import tensorflow as tf

from components.teacher_labeler.columns import FLOAT, INT, STRING, column_of, hard_labels, needed_columns, teacher_of
from schema.errors import InputError
from schema.surface import Surface, TeacherFeature

_PARSE_DTYPES = {FLOAT: tf.float32, INT: tf.int64, STRING: tf.string}
_PLACEHOLDERS = {FLOAT: 0.0, INT: 0, STRING: ""}


@dataclass(frozen=True)
class Adapted:
    """A batch as the teacher takes it.

    Attributes:
      inputs: Tensor of shape [batch, size] by teacher feature.
      filled: Boolean [batch, features]: where a default stands for an absent value.
      labels: Float [batch, hard labels]; NaN where an example carries none.
      unfit: Boolean [batch]: rows that cannot be labelled; their inputs are placeholders.
    """

    inputs: dict[str, tf.Tensor]
    filled: tf.Tensor
    labels: tf.Tensor
    unfit: tf.Tensor


def default_values(name: str, feature: TeacherFeature) -> tuple[float | int | str, ...] | None:
    """The `size` values that fill the teacher's input `name`, or None when it is required.

    Raises:
      InputError: The default is of another type, or has another number of values.
    """
    if feature.default is None:
        return None
    is_list = isinstance(feature.default, tuple)
    values = feature.default if isinstance(feature.default, tuple) else (feature.default,) * feature.size
    accepted = {FLOAT: (int, float), INT: (int,), STRING: (str,)}[feature.dtype]
    if (is_list and len(values) != feature.size) or not all(isinstance(value, accepted) for value in values):
        raise InputError(
            f"teacher.features.{name}.default: expected {feature.size} values of type {feature.dtype}, "
            f"found {feature.default!r}"
        )
    return values


def adapt(serialized: tf.Tensor, surface: Surface, kinds: Mapping[str, str], dtypes: Mapping[str, str]) -> Adapted:
    """Parses and adapts a batch.

    Args:
      serialized: String [batch], serialized tf.Examples.
      surface: The surface.
      kinds: Kind of the columns seen so far, by name; others are parsed as the teacher takes them.
      dtypes: TensorFlow type of each teacher feature, by name.

    Raises (when the graph runs):
      tf.errors.InvalidArgumentError: Some record does not parse, holds a column of another
        kind, or a string that is no number where a number is needed.
    """
    columns = {**needed_columns(surface), **kinds}
    spec = {name: tf.io.RaggedFeature(_PARSE_DTYPES[kind], row_splits_dtype=tf.int32) for name, kind in columns.items()}
    parsed = tf.io.parse_example(serialized, spec)
    inputs, filled, unfit = {}, [], []
    for name, feature in teacher_of(surface).features.items():
        values = parsed[column_of(name, feature)]
        inputs[name], absent, bad = _adapt_feature(values, name, feature, tf.as_dtype(dtypes[name]))
        filled.append(absent)
        unfit.append(bad)
    labels, bad = _labels(parsed, surface, tf.shape(serialized)[0])
    unfit.append(bad)
    return Adapted(inputs, tf.stack(filled, axis=1), labels, tf.reduce_any(tf.stack(unfit), axis=0))


def _adapt_feature(
    values: tf.RaggedTensor, name: str, feature: TeacherFeature, dtype: tf.DType
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """The dense input [batch, size], where it was filled [batch], and which rows do not fit [batch]."""
    default = default_values(name, feature)
    fill = (_PLACEHOLDERS[feature.dtype],) * feature.size if default is None else default
    cast, lossy = _cast(values.flat_values, dtype)
    counts = values.row_lengths()
    present, absent = tf.equal(counts, feature.size), tf.equal(counts, 0)
    unfit = tf.logical_not(tf.logical_or(present, absent)) if default is not None else tf.logical_not(present)
    index = _rows_or_fill(values, present, feature.size)
    if lossy is not None:
        bad_values = tf.concat([lossy, tf.zeros([feature.size], tf.bool)], axis=0)
        unfit = tf.logical_or(unfit, tf.reduce_any(tf.gather(bad_values, index), axis=1))
    dense = tf.gather(tf.concat([cast, tf.cast(tf.constant(fill), dtype)], axis=0), index)
    return dense, absent, unfit


def _rows_or_fill(values: tf.RaggedTensor, present: tf.Tensor, size: int) -> tf.Tensor:
    """Index [batch, size] into the flat values with `size` fill values appended."""
    offsets = tf.range(size)
    total = tf.size(values.flat_values)
    starts = tf.where(present, values.row_starts(), total)
    return starts[:, tf.newaxis] + offsets


def _cast(values: tf.Tensor, dtype: tf.DType) -> tuple[tf.Tensor, tf.Tensor | None]:
    """The values as `dtype`, and where that changed them (None when it cannot)."""
    if values.dtype == dtype:
        return values, None
    if dtype == tf.string:
        return tf.strings.as_string(values), None
    if values.dtype == tf.string:
        values = tf.strings.to_number(values, tf.float64 if dtype.is_floating else tf.int64)
    cast = tf.cast(values, dtype)
    if dtype.is_floating:
        return cast, None
    return cast, tf.not_equal(tf.cast(cast, values.dtype), values)


def _labels(parsed: Mapping[str, tf.RaggedTensor], surface: Surface, batch: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Hard labels [batch, labels], NaN where absent, and which rows hold one that is none [batch]."""
    declared = hard_labels(surface)
    if not declared:
        return tf.zeros([batch, 0]), tf.zeros([batch], tf.bool)
    dense, unfit = [], []
    for label in declared:
        values = parsed[label.column]
        counts = values.row_lengths()
        index = _rows_or_fill(values, tf.equal(counts, 1), 1)[:, 0]
        column = tf.gather(tf.concat([tf.cast(values.flat_values, tf.float32), [float("nan")]], axis=0), index)
        bad = tf.greater(counts, 1)
        if label.kind == "binary":
            known = tf.logical_or(tf.math.is_nan(column), tf.logical_or(tf.equal(column, 0.0), tf.equal(column, 1.0)))
            bad = tf.logical_or(bad, tf.logical_not(known))
        dense.append(column)
        unfit.append(bad)
    return tf.stack(dense, axis=1), tf.reduce_any(tf.stack(unfit), axis=0)
