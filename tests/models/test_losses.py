import math

import numpy as np
import pytest
import tensorflow as tf

from models import losses

NAN = math.nan


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def entropy(p: float, q: float) -> float:
    return -p * math.log(q) - (1 - p) * math.log(1 - q)


def test_cross_entropy_of_a_logit_is_the_negative_log_likelihood():
    found = losses.binary_cross_entropy(tf.constant([1.0, 0.0]), tf.constant([0.0, 2.0])).numpy()
    assert found == pytest.approx([math.log(2), 2 + math.log(1 + math.exp(-2))])


def test_squared_error_per_example():
    assert losses.squared_error(tf.constant([1.0, -1.0]), tf.constant([3.0, -1.5])).numpy() == pytest.approx([4, 0.25])


def test_huber_is_squared_near_and_linear_far():
    labels, predictions = tf.constant([0.0, 0.0, 1.0, 0.0]), tf.Variable([0.0, 0.5, 2.0, -3.0])
    with tf.GradientTape() as tape:
        found = losses.huber(labels, predictions)
    assert found.numpy() == pytest.approx([0.0, 0.25, 1.0, 5.0])
    assert tape.gradient(found, predictions).numpy() == pytest.approx([0.0, 1.0, 2.0, -2.0])


def test_tempered_losses_are_multiplied_by_the_square_of_the_temperature():
    teacher, student = tf.constant([2.0, -1.0]), tf.constant([0.5, -1.0])
    p, q = sigmoid(2.0 / 2), sigmoid(0.5 / 2)
    same = sigmoid(-0.5)
    found = losses.tempered_cross_entropy(teacher, student, 2.0).numpy()
    assert found == pytest.approx([4 * entropy(p, q), 4 * entropy(same, same)], rel=1e-5)
    divergence = losses.tempered_divergence(teacher, student, 2.0).numpy()
    assert divergence == pytest.approx([4 * (entropy(p, q) - entropy(p, p)), 0.0], rel=1e-4, abs=1e-6)


def test_the_gradient_keeps_its_size_under_temperature():
    """Near agreement the gradient of T^2 * H is p (1 - p) (s - t), whatever T is, at logits around 0."""
    for temperature in (1.0, 3.0, 10.0):
        logit = tf.Variable(0.02)
        with tf.GradientTape() as tape:
            loss = losses.tempered_cross_entropy(tf.constant(0.01), logit, temperature)
        assert tape.gradient(loss, logit).numpy() == pytest.approx(0.25 * 0.01, rel=0.02)


def test_squared_distance_is_the_mean_over_the_width():
    found = losses.squared_distance(tf.constant([[1.0, 2.0], [0.0, 0.0]]), tf.constant([[0.0, 4.0], [0.0, 0.0]]))
    assert found.numpy() == pytest.approx([(1 + 4) / 2, 0.0])


def test_masked_mean_divides_by_the_weight_of_what_is_present():
    per_example = tf.constant([1.0, 100.0, 4.0])
    present = tf.constant([True, False, True])
    assert losses.masked_mean(per_example, present).numpy() == pytest.approx(2.5)
    weighted = losses.masked_mean(per_example, present, tf.constant([3.0, 7.0, 1.0]))
    assert weighted.numpy() == pytest.approx((3 * 1 + 1 * 4) / 4)


def test_masked_mean_without_any_label_is_zero():
    assert losses.masked_mean(tf.constant([NAN, 2.0]), tf.constant([False, False])).numpy() == 0.0


def test_masked_means_of_several_heads_are_those_of_each():
    per_example = tf.constant([[1.0, 100.0, 4.0], [NAN, 2.0, NAN]])
    present = tf.constant([[True, False, True], [False, True, False]])
    assert losses.masked_mean(per_example, present).numpy() == pytest.approx([2.5, 2.0])
    weighted = losses.masked_mean(per_example, present, tf.constant([3.0, 7.0, 1.0]))
    assert weighted.numpy() == pytest.approx([(3 * 1 + 1 * 4) / 4, 2.0])


def test_no_gradient_flows_through_an_absent_label():
    outputs = tf.Variable([0.5, 0.5])
    with tf.GradientTape() as tape:
        labels, present = losses.split_absent(tf.constant([NAN, 1.5]))
        loss = losses.masked_mean(losses.squared_error(labels, outputs), present)
    assert loss.numpy() == pytest.approx(1.0)
    assert tape.gradient(loss, outputs).numpy() == pytest.approx([0.0, -2.0])


# Rows 0, 2 and 4 are a group; 1 and 3 another; 5 is alone.
GROUPS = tf.constant([7, 9, 7, 9, 7, 8], tf.int64)
TEACHER = [2.0, 0.0, 1.0, 1.0, -1.0, 5.0]
STUDENT = [0.5, 0.0, 0.0, 2.0, 1.0, -9.0]
EVERY = tf.ones(6, tf.bool)


def pair(i: int, j: int, temperature: float = 1.0) -> float:
    p = sigmoid((TEACHER[i] - TEACHER[j]) / temperature)
    return temperature**2 * entropy(p, sigmoid((STUDENT[i] - STUDENT[j]) / temperature))


def ranking(name, present=EVERY, temperature=1.0, weights=None):
    function = {"pairwise": losses.pairwise_logistic, "listwise": losses.listwise_softmax}[name]
    weights = None if weights is None else tf.constant(weights)
    return function(tf.constant(TEACHER), tf.constant(STUDENT), GROUPS, present, temperature, weights).numpy()


def test_pairs_are_those_of_a_group():
    assert ranking("pairwise") == pytest.approx(np.mean([pair(0, 2), pair(0, 4), pair(2, 4), pair(1, 3)]), rel=1e-5)
    assert ranking("pairwise", temperature=2.0) == pytest.approx(
        np.mean([pair(i, j, 2.0) for i, j in ((0, 2), (0, 4), (2, 4), (1, 3))]), rel=1e-5
    )


def test_a_pair_needs_both_rows_and_weighs_their_product():
    present = tf.constant([True, True, False, True, True, True])
    weights = [2.0, 1.0, 1.0, 3.0, 0.5, 1.0]
    expected = (2.0 * 0.5 * pair(0, 4) + 1.0 * 3.0 * pair(1, 3)) / (1.0 + 3.0)
    assert ranking("pairwise", present, weights=weights) == pytest.approx(expected, rel=1e-5)


def list_loss(rows, temperature=1.0, weights=None):
    weights = np.ones(len(rows)) if weights is None else np.array(weights)
    teacher, student = np.array(TEACHER)[rows] / temperature, np.array(STUDENT)[rows] / temperature
    p = np.exp(teacher) / np.sum(weights * np.exp(teacher))
    return temperature**2 * -np.sum(weights * p * (student - np.log(np.sum(weights * np.exp(student)))))


def test_a_list_counts_as_many_rows_as_it_has():
    assert ranking("listwise") == pytest.approx((3 * list_loss([0, 2, 4]) + 2 * list_loss([1, 3])) / 5, rel=1e-5)
    tempered = (3 * list_loss([0, 2, 4], 2.0) + 2 * list_loss([1, 3], 2.0)) / 5
    assert ranking("listwise", temperature=2.0) == pytest.approx(tempered, rel=1e-5)


def test_an_absent_row_leaves_its_list():
    present = tf.constant([True, True, False, False, True, True])
    assert ranking("listwise", present) == pytest.approx(list_loss([0, 4]), rel=1e-5)


def test_a_weight_of_two_is_the_row_twice():
    weights = [2.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    expected = (4 * list_loss([0, 0, 2, 4]) + 2 * list_loss([1, 3])) / 6
    assert ranking("listwise", weights=weights) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("function", [losses.pairwise_logistic, losses.listwise_softmax])
@pytest.mark.parametrize(
    ("groups", "present"),
    [(GROUPS, tf.zeros(6, tf.bool)), (tf.range(6, dtype=tf.int64), EVERY), (tf.zeros(0, tf.int64), None)],
    ids=["all masked", "groups of one", "empty batch"],
)
def test_without_an_order_there_is_no_loss_and_no_gradient(function, groups, present):
    size = len(groups)
    scores = tf.Variable(STUDENT[:size])
    with tf.GradientTape() as tape:
        loss = function(tf.constant(TEACHER[:size]), scores, groups, EVERY[:size] if present is None else present)
    assert loss.numpy() == 0.0
    assert np.array_equal(tf.convert_to_tensor(tape.gradient(loss, scores)), np.zeros(size))


@pytest.mark.parametrize("function", [losses.pairwise_logistic, losses.listwise_softmax])
def test_ranking_losses_are_least_where_the_student_ranks_as_its_teacher(function):
    """A shift of a whole group changes nothing, and no other scores are better."""
    scores = tf.Variable(np.array(TEACHER) + np.array([3.0, 0, 3, 0, 3, 0]), dtype=tf.float32)
    with tf.GradientTape() as tape:
        loss = function(tf.constant(TEACHER), scores, GROUPS, EVERY)
    np.testing.assert_allclose(tf.convert_to_tensor(tape.gradient(loss, scores)), np.zeros(6), atol=1e-6)
    assert loss.numpy() < function(tf.constant(TEACHER), tf.constant(STUDENT), GROUPS, EVERY).numpy()


def test_scores_of_any_size_give_finite_losses():
    scores = tf.Variable([1e4, 0.0, -1e4, 5.0, 3.0, 0.0])
    with tf.GradientTape() as tape:
        loss = losses.listwise_softmax(tf.constant(TEACHER), scores, GROUPS, EVERY)
    assert np.isfinite(loss.numpy())
    assert np.all(np.isfinite(tf.convert_to_tensor(tape.gradient(loss, scores))))


def test_a_schedule_moves_linearly_and_stays():
    found = [float(losses.scheduled(0.5, 2.5, 4, tf.constant(step, tf.int64))) for step in (0, 1, 4, 9)]
    assert found == pytest.approx([0.5, 1.0, 2.5, 2.5])


def test_uncertainty_weights_a_loss_and_pays_for_it():
    variance = tf.constant(math.log(4.0))
    regression = losses.by_uncertainty(tf.constant(3.0), variance, regression=True)
    assert regression.numpy() == pytest.approx(3.0 / (2 * 4) + math.log(2))
    classification = losses.by_uncertainty(tf.constant(3.0), variance, regression=False)
    assert classification.numpy() == pytest.approx(3.0 / 4 + math.log(2))


def test_a_batch_without_labels_does_not_move_the_uncertainty():
    variance = tf.Variable(0.3)
    with tf.GradientTape() as tape:
        loss = losses.by_uncertainty(tf.constant(0.0), variance, regression=False)
    assert loss.numpy() == 0.0
    assert tape.gradient(loss, variance).numpy() == 0.0
