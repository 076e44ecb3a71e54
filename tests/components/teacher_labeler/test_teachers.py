"""Teachers as people export them, and how many records each call gets."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from components.teacher_labeler import job
from tests.components.teacher_labeler.conftest import (
    Labeler,
    floats,
    make_example,
    make_surface,
    save_teacher,
    write_examples,
)

FEATURES = {"x": {"dtype": "float"}, "pair": {"dtype": "float", "size": 2, "default": 1.0}}


@pytest.fixture(scope="module")
def ranker() -> keras.Model:
    """`click` = 2 x + 3 pair[0] + 5 pair[1], with a layer that has state of its own."""
    inputs = {"x": keras.Input((1,), name="x"), "pair": keras.Input((2,), name="pair")}
    joined = keras.layers.Dropout(0.5)(keras.layers.Concatenate()([inputs["x"], inputs["pair"]]))
    dense = keras.layers.Dense(1, use_bias=False, name="click")
    model = keras.Model(inputs, {"click": dense(joined)})
    dense.set_weights([np.array([[2.0], [3.0], [5.0]], np.float32)])
    return model


def _export(model: keras.Model, folder: Path) -> None:
    model.export(folder, format="tf_saved_model", verbose=False)


def _archive(model: keras.Model, folder: Path) -> None:
    archive = keras.export.ExportArchive()
    archive.track(model)
    specs = {"x": floats(name="x"), "pair": floats(2, name="pair")}
    archive.add_endpoint("serving_default", lambda inputs: model(inputs), input_signature=[specs])
    archive.write_out(str(folder), verbose=False)


def _module(model: keras.Model, folder: Path) -> None:
    """Loads with TensorFlow 2 alone: in a TF1-style session, as BulkInferrer has, its variables are not found."""
    module = tf.Module()
    module.model = model
    specs = {"x": floats(name="x"), "pair": floats(2, name="pair")}
    signature = tf.function(lambda x, pair: model({"x": x, "pair": pair})).get_concrete_function(**specs)
    tf.saved_model.save(module, str(folder), signatures={"serving_default": signature})


@pytest.mark.parametrize("export", [_export, _archive, _module])
def test_keras_3_exports_of_all_kinds(tmp_path: Path, labeler: Labeler, ranker: keras.Model, export) -> None:
    export(ranker, tmp_path / "teacher")
    records = [make_example(x=1.0, pair=[0.5, 0.25]), make_example(x=-1.0)]
    examples = write_examples(tmp_path / "examples", {"train": [records]})

    labelled = labeler.run(examples, tmp_path / "teacher", make_surface(features=FEATURES))

    assert labelled.soft_labels("click") == [2.0 + 1.5 + 1.25, -2.0 + 3.0 + 5.0]


@pytest.mark.parametrize(("batch_size", "calls"), [(4, [4] * 8 + [2] * 2), (100, [10] * 10)])
def test_each_call_gets_as_many_records_as_were_asked_for(
    tmp_path: Path, labeler: Labeler, batch_size: int, calls: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The teacher answers how many records it was given, which no teacher may that is to label."""
    monkeypatch.setattr(job, "tried", lambda program, path: program)
    teacher = save_teacher(
        tmp_path / "teacher",
        lambda module, x: {"click": tf.zeros_like(x) + tf.cast(tf.shape(x)[0], tf.float32)},
        {"x": floats()},
    )
    examples = write_examples(tmp_path / "examples", {"train": [[make_example(x=1.0)] * 10]})

    assert labeler.run(examples, teacher, make_surface(), batch_size=batch_size).soft_labels("click") == calls
