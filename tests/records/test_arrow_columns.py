from __future__ import annotations

import datetime
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from records.arrow_columns import example_column, natural_kind
from schema.errors import InputError

DAY = datetime.date(2026, 1, 2)
SECOND = datetime.datetime(2026, 1, 2, 3, 4, 5)
EPOCH = 1767323045  # of SECOND, in UTC


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        (pa.array([1, None, 3], pa.int8()), "int", [[1], None, [3]]),
        (pa.array([True, False, None]), "int", [[1], [0], None]),
        (pa.array([1.5, None, float("nan")]), "float", [[1.5], None, None]),
        (pa.array([7.0, None]), "int", [[7], None]),  # ids that pandas made floats
        (pa.array([7, 8]), "float", [[7.0], [8.0]]),
        (pa.array(["a", None, ""]), "string", [[b"a"], None, [b""]]),
        (pa.array([12, None]), "string", [[b"12"], None]),
        (pa.array([12.0]), "string", [[b"12"]]),
        (pa.array(["12"]), "int", [[12]]),
        (pa.array([b"\xff"]), "string", [[b"\xff"]]),
        (pa.array(["x", "y", None]).dictionary_encode(), "string", [[b"x"], [b"y"], None]),
        (pa.array([SECOND, None], pa.timestamp("ns")), "int", [[EPOCH], None]),
        (pa.array([SECOND], pa.timestamp("us", "Europe/Berlin")), "int", [[EPOCH]]),
        (pa.array([SECOND], pa.timestamp("ms")), "string", [[b"2026-01-02T03:04:05"]]),
        (pa.array([DAY], pa.date32()), "int", [[EPOCH - 3 * 3600 - 4 * 60 - 5]]),
        (pa.array([Decimal("1.50")]), "float", [[1.5]]),
        (pa.array([Decimal("12.00")]), "int", [[12]]),
        (pa.array([[1, 2], [], None]), "int", [[1, 2], [], None]),
        (pa.array([[1, 2], None, [3, 4]], pa.list_(pa.int32(), 2)), "float", [[1.0, 2.0], None, [3.0, 4.0]]),
        (pa.array([["a"], ["b", "c"]], pa.large_list(pa.string())), "string", [[b"a"], [b"b", b"c"]]),
        (pa.nulls(2), "float", [None, None]),
        (pa.array([[0], [1, 2], [3]]).slice(1), "int", [[1, 2], [3]]),
        (pa.array([0, None, 2]).slice(1), "int", [None, [2]]),
    ],
)
def test_values_become_lists_of_the_schemas_type(values: pa.Array, kind: str, expected: list) -> None:
    found = example_column("x", values, kind)
    assert found.to_pylist() == expected
    found.validate(full=True)


@pytest.mark.parametrize(
    ("values", "kind", "message"),
    [
        (pa.array([1.5]), "int", "expected INT, as schema.pbtxt says, found double: .*truncated"),
        (pa.array(["a"]), "int", "expected INT, as schema.pbtxt says, found string: .*Failed to parse"),
        (pa.array(["a"]), "float", "expected FLOAT, as schema.pbtxt says, found string"),
        (pa.array([1.5]), "string", "expected BYTES, as schema.pbtxt says, found double"),
        (pa.array([2**64 - 1], pa.uint64()), "int", "expected INT, as schema.pbtxt says, found uint64"),
        (pa.array([Decimal("1.50")]), "int", "expected INT, as schema.pbtxt says, found decimal128"),
        (pa.array([SECOND]), "float", "does not tell two seconds apart"),
        (pa.array([{"os": "x"}]), "string", "found struct<os: string>. Write what is inside"),
        (pa.array([[[1]]]), "int", "found list<item: int64>"),
        (pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64())), "int", "found map"),
        (pa.array([[1, None]]), "int", "found a null in one"),
        (pa.array([datetime.timedelta(1)]), "int", "found duration"),
    ],
)
def test_what_does_not_fit_is_named(values: pa.Array, kind: str, message: str) -> None:
    with pytest.raises(InputError, match=f"column 'x': .*{message}"):
        example_column("x", values, kind)


def test_kinds_where_no_schema_says_them() -> None:
    found = [natural_kind(kind) for kind in (pa.bool_(), pa.date32(), pa.float16(), pa.list_(pa.string()), pa.null())]
    assert found == ["int", "int", "float", "string", "int"]
    assert natural_kind(pa.struct([("a", pa.int64())])) is None
    assert natural_kind(pa.list_(pa.list_(pa.int64()))) is None
    assert natural_kind(pa.dictionary(pa.int8(), pa.string())) == "string"


def test_a_million_values_do_not_go_through_python() -> None:
    values = pa.array(np.arange(1_000_000))
    assert example_column("x", values, "int").flatten().equals(values)
