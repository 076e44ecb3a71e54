import keras
import numpy as np
import pytest
import tensorflow as tf

from models.optimizers.adam import Adam


def trained(optimizer: keras.optimizers.Optimizer) -> list[np.ndarray]:
    """Three steps of an embedding, whose gradient is sparse, and of a kernel; between them the rate is halved."""
    table = keras.Variable(np.arange(6, dtype=np.float32).reshape(3, 2))
    kernel = keras.Variable(np.array([[0.5], [-2.0]], np.float32))
    for step in range(3):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.gather(table.value, [0, 2, 2, step]) @ kernel.value) ** 2
        gradients = tape.gradient(loss, [table.value, kernel.value])
        optimizer.apply(gradients, [table, kernel])
        if optimizer.weight_decay is None:
            optimizer.learning_rate.assign(0.1 / 2 ** (step + 1))
    return [table.numpy(), kernel.numpy()]


def test_values_are_those_of_keras():
    ours, keras_s = trained(Adam(0.1)), trained(keras.optimizers.Adam(0.1))
    for one, other in zip(ours, keras_s, strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_first_step_is_as_long_as_the_rate():
    weight = keras.Variable([1.0, 1.0, 1.0])
    Adam(0.1).apply([tf.constant([4.0, -0.5, 0.0])], [weight])
    np.testing.assert_allclose(weight.numpy(), [0.9, 1.1, 1.0], rtol=1e-5)


def test_a_variable_without_a_gradient_stays():
    moved, still = keras.Variable([1.0, 2.0]), keras.Variable([3.0])
    optimizer = Adam(0.1)
    optimizer.build([still, moved])
    optimizer.apply([tf.constant([1.0, -1.0]), None], [moved, still])
    np.testing.assert_allclose(moved.numpy(), [0.9, 2.1], rtol=1e-5)
    np.testing.assert_array_equal(still.numpy(), [3.0])


def test_decay_of_weights_is_that_of_keras():
    ours, keras_s = trained(Adam(0.1, weight_decay=0.05)), trained(keras.optimizers.AdamW(0.1, weight_decay=0.05))
    without = trained(keras.optimizers.Adam(0.1))
    for one, other, plain in zip(ours, keras_s, without, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)
        assert np.abs(one - plain).max() > 1e-3


def test_what_has_one_dimension_does_not_decay():
    bias, kernel, scalar = keras.Variable([2.0, 2.0]), keras.Variable([[2.0]]), keras.Variable(2.0)
    optimizer = Adam(0.1, weight_decay=0.1)
    optimizer.apply([tf.zeros([2]), tf.zeros([1, 1]), tf.constant(0.0)], [bias, kernel, scalar])
    assert bias.numpy().tolist() == [2.0, 2.0]
    assert scalar.numpy() == 2.0
    assert kernel.numpy() == pytest.approx(2.0 * (1 - 0.1 * 0.1))
