"""Hard losses as a task declares them, weights of its own, and tasks that stand on others."""

from __future__ import annotations

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.columns import TASK_WEIGHT_PREFIX, training_columns
from models.ranker import build
from models.scales import LabelStatistics
from models.terms import head_losses, mean_losses, weighed_losses
from schema.errors import InputError
from schema.surface import Surface, Task
from schema.techniques import check_techniques
from tests.models.conftest import SURFACE
from tests.models.test_networks import BATCH, SIZES

STATISTICS = {"click": LabelStatistics(0.2, 0.4), "minutes": LabelStatistics(3.0, 2.0)}
OUTPUTS = {
    "serving_click": tf.constant([[2.0], [1.0], [-1.0]]),
    "serving_minutes": tf.constant([[0.0], [4.0], [1.0]]),
}
LABELS = {"label/click": tf.constant([1.0, 0.0, math.nan]), "label/minutes": tf.constant([3.0, 5.0, 5.0])}


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def entropy(p: float, q: float) -> float:
    return -p * math.log(q) - (1 - p) * math.log(1 - q)


def changed(**tasks) -> Surface:
    content = SURFACE.model_dump(mode="json", by_alias=True)
    for task, change in tasks.items():
        content["tasks"].setdefault(task, {"kind": "binary", "label": task, "ungated": "a test"}).update(change)
    return Surface.model_validate(content)


def hard(surface: Surface, columns=LABELS) -> dict[str, float]:
    terms = head_losses(surface, STATISTICS, distil=False)
    values = mean_losses(terms, columns, OUTPUTS)
    return {each.name: float(value) for each, value in zip(terms, values, strict=True)}


def test_label_smoothing_and_positive_weight_by_hand():
    surface = changed(click={"label_smoothing": 0.1, "positive_weight": 3.0})
    expected = (3 * entropy(0.95, sigmoid(2)) + entropy(0.05, sigmoid(1))) / 2
    assert hard(surface)["serving_click"] == pytest.approx(expected, rel=1e-5)


def test_a_huber_loss_is_of_z_scores():
    # The labels' z-scores are 0, 1 and 1; the second output is 3 off, which counts 2 * 3 - 1.
    assert hard(changed(minutes={"loss": "huber"}))["serving_minutes"] == pytest.approx((0 + 5 + 0) / 3)
    assert hard(changed())["serving_minutes"] == pytest.approx((0 + 9 + 0) / 3)


@pytest.mark.parametrize(("smoothing", "weight"), [(0.0, 1.0), (0.2, 1.0), (0.0, 4.0), (0.1, 0.5)])
def test_the_loss_of_the_best_constant_is_the_least_that_a_constant_comes_to(smoothing, weight):
    surface = changed(click={"label_smoothing": smoothing, "positive_weight": weight})
    term = head_losses(surface, STATISTICS, distil=False)[0]
    labels = {"label/click": tf.constant([1.0] + [0.0] * 4)}  # a rate of .2, as STATISTICS says
    tried = [
        float(mean_losses([term], labels, {"serving_click": tf.fill([5, 1], logit)})[0])
        for logit in np.linspace(-4, 4, 801).astype(np.float32)
    ]
    assert term.constant == pytest.approx(min(tried), abs=1e-4)


def test_a_task_may_weigh_examples_on_its_own():
    surface = changed(click={"weight_column": "importance"})
    column = TASK_WEIGHT_PREFIX + "click"
    assert column in training_columns(surface, distil=False)
    columns = {**LABELS, column: tf.constant([3.0, 1.0, 9.0]), "weight/example": tf.constant([1.0, 2.0, 4.0])}
    found = hard(surface, columns)
    first, second = entropy(1, sigmoid(2) - 1e-12), entropy(0, sigmoid(1))
    assert found["serving_click"] == pytest.approx((3 * first + 2 * second) / 5, rel=1e-5)
    assert found["serving_minutes"] == pytest.approx((0 + 2 * 9 + 0) / 7)  # by the surface's weights alone
    terms = head_losses(surface, STATISTICS, distil=False)
    values, weights = weighed_losses(terms, columns, OUTPUTS)
    assert values.numpy() == pytest.approx([found["serving_click"], found["serving_minutes"]])
    assert weights.numpy().tolist() == [5.0, 7.0]


CHAIN = changed(buy={"given": "click"}, keep={"given": "buy"})


def test_what_serves_is_the_product_of_all_probabilities_in_the_chain():
    statistics = STATISTICS | {"buy": LabelStatistics(0.05, 0.2), "keep": LabelStatistics(0.01, 0.1)}
    ranker = build(CHAIN, SIZES, statistics, distil=False)
    own = {
        name: keras.Model(ranker.serving.input, ranker.serving.get_layer(f"head.serving_{name}").output)(BATCH)
        for name in ("click", "buy", "keep")
    }
    shares = {name: tf.sigmoid(logit)[:, 0].numpy() for name, logit in own.items()}
    served = {name: value.numpy() for name, value in ranker.serving(BATCH).items()}
    np.testing.assert_allclose(served["click"], shares["click"], rtol=1e-5)
    np.testing.assert_allclose(served["buy"], shares["click"] * shares["buy"], rtol=1e-4)
    np.testing.assert_allclose(served["keep"], shares["click"] * shares["buy"] * shares["keep"], rtol=1e-4)
    np.testing.assert_allclose(tf.sigmoid(ranker.logits(BATCH)["keep"]), served["keep"], rtol=1e-5)
    raw = ranker.training(BATCH)
    np.testing.assert_allclose(tf.sigmoid(raw["serving_buy"])[:, 0], served["buy"], rtol=1e-5)
    # Without any training each starts at its base rate.
    assert served["buy"].mean() == pytest.approx(0.05, rel=0.5)


def test_the_product_stays_finite_at_the_ends():
    from models.ranker import _Both

    found = _Both()(tf.constant([[60.0], [-60.0], [0.0]]), tf.constant([[60.0], [-60.0], [0.0]])).numpy().ravel()
    assert np.isfinite(found).all()
    assert found[1] == pytest.approx(-120.0)
    assert found[2] == pytest.approx(math.log(0.25 / 0.75), rel=1e-5)


@pytest.mark.parametrize(
    ("tasks", "message"),
    [
        ({"click": {"given": "minutes"}}, "tasks.click.given: expected another binary task, found 'minutes'"),
        ({"click": {"given": "click"}}, "expected another binary task, found 'click'"),
        ({"click": {"given": "buy"}, "buy": {"given": "click"}}, "a circle: click given buy given click"),
        (
            {"click": {"sampled": {"negatives": 0.1}}, "buy": {"given": "click"}},
            r"tasks.click.sampled: the task is one of buy given click, which are learned of all examples",
        ),
    ],
)
def test_a_chain_that_leads_nowhere(tasks, message, tmp_path):
    with pytest.raises(InputError, match=message):
        check_techniques(changed(**tasks), tmp_path)


@pytest.mark.parametrize(
    ("task", "key"),
    [
        ({"kind": "binary", "loss": "huber"}, "loss"),
        ({"kind": "regression", "label_smoothing": 0.1}, "label_smoothing"),
        ({"kind": "regression", "positive_weight": 2.0}, "positive_weight"),
        ({"kind": "regression", "given": "click"}, "given"),
    ],
)
def test_a_loss_of_another_kind_of_task(task, key):
    with pytest.raises(ValueError, match=f"`{key}` is not for {task['kind']} tasks"):
        Task.model_validate({"label": "x", "ungated": "a test", **task})
