"""Hints lead to what was meant, and several problems are said at once."""

from __future__ import annotations

import pytest

from schema.checks import Problems, nearest
from schema.errors import InputError


@pytest.mark.parametrize(
    ("written", "known", "meant"),
    [
        ("lable", ["label", "weight"], "label"),
        ("user_idd", ["user_id", "item_id"], "user_id"),
        ("atleast", ["at_least"], "at_least"),
        ("epoch", ["epochs", "patience"], "epochs"),
    ],
)
def test_a_slip_is_recognised(written: str, known: list[str], meant: str) -> None:
    assert nearest(written, known) == f"; did you mean {meant!r}?"


@pytest.mark.parametrize(
    ("written", "known"),
    [
        ("at_most", ["at_least", "metric"]),
        ("min_examples", ["max_examples"]),
        ("weight_column", ["weight", "label"]),
        ("lower", ["power_of_two", "upper"]),
        ("lr", ["learning_rate", "epochs"]),
    ],
)
def test_another_word_is_not_taken_for_a_slip(written: str, known: list[str]) -> None:
    assert nearest(written, known) == f"; expected one of {', '.join(sorted(known))}"


def test_several_problems_are_one_error_that_keeps_them_apart() -> None:
    problems = Problems()
    for each in (InputError("one"), InputError("two", "three"), InputError("one")):
        with problems.noted():
            raise each
    with pytest.raises(InputError) as error:
        problems.raise_any()
    assert (str(error.value), error.value.problems) == ("one\ntwo\nthree", ("one", "two", "three"))


def test_nothing_found_raises_nothing() -> None:
    Problems().raise_any()
