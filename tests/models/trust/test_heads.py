"""What trust changes in models and losses: a head that is not served, factors of examples, and part of a gradient."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from models.ranker import Ranker, build
from models.scales import LabelStatistics
from models.terms import HeadLoss, head_losses, mean_losses
from schema.surface import Surface
from tests.models.conftest import SURFACE
from tests.models.test_classes import FEATURES

STATISTICS = {"click": LabelStatistics(0.2, 0.4), "minutes": LabelStatistics(3.0, 2.0)}
SIZES = {"user": 9, "genre": 4}


def surface(**distil: Any) -> Surface:
    content = SURFACE.model_dump(mode="json", by_alias=True)
    content["tasks"]["click"]["distil"] = {"from": "click", **distil}
    content["model"]["dropout"] = 0.0
    return Surface.model_validate(content)


def terms(of: Surface) -> dict[str, HeadLoss]:
    return {each.name: each for each in head_losses(of, STATISTICS, distil=True)}


def test_the_adapters_head_is_trained_and_not_served():
    of = surface(adapter={"weight": 0.5})
    ranker = build(of, SIZES, STATISTICS, distil=True)
    assert "distillation_adapted.click" in ranker.training(FEATURES)
    served = {each.path for each in ranker.serving.weights}
    control = build(of, SIZES, STATISTICS, distil=False)
    assert served == {each.path for each in control.serving.weights}
    assert not any("adapted" in path for path in served)
    term = terms(of)["distillation_adapted.click"]
    assert (term.column, term.weight, term.soft) == ("trust/adapted/click", 0.5, True)


def test_a_reliability_multiplies_the_loss_and_a_weight_is_divided_by():
    columns = {
        "teacher/click": tf.constant([1.0, 3.0]),
        "trust/reliability/click": tf.constant([0.5, 0.0]),
        "weight/soft/click": tf.constant([3.0, 1.0]),
    }
    outputs = {"distillation_click": tf.zeros([2, 1])}
    for distil, expected in (
        ({}, (1 + 9) / 2),
        ({"reliability": True}, (0.5 * 1 + 0) / 2),
        ({"weight_column": "importance"}, (3 * 1 + 9) / 4),
        ({"reliability": True, "weight_column": "importance"}, (3 * 0.5) / 4),
    ):
        term = terms(surface(**distil))["distillation_click"]
        np.testing.assert_allclose(mean_losses([term], columns, outputs)[0], expected)


def gradients(of: Surface, head: str) -> tuple[Ranker, dict[str, tf.Tensor]]:
    """Of the sum of a head's outputs, by the path of the variable."""
    ranker = build(of, SIZES, STATISTICS, distil=True)
    layer = ranker.training.get_layer("head." + head)
    layer.kernel.assign(tf.ones_like(layer.kernel))
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(ranker.training(FEATURES)[head])
    variables = ranker.training.trainable_variables
    found = tape.gradient(total, [each.value for each in variables])
    named = zip(variables, found, strict=True)
    return ranker, {each.path: tf.convert_to_tensor(value) for each, value in named if value is not None}


@pytest.mark.parametrize("distil", [{"tower": "own"}, {"head": "stacked"}, {}], ids=["own", "stacked", "auxiliary"])
@pytest.mark.parametrize("head", ["distillation_click", "distillation_adapted.click"])
def test_the_trunk_gets_a_part_of_the_gradient_and_towers_get_all(distil, head):
    whole, part = (surface(adapter={}, trunk_gradient=share, **distil) for share in (1.0, 0.25))
    (first, of_whole), (second, of_part) = gradients(whole, head), gradients(part, head)
    for name, value in first.training(FEATURES).items():
        np.testing.assert_array_equal(second.training(FEATURES)[name], value)
    assert set(of_whole) == set(of_part)
    above = {path for path in of_whole if path.startswith(("head.", "tower_", "distillation_tower_"))}
    assert above
    assert set(of_whole) - above
    for path, value in of_whole.items():
        share = 1.0 if path in above else 0.25
        np.testing.assert_allclose(of_part[path], share * value, rtol=1e-5, atol=1e-8)


def test_none_of_the_gradient_leaves_the_trunk_alone():
    _, found = gradients(surface(trunk_gradient=0.0), "distillation_click")
    below = {path: value for path, value in found.items() if not path.startswith(("head.", "tower_"))}
    assert all(not np.any(value) for value in below.values())


def test_what_serves_is_the_same_graph_with_a_stacked_head_and_part_of_its_gradient():
    names = [
        [layer.name for layer in build(surface(head="stacked", **of), SIZES, STATISTICS, distil=True).serving.layers]
        for of in ({}, {"trunk_gradient": 0.5, "adapter": {}, "reliability": True})
    ]
    assert sorted(names[0]) == sorted(names[1])
