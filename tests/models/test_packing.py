import numpy as np
import tensorflow as tf

from models.packing import Layout, aligned, pack


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
    found = pack(columns).gather(tf.constant(rows))
    assert set(found) == set(columns)
    for name, column in columns.items():
        assert found[name].dtype.as_numpy_dtype == column.dtype
        np.testing.assert_array_equal(found[name], column[rows])


def test_a_single_column_is_enough():
    found = pack({"label": np.array([1.0, 2.0], np.float32)}).gather(tf.constant([1]))
    np.testing.assert_array_equal(found["label"], [2.0])


def test_further_rows_follow_those_of_the_first_part():
    first = {"id": np.array([3, 1]), "content": np.ones((2, 2), np.float32), "label": np.zeros(2, np.float32)}
    more = {"label": np.full(3, np.nan, np.float32), "content": np.zeros((3, 2), np.float32), "id": np.array([7, 8, 9])}
    packed = pack(first, more)
    assert packed.rows == 5
    found = packed.gather(tf.constant([1, 4]))
    np.testing.assert_array_equal(found["id"], [1, 9])
    np.testing.assert_array_equal(found["content"], [[1, 1], [0, 0]])
    np.testing.assert_array_equal(found["label"], [0, np.nan])


def test_other_columns_of_the_same_layout_are_not_traced_again():
    traces = []

    @tf.function(reduce_retracing=True)
    def first_row(packed):
        traces.append(1)
        return packed.gather(tf.constant([0]))["x"]

    for value in (1.0, 2.0):
        np.testing.assert_array_equal(first_row(pack({"x": np.full(4, value, np.float32)})), [value])
    assert len(traces) == 1
    first_row(pack({"x": np.ones(4, np.float32), "y": np.ones(4, np.float32)}))
    assert len(traces) == 2


def test_tensorflow_takes_a_matrix_over_without_a_copy():
    layout = Layout.of({"x": (np.float32, (3,)), "label": (np.float32, ())})
    matrices = [aligned((1001, 3), np.dtype(np.float32)), aligned((1001, 1), np.dtype(np.float32))]
    for matrix in matrices:
        matrix[:] = 1
    packed = layout.packed(matrices)
    matrices[0][1000, 2] = 2
    found = packed.gather(tf.constant([1000]))
    np.testing.assert_array_equal(found["x"], [[1, 1, 2]])
    np.testing.assert_array_equal(found["label"], [1])
