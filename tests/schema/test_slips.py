"""Slips in `surface.yaml` that would take a gate away without a word."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from schema.loader import load_surface
from tests.schema.homepage import SCHEMA, TEXT


def line_of(text: str, part: str, nth: int = 0) -> int:
    """The line, from 1, of the nth place where `part` stands."""
    return [number for number, line in enumerate(text.splitlines(), start=1) if part in line][nth]


def test_a_key_that_stands_twice(refused: Callable[..., str]) -> None:
    gates = "    gates:\n      - {metric: auc, at_least: 0.0}\n"
    text = TEXT.replace("    gates:\n", gates + "    gates:\n", 1)
    first, second = line_of(text, "    gates:"), line_of(text, "    gates:", 1)
    assert refused(text) == (
        f"D/surface.yaml: tasks.click.gates: this key stands twice, in line {first} and in line {second}, column 5; "
        "expected it once. Put both together, or remove one."
    )


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (TEXT + "\ntasks: {}\n", "tasks"),
        (TEXT.replace("tasks:\n", "tasks:\n  discovery: {kind: binary, ungated: none}\n", 1), "discovery"),
        (TEXT.replace("{kind: numeric", "{kind: numeric, kind: numeric", 1), "kind"),
        (TEXT.replace("slices:\n", "slices:\n  new: {features: {shelf: 1, 'shelf': 0}}\n", 1), "shelf"),
        (TEXT.replace("name: homepage", 'name: homepage\n"name": other'), "name"),
    ],
)  # fmt: skip
def test_wherever_it_stands(refused: Callable[..., str], text: str, key: str) -> None:
    assert text != TEXT
    message = refused(text)
    assert f"{key}: this key stands twice, in line" in message


def test_all_keys_that_stand_twice_are_named_at_once(refused: Callable[..., str]) -> None:
    text = TEXT + "\ntasks: {}\nfeatures: {}\n"
    assert [line.split(": ")[1] for line in refused(text).splitlines()] == ["tasks", "features"]


@pytest.mark.parametrize("number", [".nan", ".inf", "-.inf"])
@pytest.mark.parametrize("key", ["at_least: ", "weight: ", "learning_rate: ", "scale: "])
def test_a_number_that_is_none(refused: Callable[..., str], number: str, key: str) -> None:
    text = """
name: s
features: {match: {kind: numeric, side: cross}}
tasks: {t: {kind: binary, label: y, weight: 1, gates: [{metric: auc, at_least: 0.5}]}}
unlabelled: {cross: {match: {dot: [a, b], scale: 1}}}
training: {learning_rate: 1}
"""
    start = text.index(key) + len(key)
    end = min(text.find(each, start) for each in ",}" if each in text[start:])
    text = text[:start] + number + text[end:]
    message = refused(text)
    assert "input should be a finite number" in message
    line = line_of(text, key + number)
    assert f"(line {line}, column {text.splitlines()[line - 1].index(number) + 1})" in message


@pytest.mark.parametrize(
    ("gate", "message"),
    [
        ("{metric: auc, at_least: 60}", "auc is a fraction, expected a value of 0 to 1, found 60; 60% is 0.6"),
        ("{metric: auc, at_least: -0.1}", "expected a value of 0 to 1, found -0.1"),
        ("{metric: auc, vs_control: {at_least: -1}}", "vs_control.at_least: auc is a fraction"),
        ("{metric: auc, vs_last_blessed: {at_least: -2}}", "vs_last_blessed.at_least: auc is a fraction"),
        ("{metric: auc, at_least: yes}", "expected a number or text, and YAML reads yes, no, on, off, true and false"),
        ("{metric: auc, at_least: 0.5, min_examples: on}", "expected a number or text"),
    ],
)  # fmt: skip
def test_a_bound_that_can_not_be_meant(refused: Callable[..., str], gate: str, message: str) -> None:
    text = TEXT.replace("    gates:\n", f"    gates:\n      - {gate}\n", 1)
    found = refused(text)
    assert message in found
    assert f"(line {line_of(text, gate)}, column" in found


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("country", "no", 'put the word in quotes ("no")'),
        ("country", "on", "expected a number or text, and YAML reads yes, no, on"),
        ("country", "007", 'found the number 007, which YAML reads as 7. Put it in quotes: "007"'),
        ("country", "1.10", 'found the number 1.10, which YAML reads as 1.1. Put it in quotes: "1.10"'),
        ("country", "3", 'found the number 3. Put it in quotes: "3"'),
        ("new_release", '"3"', "the schema has INT for 'new_release'; found the text '3'. Write it without"),
        ("new_release", "high", "the schema has INT for 'new_release'; found the text 'high'"),
        ("new_release", "1.0", "expected a whole number"),
    ],
)  # fmt: skip
def test_a_slice_of_another_type_than_its_column(
    refused: Callable[..., str], column: str, value: str, message: str
) -> None:
    text = TEXT.replace("slices:\n", f"slices:\n  odd: {{features: {{{column}: {value}}}}}\n", 1)
    schema = SCHEMA + 'feature { name: "country" type: BYTES value_count { min: 1 max: 1 } }\n'
    found = refused(text, schema=schema)
    assert message in found
    assert f"(line {line_of(text, '  odd:')}, column" in found


def test_slices_of_the_right_types(tmp_path: Path) -> None:
    slices = "slices:\n  a: {features: {country: 'no'}}\n  b: {features: {country: null, new_release: 1}}\n"
    (tmp_path / "surface.yaml").write_text(TEXT.replace("slices:\n", slices, 1))
    (tmp_path / "schema.pbtxt").write_text(
        SCHEMA + 'feature { name: "country" type: BYTES value_count { min: 1 max: 1 } }\n'
    )
    assert load_surface(tmp_path).surface.slices["a"].features == {"country": "no"}
