"""Tasks of several classes and examples with a probability of their own: losses, heads and labels, by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from models import losses, preprocessing
from models.ranker import build
from models.scales import LabelStatistics, label_statistics, soft_statistics
from models.terms import HeadLoss, head_losses, mean_losses, scaled_columns, weighed_losses
from schema.errors import InputError
from schema.surface import Surface
from tests.models.conftest import SURFACE

FEATURES = {
    "user": tf.constant([1, 2]),
    "genre": tf.constant([0, 1]),
    "match": tf.constant([[0.5], [-1.0]]),
    "content": tf.zeros([2, 2]),
    "age": tf.ones([2, 1]),
}
TEACHER_LOGITS = tf.math.log([[0.1, 0.2, 0.3, 0.4], [0.25, 0.25, 0.25, 0.25]])


def surface(**distil: Any) -> Surface:
    """`shelf` has three classes, the teacher's `place` four; classes of one stand for those of the other by a map."""
    content = SURFACE.model_dump(mode="json", by_alias=True)
    content["tasks"]["shelf"] = {
        "kind": "multiclass",
        "label": "shelf",
        "classes": ["top", "middle", "low"],
        "distil": {"from": "place", "loss": "kl", "classes": {"middle": ["b", "d"], "top": "a"}, **distil},
        "ungated": "test",
    }
    content["teacher"]["tasks"]["place"] = {"kind": "multiclass", "classes": ["a", "b", "c", "d"]}
    return Surface.model_validate(content)


STATISTICS = {
    "click": LabelStatistics(0.2, 0.4),
    "minutes": LabelStatistics(3.0, 2.0),
    "shelf": LabelStatistics(1.0, 1.0, (0.5, 0.3, 0.2)),
}


def term(name: str, of: Surface) -> HeadLoss:
    return next(each for each in head_losses(of, STATISTICS, distil=True) if each.name == name)


def test_softmax_cross_entropy_is_minus_the_log_of_the_probability() -> None:
    found = losses.softmax_cross_entropy(tf.constant([2.0, 0.0]), tf.math.log([[0.2, 0.3, 0.5], [0.2, 0.3, 0.5]]))
    np.testing.assert_allclose(found, [-math.log(0.5), -math.log(0.2)], rtol=1e-6)


@pytest.mark.parametrize("temperature", [1.0, 2.0, 5.0])
def test_the_tempered_divergence_and_its_gradient(temperature: float) -> None:
    teacher, student = tf.constant([[1.0, 0.0, -2.0]]), tf.Variable([[0.5, 0.5, 0.0]])
    with tf.GradientTape() as tape:
        loss = losses.tempered_class_divergence(teacher, student, temperature)
    p, q = (np.exp(each / temperature) for each in (np.array([1.0, 0.0, -2.0]), np.array([0.5, 0.5, 0.0])))
    p, q = p / p.sum(), q / q.sum()
    np.testing.assert_allclose(loss, [temperature**2 * np.sum(p * np.log(p / q))], rtol=1e-4)
    np.testing.assert_allclose(tape.gradient(loss, student), [temperature * (q - p)], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(losses.tempered_class_divergence(teacher, teacher, temperature), [0.0], atol=1e-6)


def test_probabilities_of_the_classes_of_a_part_are_summed_and_the_rest_divided_by_its_sum() -> None:
    merged = losses.merged_logits(TEACHER_LOGITS, [[0], [1, 3]])
    # .1 against .2 + .4, without the third class.
    np.testing.assert_allclose(tf.nn.softmax(merged), [[1 / 7, 6 / 7], [1 / 3, 2 / 3]], rtol=1e-5)


def test_a_distillation_head_compares_the_classes_that_both_know() -> None:
    soft = term("distillation_shelf", surface())
    columns = {"teacher/place": tf.concat([TEACHER_LOGITS, tf.fill([1, 4], math.nan)], axis=0)}
    outputs = {"distillation_shelf": tf.zeros([3, 2]), "serving_shelf": tf.math.log([[0.2, 0.2, 0.6]] * 3)}
    p = np.array([[1 / 7, 6 / 7], [1 / 3, 2 / 3]])
    assert soft(columns, outputs).numpy() == pytest.approx(np.mean(np.sum(p * np.log(p / 0.5), axis=1)), rel=1e-5)
    # A shared head has a class of which the teacher says nothing; given that it is none, the others are even.
    shared = term("distillation_shelf", surface(head="shared"))
    assert shared(columns, outputs).numpy() == pytest.approx(soft(columns, outputs).numpy(), rel=1e-5)


def test_a_hard_loss_of_classes_is_reduced_beside_the_others() -> None:
    of = surface()
    terms = [each for each in head_losses(of, STATISTICS, distil=False) if each.name != "serving_minutes"]
    columns = {"label/click": tf.constant([1.0, 0.0]), "label/shelf": tf.constant([math.nan, 2.0])}
    outputs = {"serving_click": tf.zeros([2, 1]), "serving_shelf": tf.math.log([[0.2, 0.3, 0.5]] * 2)}
    np.testing.assert_allclose(mean_losses(terms, columns, outputs), [math.log(2), math.log(2)], rtol=1e-5)
    _, weights = weighed_losses(terms, columns, outputs)
    np.testing.assert_array_equal(weights, [2, 1])
    assert terms[1].constant == pytest.approx(-sum(share * math.log(share) for share in (0.5, 0.3, 0.2)))


@pytest.mark.parametrize("head", ["auxiliary", "stacked", "shared"])
def test_heads_of_classes(head: str) -> None:
    ranker = build(surface(head=head), {"user": 8, "genre": 3}, STATISTICS, distil=True)
    outputs = ranker.training(FEATURES)
    assert outputs["serving_shelf"].shape == (2, 3)
    assert ("distillation_shelf" in outputs) == (head != "shared")
    if head != "shared":
        assert outputs["distillation_shelf"].shape == (2, 2)
    # Heads start at the shares of the classes.
    np.testing.assert_allclose(ranker.serving(FEATURES)["shelf"], [[0.5, 0.3, 0.2]] * 2, rtol=1e-5)
    np.testing.assert_allclose(tf.nn.softmax(ranker.logits(FEATURES)["shelf"]), [[0.5, 0.3, 0.2]] * 2, rtol=1e-5)


def test_a_bias_tower_adds_to_every_class_and_is_not_served() -> None:
    content = surface().model_dump(mode="json", by_alias=True)
    content["features"]["place"] = {"kind": "numeric", "default": 0.0}
    content["tasks"]["shelf"]["bias"] = ["place"]
    ranker = build(Surface.model_validate(content), {"user": 8, "genre": 3}, STATISTICS, distil=False)
    outputs = ranker.training(FEATURES | {"place": tf.constant([[3.0], [-3.0]])})
    assert outputs["serving_shelf"].shape == (2, 3)
    assert len(np.unique(outputs["serving_shelf"][0] - tf.math.log([0.5, 0.3, 0.2]))) == 3
    np.testing.assert_allclose(ranker.serving(FEATURES)["shelf"], [[0.5, 0.3, 0.2]] * 2, rtol=1e-5)


def test_logits_of_classes_have_no_scale() -> None:
    assert scaled_columns(surface()) == []
    assert soft_statistics([], None) == {}


def test_shares_of_classes_and_labels_that_are_none() -> None:
    columns = {
        "label/click": np.array([0.0, 1.0, 1.0]),
        "label/minutes": np.array([1.0, 2.0, 3.0]),
        "label/shelf": np.array([0.0, 2.0, math.nan]),
    }
    assert label_statistics(surface(), columns)["shelf"].shares == (0.5, 0.0, 0.5)
    columns["label/shelf"][2] = -1
    with pytest.raises(
        InputError, match=r"one of its classes \(top, middle, low\) in column 'shelf', found others in 1"
    ):
        label_statistics(surface(), columns)


def sampled(**distil: Any) -> Surface:
    """`click` with a probability of its own for every example."""
    content = SURFACE.model_dump(mode="json", by_alias=True)
    content["tasks"]["click"] |= {"distil": {"from": "click", **distil}, "sampled": {"probability": "kept"}}
    return Surface.model_validate(content)


SAMPLED = {
    "label/click": tf.constant([1.0, 0.0]),
    "teacher/click": tf.constant([0.5, -0.25]),
    "sampling/click": -tf.math.log([0.5, 0.1]),
    "group/id": tf.constant([3, 3], tf.int64),
}
OF_SAMPLED = {"serving_click": tf.constant([[0.3], [-0.2]]), "distillation_click": tf.constant([[0.0], [1.0]])}
WITH_SCALE = STATISTICS | {"teacher/click": LabelStatistics(-1.0, 4.0), "teacher/stay": LabelStatistics(2.0, 0.5)}


def of_sampled(name: str, **distil: Any) -> float:
    found = head_losses(sampled(**distil), WITH_SCALE, distil=True)
    return float(next(each for each in found if each.name == name)(SAMPLED, OF_SAMPLED))


def entropy(label: float, logit: float) -> float:
    return max(logit, 0) - logit * label + math.log1p(math.exp(-abs(logit)))


def test_a_hard_loss_is_of_the_odds_among_the_examples_that_were_kept() -> None:
    """Half of the negatives like the first example are there, and a tenth of those like the second."""
    expected = (entropy(1, 0.3 + math.log(2)) + entropy(0, -0.2 + math.log(10))) / 2
    assert of_sampled("serving_click") == pytest.approx(expected, rel=1e-5)


def test_a_teachers_logit_goes_through_the_same_correction_example_by_example() -> None:
    def chance(logit: float) -> float:
        return 1 / (1 + math.exp(-logit))

    # The teacher's logits are -1 + 4 * .5 = 1 and -1 - 4 * .25 = -2, the head's -1 and 3.
    first, second = math.log(2), math.log(10)
    expected = (entropy(chance(1 + first), -1 + first) + entropy(chance(-2 + second), 3 + second)) / 2
    assert of_sampled("distillation_click", loss="bce") == pytest.approx(expected, rel=1e-5)
    shared = (entropy(chance(1 + first), 0.3 + first) + entropy(chance(-2 + second), -0.2 + second)) / 2
    assert of_sampled("distillation_click", loss="bce", head="shared") == pytest.approx(shared, rel=1e-5)


def test_what_a_correction_would_not_change_has_none() -> None:
    assert of_sampled("distillation_click") == pytest.approx((0.5**2 + 1.25**2) / 2, rel=1e-5)
    pairwise = of_sampled("distillation_click", loss="pairwise")
    assert pairwise == pytest.approx(entropy(1 / (1 + math.exp(-3)), -1 - 3), rel=1e-5)


def test_what_serves_needs_no_correction_and_starts_at_the_rate_among_all() -> None:
    columns = {
        "label/click": np.array([1.0, 0.0, 0.0, 1.0]),
        "label/minutes": np.ones(4),
        "sampling/click": -np.log([0.1, 0.1, 0.1, 0.1]),
    }
    columns["label/minutes"][0] = 2
    statistics = label_statistics(sampled(), columns)
    assert statistics["click"].unsampled == pytest.approx(math.log(0.1))
    ranker = build(sampled(), {"user": 8, "genre": 3}, statistics, distil=False)
    # Two of four are positive, and each negative stands for ten.
    np.testing.assert_allclose(ranker.serving(FEATURES)["click"], [2 / 22] * 2, rtol=1e-5)
    np.testing.assert_allclose(ranker.training(FEATURES)["serving_click"], np.log([[0.1], [0.1]]), rtol=1e-5)


@pytest.mark.parametrize("wrong", [0.0, 1.5, -0.5])
def test_what_is_no_probability_is_refused(wrong: float) -> None:
    columns = {
        "label/click": np.array([1.0, 0.0, 0.0]),
        "label/minutes": np.array([1.0, 2.0, 3.0]),
        "sampling/click": preprocessing._sampling(tf.constant([0.5, wrong, math.nan])).numpy(),
    }
    with pytest.raises(InputError, match="above 0 and up to 1, found others in 1 of 3 training examples"):
        label_statistics(sampled(), columns)


def test_a_probability_that_only_negatives_have_is_refused() -> None:
    columns = {
        "label/click": np.array([1.0, 0.0, 0.0]),
        "label/minutes": np.array([1.0, 2.0, 3.0]),
        "sampling/click": -np.log([1.0, 0.1, 0.1]),
    }
    with pytest.raises(InputError, match="expected for each example, positive ones too, the probability"):
        label_statistics(sampled(), columns)
