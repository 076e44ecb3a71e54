"""A teacher of several classes: what is stored of it, what is no answer, and labels that are none of the classes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from components.teacher_labeler.faults import find_fault
from components.teacher_labeler.signature import read_signature
from components.teacher_labeler.trial import check_answers, load_for
from schema.errors import InputError
from schema.surface import Surface, distilled
from tests.components.teacher_labeler.conftest import floats, make_example, make_surface, save_teacher, write_examples

CLASSES = ["low", "middle", "top"]


def surface(**teacher_task: Any) -> Surface:
    return make_surface(
        tasks={
            "shelf": {
                "kind": "multiclass",
                "label": "shelf",
                "classes": ["top", "low"],
                "distil": {"from": "place", "loss": "kl"},
                "ungated": "a test",
            }
        },
        teacher_tasks={
            "place": {"kind": "multiclass", "classes": CLASSES, **teacher_task},
            "click": {"kind": "binary", "gives": "logit"},
        },
    )


def answers(x: tf.Tensor, *, softmax: bool) -> dict[str, tf.Tensor]:
    logits = tf.concat([x, 0 * x, 2 * x], axis=1)
    return {"place": tf.nn.softmax(logits) if softmax else logits, "click": x}


@pytest.fixture(scope="module")
def teachers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("teachers")
    return {
        name: save_teacher(folder / name, lambda _, x, s=softmax: answers(x, softmax=s), {"x": floats()})
        for name, softmax in (("logits", False), ("probabilities", True))
    }


def place_of(record: bytes) -> list[float]:
    return list(tf.train.Example.FromString(record).features.feature["teacher/place"].float_list.value)


def rows(*labels: object) -> list[bytes]:
    columns = [
        {"x": float(number)} | ({} if label is None else {"shelf": label}) for number, label in enumerate(labels)
    ]
    return [make_example(**each) for each in columns]


def test_all_of_the_teachers_classes_are_stored(tmp_path: Path, teachers: dict[str, Path], labeler: Any) -> None:
    examples = write_examples(tmp_path / "in", {"train": [rows("top", "low", None)]})
    found = labeler.run([examples], teachers["logits"], surface())
    assert [place_of(each) for each in found.records()] == [[0, 0, 0], [1, 0, 2], [2, 0, 4]]
    task = found.report.overall.tasks["place"]
    assert task.min == pytest.approx(np.log(1 / 3), rel=1e-5)  # the likeliest class of the first row
    assert found.report.overall.counterparts["shelf"].labelled == 2


def test_labels_of_other_classes_are_counted_and_end_the_run(
    tmp_path: Path, teachers: dict[str, Path], labeler: Any
) -> None:
    examples = write_examples(tmp_path / "in", {"train": [rows("top", "attic", None, "middle")]})
    with pytest.raises(InputError, match=r"label 'shelf' is not one in 2 of 4 examples.*one of its classes"):
        labeler.run([examples], teachers["logits"], surface(), max_bad_fraction=0.9)
    fault = find_fault(rows("attic")[0], distilled(surface()), {"shelf": "string", "x": "float"})
    assert fault is not None
    assert fault.detail == "label 'shelf' of multiclass task 'shelf': expected one of top, low, found b'attic'"
    assert find_fault(rows("")[0], distilled(surface()), {"shelf": "string", "x": "float"}) is None


def test_probabilities_become_logits_whose_softmax_they_are(
    tmp_path: Path, teachers: dict[str, Path], labeler: Any
) -> None:
    examples = write_examples(tmp_path / "in", {"train": [rows("top", "low")]})
    found = labeler.run([examples], teachers["probabilities"], surface(gives="probability"))
    told = np.array([place_of(each) for each in found.records()])
    expected = np.exp([[0, 0, 0], [1, 0, 2]])
    np.testing.assert_allclose(np.exp(told), expected / expected.sum(axis=1, keepdims=True), rtol=1e-5)


def test_what_look_like_probabilities_must_be_declared(teachers: dict[str, Path]) -> None:
    records = [make_example(x=number / 10) for number in range(32)]
    of = distilled(surface())
    with pytest.raises(
        InputError, match="place: expected a logit for each class, and all 32 answers tried are numbers"
    ):
        check_answers(load_for(of, str(teachers["probabilities"]), records, "here"), records)
    check_answers(load_for(of, str(teachers["logits"]), records, "here"), records)


def test_the_signature_has_an_output_for_each_class(teachers: dict[str, Path]) -> None:
    four = distilled(surface(classes=[*CLASSES, "floor"]))
    with pytest.raises(InputError, match=r"place: output 'place': expected real numbers of shape \[batch, 4\], found"):
        read_signature(str(teachers["logits"]), four.teacher)


def test_names_are_not_numbers(teachers: dict[str, Path]) -> None:
    with pytest.raises(InputError, match="label 'shelf' of task 'shelf': expected names of classes, found ints"):
        load_for(distilled(surface()), str(teachers["logits"]), rows(1, 2), "here")
