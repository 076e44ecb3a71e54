"""How the losses of several heads are weighed against each other."""

from __future__ import annotations

import tensorflow as tf


def scheduled(start: float, end: float, steps: int, step: tf.Tensor) -> tf.Tensor:
    """A weight that moves linearly from `start` at step 0 to `end` at step `steps`, and stays there."""
    done = tf.minimum(tf.cast(step, tf.float32) / steps, 1.0)
    return start + (end - start) * done


def by_uncertainty(loss: tf.Tensor, log_variance: tf.Tensor, *, regression: bool) -> tf.Tensor:
    """A loss weighed by the homoscedastic uncertainty of its task, with s = log(sigma^2).

    Kendall, Gal & Cipolla, CVPR 2018 (arXiv:1705.07115): L exp(-s) / 2 + s / 2 for a
    regression (equation 7, and the sum of equation 10) and L exp(-s) + s / 2 for
    a classification.  A batch in which the task has no label gives loss 0; it must then
    not move s, so the second term is left out.

    Args:
      loss: Mean loss of the batch; a scalar.
      log_variance: s, trained beside the model; a scalar.
      regression: Whether the loss is a squared error.
    """
    scale = 0.5 if regression else 1.0
    present = tf.cast(loss != 0.0, loss.dtype)
    return scale * tf.exp(-log_variance) * loss + 0.5 * log_variance * present
