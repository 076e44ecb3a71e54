"""The `preprocessing_fn` that TFX Transform calls, derived from the surface."""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf

from models import own_code
from models.columns import (
    FILLED_COLUMN,
    GROUP_COLUMN,
    NO_PERIOD,
    PERIOD_COLUMN,
    WEIGHT_COLUMN,
    hard_label_column,
    sampled_by,
    sampling_columns,
    soft_label_sizes,
    soft_weight_columns,
    task_weight_column,
    teacher_columns,
)
from models.dense import first_values, is_absent
from models.feature_columns import feature_columns
from models.numbers import z_scored
from records.labels import label_of
from schema.history import Period
from schema.surface import Surface, soft_label

_ABSENT = math.nan


def preprocessing_fn(inputs: dict[str, Any], custom_config: dict[str, Any]) -> dict[str, tf.Tensor]:
    """Turns raw columns into what the ranker reads (tensorflow_transform's contract).

    Args:
      inputs: Raw columns by name, dense or sparse as the schema says.
      custom_config: `surface`, the JSON form of a `schema.surface.Surface`.

    Returns:
      The columns of `models.columns.input_columns`; `label/<task>` float32 [batch] in the label's own unit;
      `teacher/<task>` float32 [batch], z-scored over the training split, without pairs never shown, or of a
      multiclass task [batch, classes] as the teacher gave them.  Absent labels of either kind are NaN;
      so are representations of the teacher, `teacher/<name>`
      float32 [batch, size], z-scored.  If the surface has a group, `group/id` int64 [batch], equal
      within a group; if it has a weight column, `weight/example` float32 [batch]; `weight/task/<task>` likewise, and
      `sampling/<task>` minus the log of the probability of being kept; `weight/soft/<name>` the weights of a
      distillation.  If it has a period, `period/id` int64 [batch].  If the surface trusts by examples, and columns
      that the teacher reads may be absent, `trust/filled` float32 [batch, columns] is 1 where one is.
    """
    surface = Surface.model_validate_json(custom_config["surface"])
    labelled = _labelled(surface, inputs)
    outputs = feature_columns(surface, own_code.prepared(surface, inputs), labelled)
    outputs |= _hard_labels(surface, inputs)
    outputs |= soft_labels(surface, inputs)
    if surface.group is not None:
        outputs[GROUP_COLUMN] = _group_id(inputs[surface.group])
    if surface.weight_column is not None:
        outputs[WEIGHT_COLUMN] = _example_weight(inputs[surface.weight_column])
    for name, column in soft_weight_columns(surface).items():
        outputs[column] = _example_weight(inputs[str(surface.distillations()[name].weight_column)])
    if surface.period is not None:
        outputs[PERIOD_COLUMN] = _period(surface.period, inputs[surface.period.column])
    return outputs | (_filled(surface, inputs) if surface.trusted else {})


def soft_labels(surface: Surface, inputs: dict[str, Any]) -> dict[str, tf.Tensor]:
    """What a teacher said, as `preprocessing_fn` gives it, by column.

    Args:
      surface: The surface.
      inputs: Its raw columns; those of hard labels too, if the surface asks for pairs never shown.
    """
    labelled, outputs = _labelled(surface, inputs), {}
    for column, size in soft_label_sizes(surface).items():
        if size is not None:
            outputs[column] = _dense_vector(inputs[column], size)
            continue
        outputs[column] = tf.reshape(z_scored(_dense_label(inputs[column])[:, tf.newaxis], labelled), [-1])
    for name, representation in surface.teacher_representations.items():
        column = soft_label(name)
        outputs[column] = z_scored(_dense_vector(inputs[column], representation.size), labelled)
    return outputs


def _filled(surface: Surface, inputs: dict[str, Any]) -> dict[str, tf.Tensor]:
    """Which of the columns that the teacher reads are absent; nothing where none can be."""
    found = [inputs[name] for name in teacher_columns(surface) if isinstance(inputs.get(name), tf.SparseTensor)]
    return {FILLED_COLUMN: tf.concat([is_absent(column) for column in found], axis=1)} if found else {}


def _hard_labels(surface: Surface, inputs: dict[str, Any]) -> dict[str, tf.Tensor]:
    """The labels of all tasks, and what goes with each of them alone."""
    outputs = {}
    for name, task in surface.tasks.items():
        outputs[hard_label_column(name)] = label_of(task.rule, _dense_label(inputs[task.label]))
        if task.weight_column is not None:
            outputs[task_weight_column(name)] = _example_weight(inputs[task.weight_column])
    for name, column in sampling_columns(surface).items():
        outputs[column] = _sampling(inputs[sampled_by(surface.tasks[name])])
    return outputs


def _labelled(surface: Surface, inputs: dict[str, Any]) -> tf.Tensor | None:
    """Which examples have a hard label of some task, bool [batch]: no pair has; None where there are no pairs."""
    if surface.unlabelled is None:
        return None
    absent = [is_absent(inputs[task.label]) for task in surface.tasks.values()]
    return tf.reduce_any(tf.concat(absent, axis=1) == 0, axis=1)


def _dense_vector(column: Any, size: int) -> tf.Tensor:
    """A representation, float32 [batch, size], NaN where it is absent."""
    column = _as_float(column)
    if isinstance(column, tf.SparseTensor):
        column = first_values(column, size, _ABSENT)
    return tf.reshape(column, [-1, size])


def _period(period: Period, column: Any) -> tf.Tensor:
    """The number of the period, int64 [batch]; `NO_PERIOD` where there is no time."""
    if isinstance(column, tf.SparseTensor):
        times = tf.SparseTensor(column.indices, tf.cast(column.values, tf.float64), column.dense_shape)
        column = first_values(times, 1, _ABSENT)
    # Not float32: of seconds since 1970 it cannot tell one minute from the next.
    times = tf.reshape(tf.cast(column, tf.float64), [-1])
    known = tf.math.is_finite(times)
    numbers = tf.cast(tf.floor(tf.where(known, times, 0.0) / period.step), tf.int64)
    return tf.where(known, numbers, NO_PERIOD)


def _group_id(column: Any) -> tf.Tensor:
    """The fingerprint of the group, 0 or more; -1 where it is absent."""
    texts = column if column.dtype == tf.string else _as_string(column)
    if not isinstance(texts, tf.SparseTensor):
        return tf.strings.to_hash_bucket_fast(tf.reshape(texts, [-1]), tf.int64.max)
    ids = tf.strings.to_hash_bucket_fast(texts.values, tf.int64.max)
    return tf.reshape(first_values(tf.SparseTensor(texts.indices, ids, texts.dense_shape), 1, -1), [-1])


def _as_string(column: Any) -> Any:
    if isinstance(column, tf.SparseTensor):
        return tf.SparseTensor(column.indices, tf.strings.as_string(column.values), column.dense_shape)
    return tf.strings.as_string(column)


def _example_weight(column: Any) -> tf.Tensor:
    weights = _dense_label(column)
    weights = tf.where(tf.math.is_nan(weights), tf.ones_like(weights), weights)
    with tf.control_dependencies([tf.debugging.assert_non_negative(weights, "a weight of an example is negative")]):
        return tf.identity(weights)


def _sampling(column: Any) -> tf.Tensor:
    """Minus the log of the probability of being kept, float32 [batch]; 0 where it is absent.

    What is no such probability gives what is no such number, which the Trainer refuses.  The graph cannot: it
    is also asked about columns alone, with zeros for the others.
    """
    found = _dense_label(column)
    return -tf.math.log(tf.where(tf.math.is_nan(found), tf.ones_like(found), found))


def _as_float(column: Any) -> Any:
    if isinstance(column, tf.SparseTensor):
        return tf.SparseTensor(column.indices, tf.cast(column.values, tf.float32), column.dense_shape)
    return tf.cast(column, tf.float32)


def _dense_label(column: Any) -> tf.Tensor:
    """Float32 [batch], NaN where absent; of texts string [batch], empty where absent."""
    if column.dtype == tf.string:
        return tf.reshape(first_values(column, 1, "") if isinstance(column, tf.SparseTensor) else column, [-1])
    column = _as_float(column)
    if isinstance(column, tf.SparseTensor):
        column = first_values(column, 1, _ABSENT)
    return tf.reshape(column, [-1])
