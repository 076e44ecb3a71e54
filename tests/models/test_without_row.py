"""People and items without a training row, told by their ids."""

from __future__ import annotations

import numpy as np
import pytest

from contracts.held_out import HeldOutRows
from models.without_row import compared, compared_as_read, held_out_slices, id_columns, mean_of, slices, title
from schema.surface import Side, Surface
from tests.evidence.conftest import SURFACE

USER, ITEM = title(Side.USER), title(Side.ITEM)
LAST = SURFACE.model_copy(update={"training": SURFACE.training.model_copy(update={"hold_out": "last"})})
TRAINING = {"user": np.array([[0], [0], [1], [2], [5]]), "item": np.array([0, 1, 0, 1, 2])}
PARTS = (np.array([0, 1, 2]), np.array([3, 4]))


def test_what_identifies_a_side_is_what_pairs_are_told_apart_by():
    assert id_columns(SURFACE, {"user": 0, "item": 0}) == {Side.USER: ("user",), Side.ITEM: ("item",)}
    assert id_columns(SURFACE, {"user": 0}) == {Side.USER: ("user",)}
    several = SURFACE.model_copy(update={"features": {**SURFACE.features, "town": SURFACE.features["user"]}})
    assert id_columns(several, {"user": 0, "town": 0, "item": 0}) == {Side.ITEM: ("item",)}


@pytest.mark.parametrize("change", [{"size": 2, "kind": "numeric"}, {"many": True}])
def test_a_column_of_several_values_identifies_nobody_here(change):
    """Whoever trains counts new people in each run, and must not fail over a surface that names such a column."""
    user = {**SURFACE.model_dump(by_alias=True)["features"]["user"], **change}
    named = {"user": ["user"], "item": ["item"], "per_row": 1}
    changed = {**SURFACE.model_dump(by_alias=True), "unlabelled": named}
    changed["features"] = {**changed["features"], "user": user}
    assert id_columns(Surface.model_validate(changed), TRAINING) == {Side.ITEM: ("item",)}


def test_several_columns_identify_together():
    training = {"shop": np.array([1, 1, 2]), "number": np.array([b"a", b"b", b"a"])}
    evaluation = {"shop": np.array([2, 2, 1]), "number": np.array([b"a", b"b", b"b"])}
    found = slices({Side.ITEM: ("shop", "number")}, training, evaluation)
    assert found[title(Side.ITEM)].tolist() == [False, True, False]


def test_of_several_columns_of_many_values_none_is_taken_for_another():
    many = np.arange(3000) * 2**40
    training = dict.fromkeys(("shop", "number", "page", "place"), many)
    evaluation = {**training, "place": np.roll(many, 1)}
    sides = {Side.ITEM: tuple(training)}
    assert not slices(sides, training, training)[ITEM].any()
    assert slices(sides, training, evaluation)[ITEM].all()


def test_held_out_rows_of_whom_no_fitted_row_is_are_told_apart():
    training = {"user": np.array([[1], [1], [2], [3], [2]]), "item": np.array([5, 6, 5, 6, 7])}
    found = held_out_slices(SURFACE, training, fitted=np.array([0, 1, 2]), held_out=np.array([3, 4]))
    assert {name: rows.tolist() for name, rows in found.items()} == {
        "user without a training row": [True, False],
        "item without a training row": [False, True],
    }


def test_rows_that_choose_are_compared_with_those_that_judge_where_both_are_known():
    chosen_by = {USER: np.array([True, False]), ITEM: np.array([False, False])}
    judged_by = {"odd": np.array([True]), USER: np.array([True, True, True, False])}
    assert compared(SURFACE, chosen_by, judged_by) == [
        HeldOutRows(slice=USER, held_out=0.5, evaluation=0.75, last=False)
    ]
    assert compared(LAST, chosen_by, judged_by)[0].last
    assert compared(SURFACE, chosen_by, {}) == []


def test_ids_as_the_student_reads_them_tell_who_is_new():
    evaluation = {"user": np.array([[0], [2], [3], [5]]), "item": np.array([0, 1, 2, 3])}
    found = compared_as_read(SURFACE, TRAINING, PARTS, evaluation, known={})
    assert [(each.slice, each.held_out, each.evaluation) for each in found] == [(USER, 1.0, 0.25), (ITEM, 0.5, 0.25)]


def test_ids_that_transform_does_not_know_are_new_even_beside_training_rows_of_such():
    """Ids too rare for a row of their own share one with all that are new: index 5, after five known ones."""
    parts = (np.array([0, 1, 4]), np.array([2, 3]))
    evaluation = {"user": np.array([[0], [5], [5], [5]]), "item": np.array([0, 1, 2, 0])}
    (of_users, of_items) = compared_as_read(SURFACE, TRAINING, parts, evaluation, known={"user": 5})
    assert (of_users.held_out, of_users.evaluation) == (1.0, 0.75)
    assert (of_items.held_out, of_items.evaluation) == (0.0, 0.0)
    as_one = compared_as_read(SURFACE, TRAINING, parts, evaluation, known={})
    assert as_one[0].evaluation == 0.0


def test_without_ids_among_what_is_read_nothing_is_known():
    assert compared_as_read(SURFACE, {"match": np.zeros(5)}, PARTS, {"match": np.zeros(4)}, known={}) == []


def test_means_are_of_what_is_known_of_all():
    def of(slice: str, held_out: float, evaluation: float) -> HeldOutRows:
        return HeldOutRows(slice=slice, held_out=held_out, evaluation=evaluation, last=True)

    (found,) = mean_of([[of(USER, 0.25, 0.5), of(ITEM, 0, 0)], [of(USER, 0.75, 1.0)]])
    assert found == of(USER, 0.5, 0.75)
    assert mean_of([]) == mean_of([[], [of(USER, 0, 0)]]) == []
