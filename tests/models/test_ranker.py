import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from models import trunks
from models.layers import LayerMaker
from models.ranker import build
from models.scales import LabelStatistics
from schema.surface import Surface
from tests.models.conftest import SURFACE

SIZES = {"user": 8, "genre": 3}
STATISTICS = {"click": LabelStatistics(0.2, 0.4), "minutes": LabelStatistics(3.0, 2.0)}
BATCH = {
    "user": np.array([1, 2, 7]),
    "genre": np.array([0, 1, 2]),
    "match": np.array([[0.1], [0.2], [0.3]], np.float32),
    "content": np.ones((3, 2), np.float32),
    "age": np.zeros((3, 1), np.float32),
}


@pytest.fixture(scope="module")
def student():
    return build(SURFACE, SIZES, STATISTICS, distil=True)


@pytest.fixture(scope="module")
def control():
    return build(SURFACE, SIZES, STATISTICS, distil=False)


def test_student_has_serving_distillation_and_non_serving_heads(student, control):
    heads = {"serving_click", "serving_minutes", "distillation_click", "distillation_stay"}
    assert set(student.training.output) == heads
    assert set(control.training.output) == {"serving_click", "serving_minutes"}


def test_the_serving_model_holds_only_what_serves(student, control):
    names = {layer.name for layer in student.serving.layers}
    assert not [name for name in names if "distillation" in name or "stay" in name]
    assert student.serving.count_params() == control.serving.count_params()


def test_student_and_control_start_from_the_same_weights(student, control):
    before = control.serving(BATCH)
    for task, value in student.serving(BATCH).items():
        np.testing.assert_array_equal(value, before[task])


def test_what_the_teacher_teaches_moves_nothing_shared_before_its_heads_point_somewhere(student):
    """So the first step of a student is its control's, wherever a random head would have pointed."""
    soft = [name for name in student.training.output if name.startswith("distillation_")]
    shared = [each for each in student.training.trainable_variables if not each.path.startswith("head.")]
    heads = [each for each in student.training.trainable_variables if each.path.startswith("head.distillation_")]
    with tf.GradientTape() as tape:
        outputs = student.training(BATCH)
        loss = sum(tf.reduce_sum((outputs[name] - [[1.0], [2.0], [-1.0]]) ** 2) for name in soft)
    moved, taught = tape.gradient(loss, [[each.value for each in shared], [each.value for each in heads]])
    assert all(np.all(tf.convert_to_tensor(each) == 0) for each in moved if each is not None)
    assert all(np.any(each != 0) for each in taught)


@pytest.mark.parametrize("head", ["auxiliary", "stacked"])
@pytest.mark.parametrize("kind", ["mmoe", "ple"])
def test_what_serves_is_the_control_s_whatever_the_trunk(kind, head):
    """Gates and experts too: a non-serving head must not change what a task gets."""
    content = SURFACE.model_dump(mode="json", by_alias=True)
    content["model"] |= {"trunk_kind": kind, "trunk": [8, 6], "experts": 3, "task_experts": 2}
    content["tasks"]["click"]["distil"]["head"] = head
    surface = Surface.model_validate(content)
    control, student = (build(surface, SIZES, STATISTICS, distil=distil) for distil in (False, True))
    before = control.serving(BATCH)
    for task, value in student.serving(BATCH).items():
        np.testing.assert_array_equal(value, before[task])
    stacked = 4 + 1 + 1 if head == "stacked" else 0  # the head's kernel and bias, and the weight of its output
    assert student.serving.count_params() == control.serving.count_params() + stacked


def test_experts_of_a_mixture_are_shared_out():
    """A gate's shares sum to 1: experts that all say the same are not changed by mixing."""
    maker = LayerMaker(SURFACE.model, seed=0)
    selector, experts = keras.Input((5,)), keras.Input((3, 4))
    mixed = keras.Model([selector, experts], trunks._mixture(maker, "gate", selector, experts))
    same = np.broadcast_to(np.arange(4, dtype=np.float32), (2, 3, 4))
    found = mixed([np.random.default_rng(0).normal(size=(2, 5)), same])
    np.testing.assert_allclose(found, same[:, 0], rtol=1e-5)


def test_another_seed_gives_other_weights(student):
    training = SURFACE.training.model_copy(update={"seed": 1})
    other = build(SURFACE.model_copy(update={"training": training}), SIZES, STATISTICS, distil=True)
    # Heads start at 0, so that the models differ in their trunks and answer alike.
    assert not np.allclose(other.trunk(BATCH), student.trunk(BATCH))
    np.testing.assert_array_equal(other.serving(BATCH)["minutes"], student.serving(BATCH)["minutes"])


def test_served_values_are_probabilities_and_label_units(student):
    raw, served, logits = student.training(BATCH), student.serving(BATCH), student.logits(BATCH)
    click = np.ravel(raw["serving_click"])
    np.testing.assert_allclose(served["click"], 1 / (1 + np.exp(-click)), rtol=1e-6)
    np.testing.assert_allclose(logits["click"], click, rtol=1e-6)
    np.testing.assert_allclose(served["minutes"], 3 + 2 * np.ravel(raw["serving_minutes"]), rtol=1e-6)


def test_a_binary_head_starts_at_the_base_rate(student):
    bias = student.training.get_layer("head.serving_click").bias.numpy()
    assert bias == pytest.approx([math.log(0.2 / 0.8)])
