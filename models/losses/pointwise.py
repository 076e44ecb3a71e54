"""Losses of one example at a time; all arguments and results are float [batch] unless said otherwise."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf


def binary_cross_entropy(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Cross-entropy of labels, or of a teacher's probabilities, from logits."""
    return tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits)


def smoothed_cross_entropy(labels: tf.Tensor, logits: tf.Tensor, smoothing: float, positive_weight: float) -> tf.Tensor:
    """Cross-entropy of labels of which a share is given to both classes, and in which positive ones count more.

    Label smoothing: Szegedy et al. 2016 (arXiv:1512.00567), section 7, equation 7 for two
    classes.  An example's weight follows from its label as it came.

    Args:
      labels: 0 or 1.
      logits: The model's.
      smoothing: The share, from 0 to less than 1.
      positive_weight: How many times a positive example counts.
    """
    weights = 1.0 + (positive_weight - 1.0) * labels
    return weights * binary_cross_entropy(labels * (1.0 - smoothing) + smoothing / 2.0, logits)


def squared_error(labels: tf.Tensor, predictions: tf.Tensor) -> tf.Tensor:
    """Squared error.

    On z-scored teacher logits this is the distillation loss of arXiv:2408.14678
    (auxiliary head, section 3) and arXiv:2603.28994.
    """
    return tf.math.squared_difference(predictions, labels)


def huber(labels: tf.Tensor, predictions: tf.Tensor) -> tf.Tensor:
    """Squared error up to a distance of 1, and beyond it 2 |d| - 1, whose gradient grows no more.

    Huber 1964 (Annals of Mathematical Statistics 35, equation 4.6) with k = 1, times 2, so
    that it is `squared_error` where the two are near.

    Args:
      labels: z-scores, so that the distance is in standard deviations of the teacher's logits.
      predictions: The student's.
    """
    distance = tf.abs(predictions - labels)
    return tf.where(distance <= 1.0, tf.square(distance), 2.0 * distance - 1.0)


def tempered_cross_entropy(teacher_logits: tf.Tensor, logits: tf.Tensor, temperature: float) -> tf.Tensor:
    """T^2 * H(sigmoid(t / T), sigmoid(s / T)): soft targets of a binary task.

    Hinton, Vinyals & Dean 2015 (arXiv:1503.02531), section 2, equation 1 for two classes.
    T^2 keeps the gradient's size when T changes, as the section's last paragraph asks.

    Args:
      teacher_logits: On the teacher's own scale, not z-scored.
      logits: The student's.
      temperature: T > 0.
    """
    targets = tf.sigmoid(teacher_logits / temperature)
    return temperature**2 * binary_cross_entropy(targets, logits / temperature)


def tempered_divergence(teacher_logits: tf.Tensor, logits: tf.Tensor, temperature: float) -> tf.Tensor:
    """T^2 * KL(sigmoid(t / T) || sigmoid(s / T)): 0 where the student agrees with its teacher.

    `tempered_cross_entropy` less the teacher's entropy, which is constant: gradients are
    the same.  The value differs, and so does what uncertainty weights make of it.
    """
    entropy = tempered_cross_entropy(teacher_logits, teacher_logits, temperature)
    return tempered_cross_entropy(teacher_logits, logits, temperature) - entropy


def softmax_cross_entropy(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """-log softmax(z)_y: cross-entropy of classes.

    Args:
      labels: The place of each example's class, from 0; float [batch].
      logits: The model's, [batch, classes].
    """
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=tf.cast(labels, tf.int32), logits=logits)


def tempered_class_divergence(teacher_logits: tf.Tensor, logits: tf.Tensor, temperature: float) -> tf.Tensor:
    """T^2 * KL(softmax(t / T) || softmax(s / T)): soft targets of a multiclass task.

    Hinton, Vinyals & Dean 2015 (arXiv:1503.02531), section 2, equation 1, less the teacher's
    entropy, which is constant.  The gradient by a logit is T (softmax(s / T) - softmax(t / T)).

    Args:
      teacher_logits: On the teacher's own scale, [batch, classes].
      logits: The student's, of the same classes in the same order.
      temperature: T > 0.
    """
    targets, found = (tf.nn.log_softmax(each / temperature, axis=-1) for each in (teacher_logits, logits))
    return temperature**2 * tf.reduce_sum(tf.exp(targets) * (targets - found), axis=-1)


def merged_logits(logits: tf.Tensor, parts: Sequence[Sequence[int]]) -> tf.Tensor:
    """Logits of classes that each stand for several: log of the sum of exp, [batch, classes] to [batch, parts].

    Their softmax sums the probabilities of the classes of a part; classes in no part are left
    out, and the rest is divided by its sum.
    """
    merged = [tf.reduce_logsumexp(tf.gather(logits, list(part), axis=-1), axis=-1) for part in parts]
    return tf.stack(merged, axis=-1)


def squared_distance(targets: tf.Tensor, predictions: tf.Tensor) -> tf.Tensor:
    """Mean squared error over the width of a representation: [batch, size] twice to [batch].

    FitNets (Romero et al. 2015, arXiv:1412.6550), equation 3, with a linear regressor and
    the mean in place of the sum, so that the weight does not depend on the width.
    """
    return tf.reduce_mean(tf.math.squared_difference(predictions, targets), axis=-1)
