"""What rows miss while they are not read: the sizes of Adam's steps without a gradient, added up.

A row without a gradient moves by what its means still hold, which shrink by a known factor in
every step; so the sum of all steps from one to another is a difference of two sums to the end.
"""

from __future__ import annotations

import itertools
import math
from typing import Protocol

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

MEAN_DECAY = 0.9
SQUARE_DECAY = 0.999
# By these a step of a row without a gradient is shorter than the one before: where its mean
# square is far above epsilon, and where it is far below.
_SHRINKS = (MEAN_DECAY / math.sqrt(SQUARE_DECAY), MEAN_DECAY)
# Steps after which the correction of the means' bias is 1 in float32.
_CORRECTED = 1 << 15


class Missed(Protocol):
    """Sums over steps, from one that rows are as of, float [rows, 1], to the last one, a scalar."""

    @property
    def rate(self) -> tf.Tensor | float:
        """What `far` and `passed` are to be multiplied by."""

    def far(self, since: tf.Tensor, done: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """How far a row goes, in units of its means: far above epsilon and far below it, [rows, 1] each."""

    def passed(self, since: tf.Tensor, done: tf.Tensor) -> tf.Tensor:
        """The learning rates, added up, [rows, 1]."""

    def left(self, since: tf.Tensor, done: tf.Tensor) -> tf.Tensor | None:
        """What the decay of weights has left of a row, [rows, 1]; None without one."""


class AtOneRate:
    """Steps of the same learning rate, without decay of weights."""

    def __init__(self, optimizer: keras.optimizers.Optimizer):
        self._optimizer = optimizer

    @property
    def rate(self) -> tf.Tensor:
        return self._optimizer.learning_rate.value

    def far(self, since: tf.Tensor, done: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        sums = _ahead(since) - tf.constant(_SHRINKS) ** (done - since) * _ahead(done)
        above, below = tf.split(sums, 2, axis=-1)
        return above, below

    def passed(self, since: tf.Tensor, done: tf.Tensor) -> tf.Tensor:
        return done - since

    def left(self, since: tf.Tensor, done: tf.Tensor) -> None:
        return None


class AtRates:
    """Steps of known learning rates, in which weights may decay."""

    rate = 1.0

    def __init__(self, weight_decay: float):
        """Lays out nothing yet.

        Args:
          weight_decay: What part of a weight a step takes away, times the learning rate.
        """
        self._decay = weight_decay
        self._ahead = tf.Variable(np.zeros((1, 2), np.float32), shape=[None, 2], trainable=False)
        # Differences of these are of few steps out of many: float32 would not hold them.
        self._passed = tf.Variable(np.zeros((1, 2)), shape=[None, 2], trainable=False)

    def lay_out(self, rates: NDArray[np.float32]) -> None:
        """Adds up the steps of a training, whose learning rates are [steps]."""
        of_steps = rates.astype(np.float64)
        logarithms = np.log1p(-self._decay * of_steps)
        self._passed.assign(np.cumsum(np.pad(np.stack([of_steps, logarithms], axis=1), ((1, 0), (0, 0))), axis=0))
        # In units of what will be left at the end of what a row is now, as `far` takes them.
        sizes, kept = of_steps * _corrections(len(rates)), np.exp(logarithms)
        sums = [_sums_to_the_end(sizes, shrink / kept, 0.0) for shrink in _SHRINKS]
        self._ahead.assign(np.stack(sums, axis=1).astype(np.float32))

    def far(self, since: tf.Tensor, done: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        at_first, at_last = self._at(self._ahead, since), self._at(self._ahead, done)
        left = self.left(since, done)
        if left is not None:
            at_first *= left
        above, below = tf.split(at_first - tf.constant(_SHRINKS) ** (done - since) * at_last, 2, axis=-1)
        return above, below

    def passed(self, since: tf.Tensor, done: tf.Tensor) -> tf.Tensor:
        return self._since(since, done)[:, :1]

    def left(self, since: tf.Tensor, done: tf.Tensor) -> tf.Tensor | None:
        return tf.exp(self._since(since, done)[:, 1:]) if self._decay else None

    def _since(self, since: tf.Tensor, done: tf.Tensor) -> tf.Tensor:
        return tf.cast(self._at(self._passed, done) - self._at(self._passed, since), tf.float32)

    def _at(self, sums: tf.Variable, step: tf.Tensor) -> tf.Tensor:
        """The sums as of a step, a scalar or [rows, 1]; those of the last one from there on."""
        last = tf.shape(sums)[0] - 1
        return tf.gather(sums, tf.reshape(tf.minimum(tf.cast(step, tf.int32), last), [-1]))


def _corrections(steps: int) -> NDArray[np.float64]:
    """The correction of the means' bias in each step, from the first."""
    numbers = np.arange(1, steps + 1, dtype=np.float64)
    return np.sqrt(1 - SQUARE_DECAY**numbers) / (1 - MEAN_DECAY**numbers)


def _sums_to_the_end(sizes: NDArray[np.float64], shrinks: NDArray[np.float64], end: float) -> NDArray[np.float64]:
    """How far a row goes after each step if no gradient comes any more, in units of its length then, [steps + 1].

    Args:
      sizes: The size of each step, [steps].
      shrinks: How many times shorter it is than the one before, [steps].
      end: How far it goes after the last one.
    """
    backwards = zip(sizes[::-1].tolist(), shrinks[::-1].tolist(), strict=True)
    sums = itertools.accumulate(backwards, lambda further, step: step[1] * (step[0] + further), initial=end)
    return np.array(list(sums))[::-1]


def _sums_at_one_rate() -> NDArray[np.float32]:
    """The same of steps of size 1 with the corrections of bias, by both of `_SHRINKS`, [steps + 1, 2]."""
    sizes = _corrections(_CORRECTED)
    sums = [_sums_to_the_end(sizes, np.full(_CORRECTED, each), each / (1 - each)) for each in _SHRINKS]
    return np.stack(sums, axis=1).astype(np.float32)


_SUMS_AHEAD = _sums_at_one_rate()


def _ahead(step: tf.Tensor) -> tf.Tensor:
    """`_SUMS_AHEAD` by step, a scalar or [rows, 1]; [rows, 2] of the latter."""
    return tf.gather(_SUMS_AHEAD, tf.reshape(tf.cast(tf.minimum(step, float(_CORRECTED)), tf.int32), [-1]))
