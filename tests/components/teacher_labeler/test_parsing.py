"""The two ways of parsing give one result; only the tolerant one takes any number of values."""

from __future__ import annotations

import math

import numpy as np
import pytest
import tensorflow as tf

from components.teacher_labeler.parsing import ColumnShape, MarkedColumn, parse_fixed, parse_ragged
from tests.components.teacher_labeler.conftest import make_example

KINDS = {"f": "float", "i": "int", "s": "string", "pair": "float", "never": "int"}
SIZES = {"f": 1, "i": 1, "s": 1, "pair": 2, "never": 1}
SHAPES = {name: ColumnShape(size) for name, size in SIZES.items()}
RECORDS = [
    make_example(f=math.nan, i=0, s="", pair=[0.0, 1.0]),
    make_example(f=0.0, i=-(2**63), s="word"),
    make_example(),
    make_example(f=-math.inf, s=b"\x00", pair=[math.nan, math.nan]),
]
PRESENT = {
    "f": [True, True, False, True],
    "i": [True, True, False, False],
    "s": [True, True, False, True],
    "pair": [True, False, False, True],
    "never": [False] * 4,
}


@pytest.mark.parametrize("parse", [parse_fixed, parse_ragged])
def test_values_and_where_there_are_none(parse) -> None:  # type: ignore[no-untyped-def] # one of two functions
    columns: dict[str, MarkedColumn] = parse(tf.constant(RECORDS), KINDS, SHAPES)

    assert {name: column.present.numpy().tolist() for name, column in columns.items()} == PRESENT
    for name, column in columns.items():
        assert column.absent.numpy().tolist() == [not present for present in PRESENT[name]]
        assert column.values.shape == (4, SIZES[name])
    np.testing.assert_array_equal(columns["f"].values[:, 0], [math.nan, 0.0, 0.0, -math.inf])
    np.testing.assert_array_equal(columns["i"].values[:, 0], [0, -(2**63), 0, 0])
    assert columns["s"].values[:, 0].numpy().tolist() == [b"", b"word", b"0", b"\x00"]
    np.testing.assert_array_equal(columns["pair"].values, [[0, 1], [0, 0], [0, 0], [math.nan, math.nan]])


def test_a_wrong_number_of_values_is_neither_present_nor_absent() -> None:
    records = tf.constant([make_example(pair=[1.0]), make_example(pair=[1.0, 2.0, 3.0]), make_example(pair=[1.0, 2.0])])

    pair = parse_ragged(records, {"pair": "float"}, {"pair": ColumnShape(2)})["pair"]

    assert pair.present.numpy().tolist() == [False, False, True]
    assert pair.absent.numpy().tolist() == [False, False, False]
    assert pair.values.numpy().tolist() == [[0.0, 0.0], [0.0, 0.0], [1.0, 2.0]]
    with pytest.raises(tf.errors.InvalidArgumentError):
        parse_fixed(records, {"pair": "float"}, {"pair": ColumnShape(2)})
