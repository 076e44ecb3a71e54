"""Logs, added up: the same sums whatever the format, and clear errors."""

from __future__ import annotations

import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from records.logs import ROWS, LogColumns, numbers_in, read_log
from schema.errors import InputError
from tests.evidence.ab.logs import people, write_log

COLUMNS = LogColumns(texts=("user", "arm"), days=("day",), sums=("plays", "minutes"))


@pytest.mark.parametrize("name", ["log.parquet", "log.csv", "log.gz"])
def test_every_format_adds_up_to_the_same(tmp_path: Path, name: str):
    frame = people(60, days=3)
    frame = pd.concat([frame, frame.iloc[:20]])
    log = read_log([write_log(frame, tmp_path / name)], COLUMNS)
    assert log.rows == len(frame)
    expected = frame.groupby(["user", "arm", "day"], as_index=False)[["plays", "minutes"]].sum()
    found = log.groups.to_pandas().sort_values(["user", "day"], ignore_index=True)
    expected = expected.sort_values(["user", "day"], ignore_index=True)
    assert list(found["user"]) == list(expected["user"])
    assert [str(day) for day in found["day"]] == [str(day.date()) for day in expected["day"]]
    np.testing.assert_array_equal(found["minutes"], expected["minutes"])
    assert found[ROWS].sum() == len(frame)


def test_several_files_and_partitions_are_one_log(tmp_path: Path):
    frame = people(40, days=2).drop(columns="day")
    for day in ("2026-03-02", "2026-03-03"):
        write_log(frame, tmp_path / "log" / f"day={day}" / "part.parquet")
    log = read_log([tmp_path / "log", write_log(people(40, days=2), tmp_path / "more.parquet")], COLUMNS)
    assert log.rows == 2 * len(frame) + len(people(40, days=2))
    assert set(log.groups.column("day").to_pylist()) == {datetime.date(2026, 3, 2), datetime.date(2026, 3, 3)}


@pytest.mark.parametrize(
    "days",
    [
        ["2026-03-02", "2026-03-03"],
        ["2026-03-02T10:11:12", "2026-03-03 23:59:59"],
        [20260302, 20260303],
        [1772445600, 1772582399],
        pd.to_datetime(["2026-03-02 10:00", "2026-03-03 23:59"]),
    ],
    ids=["ISO", "ISO with a time", "eight digits", "seconds", "timestamps"],
)
def test_days_as_people_write_them(tmp_path: Path, days: list):
    path = write_log(pd.DataFrame({"user": ["a", "b"], "day": days}), tmp_path / "log.parquet")
    found = read_log([path], LogColumns(texts=("user",), days=("day",))).groups.to_pandas().sort_values("user")
    assert [str(day) for day in found["day"]] == ["2026-03-02", "2026-03-03"]


def test_flags_constants_and_what_is_absent(tmp_path: Path):
    frame = pd.DataFrame(
        {"user": [7, 7, 8, None], "seen": [0.0, 2.0, None, 1.0], "old": [3.0, 3.0, None, 1.0], "n": [1, None, 2, 5]}
    )
    columns = LogColumns(texts=("user",), flags=("seen",), sums=("n",), constants=("old",))
    found = read_log([write_log(frame, tmp_path / "log.parquet")], columns).groups.to_pandas()
    found = found.sort_values(["user", "seen"], ignore_index=True)
    assert list(found["user"]) == ["7", "7", "8", None]
    assert list(found["seen"]) == [False, True, False, True]
    assert list(found["n"]) == [1.0, 0.0, 2.0, 5.0]
    assert found["old_min"].isna().tolist() == [False, False, True, False]


@pytest.mark.parametrize("name", ["log.parquet", "log.csv", "log.gz"])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda frame: frame.drop(columns="minutes"), "expected the column 'minutes', found no such column"),
        (lambda frame: frame.assign(minutes="many"), "expected (numbers|a whole CSV file)"),
        (lambda frame: frame.assign(day="yesterday"), "column 'day': expected days"),
        (lambda frame: frame.assign(minutes=np.inf), "a number is infinite"),
    ],
    ids=["a missing column", "text for numbers", "no days", "infinite"],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, name: str, change, message: str):
    path = write_log(change(people(20, days=2)), tmp_path / name)
    with pytest.raises(InputError, match=message) as raised:
        read_log([path], COLUMNS)
    assert str(path) in str(raised.value)


@pytest.mark.parametrize("name", ["log.parquet", "log.csv", "log.gz"])
def test_an_empty_log_and_a_column_with_two_meanings(tmp_path: Path, name: str):
    with pytest.raises(InputError, match="found files without a single row"):
        read_log([write_log(people(20).iloc[:0], tmp_path / name)], COLUMNS)
    with pytest.raises(InputError, match="'user': expected one meaning"):
        LogColumns(texts=("user",), sums=("user",))


@pytest.mark.parametrize("name", ["log.parquet", "log.csv", "log.gz"])
def test_the_columns_of_numbers_are_listed(tmp_path: Path, name: str):
    found = numbers_in([write_log(people(20), tmp_path / name)])
    assert {"plays", "minutes", "skips"} <= set(found)
    assert "user" not in found
