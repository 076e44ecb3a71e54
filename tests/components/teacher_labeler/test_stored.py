"""Labels stored once answer as the teacher that made them did, for any surface's examples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from components.teacher_labeler.stored import StoredLabels, store_labels
from schema.errors import InputError
from tests.components.teacher_labeler.conftest import Labeler, make_example, make_surface, write_examples, write_shard

KEYS = {"int": [7, -(2**63), 5], "string": ["ab", "c", ""]}


def labelled(folder: Path, *records: bytes) -> str:
    write_shard(folder / "Split-train" / "labelled.gz", records)
    return str(folder)


def label(key: Any, click: float, **more: Any) -> bytes:
    return make_example(**{"id": key, "teacher/click": click, **more})


@pytest.mark.parametrize("kind", ["int", "string"])
def test_other_examples_of_the_same_keys_get_the_teachers_labels(
    tmp_path: Path, labeler: Labeler, doubling_teacher: Path, kind: str
) -> None:
    """Whatever their order, without any of the teacher's inputs, and bit for bit."""
    keys = KEYS[kind]
    whole = [make_example(x=0.1 * number, id=key, clicked=1) for number, key in enumerate(keys)]
    made = labeler.run(
        write_examples(tmp_path / "whole", {"train": [whole]}), doubling_teacher, make_surface(), key_column="id"
    )

    stored = store_labels([made.examples[0].uri], "id", str(tmp_path / "stored"))
    others = [make_example(id=keys[2], clicked=0), make_example(id=keys[0], clicked=1)]
    surface = make_surface(features={"id": {"dtype": kind}})
    served = labeler.run(write_examples(tmp_path / "others", {"train": [others]}), tmp_path / "stored", surface)

    assert stored == StoredLabels(3, kind, {"click": 1})
    direct = made.soft_labels("click")
    assert served.soft_labels("click") == [direct[2], direct[0]]


def test_an_example_without_a_stored_label_is_a_dead_letter(tmp_path: Path, labeler: Labeler) -> None:
    store_labels([labelled(tmp_path / "labels", label(1, 0.5), label(3, 1.5))], "id", str(tmp_path / "stored"))
    records = [make_example(id=number, clicked=1) for number in (0, 1, 2, 3, 4)]
    examples = write_examples(tmp_path / "examples", {"train": [records]})

    surface = make_surface(features={"id": {"dtype": "int"}})
    served = labeler.run(examples, tmp_path / "stored", surface, max_bad_fraction=0.7)

    assert served.soft_labels("click") == [0.5, 1.5]
    assert [(letter["position"], letter["reason"]) for letter in served.dead_letters()] == [
        (0, "non_finite"),
        (2, "non_finite"),
        (4, "non_finite"),
    ]


def test_several_folders_and_vectors_are_one_store(tmp_path: Path) -> None:
    """An example that two of them have, with the same labels, is kept once."""
    first = labelled(tmp_path / "1", label(2, 0.5, **{"teacher/trunk": [1.0, 2.0]}))
    second = labelled(
        tmp_path / "2", label(1, -1.0, **{"teacher/trunk": [3.0, 4.0]}), label(2, 0.5, **{"teacher/trunk": [1.0, 2.0]})
    )

    stored = store_labels([first, second], "id", str(tmp_path / "stored"))

    assert stored == StoredLabels(2, "int", {"click": 1, "trunk": 2})
    signature = tf.saved_model.load(str(tmp_path / "stored")).signatures["serving_default"]
    found = signature(id=tf.constant([2, 1], tf.int64))
    assert found["click"].numpy().tolist() == [[0.5], [-1.0]]
    assert found["trunk"].numpy().tolist() == [[1.0, 2.0], [3.0, 4.0]]


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ([label(1, 0.5), label(1, 0.6)], r"'id': .*1 of 2 examples have the key of another one, .*teacher/click"),
        ([make_example(id=1)], r"labelled.gz: expected soft labels \(teacher/<task>\), found id"),
        ([make_example(**{"teacher/click": 1.0})], r"key column 'id': expected an int or a string, found floats or"),
        ([label(0.5, 0.5)], r"key column 'id': expected an int or a string, found floats or nothing"),
        (
            [label(1, 0.5), make_example(id=2)],
            r"labelled.gz: expected id \[int64\], teacher/click \[float32\] in every",
        ),
        ([label(1, 0.5), label("a", 0.5)], r"labelled.gz: expected id \[int64\]"),
        ([], r"labelled.gz: expected labelled examples, found none"),
    ],
    ids=["ambiguous", "no soft label", "no key", "float key", "soft label absent", "key of another type", "empty"],
)
def test_what_cannot_be_stored(tmp_path: Path, records: list[bytes], message: str) -> None:
    with pytest.raises(InputError, match=message):
        store_labels([labelled(tmp_path / "labels", *records)], "id", str(tmp_path / "stored"))
    assert not (tmp_path / "stored").exists()


def test_folders_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    good = labelled(tmp_path / "labels", label(1, 0.5))

    for folder in ("empty", "absent"):
        with pytest.raises(InputError, match=rf"{folder}: expected labelled examples in gzipped TFRecords"):
            store_labels([str(tmp_path / folder)], "id", str(tmp_path / "stored"))
    with pytest.raises(InputError, match=r"empty: already exists"):
        store_labels([good], "id", str(tmp_path / "empty"))
