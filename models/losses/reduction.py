"""How losses are masked, weighted and reduced: once, at the end.

An absent label is NaN.  It is masked: it neither adds to the loss nor to the weight that
the loss is divided by, and no gradient flows through it.
"""

from __future__ import annotations

import tensorflow as tf


def masked_mean(per_example: tf.Tensor, present: tf.Tensor, example_weights: tf.Tensor | None = None) -> tf.Tensor:
    """Weighted mean of the examples that have a label: sum(w * m * l) / sum(w * m).

    Args:
      per_example: Loss of each example, float [batch], or of several heads, [heads, batch];
        its value where `present` is False does not matter.
      present: Whether the example has a label, bool of the same shape.
      example_weights: Float [batch]; all ones by default.

    Returns:
      A scalar, or float [heads]; 0 when no example of the batch has a label.
    """
    weights = tf.cast(present, per_example.dtype)
    kept = tf.where(present, per_example, tf.zeros_like(per_example))
    if example_weights is not None:
        weights *= tf.cast(example_weights, per_example.dtype)
        kept *= weights
    return tf.math.divide_no_nan(tf.reduce_sum(kept, axis=-1), tf.reduce_sum(weights, axis=-1))


def split_absent(labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Labels with absent ones (NaN) replaced by 0, and a bool mask of the present ones."""
    present = tf.math.is_finite(labels)
    return tf.where(present, labels, tf.zeros_like(labels)), present
