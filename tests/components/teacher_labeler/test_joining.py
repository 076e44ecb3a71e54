"""Two teachers, one pass: each is called on its own adaptation of the same examples."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from components.teacher_labeler.joining import join_teachers
from schema.errors import InputError
from tests.components.teacher_labeler.conftest import (
    Labeler,
    floats,
    make_example,
    make_surface,
    save_teacher,
    write_examples,
)

TASKS = {
    "click": {"kind": "binary", "label": "clicked", "ungated": "a test", "distil": {"from": "video_click"}},
    "stay": {"kind": "regression", "label": "minutes", "ungated": "a test", "distil": {"from": "podcast_stay"}},
}
TEACHER_TASKS = {
    "video_click": {"kind": "binary", "output": "video__click"},
    "podcast_stay": {"kind": "regression", "output": "podcast__stay"},
}
FEATURES = {
    "video__x": {"dtype": "float", "from": "x"},
    "podcast__x": {"dtype": "float", "from": "x", "clip": {"max": 2.0}},
    "podcast__y": {"dtype": "float", "from": "y", "default": 100.0},
}


@pytest.fixture
def podcast_teacher(tmp_path: Path) -> Path:
    """`stay` = 3 x + y, a Keras model."""
    inputs = {"x": keras.Input((1,), name="x"), "y": keras.Input((1,), name="y")}
    dense = keras.layers.Dense(1, use_bias=False, name="stay")
    model = keras.Model(inputs, {"stay": dense(keras.layers.Concatenate()([inputs["x"], inputs["y"]]))})
    dense.set_weights([np.array([[3.0], [1.0]], np.float32)])
    model.export(tmp_path / "podcast", format="tf_saved_model", verbose=False)
    return tmp_path / "podcast"


def test_one_pass_labels_with_both(
    tmp_path: Path, labeler: Labeler, doubling_teacher: Path, podcast_teacher: Path
) -> None:
    joined = tmp_path / "joined"
    names = join_teachers({"video": str(doubling_teacher), "podcast": str(podcast_teacher)}, str(joined))
    records = [make_example(x=1.0, y=10.0, clicked=1), make_example(x=5.0, minutes=3.0)]
    examples = write_examples(tmp_path / "examples", {"train": [records]})
    surface = make_surface(features=FEATURES, tasks=TASKS, teacher_tasks=TEACHER_TASKS)

    labelled = labeler.run(examples, joined, surface)

    assert names == {"inputs": ["podcast__x", "podcast__y", "video__x"], "outputs": ["podcast__stay", "video__click"]}
    assert labelled.soft_labels("video_click") == [2.0, 10.0]
    assert labelled.soft_labels("podcast_stay") == [3.0 + 10.0, 6.0 + 100.0]
    assert labelled.report.overall.features["podcast__y"].filled == 1


def test_what_cannot_be_joined(tmp_path: Path, doubling_teacher: Path) -> None:
    takes_examples = save_teacher(
        tmp_path / "teacher",
        lambda module, examples: {
            "click": tf.io.parse_example(examples, {"x": tf.io.FixedLenFeature([], tf.float32)})["x"]
        },
        {"examples": tf.TensorSpec([None], tf.string, name="examples")},
    )
    other = save_teacher(tmp_path / "other", lambda module, x: {"click": x}, {"x": floats()}, signature="score")
    good, out = str(doubling_teacher), str(tmp_path / "joined")

    with pytest.raises(InputError, match="expected two teachers or more to join, found 1"):
        join_teachers({"video": good}, out)
    with pytest.raises(InputError, match=r"teacher: signature 'serving_default' takes serialized examples"):
        join_teachers({"video": good, "podcast": str(takes_examples)}, out)
    with pytest.raises(InputError, match=r"other: expected a signature 'serving_default', found score"):
        join_teachers({"video": good, "podcast": str(other)}, out)
    with pytest.raises(InputError, match=r"already exists"):
        join_teachers({"video": good, "podcast": good}, str(tmp_path / "other"))
