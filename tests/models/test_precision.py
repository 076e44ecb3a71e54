"""Mixed precision: near the numbers of float32, with what serves in float32."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from contracts.history import SELECTION_LOSS
from contracts.roles import ModelRole
from models.devices import device_of
from models.export import EXAMPLES_INPUT, SIGNATURE, export_student
from models.precision import in_full
from models.trainer import train
from schema.errors import InputError
from schema.surface import Surface
from schema.training import Training
from tests.models.conftest import SURFACE
from tests.models.test_training import columns_of, in_memory, loop_of


def mixed(**model) -> Surface:
    content = SURFACE.model_dump(mode="json", by_alias=True)
    content["training"]["mixed_precision"] = "bfloat16"
    return Surface.model_validate({**content, "model": {**content["model"], **model}})


def in_float32(surface: Surface) -> Surface:
    return surface.model_copy(update={"training": surface.training.model_copy(update={"mixed_precision": None})})


SHAPES = {
    "plain": {},
    "normalised, crossed": {"layer_norm": True, "interactions": ["cross", "dot", "fm"], "cross_rank": 2},
    "mmoe": {"trunk_kind": "mmoe", "experts": 2},
    "ple": {"trunk_kind": "ple", "experts": 2},
}


@pytest.mark.parametrize("shape", SHAPES)
def test_losses_are_near_those_of_float32_and_not_the_same(shape):
    surface = mixed(**SHAPES[shape], dropout=0.0)
    found, expected = (
        loop_of(each)[0].fit(each.training, in_memory(columns_of(), each.training))
        for each in (surface, in_float32(surface))
    )
    assert found.history.keys() == expected.history.keys()
    for name, losses in expected.history.items():
        # bfloat16 has 8 bits: an activation is within .4% of float32's.
        np.testing.assert_allclose(found.history[name], losses, rtol=0.01, atol=0.002, err_msg=name)
    assert found.history["loss"] != expected.history["loss"]


@pytest.mark.parametrize("shape", SHAPES)
def test_products_are_in_bfloat16_and_weights_and_heads_in_float32(shape):
    _, ranker = loop_of(mixed(**SHAPES[shape]))
    products = [each for each in ranker.training._flatten_layers() if isinstance(each, keras.layers.Dense)]
    assert any(each.compute_dtype == "bfloat16" for each in products)
    assert {each.dtype for each in ranker.training.trainable_variables} == {"float32"}
    for model in (ranker.training, ranker.serving, ranker.logits):
        assert {each.dtype for each in model.output.values()} == {"float32"}


def test_without_it_no_layer_computes_in_anything_else():
    _, ranker = loop_of()
    assert {each.compute_dtype for each in ranker.training._flatten_layers()} <= {"float32"}


def test_in_full_is_for_a_while():
    _, ranker = loop_of(mixed())
    policies = [each.dtype_policy.name for each in ranker.serving._flatten_layers()]
    assert "mixed_bfloat16" in policies
    with in_full(ranker.serving):
        assert {each.compute_dtype for each in ranker.serving._flatten_layers()} == {"float32"}
    assert [each.dtype_policy.name for each in ranker.serving._flatten_layers()] == policies


@pytest.fixture(scope="module")
def exported(transformed, tmp_path_factory):
    """What serves of the same training in mixed precision and in float32, and the losses by which epochs are chosen."""
    folder = tmp_path_factory.mktemp("precision")
    found = {}
    for name, surface in {"mixed": mixed(), "full": in_float32(mixed())}.items():
        args = (surface, ModelRole.STUDENT, transformed.graph, transformed.train_files, str(folder / "logs"))
        ranker, history = train(*args)
        export_student(ranker, surface, transformed.graph, str(folder / name))
        found[name] = tf.saved_model.load(str(folder / name)), min(history[SELECTION_LOSS])
    return found


def request(user: int, match: float) -> bytes:
    features = tf.train.Features()
    features.feature["user"].int64_list.value.append(user)
    features.feature["match"].float_list.value.append(match)
    features.feature["content"].float_list.value.extend([match, 2.0])
    return tf.train.Example(features=features).SerializeToString()


def test_what_serves_answers_in_float32_near_what_float32_trained(exported):
    requests = tf.constant([request(number % 7, number / 20 - 1) for number in range(40)])
    found, expected = (exported[name][0].signatures[SIGNATURE](**{EXAMPLES_INPUT: requests}) for name in exported)
    assert {each.dtype for each in found.values()} == {tf.float32}
    for task, values in expected.items():
        np.testing.assert_allclose(found[task], values, rtol=0.03, atol=0.003)
    assert np.std(found["click"]) > 1e-4
    assert exported["mixed"][1] == pytest.approx(exported["full"][1], rel=0.005)


def test_what_serves_computes_nothing_in_bfloat16(exported):
    graph = exported["mixed"][0].signatures[SIGNATURE].graph.as_graph_def()
    nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    types = {value.type for node in nodes for value in node.attr.values() if value.WhichOneof("value") == "type"}
    assert tf.float32.as_datatype_enum in types
    assert tf.bfloat16.as_datatype_enum not in types


def test_other_types_are_refused():
    with pytest.raises(ValueError, match="bfloat16"):
        Training(mixed_precision="float16")


def test_a_gpu_that_is_not_there_is_an_error(monkeypatch):
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: [])
    with pytest.raises(InputError, match=r"training.device: gpu: expected a GPU.*found none.*`device: auto`"):
        device_of(Training(device="gpu"))


def test_a_training_computes_on_the_processor_where_that_is_asked_for(transformed, tmp_path):
    surface = SURFACE.model_copy(update={"training": SURFACE.training.model_copy(update={"device": "cpu"})})
    with device_of(surface.training):
        assert tf.constant(1.0).device.endswith("/device:CPU:0")
    ranker, _ = train(surface, ModelRole.CONTROL, transformed.graph, transformed.train_files, str(tmp_path))
    assert {each.value.device.rpartition("/")[2] for each in ranker.training.variables} == {"device:CPU:0"}
