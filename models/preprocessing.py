"""The `preprocessing_fn` that TFX Transform calls, derived from the surface."""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf
import tensorflow_transform as tft

from models.columns import (
    GROUP_COLUMN,
    WEIGHT_COLUMN,
    hard_label_columns,
    soft_label_columns,
)
from models.names import identifier
from records.labels import label_of
from schema.base import Scalar
from schema.errors import InputError
from schema.surface import Feature, FeatureKind, Surface, soft_label

# One index for every value that training did not see.
OOV_BUCKETS = 1

_ABSENT = math.nan


def vocabulary_name(feature: str) -> str:
    """Name of the vocabulary file that Transform writes for a categorical feature."""
    return f"vocabulary_{identifier(feature)}"


def preprocessing_fn(inputs: dict[str, Any], custom_config: dict[str, Any]) -> dict[str, tf.Tensor]:
    """Turns raw columns into what the ranker reads (tensorflow_transform's contract).

    Args:
      inputs: Raw columns by name, dense or sparse as the schema says.
      custom_config: `surface`, the JSON form of a `schema.surface.Surface`.

    Returns:
      Per numeric feature float32 [batch, size], clipped and z-scored in float64; per categorical feature an
      index int64 [batch]; `label/<task>` float32 [batch] in the label's own unit;
      `teacher/<task>` float32 [batch], z-scored over the training split.  Absent labels
      of either kind are NaN; so are representations of the teacher, `teacher/<name>`
      float32 [batch, size], z-scored.  If the surface has a group, `group/id` int64 [batch], equal
      within a group; if it has a weight column, `weight/example` float32 [batch].
    """
    surface = Surface.model_validate_json(custom_config["surface"])
    outputs = {name: _transform_feature(name, feature, inputs[name]) for name, feature in surface.features.items()}
    for task, column in hard_label_columns(surface).items():
        outputs[column] = label_of(surface.tasks[task].rule, _dense_label(inputs[surface.tasks[task].label]))
    for column in set(soft_label_columns(surface).values()):
        outputs[column] = _dense_label(tft.scale_to_z_score(_as_float(inputs[column])))
    for name, representation in surface.teacher_representations.items():
        column = soft_label(name)
        outputs[column] = _dense_vector(inputs[column], representation.size)
    if surface.group is not None:
        outputs[GROUP_COLUMN] = _group_id(inputs[surface.group])
    if surface.weight_column is not None:
        outputs[WEIGHT_COLUMN] = _example_weight(inputs[surface.weight_column])
    return outputs


def _dense_vector(column: Any, size: int) -> tf.Tensor:
    """A representation, each dimension of it z-scored; analyzers leave out the NaN of absent ones."""
    column = _as_float(column)
    if isinstance(column, tf.SparseTensor):
        column = _dense(column, size, _ABSENT)
    return tft.scale_to_z_score(tf.reshape(column, [-1, size]), elementwise=True)


def _group_id(column: Any) -> tf.Tensor:
    """The fingerprint of the group, 0 or more; -1 where it is absent."""
    texts = column if column.dtype == tf.string else _as_string(column)
    if not isinstance(texts, tf.SparseTensor):
        return tf.strings.to_hash_bucket_fast(tf.reshape(texts, [-1]), tf.int64.max)
    ids = tf.strings.to_hash_bucket_fast(texts.values, tf.int64.max)
    return tf.reshape(_dense(tf.SparseTensor(texts.indices, ids, texts.dense_shape), 1, -1), [-1])


def _as_string(column: Any) -> Any:
    if isinstance(column, tf.SparseTensor):
        return tf.SparseTensor(column.indices, tf.strings.as_string(column.values), column.dense_shape)
    return tf.strings.as_string(column)


def _example_weight(column: Any) -> tf.Tensor:
    weights = _dense_label(column)
    weights = tf.where(tf.math.is_nan(weights), tf.ones_like(weights), weights)
    with tf.control_dependencies([tf.debugging.assert_non_negative(weights, "a weight of an example is negative")]):
        return tf.identity(weights)


def _transform_feature(name: str, feature: Feature, column: Any) -> tf.Tensor:
    dense = fill_absent(name, feature, column)
    if feature.kind is FeatureKind.CATEGORICAL:
        return tft.compute_and_apply_vocabulary(
            tf.reshape(dense, [-1]),
            # TensorFlow shares tables by name within a process: that of another surface, whose keys
            # are of another type, must not have the same one.
            name=f"index_of_{dense.dtype.name}",
            frequency_threshold=feature.min_count if feature.min_count > 1 else None,
            num_oov_buckets=OOV_BUCKETS,
            vocab_filename=vocabulary_name(name),
        )
    # Near 10^8 float32 tells every eighth number: only what is left of the mean may be cast.
    values = clipped(tf.reshape(tf.cast(dense, tf.float64), [-1, feature.size]), feature)
    return tf.cast(tft.scale_to_z_score(values, elementwise=True), tf.float32)


def clipped(values: tf.Tensor, feature: Feature) -> tf.Tensor:
    """Numbers within the feature's bounds, if it has any."""
    if feature.clip is None:
        return values
    low = -math.inf if feature.clip.low is None else feature.clip.low
    high = math.inf if feature.clip.high is None else feature.clip.high
    return tf.clip_by_value(values, tf.cast(low, values.dtype), tf.cast(high, values.dtype))


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
    return _dense(column, feature.size, _typed(feature.default, column.dtype))


def _means(column: tf.SparseTensor) -> tf.SparseTensor:
    """The mean of an example's values, float64, in place of all of them."""
    rows, index = tf.unique(column.indices[:, 0])
    means = tf.math.unsorted_segment_mean(tf.cast(column.values, tf.float64), index, tf.size(rows))
    places = tf.stack([rows, tf.zeros_like(rows)], axis=1)
    return tf.SparseTensor(places, means, tf.stack([column.dense_shape[0], 1]))


def _dense(column: tf.SparseTensor, size: int, absent: Scalar) -> tf.Tensor:
    """The first `size` values of each example, [batch, size], and `absent` where there are fewer."""
    first = tf.sparse.retain(column, column.indices[:, 1] < size)
    sized = tf.SparseTensor(first.indices, first.values, tf.stack([column.dense_shape[0], size]))
    return tft.sparse_tensor_to_dense_with_shape(sized, [None, size], default_value=absent)


def _typed(value: Scalar, dtype: tf.DType) -> Scalar:
    if dtype == tf.string:
        return str(value)
    return float(value) if dtype.is_floating else int(value)


def _as_float(column: Any) -> Any:
    if isinstance(column, tf.SparseTensor):
        return tf.SparseTensor(column.indices, tf.cast(column.values, tf.float32), column.dense_shape)
    return tf.cast(column, tf.float32)


def _dense_label(column: Any) -> tf.Tensor:
    column = _as_float(column)
    if isinstance(column, tf.SparseTensor):
        column = _dense(column, 1, _ABSENT)
    return tf.reshape(column, [-1])
