"""Losses between the rows of a group: the rows of one request, or of one user.

Only the rows of a batch are seen, so batches must hold groups whole; a group that is cut
loses the pairs across the cut.  Scores are float [batch]; `groups` is int64 [batch].
Absent teacher scores are masked, and a group with fewer than two rows has no order.
"""

from __future__ import annotations

import tensorflow as tf

from models.losses.reduction import masked_mean


def pairwise_logistic(
    teacher_scores: tf.Tensor,
    scores: tf.Tensor,
    groups: tf.Tensor,
    present: tf.Tensor,
    temperature: float = 1.0,
    example_weights: tf.Tensor | None = None,
) -> tf.Tensor:
    """T^2 * H(P_ij, sigmoid((s_i - s_j) / T)) with P_ij = sigmoid((t_i - t_j) / T), over pairs of a group.

    RankNet (Burges et al. 2005), equation 3, with the teacher's preference as the target
    probability, as ranking distillation does with margins (RankDistil, Reddi et al.,
    AISTATS 2021).  T^2 as in `pointwise.tempered_cross_entropy`.

    Args:
      teacher_scores: The teacher's; 0 where absent.
      scores: The student's.
      groups: Which rows belong together.
      present: Whether the teacher gave a score, bool [batch].
      temperature: T > 0.
      example_weights: Float [batch]; a pair weighs the product of its rows' weights.

    Returns:
      A scalar, the weighted mean over pairs; 0 if there is no pair.
    """
    first, second = _pairs(groups)
    margins = (tf.gather(scores, first) - tf.gather(scores, second)) / temperature
    preferences = tf.sigmoid((tf.gather(teacher_scores, first) - tf.gather(teacher_scores, second)) / temperature)
    loss = temperature**2 * tf.nn.sigmoid_cross_entropy_with_logits(labels=preferences, logits=margins)
    both = tf.gather(present, first) & tf.gather(present, second)
    weights = None
    if example_weights is not None:
        weights = tf.gather(example_weights, first) * tf.gather(example_weights, second)
    return masked_mean(loss, both, weights)


def listwise_softmax(
    teacher_scores: tf.Tensor,
    scores: tf.Tensor,
    groups: tf.Tensor,
    present: tf.Tensor,
    temperature: float = 1.0,
    example_weights: tf.Tensor | None = None,
) -> tf.Tensor:
    """T^2 * -sum_i softmax(t / T)_i log softmax(s / T)_i over each group, averaged over rows.

    ListNet (Cao et al., ICML 2007): the cross entropy of top-one probabilities, between
    teacher and student.  A row of weight w counts as w rows, in its list's softmax and in the mean.

    Args and result as of `pairwise_logistic`.
    """
    weights = tf.cast(present, scores.dtype)
    if example_weights is not None:
        weights *= tf.cast(example_weights, scores.dtype)
    distinct, index = tf.unique(groups)
    count = tf.size(distinct)
    rows = tf.math.unsorted_segment_sum(tf.cast(weights > 0, tf.int32), index, count)
    weights = tf.where(tf.gather(rows > 1, index), weights, tf.zeros_like(weights))
    targets = tf.exp(_log_softmax(teacher_scores / temperature, weights, index, count))
    loss = -targets * _log_softmax(scores / temperature, weights, index, count)
    # A list's probabilities sum to 1: times its weight, it counts as all of its rows do.
    list_weights = tf.gather(tf.math.unsorted_segment_sum(weights, index, count), index)
    total = tf.reduce_sum(weights * list_weights * loss)
    return temperature**2 * tf.math.divide_no_nan(total, tf.reduce_sum(weights))


def _log_softmax(scores: tf.Tensor, weights: tf.Tensor, index: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    """log(exp(s_i) / sum_j w_j exp(s_j)) within segments; 0 where the weight is 0."""
    lowest = tf.fill(tf.shape(scores), scores.dtype.min)
    highest = tf.math.unsorted_segment_max(tf.where(weights > 0, scores, lowest), index, count)
    shifted = tf.where(weights > 0, scores - tf.gather(tf.stop_gradient(highest), index), tf.zeros_like(scores))
    sums = tf.math.unsorted_segment_sum(weights * tf.exp(shifted), index, count)
    safe = tf.where(sums > 0, sums, tf.ones_like(sums))
    return tf.where(weights > 0, shifted - tf.gather(tf.math.log(safe), index), tf.zeros_like(scores))


def _pairs(groups: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Every unordered pair of two rows of one group: their indices, int32 [pairs] each."""
    order = tf.argsort(groups, stable=True)
    _, index, counts = tf.unique_with_counts(tf.gather(groups, order))
    ends = tf.gather(tf.cumsum(counts), index)
    places = tf.range(tf.size(order))
    # In order of groups, each row is paired with those after it.
    following = ends - places - 1
    first = tf.repeat(places, following)
    second = tf.ragged.range(places + 1, ends).values
    return tf.gather(order, first), tf.gather(order, second)
