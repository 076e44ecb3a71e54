"""Feature adaptation: from the target's columns to the teacher's inputs, in one graph.

Rename, cast, default fill and size, as declared in the surface's `teacher.features`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import tensorflow as tf

from components.teacher_labeler.columns import FLOAT, INT, STRING, column_of, hard_labels, teacher_of
from components.teacher_labeler.parsing import Column
from schema.errors import InputError
from schema.surface import Surface, TaskKind
from schema.teacher import TeacherFeature

Parser = Callable[[tf.Tensor, Mapping[str, str], Mapping[str, int]], dict[str, Column]]


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


def column_sizes(surface: Surface) -> dict[str, int]:
    """Values per example of each column that is read.

    Raises:
      InputError: Two features read one column with different sizes.
    """
    sizes = {label.column: 1 for label in hard_labels(surface)}
    for name, feature in teacher_of(surface).features.items():
        column = column_of(name, feature)
        if sizes.setdefault(column, feature.size) != feature.size:
            raise InputError(
                f"teacher.features.{name}.size: column {column!r} is also read with size {sizes[column]}, "
                f"found size {feature.size}"
            )
    return sizes


def adapt(
    serialized: tf.Tensor, surface: Surface, kinds: Mapping[str, str], dtypes: Mapping[str, str], parse: Parser
) -> Adapted:
    """Parses and adapts a batch.

    Args:
      serialized: String [batch], serialized tf.Examples.
      surface: The surface.
      kinds: Kind of every column that is read.
      dtypes: TensorFlow type of each teacher feature, by name.
      parse: `parse_fixed` or `parse_ragged`.

    Raises (when the graph runs):
      tf.errors.InvalidArgumentError: Some record does not parse, or holds a string that is no
        number where a number is needed.
    """
    columns = parse(serialized, kinds, column_sizes(surface))
    inputs, filled, unfit = {}, [], []
    for name, feature in teacher_of(surface).features.items():
        column = columns[column_of(name, feature)]
        inputs[name], bad = _adapt_feature(column, name, feature, tf.as_dtype(dtypes[name]))
        filled.append(column.absent)
        unfit.append(bad)
    labels, bad_labels = _labels(columns, surface, tf.shape(serialized)[0])
    unfit.append(bad_labels)
    return Adapted(inputs, tf.stack(filled, axis=1), labels, tf.reduce_any(tf.stack(unfit), axis=0))


def _adapt_feature(column: Column, name: str, feature: TeacherFeature, dtype: tf.DType) -> tuple[tf.Tensor, tf.Tensor]:
    """The dense input [batch, size], and which rows cannot give it [batch]."""
    default = default_values(name, feature)
    values, changed = _cast(column.values, dtype)
    if default is None:
        unfit = tf.logical_not(column.present)
    else:
        unfit = tf.logical_not(tf.logical_or(column.present, column.absent))
        values = tf.where(column.absent[:, tf.newaxis], tf.cast(tf.constant(default), dtype), values)
    if changed is not None:
        unfit = tf.logical_or(unfit, tf.reduce_any(changed, axis=1))
    return values, unfit


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


def _labels(columns: Mapping[str, Column], surface: Surface, batch: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Hard labels [batch, labels], NaN where absent, and which rows hold one that is none [batch]."""
    declared = hard_labels(surface)
    if not declared:
        return tf.zeros([batch, 0]), tf.zeros([batch], tf.bool)
    dense, unfit = [], []
    for label in declared:
        column = columns[label.column]
        values = tf.cast(column.values[:, 0], tf.float32)
        unfit.append(tf.logical_not(tf.logical_or(column.present, column.absent)))
        if label.kind is TaskKind.BINARY:
            numbers = tf.logical_not(tf.math.is_nan(values))
            unfit.append(numbers & tf.not_equal(values, 0.0) & tf.not_equal(values, 1.0))
        dense.append(tf.where(column.present, values, float("nan")))
    return tf.stack(dense, axis=1), tf.reduce_any(tf.stack(unfit), axis=0)
