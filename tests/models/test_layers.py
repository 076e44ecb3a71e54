import keras
import numpy as np
import pytest
import tensorflow as tf

from models.layers import LayerMaker
from tests.models.conftest import SURFACE


def test_the_penalty_and_its_gradient_are_those_of_keras():
    weights = keras.Variable([[1.0, -2.0], [0.5, 0.0]])
    regularizer = LayerMaker(SURFACE.model.model_copy(update={"l2": 0.01}), seed=0).head("head").kernel_regularizer
    with tf.GradientTape() as tape:
        penalty = regularizer(weights)
    assert penalty.numpy() == pytest.approx(0.01 * (1 + 4 + 0.25))
    np.testing.assert_allclose(tape.gradient(penalty, weights.value), 0.02 * weights.numpy(), rtol=1e-6)
