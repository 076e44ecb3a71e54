import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.columns import WEIGHT_COLUMN
from models.scales import LabelStatistics, label_statistics
from models.terms import HeadLoss, head_losses, mean_losses
from models.training import Trainable
from schema.errors import InputError
from tests.models.conftest import SURFACE

STATISTICS = {"click": LabelStatistics(0.5, 0.5), "minutes": LabelStatistics(3.0, 2.0)}


def losses_of(*, distil: bool) -> dict[str, HeadLoss]:
    return {each.head: each for each in head_losses(SURFACE, STATISTICS, distil=distil)}


def test_control_has_no_soft_losses():
    assert set(losses_of(distil=False)) == {"serving_click", "serving_minutes"}
    assert {name for name, each in losses_of(distil=True).items() if each.soft} == {
        "distillation_click",
        "distillation_stay",
    }


def test_a_regression_loss_is_in_units_of_the_label_variance():
    labels = {"label/minutes": tf.constant([5.0, math.nan])}
    outputs = {"serving_minutes": tf.constant([[0.5], [9.0]])}
    # (5 - 3) / 2 = 1; (1 - 0.5)^2; the absent label does not count.
    assert losses_of(distil=False)["serving_minutes"](labels, outputs).numpy() == pytest.approx(0.25)


def test_a_distillation_loss_reads_the_teacher_column():
    labels = {"teacher/stay": tf.constant([1.0, -1.0])}
    outputs = {"distillation_stay": tf.constant([[0.0], [1.0]])}
    assert losses_of(distil=True)["distillation_stay"](labels, outputs).numpy() == pytest.approx((1 + 4) / 2)


def test_losses_together_are_those_of_each_head():
    terms = list(losses_of(distil=True).values())
    labels = {
        "label/click": tf.constant([1.0, 0.0, math.nan]),
        "label/minutes": tf.constant([5.0, math.nan, 2.0]),
        "teacher/click": tf.constant([2.0, math.nan, math.nan]),
        "teacher/stay": tf.constant([math.nan, math.nan, math.nan]),
    }
    outputs = {each.head: tf.constant([[0.5], [-1.0], [2.0]]) for each in terms}
    for columns in (labels, {**labels, WEIGHT_COLUMN: tf.constant([2.0, 1.0, 0.5])}):
        together = [value.numpy() for value in mean_losses(terms, columns, outputs)]
        assert together == pytest.approx([each(columns, outputs).numpy() for each in terms])
        assert together[terms.index(losses_of(distil=True)["distillation_stay"])] == 0.0


def test_label_statistics_ignore_absent_labels():
    columns = {"label/click": np.array([1.0, 0.0, 0.0, 1.0]), "label/minutes": np.array([math.nan, 2.0, 4.0, math.nan])}
    assert label_statistics(SURFACE, columns) == {
        "click": LabelStatistics(0.5, 0.5),
        "minutes": LabelStatistics(3.0, 1.0),
    }


def test_a_task_without_any_label_is_an_error():
    columns = {"label/click": np.array([1.0]), "label/minutes": np.array([math.nan])}
    with pytest.raises(InputError, match=r"'minutes'.*no label"):
        label_statistics(SURFACE, columns)


def test_reported_losses_are_means_over_batches():
    """All heads answer 0; batches of one row, so that each batch counts the same by hand."""
    terms = list(losses_of(distil=True).values())
    feature = keras.Input((1,), name="x")
    zero = keras.layers.Dense(1, kernel_initializer="zeros")
    heads = keras.Model({"x": feature}, {each.head: zero(feature) for each in terms})
    model = Trainable(heads, terms, uncertainty=False)
    model.compile(optimizer="adam")
    labels = {
        "label/click": tf.constant([1.0, 0.0]),
        "label/minutes": tf.constant([5.0, 3.0]),
        "teacher/click": tf.constant([2.0, math.nan]),
        "teacher/stay": tf.constant([1.0, 3.0]),
    }
    batches = tf.data.Dataset.from_tensor_slices(({"x": tf.zeros([2, 1])}, labels)).batch(1)
    found = model.evaluate(batches, verbose=0, return_dict=True)
    weights = {each.name: each.weight for each in terms}
    expected = {
        "serving_click": math.log(2),
        "serving_minutes": (1 + 0) / 2,
        "distillation_click": (4 + 0) / 2,
        "distillation_stay": (1 + 9) / 2,
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected)
    hard = sum(weights[name] * expected[name] for name in ("serving_click", "serving_minutes"))
    soft = sum(weights[name] * expected[name] for name in ("distillation_click", "distillation_stay"))
    assert found["hard_loss"] == pytest.approx(hard)
    assert found["soft_loss"] == pytest.approx(soft)
    assert found["loss"] == pytest.approx(hard + soft)
