"""What features go through before the trunk, layer norm and activations, bias towers, and towers of soft heads."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from models.columns import serving_columns
from models.interactions import PooledProducts
from models.ranker import build
from models.scales import LabelStatistics
from schema.surface import Surface
from tests.models.conftest import SURFACE

SIZES = {"user": 8, "genre": 3}
STATISTICS = dict.fromkeys(SURFACE.tasks, LabelStatistics(0.5, 0.5))
BATCH = {
    "user": np.array([0, 3]), "genre": np.array([1, 2]), "match": np.array([[0.5], [-1.0]], np.float32),
    "content": np.array([[1.0, 2.0], [0.0, -1.0]], np.float32), "age": np.array([[0.1], [0.2]], np.float32),
}  # fmt: skip


def changed(model=None, **changes) -> Surface:
    content = SURFACE.model_dump(mode="json", by_alias=True)
    content["model"] |= {"dropout": 0.0, **(model or {})}
    for task, change in changes.items():
        content["tasks"][task] |= change
    return Surface.model_validate(content)


def built(surface: Surface, *, distil: bool = True):
    return build(surface, SIZES, STATISTICS, distil=distil)


def output_of(ranker, layer: str) -> np.ndarray:
    return keras.Model(ranker.training.input, ranker.training.get_layer(layer).output)(BATCH).numpy()


@pytest.mark.parametrize("rank", [None, 3])
def test_cross_layers_are_those_of_dcn_v2(rank):
    ranker = built(changed({"interactions": ["cross"], "cross_layers": 2, "cross_rank": rank}))
    x0 = output_of(ranker, "features")
    expected = x0
    for index in range(2):
        *low, kernel, bias = ranker.training.get_layer(f"interaction_cross_{index}").get_weights()
        expected = x0 * (expected @ (low[0] @ kernel if low else kernel) + bias) + expected
    np.testing.assert_allclose(output_of(ranker, "interaction_cross_1"), expected, rtol=1e-5)
    assert ranker.training.get_layer("trunk").input.shape[-1] == x0.shape[1]


def test_dot_products_are_those_of_all_pairs_of_embeddings():
    ranker = built(changed({"interactions": ["dot"]}))
    user = output_of(ranker, "embedding_user")
    genre = output_of(ranker, "interaction_genre")  # brought to the user's width
    np.testing.assert_allclose(output_of(ranker, "interaction_dot")[:, 0], (user * genre).sum(axis=1), rtol=1e-5)
    assert ranker.training.get_layer("trunk").input.shape[-1] == output_of(ranker, "features").shape[1] + 1


def test_pooled_products_are_those_of_all_pairs():
    rng = np.random.default_rng(0)
    a, b, c = (rng.normal(size=(5, 4)).astype(np.float32) for _ in range(3))
    np.testing.assert_allclose(PooledProducts()([a, b, c]), a * b + a * c + b * c, atol=1e-5)


def test_interactions_may_be_together_and_student_and_control_start_alike():
    surface = changed({"interactions": ["cross", "dot", "fm"], "layer_norm": True, "activation": "gelu"})
    student, control = built(surface), built(surface, distil=False)
    width = output_of(student, "features").shape[1]
    assert student.training.get_layer("trunk").input.shape[-1] == width + 1 + 4
    for one, other in zip(student.serving.get_weights(), control.serving.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_layer_is_normalised_before_its_activation():
    trunk = built(changed({"layer_norm": True, "activation": "tanh"})).training.get_layer("trunk")
    assert [type(each).__name__ for each in trunk.layers] == ["Dense", "LayerNormalization", "Activation"]
    x = np.random.default_rng(0).normal(size=(4, trunk.input.shape[-1])).astype(np.float32)
    linear = x @ trunk.layers[0].get_weights()[0]
    normal = (linear - linear.mean(axis=1, keepdims=True)) / linear.std(axis=1, keepdims=True)
    np.testing.assert_allclose(trunk(x), np.tanh(normal), atol=1e-3)


BIASED = changed({"bias_dropout": 0.5}, click={"bias": ["age", "genre"]})


def test_a_bias_tower_adds_in_training_and_is_left_out_of_what_serves():
    assert serving_columns(BIASED) == ["user", "match", "content"]
    assert BIASED.raw_columns == ("user", "match", "content")
    ranker = built(BIASED)
    assert set(ranker.serving.input) == {"user", "match", "content"}
    served = {name: BATCH[name] for name in serving_columns(BIASED)}
    plain = ranker.logits(served)["click"].numpy()
    found = ranker.training(BATCH)
    np.testing.assert_allclose(
        found["serving_click"][:, 0] - plain, output_of(ranker, "bias_click.logit")[:, 0], atol=1e-6
    )
    assert np.abs(output_of(ranker, "bias_click.logit")).max() > 0
    np.testing.assert_allclose(found["serving_minutes"][:, 0] * 0.5 + 0.5, ranker.logits(served)["minutes"], atol=1e-6)
    assert not [each.name for each in ranker.serving.layers if "bias" in each.name or "genre" in each.name]


def test_a_bias_feature_is_left_out_of_a_share_of_the_examples():
    ranker = built(BIASED)
    many = {name: np.repeat(column, 500, axis=0) for name, column in BATCH.items()}
    dropped = keras.Model(ranker.training.input, ranker.training.get_layer("bias_click.dropout_1").output)
    whole = (dropped(many, training=True).numpy() == 0).all(axis=1)
    assert 0.45 < whole.mean() < 0.55
    assert (dropped(many, training=False).numpy() != 0).any(axis=1).all()


def test_a_distillation_head_may_have_a_tower_of_its_own():
    surface = changed(click={"distil": {"from": "click", "tower": "own"}})
    ranker, plain = built(surface), built(changed())
    assert ranker.training.get_layer("distillation_tower_click") is not None
    for one, other in zip(ranker.serving.get_weights(), plain.serving.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    towers = {each.name for each in ranker.serving.layers}
    assert "tower_click" in towers
    assert "distillation_tower_click" not in towers
