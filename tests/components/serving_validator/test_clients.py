"""Changes of the serving signature: which of them break clients, and how they are declared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
from pydantic import ValidationError

from components.serving_validator.clients import clients_check
from components.serving_validator.executor import validate
from components.serving_validator.graph import read_graph
from components.serving_validator.requirements import Requirements, requirements_of
from contracts.decision import Check, Verdict
from records.served import read_served
from schema.surface import Surface
from tests.components.serving_validator.columns import write_reader
from tests.components.serving_validator.handmade import SURFACE, write_examples, write_model

USUAL: dict[str, Any] = {
    "user": tf.io.FixedLenFeature([], tf.int64),
    "match": tf.io.FixedLenFeature([], tf.float32),
    "age": tf.io.FixedLenFeature([], tf.float32, 1.5),
}
VERSION = 17


def requirements(**word: Any) -> Requirements:
    content = SURFACE.model_dump(by_alias=True)
    return requirements_of(Surface.model_validate({**content, "serving": {**content["serving"], **word}}))


def check(
    folder: Path, columns: dict[str, Any], *outputs: str, kinds: dict[str, str] | None = None, **word: Any
) -> Check:
    """Of a student with these columns and outputs, in place of a usual version 17."""
    served = write_reader(folder / "served", USUAL)
    student = write_reader(folder / "student", columns, *outputs)
    return clients_check(read_graph(student), read_served(served, VERSION, kinds), requirements(**word))


@pytest.mark.parametrize(
    ("columns", "outputs", "kinds"),
    [
        (USUAL, (), None),
        ({name: each for name, each in USUAL.items() if name != "match"}, (), None),
        ({**USUAL, "city": tf.io.FixedLenFeature([], tf.string, "")}, (), None),
        ({**USUAL, "tags": tf.io.VarLenFeature(tf.string)}, (), None),
        ({**USUAL, "match": tf.io.FixedLenFeature([], tf.float32, 0.0)}, (), None),
        (USUAL, ("click", "minutes", "save"), {"click": "binary", "minutes": "regression"}),
    ],
    ids=["the same", "a feature less", "an optional feature", "a list", "a default more", "a task more"],
)
def test_clients_go_on(tmp_path: Path, columns: dict[str, Any], outputs: tuple[str, ...], kinds: Any) -> None:
    assert check(tmp_path, columns, *outputs, kinds=kinds).verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("columns", "outputs", "kinds", "sentence", "declared"),
    [
        (USUAL, ("click",), None, "the output minutes goes away", {"outputs": ["minutes"]}),
        (
            USUAL,
            (),
            {"click": "regression", "minutes": "regression"},
            "the output click changes its kind from regression to binary",
            {"outputs": ["click"]},
        ),
        (
            {**USUAL, "city": tf.io.FixedLenFeature([], tf.string)},
            (),
            None,
            "the input city becomes required",
            {"inputs": ["city"]},
        ),
        (
            {**USUAL, "age": tf.io.FixedLenFeature([], tf.float32)},
            (),
            None,
            "the input age becomes required",
            {"inputs": ["age"]},
        ),
        (
            {**USUAL, "user": tf.io.FixedLenFeature([], tf.string)},
            (),
            None,
            "the input user changes from int64 to string",
            {"inputs": ["user"]},
        ),
        (
            {**USUAL, "match": tf.io.FixedLenFeature([2], tf.float32)},
            (),
            None,
            "the input match changes from float32 to float32 [2]",
            {"inputs": ["match"]},
        ),
    ],
)
def test_clients_would_break(
    tmp_path: Path,
    columns: dict[str, Any],
    outputs: tuple[str, ...],
    kinds: Any,
    sentence: str,
    declared: dict[str, Any],
) -> None:
    found = check(tmp_path / "a", columns, *outputs, kinds=kinds)
    assert found.verdict is Verdict.FAIL
    (side, (name,)) = next(iter(declared.items()))
    assert found.sentence == (
        f"Clients of version 17, which serves, would break: {sentence}. When all of them are ready, say so in "
        f"surface.yaml, for this change alone: serving: {{breaking_change: {{version: 17, {side}: [{name}]}}}}."
    )
    word = {"breaking_change": {"version": VERSION, **declared}}
    said = check(tmp_path / "b", columns, *outputs, kinds=kinds, **word)
    assert (said.verdict, said.sentence) == (Verdict.PASS, f"Declared for version 17: {sentence}.")


def test_a_word_is_for_one_version_alone(tmp_path: Path) -> None:
    found = check(tmp_path, USUAL, "click", breaking_change={"version": 12, "outputs": ["minutes"]})
    assert found.verdict is Verdict.FAIL
    assert found.sentence.endswith("(The one that is declared is for version 12.)")


def test_a_word_is_for_what_it_names_alone(tmp_path: Path) -> None:
    columns = {**USUAL, "city": tf.io.FixedLenFeature([], tf.string)}
    found = check(tmp_path, columns, "click", breaking_change={"version": VERSION, "outputs": ["minutes"]})
    assert found.verdict is Verdict.FAIL
    assert "would break: the input city becomes required. When" in found.sentence
    assert "{version: 17, outputs: [minutes], inputs: [city]}" in found.sentence


def test_a_word_that_names_nothing_is_none() -> None:
    with pytest.raises(ValidationError, match="expected the `outputs` or `inputs` that change, found neither"):
        requirements(breaking_change={"version": VERSION})


def test_what_serves_is_asked_with_the_columns_that_it_takes(tmp_path: Path) -> None:
    """It reads a label's column as if it were a feature, which no request of the student carries."""
    examples = write_examples(tmp_path / "examples")
    served = write_reader(tmp_path / "served", {**USUAL, "minutes": tf.io.FixedLenFeature([], tf.float32)})
    models = {
        "student": write_model(tmp_path / "student"),
        "control": write_model(tmp_path / "control"),
        "last_blessed": served,
    }
    report = validate(models, [examples], requirements(), "uri", VERSION)
    assert [check.sentence for check in report.checks if check.verdict is Verdict.FAIL] == []
    assert {row.against for row in report.latencies} == {"control", "last_blessed"}


def test_what_serves_and_cannot_be_asked_is_not_compared(tmp_path: Path) -> None:
    examples = write_examples(tmp_path / "examples")
    served = write_reader(tmp_path / "served", {**USUAL, "gone": tf.io.FixedLenFeature([], tf.float32)})
    models = {
        "student": write_model(tmp_path / "student"),
        "control": write_model(tmp_path / "control"),
        "last_blessed": served,
    }
    report = validate(models, [examples], requirements(), "uri", VERSION)
    assert report.blessed
    assert {row.against for row in report.latencies} == {"control"}
    (found,) = (check for check in report.checks if check.name == "latency against the last blessed model")
    assert found.sentence.startswith("Not compared: the last blessed model answers none of these requests (Invalid")
    assert "gone" in found.sentence
