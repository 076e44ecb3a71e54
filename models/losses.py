"""Losses as pure functions: per example, masked, weighted, and reduced once.

An absent label is NaN.  It is masked: it neither adds to the loss nor to the weight that
the loss is divided by, and no gradient flows through it.
"""

from __future__ import annotations

import tensorflow as tf


def binary_cross_entropy(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Cross-entropy of binary labels; both arguments and the result are float [batch]."""
    return tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits)


def squared_error(labels: tf.Tensor, predictions: tf.Tensor) -> tf.Tensor:
    """Squared error; both arguments and the result are float [batch].

    On z-scored teacher logits this is the distillation loss of arXiv:2408.14678
    (auxiliary head, section 3) and arXiv:2603.28994.
    """
    return tf.math.squared_difference(predictions, labels)


def masked_mean(per_example: tf.Tensor, present: tf.Tensor, example_weights: tf.Tensor | None = None) -> tf.Tensor:
    """Weighted mean of the examples that have a label: sum(w * m * l) / sum(w * m).

    Args:
      per_example: Loss of each example, float [batch]; its value where `present` is
        False does not matter.
      present: Whether the example has a label, bool [batch].
      example_weights: Float [batch]; all ones by default.

    Returns:
      A scalar; 0 when no example of the batch has a label.
    """
    weights = tf.cast(present, per_example.dtype)
    if example_weights is not None:
        weights *= tf.cast(example_weights, per_example.dtype)
    kept = tf.where(present, per_example, tf.zeros_like(per_example))
    return tf.math.divide_no_nan(tf.reduce_sum(kept * weights), tf.reduce_sum(weights))


def split_absent(labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Labels with absent ones (NaN) replaced by 0, and a bool mask of the present ones."""
    present = tf.math.is_finite(labels)
    return tf.where(present, labels, tf.zeros_like(labels)), present
