"""Adam, at the cost of what a step touches.

Two costs are avoided.  A step of a small model is bound by the number of TensorFlow's
operations, nearly half of which are those of Keras's Adam: of the 1,758 in a step of the
homepage's student 744 are saved by one vector of all weights.  And a step of a model with
large tables of embeddings is bound by their rows: Adam moves every row in every step, though
the batch has a few hundred of them.

A row without a gradient moves by what its means still hold, which shrink by a known factor
in every step.  So nothing need be done for it until it is read again: then what it missed is
added up at once, in closed form.  Without a penalty the weights are those of Adam over all
rows within rounding, and not those of "lazy" Adam, in which rare rows move a tenth as far.
An L2 penalty is a gradient of every row in every step: the row shrinks by it for all the
steps that it missed, as if its running means had stood half-way.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from models.tables import SLICE, Table, rows_from

_MEAN_DECAY = 0.9
_SQUARE_DECAY = 0.999
_EPSILON = 1e-7
# By these a step of a row without a gradient is shorter than the one before: where its mean
# square is far above epsilon, and where it is far below.
_SHRINKS = (_MEAN_DECAY / math.sqrt(_SQUARE_DECAY), _MEAN_DECAY)
# Steps after which the correction of the means' bias is 1 in float32.
_CORRECTED = 1 << 15


class Adam(keras.optimizers.Optimizer):
    """Kingma & Ba 2015 (arXiv:1412.6980), with the values of `keras.optimizers.Adam`'s defaults."""

    def __init__(self, learning_rate: float, tables: Sequence[Table] = ()):
        """Makes the optimizer.

        Args:
          learning_rate: The learning rate.  It may change when all rows are up to date (see `settle`).
          tables: Layers that read rows in training only after they were brought up to date.
        """
        super().__init__(learning_rate)
        self._given_tables = tuple(tables)

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Makes the running means of all gradients and of their squares, float [weights] each."""
        if self.built:
            return
        super().build(variables)
        self._rows = {
            self._get_variable_index(table.embeddings): _Rows(self, table, f"rows_{number}")
            for number, table in enumerate(self._given_tables)
        }
        self._flat = [index for index in range(len(variables)) if index not in self._rows]
        self._sizes = [math.prod(variables[index].shape) for index in self._flat]
        self._mean = self.add_variable((sum(self._sizes),), name="mean")
        self._square = self.add_variable((sum(self._sizes),), name="square")

    def bring_up_to_date(self, table: keras.Variable, rows: tf.Tensor) -> None:
        """Lets rows be as after the last step, and begins theirs; see `models.tables`.

        Nothing is done for a table that it moves as a whole, or that is not trained.
        """
        for each in self._rows.values():
            if each.table is table:
                each.begin(rows)

    def settle(self) -> None:
        """Brings all rows up to date, for whoever reads them without asking for it."""
        for each in self._rows.values():
            each.settle()

    def reset(self, learning_rate: float) -> None:
        """Forgets all steps."""
        for each in (self._mean, self._square, self.iterations):
            each.assign(tf.zeros_like(each.value))
        for rows in self._rows.values():
            rows.reset()
        self.learning_rate.assign(learning_rate)

    def _backend_update_step(
        self, grads: Sequence[tf.Tensor], trainable_variables: Sequence[keras.Variable], learning_rate: tf.Tensor
    ) -> None:
        """Keras calls it with all gradients; `update_step`, which backends call, is of one variable."""
        given = {self._get_variable_index(each): of for each, of in zip(trainable_variables, grads, strict=True)}
        for index in self._rows.keys() & given.keys():
            self._rows[index].finish(given[index], self._size(learning_rate))
        gradients = [given.get(index, tf.zeros([size])) for index, size in zip(self._flat, self._sizes, strict=True)]
        if not gradients:
            return
        moves = tf.split(self._moves(gradients, learning_rate), self._sizes)
        for index, move in zip(self._flat, moves, strict=True):
            variable = self._trainable_variables[index]
            variable.value.assign_sub(tf.reshape(move, variable.shape), read_value=False)

    def _size(self, learning_rate: tf.Tensor) -> tf.Tensor:
        """How far a step goes, bias corrected as section 2 ends."""
        step = tf.cast(self.iterations.value + 1, tf.float32)
        return learning_rate * tf.sqrt(1 - _SQUARE_DECAY**step) / (1 - _MEAN_DECAY**step)

    def _moves(self, gradients: Sequence[tf.Tensor], learning_rate: tf.Tensor) -> tf.Tensor:
        """What to subtract from all weights, float [weights]; algorithm 1."""
        flat = _flat(gradients)
        mean = self._mean.value.assign_add((flat - self._mean.value) * (1 - _MEAN_DECAY))
        # As in Keras, an embedding's row that a batch has several times is squared before it is summed.
        sparse = any(isinstance(each, tf.IndexedSlices) for each in gradients)
        squares = _flat([keras.ops.square(each) for each in gradients]) if sparse else tf.square(flat)
        square = self._square.value.assign_add((squares - self._square.value) * (1 - _SQUARE_DECAY))
        return mean * self._size(learning_rate) / (tf.sqrt(square) + _EPSILON)


class _Rows:
    """The running means of one table, beside each other for each row, and the step that they are as of.

    A step is two writes: `begin` brings the rows of a batch up to date and lets their means
    shrink for the step to come, `finish` adds its gradients and moves them.  Both may be
    given a row several times; what they write for it is then the same, or a sum.

    Attributes:
      table: The table.
    """

    def __init__(self, optimizer: Adam, table: Table, name: str):
        self._optimizer = optimizer
        self.table = table.embeddings
        self._l2 = table.l2
        self._width = int(self.table.shape[1])
        # A step is a float beside them, exact to 16 million.
        self._state = optimizer.add_variable((self.table.shape[0], 2 * self._width + 1), name=name)

    def begin(self, rows: tf.Tensor) -> None:
        self._advance(rows, begins=True)

    def finish(self, gradient: tf.Tensor, size: tf.Tensor) -> None:
        if not isinstance(gradient, tf.IndexedSlices):
            raise ValueError(
                f"{self.table.path}: expected a gradient of single rows, found one of the whole table; read a table "
                "in training by calling its layer, and by nothing else"
            )
        rows, values = gradient.indices, gradient.values
        # As in Keras, a row that a batch has several times is squared before it is summed.
        added = [values * (1 - _MEAN_DECAY), tf.square(values) * (1 - _SQUARE_DECAY), tf.zeros_like(values[:, :1])]
        self._state.value.scatter_add(tf.IndexedSlices(tf.concat(added, axis=1), rows))
        mean, square, _ = self._read(rows)
        moved = tf.gather(self.table.value, rows) - mean * size / (tf.sqrt(square) + _EPSILON)
        self.table.value.scatter_update(tf.IndexedSlices(moved, rows))

    def settle(self) -> None:
        for start in tf.range(0, self.table.shape[0], SLICE):
            self._advance(rows_from(start, self.table), begins=False)

    def reset(self) -> None:
        for start in tf.range(0, self.table.shape[0], SLICE):
            rows = rows_from(start, self.table)
            zeros = tf.zeros([tf.size(rows), 2 * self._width + 1])
            self._state.value.scatter_update(tf.IndexedSlices(zeros, rows))

    def _advance(self, rows: tf.Tensor, *, begins: bool) -> None:
        """Takes the steps that the rows missed; `begins` lets the means shrink for the next one, too."""
        done = tf.cast(self._optimizer.iterations.value, tf.float32)
        mean, square, last = self._read(rows)
        # A row that another lookup of this step has begun is one ahead.
        since = tf.minimum(last, done)
        missed = done - since
        steps = done + 1 - last if begins else missed
        weights = tf.gather(self.table.value, rows)
        above, below = tf.split(_ahead(since) - tf.constant(_SHRINKS) ** missed * _ahead(done), 2, axis=-1)
        divisor = tf.sqrt(square) + _EPSILON
        # Between the two the sum has no closed form; this is within some millionths of it.
        far = (above + (below - above) * (_EPSILON / divisor)) * mean / divisor
        pull = 2 * self._l2 * weights
        means = [
            _towards(pull, mean, _MEAN_DECAY**steps),
            _towards(pull**2, square, _SQUARE_DECAY**steps),
            last + steps,
        ]
        self._state.value.scatter_update(tf.IndexedSlices(tf.concat(means, axis=1), rows))
        rate = self._optimizer.learning_rate.value
        if self._l2:
            halfway = tf.sqrt(_towards(pull**2, square, _SQUARE_DECAY ** (missed / 2)))
            # What `mean` holds of the penalty is in `far`.
            weights *= tf.exp(-2 * self._l2 * rate * tf.maximum(missed - above, 0.0) / (halfway + _EPSILON))
        self.table.value.scatter_update(tf.IndexedSlices(weights - rate * far, rows))

    def _read(self, rows: tf.Tensor) -> list[tf.Tensor]:
        """Means of gradients and of squares, float [rows, width], and the step that they are as of, [rows, 1]."""
        return tf.split(tf.gather(self._state.value, rows), [self._width, self._width, 1], axis=1)


def _sums_ahead() -> np.ndarray:
    """How far a row goes after each step if no gradient comes any more, in units of its length then.

    It is the sum of the corrections of bias of all later steps, each `_SHRINKS` times
    smaller: float32 [steps, 2], for both of them.
    """
    steps = np.arange(1, _CORRECTED + 1, dtype=np.float64)
    corrections = np.sqrt(1 - _SQUARE_DECAY**steps) / (1 - _MEAN_DECAY**steps)
    shrinks = np.array(_SHRINKS)
    sums = np.empty((_CORRECTED + 1, 2))
    sums[-1] = shrinks / (1 - shrinks)
    for step in range(_CORRECTED, 0, -1):
        sums[step - 1] = shrinks * (corrections[step - 1] + sums[step])
    return sums.astype(np.float32)


_SUMS_AHEAD = _sums_ahead()


def _ahead(step: tf.Tensor) -> tf.Tensor:
    """`_sums_ahead` by step, a scalar or [rows, 1]; [rows, 2] of the latter."""
    return tf.gather(_SUMS_AHEAD, tf.reshape(tf.cast(tf.minimum(step, float(_CORRECTED)), tf.int32), [-1]))


def _towards(end: tf.Tensor, start: tf.Tensor, left: tf.Tensor) -> tf.Tensor:
    """A running mean of what is `end` from now on, when `left` is left of what it was."""
    return end + left * (start - end)


def _flat(tensors: Sequence[tf.Tensor]) -> tf.Tensor:
    """All of them in one vector."""
    return tf.concat([tf.reshape(tf.convert_to_tensor(each), [-1]) for each in tensors], axis=0)
