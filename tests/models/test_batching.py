"""The order of an epoch: a function of seed and epoch, and the one that published results were trained in."""

from __future__ import annotations

import numpy as np
import pytest

from models.batching import group_rows, shuffled, split, with_draws
from models.batching import parts as parts_of
from models.columns import GROUP_COLUMN
from models.epochs import InMemory
from schema.training import Training
from tests.models.reading import batches_of

GROUPS = np.array([0, 1, 2] * 6 + [0, 1])


def test_rows_are_shuffled_as_ever():
    assert [shuffled(np.arange(9), 3, epoch).tolist() for epoch in range(2)] == [
        [7, 0, 2, 1, 4, 6, 5, 3, 8],
        [5, 1, 2, 4, 0, 7, 8, 6, 3],
    ]


def test_groups_are_shuffled_as_ever():
    grouped = group_rows(GROUPS, np.arange(9))
    assert [grouped.shuffled(3, epoch).tolist() for epoch in range(2)] == [
        [2, 5, 8, 1, 4, 7, 0, 3, 6],
        [0, 3, 6, 1, 4, 7, 2, 5, 8],
    ]


def test_unlabelled_rows_are_drawn_as_ever():
    pool = np.arange(9, 20)
    assert [with_draws(np.arange(5), 2, pool, 2, 3, epoch).tolist() for epoch in range(2)] == [
        [0, 1, 12, 16, 15, 13, 2, 3, 19, 14, 13, 12, 4, 17, 15],
        [0, 1, 13, 17, 16, 17, 2, 3, 15, 12, 11, 9, 4, 15, 19],
    ]


@pytest.mark.parametrize("seed", range(3))
def test_groups_of_any_size_stay_whole(seed):
    """Against the same written as a loop over groups."""
    rng = np.random.default_rng(seed)
    groups, rows = rng.integers(7, size=40), np.flatnonzero(rng.random(40) < 0.8)
    found = group_rows(groups, rows).shuffled(seed, epoch=4)
    order = np.random.default_rng([seed, 4]).permutation(len(np.unique(groups[rows])))
    expected = [rows[groups[rows] == np.unique(groups[rows])[group]] for group in order]
    np.testing.assert_array_equal(found, np.concatenate(expected))


def test_no_rows_have_an_order_of_no_rows():
    none = np.arange(0)
    assert group_rows(GROUPS, none).shuffled(0, 0).size == 0
    assert with_draws(none, 4, np.arange(3), 2, 0, 0).size == 0


def test_a_batch_s_own_rows_are_those_of_an_arm_without_draws():
    order = shuffled(np.arange(10), 1, 0)
    mixed = with_draws(order, 4, np.arange(100, 130), 3, 1, 0)
    batches = [mixed[at : at + 16] for at in range(0, 40, 16)]
    assert [len(each) for each in batches] == [16, 16, 8]
    own = [batch[: len(batch) // 4] for batch in batches]
    np.testing.assert_array_equal(np.concatenate(own), order)
    drawn = np.concatenate([batch[len(batch) // 4 :] for batch in batches])
    assert ((drawn >= 100) & (drawn < 130)).all()
    assert len(np.unique(drawn)) > 10


def test_every_kth_row_is_held_out():
    fitted, held_out = split(10, Training(validation_fraction=0.25))
    assert held_out.tolist() == [0, 4, 8]
    assert fitted.tolist() == [1, 2, 3, 5, 6, 7, 9]


def test_the_last_rows_are_held_out_where_it_is_asked():
    fitted, held_out = split(10, Training(validation_fraction=0.25, hold_out="last"))
    assert fitted.tolist() == list(range(7))
    assert held_out.tolist() == [7, 8, 9]


def test_batches_by_group_hold_out_the_same_rows_and_may_divide_a_group():
    """Which rows choose is told by their place alone: two rows of group 2 are fitted, beside each other, one is not."""
    groups = np.array([0, 1, 0, 1, 2, 2, 2, 3])
    training = Training(validation_fraction=0.25, hold_out="last", batch_by="group", batch_size=4)
    fitted, held_out = split(len(groups), training)
    assert held_out.tolist() == [6, 7]
    columns = {"x": np.arange(8, dtype=np.float32), GROUP_COLUMN: groups}
    data = InMemory(columns, fitted, held_out, training)
    chosen = [int(x) for features, _ in batches_of(data.held_out()) for x in features["x"]]
    assert chosen == [6, 7]
    for number in range(4):
        order = [int(x) for features, _ in batches_of(data.epoch(number)) for x in features["x"]]
        assert sorted(order) == [0, 1, 2, 3, 4, 5]
        assert [groups[row] for row in order[::2]] == [groups[row] for row in order[1::2]]
        assert order[::2] == [row for row in order if row in (0, 1, 4)]


@pytest.mark.parametrize(("which", "second"), [("every", [1, 6, 11, 16, 21]), ("last", [13, 14, 15, 16, 17])])
def test_parts_of_other_folds_have_no_row_in_common_and_are_all_rows_together(which: str, second: list[int]):
    training = Training.model_validate({"validation_fraction": 0.2, "hold_out": which})
    parts = [split(23, training, fold)[1] for fold in range(5)]
    assert parts[1].tolist() == second
    assert sorted(row for part in parts for row in part) == list(range(23))
    fitted, held_out = split(23, training, 7)
    assert held_out.tolist() == parts[2].tolist()
    assert sorted([*fitted, *held_out]) == list(range(23))


@pytest.mark.parametrize("which", ["every", "last"])
@pytest.mark.parametrize("rows", [1, 2, 20, 23])
def test_the_rule_finds_the_rows_that_the_split_lists(which: str, rows: int):
    training = Training.model_validate({"validation_fraction": 0.2, "hold_out": which})
    fitted, held_out = split(rows, training)
    rule = parts_of(rows, training)
    assert rule.rows_to_fit(np.arange(rule.fitted)).tolist() == fitted.tolist()
    assert rule.rows_held_out(np.arange(rule.held_out)).tolist() == held_out.tolist()
