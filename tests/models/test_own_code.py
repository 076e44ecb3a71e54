"""Keras and TensorFlow of the user's own, by import path: trained, served, and refused where it is wrong."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_transform.tf_metadata import schema_utils

from contracts.roles import ModelRole
from models import own_check, own_code
from models.export import EXAMPLES_INPUT, SIGNATURE, export_student
from models.ranker import build
from models.scales import LabelStatistics
from models.trainer import train
from pipeline.training import _TRAINER
from records.code import closure, code_version
from schema.errors import InputError
from schema.surface import Surface
from tests.models.conftest import RAW_SPEC, SURFACE
from tests.models.own import ranker as own
from tests.models.promises import expect_promised

PATH = "tests.models.own.ranker"
SIZES = {"user": 8, "genre": 3}
STATISTICS = dict.fromkeys(SURFACE.tasks, LabelStatistics(0.5, 0.5))


def changed(**changes) -> Surface:
    content = SURFACE.model_dump(mode="json", by_alias=True)
    return Surface.model_validate({**content, **changes})


def own_student(function: str, place: str) -> Surface:
    return changed(student={"build": f"{PATH}:{function}", "heads": {"click": place, "stay": place}})


TRUNK = changed(trunk=f"{PATH}:build")
STUDENT, FUNCTIONAL = own_student("build_student", "hidden"), own_student("build_functional", "deep")


@pytest.mark.parametrize("surface", [TRUNK, STUDENT, FUNCTIONAL], ids=["trunk", "class", "functional"])
def test_student_and_control_start_alike(surface):
    student, control = (build(surface, SIZES, STATISTICS, distil=distil) for distil in (True, False))
    assert {"distillation_click", "distillation_stay"} <= set(student.training.output)
    assert set(control.training.output) == {"serving_click", "serving_minutes"}
    for one, other in zip(student.serving.get_weights(), control.serving.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("surface", [TRUNK, STUDENT, FUNCTIONAL], ids=["trunk", "class", "functional"])
def test_it_is_trained_and_served(surface, transformed, tmp_path):
    fast = surface.training.model_copy(update={"learning_rate": 0.02})
    surface = surface.model_copy(update={"training": fast})
    ranker, history = train(
        surface, ModelRole.STUDENT, transformed.graph, transformed.train_files, str(tmp_path / "logs")
    )
    assert history["soft_loss"][-1] < history["soft_loss"][0]
    assert history["val_serving_click"][-1] < history["val_serving_click"][0]
    export_student(ranker, surface, transformed.graph, str(tmp_path / "model"))
    expect_promised(surface, RAW_SPEC, str(tmp_path / "model"))
    example = tf.train.Example()
    example.features.feature["user"].int64_list.value.append(3)
    example.features.feature["match"].float_list.value.append(0.5)
    example.features.feature["content"].float_list.value.extend([1.0, 2.0])
    request = tf.constant([example.SerializeToString()])
    with tf.Graph().as_default() as graph, tf.compat.v1.Session(graph=graph) as session:
        loaded = tf.compat.v1.saved_model.load(session, ["serve"], str(tmp_path / "model"))
        signature = loaded.signature_def[SIGNATURE]
        outputs = {task: tensor.name for task, tensor in signature.outputs.items()}
        found = session.run(outputs, {signature.inputs[EXAMPLES_INPUT].name: request.numpy()})
    assert 0 < found["click"][0] < 1
    assert np.isfinite(found["minutes"]).all()


def test_a_loss_of_ones_own_is_what_the_distillation_head_learns_by():
    surface = changed(non_serving_heads={"stay": {"from": "stay", "loss": f"{PATH}:loss"}})
    assert surface.non_serving_heads["stay"].function == f"{PATH}:loss"
    from models.terms import head_losses

    term = next(each for each in head_losses(surface, STATISTICS, distil=True) if each.name == "distillation_stay")
    found = term({"teacher/stay": tf.constant([1.0, np.nan])}, {"distillation_stay": tf.constant([[3.0], [9.0]])})
    assert float(found) == pytest.approx(np.log(np.cosh(2.0)))
    own_check.check(surface, schema_utils.schema_from_feature_spec(RAW_SPEC))


PREPARED = changed(
    preprocessing=f"{PATH}:prepare",
    features={**SURFACE.model_dump(mode="json", by_alias=True)["features"], "sureness": {"kind": "numeric"}},
    served_columns=["user", "genre", "match", "content", "age"],
)


def test_preprocessing_comes_before_ours():
    columns = {
        "user": tf.constant([1, 2]), "match": tf.constant([-5.0, 1.0]), "content": tf.zeros([2, 2]),
        "genre": tf.sparse.from_dense([["a"], ["b"]]), "age": tf.sparse.from_dense([[1.0], [2.0]]),
        "clicked": tf.constant([0, 1]),
    }  # fmt: skip
    found = own_code.prepared(PREPARED, columns)
    assert found["match"].numpy().tolist() == [-2.0, 1.0]
    assert found["sureness"].numpy().tolist() == [2.0, 1.0]
    assert set(found) == {*columns, "sureness"}


def test_what_is_right_passes_the_check_before_a_run():
    schema = schema_utils.schema_from_feature_spec(RAW_SPEC)
    for surface in (PREPARED, TRUNK, STUDENT, FUNCTIONAL):
        own_check.check(surface, schema)


@pytest.mark.parametrize(
    ("surface", "message"),
    [
        (changed(trunk="nowhere.at_all:build"), "trunk: nowhere.at_all:build: no module 'nowhere' .* PYTHONPATH"),
        (changed(trunk=f"{PATH}:bild"), "tests.models.own.ranker has no function 'bild'"),
        (changed(trunk=f"{PATH}:raises"), r"ranker.py:\d+\) raised KeyError: 'genre'"),
        (changed(trunk=f"{PATH}:no_dict"), r"ranker.py:\d+\): expected a dict of tensors by name, found int"),
        (changed(trunk=f"{PATH}:no_task"), "expected 'click' in what it returns, found clicks"),
        (changed(trunk=f"{PATH}:starts_anywhere"), "student and control start from different weights"),
        (own_student("no_dict", "deep"), "expected a Keras model, found int"),
        (own_student("build_functional", "dep"), "expected 'dep' in what it returns"),
        (changed(student=f"{PATH}:build_functional"), "student.heads: expected .* 'click'"),
        (changed(non_serving_heads={"stay": {"from": "stay", "loss": f"{PATH}:one_number"}}), "a finite loss of each"),
        (PREPARED.model_copy(update={"preprocessing": f"{PATH}:forgets"}), "makes no column 'sureness'"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_file_and_function(surface, message):
    with pytest.raises(InputError, match=message):
        own_check.check(surface, schema_utils.schema_from_feature_spec(RAW_SPEC))


def test_its_code_is_part_of_the_cache_key(tmp_path, monkeypatch):
    surface = changed(trunk="my_net.layers:build")
    package = tmp_path / "my_net"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "layers.py").write_text("from my_net import parts\n")
    (package / "parts.py").write_text("WIDTH = 3\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert own_code.modules(surface) == {"preprocessing": [], "training": ["my_net.layers"]}
    before = code_version(_TRAINER, *own_code.modules(surface)["training"])
    assert {"my_net.layers", "my_net.parts"} <= set(closure(_TRAINER, "my_net.layers"))
    (package / "parts.py").write_text("WIDTH = 4\n")
    assert code_version(_TRAINER, "my_net.layers") != before
    assert code_version(_TRAINER) != before


def test_the_line_that_an_error_names_is_that_of_the_function():
    line = inspect.getsourcelines(own.raises)[1]
    with pytest.raises(InputError, match=rf"{Path(own.__file__).name}:{line}\)"):
        own_code.call(f"{PATH}:raises", "trunk")
    assert "tests.models.own.ranker" in sys.modules
