"""Examples in a store: parsed once, and read in any order."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from models import store
from models.store import Store, load, taken

SPEC = {
    "id": tf.io.FixedLenFeature([], tf.int64),
    "x": tf.io.FixedLenFeature([3], tf.float32),
    "label/y": tf.io.FixedLenFeature([], tf.float32),
    "z": tf.io.FixedLenFeature([2], tf.float32),
}


def columns_of(rows: range) -> dict[str, np.ndarray]:
    ids = np.array(rows)
    return {
        "id": ids,
        "x": (ids[:, None] + np.array([0.0, 0.25, 0.5])).astype(np.float32),
        "label/y": np.where(ids % 2, np.nan, ids).astype(np.float32),
        "z": (-ids[:, None] * np.array([1.0, 2.0])).astype(np.float32),
    }


def store_of(folder, *files: range) -> Store:
    folder.mkdir()
    for number, rows in enumerate(files):
        with tf.io.TFRecordWriter(str(folder / f"{number}.gz"), "GZIP") as writer:
            columns = columns_of(rows)
            for row in range(len(rows)):
                example = tf.train.Example()
                for name, column in columns.items():
                    kept = example.features.feature[name]
                    (kept.int64_list if name == "id" else kept.float_list).value.extend(np.ravel(column[row]).tolist())
                writer.write(example.SerializeToString())
    return Store([str(folder / "*.gz")], SPEC)


def same(found, rows: range) -> None:
    for name, column in columns_of(rows).items():
        np.testing.assert_array_equal(found[name], column, strict=True)


def test_columns_are_those_of_all_files_in_their_order(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "_BLOCK", 4)
    found = store_of(tmp_path / "a", range(6), range(6, 13))
    assert found.rows == 13
    assert found.row_bytes == 8 + 4 * (3 + 1 + 2)
    same(found.columns(list(SPEC)), range(13))
    assert set(found.columns(["id"])) == {"id"}


def test_rows_of_two_stores_are_read_in_any_order(tmp_path):
    first, second = store_of(tmp_path / "a", range(5)), store_of(tmp_path / "b", range(100, 103))
    packed = taken([(first, np.array([3, 0])), (second, np.array([2, 2, 1]))])
    same(packed.gather(tf.constant([1])), range(1))
    np.testing.assert_array_equal(packed.gather(tf.range(5))["id"], [3, 0, 102, 102, 101])


def test_all_rows_are_loaded_once_and_taken_over(tmp_path):
    first, second = store_of(tmp_path / "a", range(5)), store_of(tmp_path / "b", range(100, 103))
    packed = load([first, second])
    assert packed.rows == 8
    same(packed.gather(tf.range(5)), range(5))
    same(packed.gather(tf.range(5, 8)), range(100, 103))


def test_a_store_of_no_records_has_no_rows(tmp_path):
    found = store_of(tmp_path / "a", range(0))
    assert found.rows == 0
    assert found.columns(["id"])["id"].shape == (0,)


def test_reserved_columns_hold_what_is_written_later(tmp_path):
    store_of(tmp_path / "a", range(5))
    reserved = Store([str(tmp_path / "a" / "*.gz")], SPEC, {"made": (), "wide": (2,)})
    assert np.isnan(reserved.columns(["made"])["made"]).all()
    made, wide = np.arange(5, dtype=np.float32), np.arange(10, dtype=np.float32).reshape(5, 2)
    reserved.fill({"made": made, "wide": wide})
    same(reserved.columns(list(SPEC)), range(5))
    found = taken([(reserved, np.array([4, 1]))]).gather(tf.constant([0, 1]))
    np.testing.assert_array_equal(found["made"], made[[4, 1]])
    np.testing.assert_array_equal(found["wide"], wide[[4, 1]])
