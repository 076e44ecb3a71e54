"""Applies what surface.yaml says of how labels follow from their columns, the same wherever labels are read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import tensorflow as tf
from numpy.typing import NDArray

from schema.labels import LabelRule, Positive
from schema.teacher_feature import Clip

Number = TypeVar("Number", bound=np.floating)


def label_of(rule: LabelRule | None, values: tf.Tensor) -> tf.Tensor:
    """The label of each value of its column.

    Args:
      rule: How it follows; None for the value itself.
      values: Floats of any shape, NaN where absent; of a rule with names of classes texts, empty where absent.

    Returns:
      Floats of the same shape, for texts float32; what is absent is NaN.  A label that is none of a
      rule's classes is -1: whoever reads labels must refuse it.
    """
    if rule is None:
        return values
    if rule.classes is not None:
        return _place(rule.classes, values)
    if rule.positive is not None:
        held = tf.cast(_holds(rule.positive, values), values.dtype)
        values = tf.where(tf.math.is_nan(values), values, held)
    return values if rule.clip is None else _clipped(rule.clip, values)


def label_of_numbers(rule: LabelRule | None, values: NDArray[Number]) -> NDArray[Number]:
    """The same of an array at hand."""
    return values if rule is None else np.asarray(label_of(rule, tf.constant(values)).numpy(), values.dtype)


def label_of_array(rule: LabelRule | None, values: NDArray[Any]) -> NDArray[np.float64]:
    """The same of an array of numbers or texts, float64."""
    return np.asarray(values if rule is None else label_of(rule, tf.constant(values)).numpy(), np.float64)


def is_of_texts(column: pa.Array) -> bool:
    """Whether the lists of a column hold texts."""
    kind = column.type.value_type
    return any(of(kind) for of in (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_string))


def first_texts(column: pa.Array) -> NDArray[Any]:
    """The first text of each list, bytes; empty where there is none."""
    return np.array([each[0] if each else b"" for each in column.to_pylist()], object)


def _place(classes: Sequence[int | str], values: tf.Tensor) -> tf.Tensor:
    """The place of each value among the classes, -1 of what is none of them, NaN of what is absent."""
    texts = values.dtype == tf.string
    dtype = tf.float32 if texts else values.dtype
    known = tf.constant(list(classes)) if texts else tf.constant([float(each) for each in classes], dtype)
    equal = values[..., tf.newaxis] == known
    place = tf.cast(tf.argmax(tf.cast(equal, tf.int32), axis=-1), dtype)
    place = tf.where(tf.reduce_any(equal, axis=-1), place, tf.constant(-1.0, dtype))
    absent = tf.equal(values, "") if texts else tf.math.is_nan(values)
    return tf.where(absent, tf.constant(float("nan"), dtype), place)


def _holds(positive: Positive, values: tf.Tensor) -> tf.Tensor:
    held = tf.ones_like(values, tf.bool)
    if positive.at_least is not None:
        held &= values >= _stored(positive.at_least, values)
    if positive.at_most is not None:
        held &= values <= _stored(positive.at_most, values)
    if positive.any_of is not None:
        listed = tf.stack([_stored(each, values) for each in positive.any_of])
        held &= tf.reduce_any(values[..., tf.newaxis] == listed, axis=-1)
    return held


def _clipped(clip: Clip, values: tf.Tensor) -> tf.Tensor:
    # NaN stays: a maximum of NaN and a number is NaN.
    if clip.low is not None:
        values = tf.maximum(values, _stored(clip.low, values))
    return values if clip.high is None else tf.minimum(values, _stored(clip.high, values))


def _stored(bound: float, values: tf.Tensor) -> tf.Tensor:
    """A bound as a tf.Example would hold it: .1 in a file is not .1 in surface.yaml."""
    return tf.constant(float(np.float32(bound)), values.dtype)
