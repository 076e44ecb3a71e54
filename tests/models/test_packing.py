import numpy as np
import tensorflow as tf

from models.packing import Packed


def test_gathered_columns_are_those_that_were_packed():
    columns = {
        "id": np.array([3, 1, 2]),
        "match": np.array([[0.5], [1.5], [2.5]], np.float32),
        "content": np.arange(6, dtype=np.float32).reshape(3, 2),
        "group": np.array([9, 8, 7]),
        "label": np.array([1.0, np.nan, 0.0], np.float32),
        "age": np.array([[4.0], [5.0], [6.0]], np.float32),
    }
    rows = [2, 0, 2]
    found = Packed(columns).gather(tf.constant(rows))
    assert set(found) == set(columns)
    for name, column in columns.items():
        assert found[name].dtype.as_numpy_dtype == column.dtype
        np.testing.assert_array_equal(found[name], column[rows])


def test_a_single_column_is_enough():
    found = Packed({"label": np.array([1.0, 2.0], np.float32)}).gather(tf.constant([1]))
    np.testing.assert_array_equal(found["label"], [2.0])
