from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from models.dense import chosen


@pytest.mark.parametrize("shape", [(5,), (5, 2), (5, 2, 3)])
@pytest.mark.parametrize("mask", [[True, False, True, True, False], [False] * 5, [True] * 5])
def test_what_is_chosen_is_what_a_mask_leaves(shape: tuple[int, ...], mask: list[bool]) -> None:
    values = tf.reshape(tf.range(np.prod(shape), dtype=tf.float64), shape)
    found = chosen(values, tf.constant(mask))
    assert found.shape[1:] == shape[1:]
    np.testing.assert_array_equal(found, tf.boolean_mask(values, mask))


def test_choosing_takes_few_operations() -> None:
    @tf.function(input_signature=[tf.TensorSpec([None, 2]), tf.TensorSpec([None], tf.bool)])
    def traced(values: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        return chosen(values, mask)

    operations = [each.type for each in traced.get_concrete_function().graph.get_operations()]
    assert set(operations) == {"Placeholder", "Where", "Squeeze", "Const", "GatherV2", "Identity"}
