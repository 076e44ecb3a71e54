"""The hand-written serialization against protocol buffers' own."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from records.encoding import NumberField, NumberLayout, encode_strings

EXTREMES = [0, 1, -1, 127, 128, 2**31, 2**62, 2**63 - 1, -(2**63)]


def test_numbers_survive_bit_by_bit() -> None:
    layout = NumberLayout([NumberField("a", "float"), NumberField("pair", "float", 2), NumberField("id", "int", 3)])
    floats = np.array([[0.1], [-0.0], [np.inf], [1e-40]], np.float32)
    pairs = np.arange(8, dtype=np.float32).reshape(4, 2)
    ids = np.array([EXTREMES[:3], EXTREMES[3:6], EXTREMES[6:9], [5, 6, 7]], np.int64)

    rows = [tf.train.Example.FromString(row).features.feature for row in layout.encode([floats, pairs, ids])]

    assert np.array([row["a"].float_list.value for row in rows], np.float32).tobytes() == floats.tobytes()
    assert [list(row["pair"].float_list.value) for row in rows] == pairs.tolist()
    assert [list(row["id"].int64_list.value) for row in rows] == ids.tolist()
    assert all(len(row) == 3 for row in rows)


def test_tensorflow_reads_padded_integers_as_well() -> None:
    rows = NumberLayout([NumberField("id", "int")]).encode([np.array(EXTREMES, np.int64)[:, np.newaxis]])

    parsed = tf.io.parse_example(rows, {"id": tf.io.FixedLenFeature([], tf.int64)})

    assert parsed["id"].numpy().tolist() == EXTREMES


def test_names_and_sizes_beyond_one_length_byte() -> None:
    name = "long_" * 60
    rows = NumberLayout([NumberField(name, "float", 500)]).encode([np.ones((2, 500), np.float32)])

    assert list(tf.train.Example.FromString(rows[1]).features.feature[name].float_list.value) == [1.0] * 500


def test_an_empty_batch() -> None:
    assert NumberLayout([NumberField("a", "float")]).encode([np.empty((0, 1), np.float32)]) == []


def test_strings_of_any_length() -> None:
    values = np.array([[b"", b"x" * 300], [b"\x00\xff", "é".encode()]], object)

    rows = [tf.train.Example.FromString(row).features.feature["s"] for row in encode_strings("s", values)]

    assert [list(row.bytes_list.value) for row in rows] == values.tolist()
