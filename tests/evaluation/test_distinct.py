from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from evaluation.distinct import distinct_values
from schema.errors import InputError


def of_rows(batch: pa.RecordBatch, name: str) -> list[tuple[Any, ...]]:
    found = distinct_values(batch, name)
    return [found.values[code] for code in found.codes]


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ([[7], [8], None, [7], []], [(7,), (8,), (), (7,), ()]),
        ([[b"a"], None, ["ö".encode()], [b"a"]], [("a",), (), ("ö",), ("a",)]),
        ([[0.5], [float("inf")]], [(0.5,), (float("inf"),)]),
        ([["a", "b"], ["b"], [], None, ["a", "b"]], [("a", "b"), ("b",), (), (), ("a", "b")]),
        ([None, None], [(), ()]),
    ],
    ids=["numbers", "texts", "floats", "several", "nothing"],
)
def test_each_row_finds_what_stands_in_it(column: list[Any], expected: list[tuple[Any, ...]]) -> None:
    batch = pa.RecordBatch.from_pydict({"x": column})
    assert of_rows(batch, "x") == expected
    assert of_rows(batch, "no_such_column") == [()] * len(expected)
    assert of_rows(batch.slice(1), "x") == expected[1:]


def test_values_stand_there_once() -> None:
    batch = pa.RecordBatch.from_pydict({"x": [[value % 3] for value in range(300)], "y": [[1, 2]] * 300})
    assert sorted(distinct_values(batch, "x").values) == [(), (0,), (1,), (2,)]
    assert list(distinct_values(batch, "y").values) == [(1, 2)]
    np.testing.assert_array_equal(distinct_values(batch, "y").codes, np.zeros(300))


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(InputError, match="slicing feature 'x': expected UTF-8 text, found b'\\\\xff'"):
        distinct_values(pa.RecordBatch.from_pydict({"x": [[b"\xff"]]}), "x")
