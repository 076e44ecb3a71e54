"""The learning rate of each step of a training, by Keras's schedules.

How far a row of a large table moved while it was not read depends on the rates of all the
steps that it missed, so they are laid out when a training begins, and a step looks its own
up.  A loop that is traced once can so be used for other learning rates and other numbers of
epochs.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras.optimizers import schedules
from numpy.typing import NDArray

from schema.errors import InputError
from schema.training import Training


class Rates(schedules.LearningRateSchedule):
    """A warm-up and a decay.

    Attributes:
      values: The rates of all steps, float32 [steps].
    """

    def __init__(self, training: Training):
        """Lays out one step; `lay_out` is called before a training.

        Args:
          training: Gives warm-up and decay.
        """
        super().__init__()
        self._training = training
        self.values = np.array([training.learning_rate], np.float32)
        self._laid_out = tf.Variable(self.values, shape=[None], trainable=False)

    def lay_out(self, learning_rate: float, steps: int) -> None:
        """Lays out all steps of a training.

        Args:
          learning_rate: The rate after the warm-up.
          steps: How many steps there will be.

        Raises:
          InputError: The warm-up is as long as the training.
        """
        self.values = rates_of(self._training, learning_rate, steps)
        self._laid_out.assign(self.values)

    def __call__(self, step: Any) -> tf.Tensor:
        last = tf.size(self._laid_out.value(), tf.int64) - 1
        return tf.gather(self._laid_out, tf.minimum(tf.cast(keras.ops.convert_to_tensor(step), tf.int64), last))

    def get_config(self) -> dict[str, Any]:
        return {"training": self._training.model_dump(mode="json")}


def rates_of(training: Training, learning_rate: float, steps: int) -> NDArray[np.float32]:
    """The learning rate of each step, float32 [steps].

    A warm-up is Keras's `PolynomialDecay` of power 1, upwards from 0, which is what the
    warm-up of its `CosineDecay` is; `ExponentialDecay` has none of its own.

    Raises:
      InputError: The warm-up is as long as the training.
    """
    rising = training.warm_up_steps
    if steps and rising >= steps:
        raise InputError(
            f"training.warm_up_steps: training has {steps} steps ({training.epochs} epochs); expected fewer steps "
            f"of warm-up, found {rising}"
        )
    found = [_falling(training, learning_rate, max(steps - rising, 1))]
    if rising:
        upwards = schedules.PolynomialDecay(0.0, rising, learning_rate)
        found = [upwards(np.arange(rising)).numpy(), *found]
    return np.concatenate(found).astype(np.float32)


def _falling(training: Training, learning_rate: float, steps: int) -> NDArray[np.float32]:
    """The rates of the steps after the warm-up."""
    decay = training.learning_rate_decay
    if decay is None:
        return np.full(steps, learning_rate, np.float32)
    if decay.by == "cosine":
        schedule = schedules.CosineDecay(learning_rate, steps, decay.to)
    else:
        schedule = schedules.ExponentialDecay(learning_rate, decay.steps, decay.factor)
    return schedule(np.arange(steps)).numpy()
