"""Layers of the teacher, appended to examples as vectors."""

from __future__ import annotations

from pathlib import Path

import pytest
import tensorflow as tf

from components.teacher_labeler.signature import read_signature
from schema.errors import InputError
from tests.components.teacher_labeler.conftest import (
    Labeler,
    floats,
    make_example,
    make_surface,
    save_teacher,
    write_examples,
)

LAYERS = {"layer": {"size": 3}, "wide": {"size": 2, "output": "hidden"}}


def answer(module: tf.Module, x: tf.Tensor) -> dict[str, tf.Tensor]:
    """`layer` is not finite where x is 5."""
    layer = tf.concat([x, -x, 1 / (x - 5.0)], axis=1)
    return {"click": module.scale * x, "layer": layer, "hidden": tf.cast(tf.concat([x, x + 1], axis=1), tf.float64)}


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_teacher(tmp_path_factory.mktemp("layers") / "teacher", answer, {"x": floats()})


def vector(record: bytes, name: str) -> list[float]:
    return list(tf.train.Example.FromString(record).features.feature[f"teacher/{name}"].float_list.value)


def test_vectors_are_appended_beside_the_logits(tmp_path: Path, labeler: Labeler, teacher: Path) -> None:
    examples = write_examples(tmp_path / "examples", {"train": [[make_example(x=4.0), make_example(x=3.0)]]})
    labelled = labeler.run(examples, teacher, make_surface(representations=LAYERS))
    assert labelled.soft_labels("click") == [8.0, 6.0]
    assert [vector(record, "layer") for record in labelled.records()] == [[4.0, -4.0, -1.0], [3.0, -3.0, -0.5]]
    assert [vector(record, "wide") for record in labelled.records()] == [[4.0, 5.0], [3.0, 4.0]]


def test_a_vector_that_is_not_finite_is_counted_as_bad(tmp_path: Path, labeler: Labeler, teacher: Path) -> None:
    examples = write_examples(tmp_path / "examples", {"train": [[make_example(x=4.0), make_example(x=5.0)]]})
    with pytest.raises(InputError, match=r"non_finite layer: 1.\n.*record 1: .*not finite: layer = inf"):
        labeler.run(examples, teacher, make_surface(representations=LAYERS))


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ({"layr": {"size": 3}}, r"teacher.representations.layr: expected an output 'layr', .*did you mean 'layer'"),
        (
            {"layer": {"size": 4}},
            r"'layer': expected real numbers of shape \[batch, 4\], found float32 \(None, 3\)",
        ),
    ],
)
def test_a_layer_that_is_not_offered_is_refused(teacher: Path, layers: dict, message: str) -> None:
    surface = make_surface(representations=layers)
    assert surface.teacher is not None
    with pytest.raises(InputError, match=message):
        read_signature(str(teacher), surface.teacher)
