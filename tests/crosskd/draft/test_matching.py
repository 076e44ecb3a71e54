"""Which of the target's columns a teacher's input may be."""

from __future__ import annotations

import numpy as np
import pytest

from crosskd.draft.matching import match
from crosskd.draft.sample import SampledColumn
from crosskd.draft.teacher import TeacherDraft, settle_outputs


def column(name: str, kind: str = "INT", size: int | None = 1, lowest: float = 0, highest: float = 23) -> SampledColumn:
    return SampledColumn(name, kind, True, size, 24, 1000, lowest=lowest, highest=highest, median=5, longest=9)


COLUMNS = {
    each.name: each
    for each in (
        column("customer"),
        column("hour_of_day"),
        column("price", "FLOAT", highest=900.0),
        column("tags", "BYTES", size=None),
        column("embedding", "FLOAT", size=4),
        column("genre", "BYTES"),
        column("weekday", highest=40.0),
    )
}


@pytest.mark.parametrize(
    ("name", "dtype", "size", "found", "ids"),
    [
        ("user_id", "int", 1, "customer", True),
        ("hour", "float", 1, "hour_of_day", False),
        ("category", "string", 1, "genre", True),
        ("buyer_no", "int", 1, "customer", True),
        ("uid", "int", 1, "customer", True),
        ("cost_eur", "float", 1, "price", False),
        ("price", "float", 1, "price", False),
        ("dow", "int", 1, None, False),  # the target's weekday goes up to 40
        ("cost", "int", 1, None, False),  # like in meaning, and real numbers
        ("position", "int", 1, None, False),
    ],
)
def test_names_of_like_meaning_are_matched_by_type_and_values(name, dtype, size, found, ids):
    matched = match(name, dtype, size, COLUMNS)
    assert (matched and matched.column) == found
    assert (matched is not None and matched.ids) == ids


@pytest.mark.parametrize(
    ("name", "dtype", "size", "misfit"),
    [
        ("tags", "string", 3, "the target's tags has up to 9 values, differently many in each example"),
        ("embedding", "float", 8, "the target's embedding has 4 values, the teacher's input 8"),
        ("price", "int", 1, "the target's price has real numbers, the teacher's input whole ones"),
        ("genre", "int", 1, "the target's genre is BYTES, the teacher's input int"),
    ],
)
def test_a_misfit_is_said(name, dtype, size, misfit):
    assert match(name, dtype, size, COLUMNS).misfit == misfit


def test_a_flag_of_a_user_is_not_taken_for_the_user():
    flag = SampledColumn("is_member", "INT", True, 1, 2, 1000, lowest=0, highest=1, median=0)
    assert match("user_id", "int", 1, COLUMNS | {"is_member": flag}).column == "customer"


def test_of_two_columns_of_like_meaning_none_is_taken():
    both = COLUMNS | {"viewer": column("viewer")}
    assert match("user_id", "int", 1, both) is None


@pytest.mark.parametrize(
    ("name", "answers", "task"),
    [
        ("p_click", np.linspace(0.1, 0.9, 50), {"kind": "binary", "gives": "probability"}),
        ("minutes", np.linspace(0.1, 40, 50), {"kind": "regression"}),
        ("click", np.linspace(-3, 3, 50), {"kind": "binary"}),
        ("click", np.full(50, 0.5), {"kind": "binary"}),
    ],
)
def test_answers_tell_probabilities_values_and_logits(name, answers, task):
    draft = TeacherDraft({"tasks": {name: {"kind": "binary"}}, "features": {}}, notes={name: "guess: binary"})
    settle_outputs(draft, {name: answers}, [])
    assert draft.content["tasks"][name] == task
    assert f"tasks.{name}" in draft.confirm
