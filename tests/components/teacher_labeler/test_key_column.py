"""Labels without examples: the key and the soft labels, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from schema.errors import InputError
from tests.components.teacher_labeler.conftest import Labeler, make_example, make_surface, write_examples


@pytest.mark.parametrize("keys", [[7, -(2**63)], ["ab", "c"]])
def test_only_the_key_and_the_soft_labels_are_written(
    tmp_path: Path, labeler: Labeler, doubling_teacher: Path, keys: list[Any]
) -> None:
    records = [make_example(x=1.0, id=keys[0], clicked=1), make_example(x=3.0, id=keys[1], clicked=0)]
    examples = write_examples(tmp_path / "examples", {"train": [records]})

    labelled = labeler.run(examples, doubling_teacher, make_surface(), key_column="id")

    assert labelled.examples[0].get_string_custom_property("key_column") == "id"
    found = labelled.records()
    assert [set(tf.train.Example.FromString(record).features.feature) for record in found] == [
        {"id", "teacher/click"}
    ] * 2
    spec = {
        "id": tf.io.FixedLenFeature([], tf.string if isinstance(keys[0], str) else tf.int64),
        "teacher/click": tf.io.FixedLenFeature([], tf.float32),
    }
    parsed = tf.io.parse_example(found, spec)
    assert parsed["id"].numpy().tolist() == [key.encode() if isinstance(key, str) else key for key in keys]
    assert parsed["teacher/click"].numpy().tolist() == [2.0, 6.0]
    assert labelled.report.overall.counterparts["click"].labelled == 2


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (make_example(x=1.0), r"key_column 'id': expected one value in every example"),
        (make_example(x=1.0, id=[1, 2]), r"key_column 'id': expected one value in every example"),
        (make_example(x=1.0, id="a"), r"key_column 'id': expected int in every example, found another type"),
    ],
    ids=["none", "two", "of another type"],
)
def test_every_example_needs_one_key(
    tmp_path: Path, labeler: Labeler, doubling_teacher: Path, second: bytes, message: str
) -> None:
    examples = write_examples(tmp_path / "examples", {"train": [[make_example(x=1.0, id=1), second]]})

    with pytest.raises(InputError, match=message):
        labeler.run(examples, doubling_teacher, make_surface(), key_column="id")


def test_floats_are_no_keys(tmp_path: Path, labeler: Labeler, doubling_teacher: Path) -> None:
    examples = write_examples(tmp_path / "examples", {"train": [[make_example(x=1.0)]]})

    with pytest.raises(InputError, match=r"key_column 'x': expected an int or a string in every example"):
        labeler.run(examples, doubling_teacher, make_surface(), key_column="x")
