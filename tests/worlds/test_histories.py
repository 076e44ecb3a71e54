"""Lists of what people did before a moment, by hand."""

from __future__ import annotations

import pandas as pd
import pytest

from worlds.histories import before


def table(*events: tuple[str, int]) -> pd.DataFrame:
    return pd.DataFrame(events, columns=["user", "timestamp"])


LOG = table(("a", 10), ("b", 20), ("a", 30), ("a", 30), ("c", 35), ("a", 40))


def lists(log: pd.DataFrame, rows: pd.DataFrame, most: int = 10) -> list[list[int]]:
    found = before(log, rows, most)
    assert found.places.shape == (len(rows), most)
    return [row[:count] for row, count in zip(found.places.tolist(), found.counts.tolist(), strict=True)]


def test_the_newest_come_first_and_other_people_do_not_come():
    assert lists(LOG, table(("a", 50), ("b", 50))) == [[5, 3, 2, 0], [1]]


def test_nothing_of_the_same_second_or_later_is_in_a_list():
    assert lists(LOG, table(("a", 30), ("a", 31), ("a", 40))) == [[0], [3, 2, 0], [3, 2, 0]]


def test_the_first_list_and_that_of_a_stranger_are_empty():
    assert lists(LOG, table(("a", 10), ("a", 0), ("d", 50))) == [[], [], []]


def test_only_the_newest_are_kept():
    assert lists(LOG, table(("a", 50), ("a", 30)), most=2) == [[5, 3], [0]]


@pytest.mark.parametrize("shift", [0, 978_300_000, -100])
def test_moments_may_be_any_numbers(shift):
    moved = LOG.assign(timestamp=LOG["timestamp"] + shift)
    assert lists(moved, table(("a", 40 + shift), ("c", 40 + shift))) == [[3, 2, 0], [4]]


def test_rows_may_be_the_log_itself_in_any_order():
    rows = LOG.iloc[::-1]
    assert lists(LOG, rows) == [[3, 2, 0], [], [0], [0], [], []]
