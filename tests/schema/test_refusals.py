"""Each value that is refused is named once, in words, under a key that the file has."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from schema.refusals import refusals
from schema.surface import Surface

TEXT = """
name: books
features:
  match: {kind: numeric, side: cross}
  genre: {kind: categorical, side: item, default: unknown}
tasks:
  borrowed:
    kind: binary
    label: was_borrowed
    distil: {from: loan}
    gates: [{metric: auc, at_least: 0.6}]
teacher:
  tasks: {loan: {kind: binary}}
  features: {hour: {dtype: float, default: 0.5}}
slices:
  crime: {features: {genre: crime}}
"""


def refused(old: str, new: str) -> list[str]:
    assert old in TEXT
    content: Any = yaml.safe_load(TEXT.replace(old, new, 1))
    with pytest.raises(ValidationError) as error:
        Surface.model_validate(content)
    return refusals(error.value, Surface, content)


@pytest.mark.parametrize("given", ["{min: 3, max: 9}", "[3, 9]"])
def test_a_range_in_a_slice_is_one_error_that_says_what_a_slice_is(given: str) -> None:
    (found,) = refused("genre: crime", f"genre: {given}")
    assert found.startswith("slices.crime.features.genre: expected a number or text, found a ")
    assert "A slice is made of equal values" in found


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (
            "default: 0.5",
            "default: {a: 1}",
            "teacher.features.hour.default: expected a number, text or a list, found a mapping (a)",
        ),
        ("default: unknown", "default: [a]", "features.genre.default: expected a number or text, found a list of 1"),
        (
            "  borrowed:",
            "  bor rowed:",
            "tasks.bor rowed: expected a name of letters, digits and _ that begins with a letter, found 'bor rowed'",
        ),
        (
            "name: books",
            "name: my books",
            "name: expected a name of letters, digits and _ that begins with a letter, found 'my books'",
        ),
        (
            "at_least: 0.6",
            "vs_control: 0.1",
            "tasks.borrowed.gates.0.vs_control: expected keys with values (at_least), found 0.1",
        ),
        ("at_least: 0.6", "between: [0.6]", "tasks.borrowed.gates.0.between: expected more values, found 1"),
        (
            "slices:",
            "score: borrowed +\nslices:",
            "score: formula: expected an arithmetic expression, found 'borrowed +' "
            "(invalid syntax (<unknown>, line 1))",
        ),
    ],
    ids=["a union of unions", "a union", "a key", "a name", "a section", "a pair", "a formula"],
)
def test_a_value_is_refused_once_and_in_words(old: str, new: str, sentence: str) -> None:
    assert refused(old, new) == [sentence]


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (
            "label: was_borrowed",
            "label: was_borrowed\n    group: w",
            "tasks.borrowed.group: unknown key; `group` belongs at the top level of the file",
        ),
        (
            "label: was_borrowed",
            "label: was_borrowed\n    patience: 3",
            "tasks.borrowed.patience: unknown key; `patience` belongs under `training.early_stopping`",
        ),
    ],
)
def test_a_key_in_the_wrong_place_is_told_its_own(old: str, new: str, sentence: str) -> None:
    assert refused(old, new) == [sentence]


@pytest.mark.parametrize("key", ["ceiling", "upper_limit"])
def test_no_hint_where_nothing_is_near(key: str) -> None:
    (found,) = refused("at_least: 0.6", f"{key}: 0.6, at_least: 0.6")
    assert found.startswith(f"tasks.borrowed.gates.0.{key}: unknown key; expected one of at_least, ")
