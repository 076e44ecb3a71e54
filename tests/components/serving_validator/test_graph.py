"""What is seen in a model's files without loading it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from components.serving_validator.graph import ModelGraph, Signature, read_graph
from components.serving_validator.judge import graph_checks
from components.serving_validator.requirements import requirements_of
from contracts.decision import Verdict
from records.parsed_columns import ParsedColumn
from schema.errors import InputError
from tests.components.serving_validator.handmade import REQUIREMENTS, SURFACE, write_model


def failures(tmp_path: Path, flaw: str) -> dict[str, str]:
    student, control = write_model(tmp_path / "student", flaw=flaw), write_model(tmp_path / "control")
    checks = graph_checks(read_graph(student), read_graph(control), REQUIREMENTS)
    return {check.name: check.sentence for check in checks if check.verdict is Verdict.FAIL}


def test_what_is_read(tmp_path: Path) -> None:
    graph = read_graph(write_model(tmp_path / "model"))
    outputs = {"click": ("float32", (None,)), "minutes": ("float32", (None,))}
    tensors = {"user": ("int64", (None,)), "match": ("float32", (None,)), "age": ("float32", (None,))}
    assert graph.signatures == {
        "serving_default": Signature({"examples": ("string", (None,))}, outputs),
        "tensors": Signature(tensors, outputs),
    }
    assert graph.columns == {
        "user": ParsedColumn("int64", True, ()),
        "match": ParsedColumn("float32", True, ()),
        "age": ParsedColumn("float32", False, ()),
    }
    assert graph.shapes == {"float32 []": 1}
    assert "trunk/kernel" in graph.names


def test_two_trainings_of_one_architecture_are_alike(tmp_path: Path) -> None:
    assert failures(tmp_path, "") == {}


def test_a_distillation_head_that_is_left(tmp_path: Path) -> None:
    found = failures(tmp_path, "head")
    assert (
        "The student's export still holds a distillation head (distillation_click/kernel"
        in (found["no leftovers of training"])
    )
    assert found["same variables"] == "The student serves other variables than the control: 1 more of float32 []."


@pytest.mark.parametrize(("flaw", "column"), [("label", "clicked"), ("soft label", "teacher/click")])
def test_labels_that_are_read(tmp_path: Path, flaw: str, column: str) -> None:
    expected = f"The student's export still holds the input {column}, a label that does not exist when serving."
    assert expected in failures(tmp_path, flaw)["no leftovers of training"]


def test_another_signature_than_the_control_s(tmp_path: Path) -> None:
    differing = "outputs, click: the student has float64 [None] and the control has float32 [None]."
    assert failures(tmp_path, "double") == {
        "signature": f"Signature serving_default, {differing} Signature tensors, {differing}"
    }


def test_a_model_without_the_signature_of_tensors(tmp_path: Path) -> None:
    expected = "The student has the signatures ['serving_default'], the control ['serving_default', 'tensors']."
    assert failures(tmp_path, "no tensors")["signature"] == expected


def test_a_folder_that_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"saved_model.pb: expected a TensorFlow SavedModel, found no such file"):
        read_graph(str(tmp_path))


LIKE_A_HEAD = SURFACE.model_copy(
    update={
        "features": {
            **SURFACE.features,
            "distillation_click": SURFACE.features["match"],
            "x_teacher/age": SURFACE.features["match"],
        }
    }
)


def leftovers(name: str) -> str:
    graph = ModelGraph({}, frozenset({name}), {}, Counter(), 1.0)
    found = {each.name: each for each in graph_checks(graph, graph, requirements_of(LIKE_A_HEAD))}
    return found["no leftovers of training"].sentence


@pytest.mark.parametrize(
    "name", ["inputs_distillation_click", "x_teacher/age", "parse/x_teacher_age", "head.serving_click/kernel"]
)
def test_a_feature_called_like_a_head_is_none(name: str) -> None:
    assert "holds no distillation head" in leftovers(name)


@pytest.mark.parametrize(
    "name", ["training/head.distillation_click/MatMul", "distillation_minutes/kernel", "teacher/click"]
)
def test_nor_does_it_hide_one_that_is_left(name: str) -> None:
    assert f"still holds a {'soft label' if 'teacher' in name else 'distillation head'} ({name})" in leftovers(name)
