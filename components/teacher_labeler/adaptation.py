"""Feature adaptation: from the target's columns to the teacher's inputs, in one graph.

Rename, cast, clip, vocabulary, padding, default fill and constants, as declared in the surface's
`teacher.features`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import tensorflow as tf

from components.teacher_labeler.columns import column_of, hard_labels, readers
from components.teacher_labeler.parsing import ANY_SIZE, ColumnShape, MarkedColumn
from components.teacher_labeler.vocabulary import Lookup
from records.labels import label_of
from records.tf_example import FLOAT, INT, STRING
from schema.base import Scalar, TaskKind
from schema.errors import InputError
from schema.surface import DistilledSurface
from schema.teacher_feature import Clip, TeacherFeature

Parser = Callable[[tf.Tensor, Mapping[str, str], Mapping[str, ColumnShape]], dict[str, MarkedColumn]]
Lookups = Mapping[str, Lookup]


@dataclass(frozen=True)
class Adapted:
    """A batch as the teacher takes it.

    Attributes:
      inputs: Tensor of shape [batch, size] by teacher feature, but those that are dropped.
      lengths: Int [batch] by ragged feature: how many of its values are there.
      filled: Boolean [batch, features]: where the teacher gets none of the target's values.
      unmapped: Boolean [batch or 1, features]: where some value was not in the vocabulary.
      labels: Float [batch, hard labels]; NaN where an example carries none.
      unfit: Boolean [batch]: rows that cannot be labelled; their inputs are placeholders.
    """

    inputs: dict[str, tf.Tensor]
    lengths: dict[str, tf.Tensor]
    filled: tf.Tensor
    unmapped: tf.Tensor
    labels: tf.Tensor
    unfit: tf.Tensor


def default_values(name: str, feature: TeacherFeature) -> tuple[float | int | str, ...] | None:
    """The `size` values that fill the teacher's input `name`, or None when it is required.

    Raises:
      InputError: The default, or the padding, is of another type, or has another number of values.
    """
    if feature.pad is not None:
        _values(name, "pad", feature.pad, feature)
    return None if feature.default is None else _values(name, "default", feature.default, feature)


def _values(
    name: str, key: str, given: Scalar | tuple[Scalar, ...], feature: TeacherFeature
) -> tuple[float | int | str, ...]:
    values = given if isinstance(given, tuple) else (given,) * feature.size
    accepted = {FLOAT: (int, float), INT: (int,), STRING: (str,)}[feature.dtype]
    if len(values) != feature.size or not all(isinstance(value, accepted) for value in values):
        raise InputError(
            f"teacher.features.{name}.{key}: expected {feature.size} values of type {feature.dtype}, found {given!r}"
        )
    return values


def column_shapes(surface: DistilledSurface) -> dict[str, ColumnShape]:
    """Values per example of each column that is read.

    Raises:
      InputError: Two features read one column with different sizes.
    """
    shapes = {label.column: ColumnShape(1) for label in hard_labels(surface)}
    for name, feature in readers(surface).items():
        column = column_of(name, feature)
        shape = ColumnShape(ANY_SIZE if feature.ragged else feature.size, feature.variable)
        found = shapes.setdefault(column, shape)
        if found != shape:
            raise InputError(
                f"teacher.features.{name}.size: column {column!r} is also read with size {found.size}"
                f"{' at most' if found.variable else ''}, found size {feature.size}"
            )
    return shapes


def adapt(
    serialized: tf.Tensor,
    surface: DistilledSurface,
    kinds: Mapping[str, str],
    dtypes: Mapping[str, str],
    parse: Parser,
    lookups: Lookups | None = None,
) -> Adapted:
    """Parses and adapts a batch.

    Args:
      serialized: String [batch], serialized tf.Examples.
      surface: The surface.
      kinds: Kind of every column that is read.
      dtypes: TensorFlow type of each teacher feature, by name.
      parse: `parse_fixed` or `parse_ragged`.
      lookups: The vocabulary of each teacher feature that has one, by name.

    Raises (when the graph runs):
      tf.errors.InvalidArgumentError: Some record does not parse, or holds a string that is no
        number where a number is needed.
    """
    batch = tf.shape(serialized)[0]
    columns = parse(serialized, kinds, column_shapes(surface))
    features = surface.teacher.features
    read = {
        name: _read_feature(columns[column_of(name, each)], name, each, dtypes[name], (lookups or {}).get(name))
        for name, each in readers(surface).items()
    }
    constants = {
        name: tf.tile(_constant(_values(name, "constant", each.constant, each), dtypes[name])[tf.newaxis], [batch, 1])
        for name, each in features.items()
        if each.constant is not None
    }
    counts = {
        name: tf.cast(_count(read[each.length_of], features[each.length_of]), tf.as_dtype(dtypes[name]))
        for name, each in features.items()
        if each.length_of is not None
    }
    every, none = tf.ones([batch], tf.bool), tf.zeros([batch], tf.bool)
    labels, bad_labels = _labels(columns, surface, batch)
    return Adapted(
        inputs={name: read[name].values for name in read} | constants | counts,
        lengths={name: read[name].lengths for name in read if features[name].ragged},
        filled=tf.stack([_filled(read, name, each, every) for name, each in features.items()], axis=1),
        unmapped=_unmapped(read, features, none),
        labels=labels,
        unfit=tf.reduce_any(tf.stack([bad_labels, *(each.unfit for each in read.values())]), axis=0),
    )


@dataclass(frozen=True)
class _Read:
    """One input of the teacher, from a column.

    Attributes:
      values: [batch, size].
      lengths: Int [batch], of a variable column.
      filled: Boolean [batch]: rows without a value.
      unmapped: Boolean [batch]: rows with a value that is not in the vocabulary; None without one.
      unfit: Boolean [batch]: rows whose values cannot be had.
    """

    values: tf.Tensor
    lengths: tf.Tensor | None
    filled: tf.Tensor
    unmapped: tf.Tensor | None
    unfit: tf.Tensor


def _count(of: _Read, feature: TeacherFeature) -> tf.Tensor:
    """How many values of a list the teacher gets, int [batch, 1]; a default is one of so many places."""
    counts = tf.where(of.filled, 0 if feature.default is None else feature.size, of.lengths)
    return counts[:, tf.newaxis]


def _filled(read: Mapping[str, _Read], name: str, feature: TeacherFeature, every: tf.Tensor) -> tf.Tensor:
    """Boolean [batch]: rows without a value of the target; a length has one where its list has."""
    found = read.get(feature.length_of or name)
    return every if found is None else found.filled


def _unmapped(read: Mapping[str, _Read], features: Mapping[str, TeacherFeature], none: tf.Tensor) -> tf.Tensor:
    found = {name: each.unmapped for name, each in read.items() if each.unmapped is not None}
    if not found:
        return tf.zeros([1, len(features)], tf.bool)
    return tf.stack([found.get(name, none) for name in features], axis=1)


def _read_feature(
    column: MarkedColumn, name: str, feature: TeacherFeature, dtype_name: str, lookup: Lookup | None
) -> _Read:
    dtype, default = tf.as_dtype(dtype_name), default_values(name, feature)
    held = tf.ones_like(column.values, tf.bool) if column.lengths is None else _held(column)
    values, changed, unmapped = _teachers_values(column, feature, dtype, lookup, default)
    if feature.pad is not None:
        values = tf.where(held, values, _constant(_values(name, "pad", feature.pad, feature), dtype_name))
    if default is None:
        unfit = tf.zeros_like(column.absent) if feature.variable else tf.logical_not(column.present)
    else:
        unfit = tf.logical_not(tf.logical_or(column.present, column.absent))
        values = tf.where(column.absent[:, tf.newaxis], _constant(default, dtype_name), values)
    if changed is not None:
        unfit = tf.logical_or(unfit, tf.reduce_any(changed & held, axis=1))
    rows = None if unmapped is None else tf.reduce_any(unmapped & held, axis=1) & column.present
    return _Read(values, column.lengths, column.absent, rows, unfit)


def _held(column: MarkedColumn) -> tf.Tensor:
    """Boolean [batch, size]: where a variable column has a value."""
    return tf.sequence_mask(column.lengths, tf.shape(column.values)[1])


def _teachers_values(
    column: MarkedColumn,
    feature: TeacherFeature,
    dtype: tf.DType,
    lookup: Lookup | None,
    default: tuple[float | int | str, ...] | None,
) -> tuple[tf.Tensor, tf.Tensor | None, tf.Tensor | None]:
    """Values of the teacher's type, where a cast changed them, and where the vocabulary lacks them."""
    if lookup is None:
        return (*_cast(column.values, feature.clip, dtype), None)
    values, unmapped = lookup(column.values)
    values = tf.cast(values, dtype)
    return tf.where(unmapped, tf.cast(tf.constant(default), dtype), values), None, unmapped


def _constant(values: tuple[float | int | str, ...], dtype: str) -> tf.Tensor:
    """A constant of the teacher's type, of shape [size]."""
    return tf.cast(tf.constant(values), tf.as_dtype(dtype))


def _cast(values: tf.Tensor, clip: Clip | None, dtype: tf.DType) -> tuple[tf.Tensor, tf.Tensor | None]:
    """The values as `dtype`, and where that changed them (None when it cannot)."""
    if dtype == tf.string:
        return (values if values.dtype == dtype else tf.strings.as_string(values)), None
    if values.dtype == tf.string:
        values = tf.strings.to_number(values, tf.float64 if dtype.is_floating else tf.int64)
    if clip is not None:
        values = _clip(values, clip)
    cast = tf.cast(values, dtype)
    if dtype.is_floating or values.dtype == dtype:
        return cast, None
    return cast, tf.not_equal(tf.cast(cast, values.dtype), values)


def _clip(values: tf.Tensor, clip: Clip) -> tf.Tensor:
    """NaN stays NaN; of integers, those within the bounds are kept."""
    integers = values.dtype.is_integer
    if clip.low is not None:
        values = tf.maximum(values, tf.cast(math.ceil(clip.low) if integers else clip.low, values.dtype))
    if clip.high is not None:
        values = tf.minimum(values, tf.cast(math.floor(clip.high) if integers else clip.high, values.dtype))
    return values


def _labels(
    columns: Mapping[str, MarkedColumn], surface: DistilledSurface, batch: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Hard labels [batch, labels], NaN where absent, and which rows hold one that is none [batch]."""
    declared = hard_labels(surface)
    if not declared:
        return tf.zeros([batch, 0]), tf.zeros([batch], tf.bool)
    dense, unfit = [], []
    for label in declared:
        column = columns[label.column]
        values = column.values[:, 0]
        texts = values.dtype == tf.string
        values = values if texts else tf.cast(values, tf.float32)
        unfit.append(tf.logical_not(tf.logical_or(column.present, column.absent)))
        if label.flag:
            numbers = tf.logical_not(tf.math.is_nan(values))
            unfit.append(numbers & tf.not_equal(values, 0.0) & tf.not_equal(values, 1.0))
        dense.append(label_of(label.rule, tf.where(column.present, values, "" if texts else float("nan"))))
        if label.kind is TaskKind.MULTICLASS:
            unfit.append(dense[-1] < 0)
    return tf.stack(dense, axis=1), tf.reduce_any(tf.stack(unfit), axis=0)
