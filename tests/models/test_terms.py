"""What the surface's distillations become as terms of the loss; all numbers by hand."""

import math

import numpy as np
import pytest
import tensorflow as tf

from models.scales import LabelStatistics
from models.terms import HeadLoss, head_losses
from models.training import selection_loss
from schema.surface import Surface
from tests.models.conftest import SURFACE

STATISTICS = {
    "click": LabelStatistics(0.2, 0.4),
    "minutes": LabelStatistics(3.0, 2.0),
    "teacher/click": LabelStatistics(-1.0, 4.0),
    "teacher/stay": LabelStatistics(2.0, 0.5),
}
LABELS = {
    "teacher/click": tf.constant([0.5, math.nan, -0.25]),
    "group/id": tf.constant([3, 3, 3], tf.int64),
    "label/click": tf.constant([1.0, 1.0, 0.0]),
}
OUTPUTS = {
    "distillation_click": tf.constant([[0.0], [9.0], [1.0]]),
    "serving_click": tf.constant([[2.0], [1.0], [0.0]]),
}


def term(**distil: object) -> HeadLoss:
    content = SURFACE.model_dump(mode="json", by_alias=True)
    content["tasks"]["click"]["distil"] = {"from": "click", **distil}
    terms = head_losses(Surface.model_validate(content), STATISTICS, distil=True)
    return next(each for each in terms if each.name == "distillation_click")


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def entropy(p: float, q: float) -> float:
    return -p * math.log(q) - (1 - p) * math.log(1 - q)


def test_mse_compares_z_scores():
    assert term()(LABELS, OUTPUTS).numpy() == pytest.approx((0.5**2 + 1.25**2) / 2)


def test_bce_compares_probabilities_on_the_teachers_own_scale():
    # Labels are -1 + 4 * .5 = 1 and -1 - 4 * .25 = -2, outputs -1 and 3; both over T = 2.
    expected = 4 * (entropy(sigmoid(0.5), sigmoid(-0.5)) + entropy(sigmoid(-1), sigmoid(1.5))) / 2
    assert term(loss="bce", temperature=2.0)(LABELS, OUTPUTS).numpy() == pytest.approx(expected, rel=1e-5)


def test_a_pairwise_margin_is_one_of_logits():
    expected = entropy(sigmoid(1 - -2), sigmoid(-1 - 3))
    assert term(loss="pairwise")(LABELS, OUTPUTS).numpy() == pytest.approx(expected, rel=1e-5)


def test_rows_without_a_group_are_not_ranked():
    alone = {**LABELS, "group/id": tf.constant([-1, -1, -1], tf.int64)}
    assert term(loss="pairwise")(alone, OUTPUTS).numpy() == 0.0


def test_a_shared_head_takes_the_teachers_logits_as_its_own():
    shared = term(head="shared")
    assert shared.head == "serving_click"
    assert shared(LABELS, OUTPUTS).numpy() == pytest.approx(((2 - 1) ** 2 + (0 - -2) ** 2) / 2)


def test_a_shared_regression_takes_the_teachers_values_in_the_labels_unit():
    content = SURFACE.model_dump(mode="json", by_alias=True)
    content["teacher"]["tasks"]["stay"]["kind"] = "regression"
    content["tasks"]["minutes"]["distil"] = {"from": "stay", "head": "shared"}
    terms = head_losses(Surface.model_validate(content), STATISTICS, distil=True)
    shared = next(each for each in terms if each.name == "distillation_minutes")
    # The teacher says 2 + .5 * 2 = 3, which is the labels' mean: a z-score of 0.
    found = shared({"teacher/stay": tf.constant([2.0])}, {"serving_minutes": tf.constant([[0.5]])})
    assert found.numpy() == pytest.approx(0.25)


def test_a_representation_is_absent_where_any_part_of_it_is():
    content = SURFACE.model_dump(mode="json", by_alias=True)
    content["representations"] = {"trunk": {"from": "layer"}}
    term = head_losses(Surface.model_validate(content), STATISTICS, distil=True)[-1]
    columns = {"teacher/layer": tf.constant([[1.0, 2.0], [math.nan, 0.0], [0.0, 0.0]])}
    outputs = {term.head: tf.constant([[0.0, 0.0], [5.0, 5.0], [1.0, -1.0]])}
    assert term(columns, outputs).numpy() == pytest.approx(((1 + 4) / 2 + (1 + 1) / 2) / 2)


def test_example_weights_enter_hard_and_soft_losses_once():
    weighted = {**LABELS, "weight/example": tf.constant([3.0, 5.0, 1.0])}
    assert term()(weighted, OUTPUTS).numpy() == pytest.approx((3 * 0.5**2 + 1.25**2) / 4)
    hard = head_losses(SURFACE, STATISTICS, distil=False)[0]
    losses = [entropy(1, sigmoid(2)), entropy(1, sigmoid(1)), math.log(2)]
    assert hard(weighted, OUTPUTS).numpy() == pytest.approx(np.average(losses, weights=[3, 5, 1]), rel=1e-5)


@pytest.mark.parametrize("loss", ["mse", "bce", "kl", "pairwise", "listwise"])
def test_a_batch_without_soft_labels_teaches_nothing(loss):
    nothing = {**LABELS, "teacher/click": tf.fill([3], math.nan)}
    outputs = tf.Variable([[0.0], [9.0], [1.0]])
    with tf.GradientTape() as tape:
        found = term(loss=loss)(nothing, {"distillation_click": outputs})
    assert found.numpy() == 0.0
    assert np.array_equal(tf.convert_to_tensor(tape.gradient(found, outputs)), np.zeros((3, 1)))


def test_a_schedule_gives_the_weight_of_a_step():
    moving = term(weight=3.0, schedule={"from": 1.0, "steps": 10})
    assert float(moving.weight_at(tf.constant(5))) == pytest.approx(2.0)
    assert term(weight=3.0).weight_at(tf.constant(5)) == 3.0


def test_a_loss_that_needs_the_teachers_scale_says_so():
    content = SURFACE.model_dump(mode="json", by_alias=True)
    content["tasks"]["click"]["distil"] = {"from": "click", "loss": "bce"}
    hard = {task: STATISTICS[task] for task in SURFACE.tasks}
    with pytest.raises(ValueError, match="'click': loss bce with head auxiliary needs their mean"):
        head_losses(Surface.model_validate(content), hard, distil=True)


def test_an_epoch_is_chosen_by_what_is_left_of_each_tasks_uncertainty():
    terms = head_losses(SURFACE, STATISTICS, distil=True)
    means = {each.name: 100.0 for each in terms if each.soft} | {"serving_click": 0.4, "serving_minutes": 0.9}
    base = entropy(0.2, 0.2)
    assert selection_loss(terms, means, "relative") == pytest.approx(0.4 / base + 0.9)
    assert selection_loss(terms, means, "sum") == pytest.approx(1.3)


def sampled(**distil: object) -> HeadLoss:
    """Of the negatives of `click` a tenth was kept."""
    content = SURFACE.model_dump(mode="json", by_alias=True)
    content["tasks"]["click"] |= {"distil": {"from": "click", **distil}, "sampled": {"negatives": 0.1}}
    terms = head_losses(Surface.model_validate(content), STATISTICS, distil=True)
    return next(each for each in terms if each.name == "distillation_click")


def test_a_teachers_logit_is_compared_as_it_is_among_the_sampled_examples():
    """Labels are 1 and -2, and log 10 more where a tenth of the negatives is there; so is where the head starts."""
    more = math.log(10)
    expected = (entropy(sigmoid(1 + more), sigmoid(-1 + more)) + entropy(sigmoid(-2 + more), sigmoid(3 + more))) / 2
    assert sampled(loss="bce")(LABELS, OUTPUTS).numpy() == pytest.approx(expected, rel=1e-5)
    shared = sampled(head="shared")(LABELS, OUTPUTS).numpy()  # the serving head's own logits are among the sampled ones
    assert shared == pytest.approx(((2 - 1 - more) ** 2 + (0 + 2 - more) ** 2) / 2, rel=1e-5)


def test_z_scores_and_differences_of_logits_are_the_same_whatever_was_sampled():
    for distil in ({}, {"loss": "pairwise"}):
        assert sampled(**distil)(LABELS, OUTPUTS).numpy() == pytest.approx(term(**distil)(LABELS, OUTPUTS).numpy())
