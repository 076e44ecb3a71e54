"""Adam over all variables at once.

A step of a small model is bound by the number of TensorFlow's operations, nearly half of
which are those of Keras's Adam: of the 1,758 in a step of the homepage's student 744 are
saved here.  A student has more variables than its control, and each costs three operations.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import keras
import tensorflow as tf

_MEAN_DECAY = 0.9
_SQUARE_DECAY = 0.999
_EPSILON = 1e-7


class Adam(keras.optimizers.Optimizer):
    """Kingma & Ba 2015 (arXiv:1412.6980), with the values of `keras.optimizers.Adam`'s defaults."""

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Makes the running means of all gradients and of their squares, float [weights] each."""
        if self.built:
            return
        super().build(variables)
        self._sizes = [math.prod(variable.shape) for variable in variables]
        self._mean = self.add_variable((sum(self._sizes),), name="mean")
        self._square = self.add_variable((sum(self._sizes),), name="square")

    def _backend_update_step(
        self, grads: Sequence[tf.Tensor], trainable_variables: Sequence[keras.Variable], learning_rate: tf.Tensor
    ) -> None:
        """Keras calls it with all gradients; `update_step`, which backends call, is of one variable."""
        given = {self._get_variable_index(each): of for each, of in zip(trainable_variables, grads, strict=True)}
        gradients = [given.get(index, tf.zeros([size])) for index, size in enumerate(self._sizes)]
        moves = tf.split(self._moves(gradients, learning_rate), self._sizes)
        for variable, move in zip(self._trainable_variables, moves, strict=True):
            variable.value.assign_sub(tf.reshape(move, variable.shape), read_value=False)

    def _moves(self, gradients: Sequence[tf.Tensor], learning_rate: tf.Tensor) -> tf.Tensor:
        """What to subtract from all weights, float [weights]; algorithm 1, bias corrected as section 2 ends."""
        step = tf.cast(self.iterations.value + 1, tf.float32)
        size = learning_rate * tf.sqrt(1 - _SQUARE_DECAY**step) / (1 - _MEAN_DECAY**step)
        flat = _flat(gradients)
        mean = self._mean.value.assign_add((flat - self._mean.value) * (1 - _MEAN_DECAY))
        # As in Keras, an embedding's row that a batch has several times is squared before it is summed.
        sparse = any(isinstance(each, tf.IndexedSlices) for each in gradients)
        squares = _flat([keras.ops.square(each) for each in gradients]) if sparse else tf.square(flat)
        square = self._square.value.assign_add((squares - self._square.value) * (1 - _SQUARE_DECAY))
        return mean * size / (tf.sqrt(square) + _EPSILON)


def _flat(tensors: Sequence[tf.Tensor]) -> tf.Tensor:
    """All of them in one vector."""
    return tf.concat([tf.reshape(tf.convert_to_tensor(each), [-1]) for each in tensors], axis=0)
