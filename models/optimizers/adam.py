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
steps that it missed, as if its running means had stood half-way.  The decay of AdamW and a
learning rate that changes are known for all steps beforehand: the row is brought to where
both of them would have it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from models.optimizers.by_rows import ByRows, Rows
from models.optimizers.missed import MEAN_DECAY, SQUARE_DECAY
from models.optimizers.rates import Rates
from models.tables import Table
from schema.training import Training

_EPSILON = 1e-7
_MEAN, _SQUARE = "mean", "square"


class Adam(ByRows):
    """Kingma & Ba 2015 (arXiv:1412.6980), with the values of `keras.optimizers.Adam`'s defaults.

    With decay of weights it is AdamW (Loshchilov & Hutter, ICLR 2019), of kernels and
    embeddings; biases, and whatever else has one dimension, are left alone.
    """

    def __init__(
        self,
        learning_rate: float,
        tables: Sequence[Table] = (),
        *,
        rates: Rates | None = None,
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
    ):
        """Makes the optimizer.

        Args:
          learning_rate: The learning rate.  It may change when all rows are up to date (see `settle`).
          tables: Layers that read rows in training only after they were brought up to date.
          rates: The learning rate of each step in its place.
          weight_decay: What part of a weight a step takes away, times the learning rate.
          clip_norm: The most that the norm of all gradients together may be.
        """
        if weight_decay and rates is None:
            rates = Rates(Training(learning_rate=learning_rate))
        super().__init__(learning_rate, tables, rates=rates, clip_norm=clip_norm, weight_decay=weight_decay or None)

    def rows_of(self, table: Table, name: str) -> Rows:
        return _Rows(self, table, name)

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Makes the running means of all gradients and of their squares, float [weights] each."""
        if self.built:
            return
        large = {id(each.embeddings) for each in self._given_tables}
        self.exclude_from_weight_decay([each for each in variables if len(each.shape) < 2 or id(each) in large])
        super().build(variables)
        self._flat = [index for index in range(len(variables)) if index not in self._rows]
        self._sizes = [math.prod(variables[index].shape) for index in self._flat]
        self._mean = self.add_variable((sum(self._sizes),), name="mean")
        self._square = self.add_variable((sum(self._sizes),), name="square")

    def forget(self) -> None:
        for each in (self._mean, self._square):
            each.assign(tf.zeros_like(each.value))

    def slots(self) -> dict[str, NDArray[Any]]:
        found: dict[str, NDArray[Any]] = {}
        for slot, flat in ((_MEAN, self._mean), (_SQUARE, self._square)):
            for variable, part in zip(self._flat_variables(), self._parts(flat), strict=True):
                found[f"{slot}/{variable.path}"] = part.reshape(variable.shape)
        for index, rows in self._rows.items():
            mean, square, _ = rows.kept()
            path = self._trainable_variables[index].path
            found |= {f"{_MEAN}/{path}": mean, f"{_SQUARE}/{path}": square}
        return found

    def put_back(self, slots: Mapping[str, NDArray[Any]]) -> None:
        for slot, flat in ((_MEAN, self._mean), (_SQUARE, self._square)):
            parts = [slots[f"{slot}/{each.path}"].reshape(-1) for each in self._flat_variables()]
            flat.assign(np.concatenate(parts) if parts else np.zeros(0, np.float32))
        for index, rows in self._rows.items():
            path = self._trainable_variables[index].path
            rows.put_back([slots[f"{_MEAN}/{path}"], slots[f"{_SQUARE}/{path}"]])

    def _flat_variables(self) -> list[keras.Variable]:
        return [self._trainable_variables[index] for index in self._flat]

    def _parts(self, flat: keras.Variable) -> list[NDArray[Any]]:
        ends = np.cumsum(self._sizes)[:-1].astype(int)
        return list(np.split(flat.numpy(), ends)) if self._sizes else []

    def _backend_update_step(
        self, grads: Sequence[tf.Tensor], trainable_variables: Sequence[keras.Variable], learning_rate: tf.Tensor
    ) -> None:
        """Keras calls it with all gradients; `update_step`, which backends call, is of one variable."""
        given = {self._get_variable_index(each): of for each, of in zip(trainable_variables, grads, strict=True)}
        for index in self._rows.keys() & given.keys():
            self._rows[index].finish(given[index], learning_rate)
        gradients = [given.get(index, tf.zeros([size])) for index, size in zip(self._flat, self._sizes, strict=True)]
        if not gradients:
            return
        moves = tf.split(self._moves(gradients, learning_rate), self._sizes)
        for index, move in zip(self._flat, moves, strict=True):
            variable = self._trainable_variables[index]
            variable.value.assign_sub(tf.reshape(move, variable.shape), read_value=False)

    def size(self, learning_rate: tf.Tensor) -> tf.Tensor:
        """How far a step goes, bias corrected as section 2 ends."""
        step = tf.cast(self.iterations.value + 1, tf.float32)
        return learning_rate * tf.sqrt(1 - SQUARE_DECAY**step) / (1 - MEAN_DECAY**step)

    def _moves(self, gradients: Sequence[tf.Tensor], learning_rate: tf.Tensor) -> tf.Tensor:
        """What to subtract from all weights, float [weights]; algorithm 1."""
        flat = _flat(gradients)
        mean = self._mean.value.assign_add((flat - self._mean.value) * (1 - MEAN_DECAY))
        # As in Keras, an embedding's row that a batch has several times is squared before it is summed.
        sparse = any(isinstance(each, tf.IndexedSlices) for each in gradients)
        squares = _flat([keras.ops.square(each) for each in gradients]) if sparse else tf.square(flat)
        square = self._square.value.assign_add((squares - self._square.value) * (1 - SQUARE_DECAY))
        return mean * self.size(learning_rate) / (tf.sqrt(square) + _EPSILON)


class _Rows(Rows):
    """The running means of one table, beside each other for each row, and the step that they are as of.

    `begin` lets the means shrink for the step to come, too.
    """

    _optimizer: Adam

    def __init__(self, optimizer: Adam, table: Table, name: str):
        self._width = int(table.embeddings.shape[1])
        # A step is a float beside them, exact to 16 million.
        super().__init__(optimizer, table, 2 * self._width + 1, name)

    def begin(self, rows: tf.Tensor) -> None:
        self._advance(rows, begins=True)

    def catch_up(self, rows: tf.Tensor) -> None:
        self._advance(rows, begins=False)

    def moved(self, rows: tf.Tensor, values: tf.Tensor, learning_rate: tf.Tensor) -> None:
        # As in Keras, a row that a batch has several times is squared before it is summed.
        added = [values * (1 - MEAN_DECAY), tf.square(values) * (1 - SQUARE_DECAY), tf.zeros_like(values[:, :1])]
        self._state.value.scatter_add(tf.IndexedSlices(tf.concat(added, axis=1), rows))
        mean, square, _ = self._read(rows)
        weights = tf.gather(self.table.value, rows)
        if self._optimizer.weight_decay is not None:
            weights -= weights * self._optimizer.weight_decay * learning_rate
        moved = weights - mean * self._optimizer.size(learning_rate) / (tf.sqrt(square) + _EPSILON)
        self.table.value.scatter_update(tf.IndexedSlices(moved, rows))

    def _advance(self, rows: tf.Tensor, *, begins: bool) -> None:
        """Takes the steps that the rows missed; `begins` lets the means shrink for the next one, too."""
        done = tf.cast(self._optimizer.iterations.value, tf.float32)
        mean, square, last = self._read(rows)
        # A row that another lookup of this step has begun is one ahead.
        since = tf.minimum(last, done)
        missed = self._optimizer.missed
        steps = done + 1 - last if begins else done - since
        weights = tf.gather(self.table.value, rows)
        above, below = missed.far(since, done)
        divisor = tf.sqrt(square) + _EPSILON
        # Between the two the sum has no closed form; this is within some millionths of it.
        far = (above + (below - above) * (_EPSILON / divisor)) * mean / divisor
        pull = 2 * self._l2 * weights
        means = [
            _towards(pull, mean, MEAN_DECAY**steps),
            _towards(pull**2, square, SQUARE_DECAY**steps),
            last + steps,
        ]
        self._state.value.scatter_update(tf.IndexedSlices(tf.concat(means, axis=1), rows))
        if self._l2:
            halfway = tf.sqrt(_towards(pull**2, square, SQUARE_DECAY ** ((done - since) / 2)))
            # What `mean` holds of the penalty is in `far`.
            passed = tf.maximum(missed.passed(since, done) - above, 0.0)
            weights *= tf.exp(-2 * self._l2 * missed.rate * passed / (halfway + _EPSILON))
        left = missed.left(since, done)
        if left is not None:
            weights *= left
        self.table.value.scatter_update(tf.IndexedSlices(weights - missed.rate * far, rows))

    def _read(self, rows: tf.Tensor) -> list[tf.Tensor]:
        """Means of gradients and of squares, float [rows, width], and the step that they are as of, [rows, 1]."""
        return tf.split(tf.gather(self._state.value, rows), [self._width, self._width, 1], axis=1)


def _towards(end: tf.Tensor, start: tf.Tensor, left: tf.Tensor) -> tf.Tensor:
    """A running mean of what is `end` from now on, when so much of what it was is `left`; 1 leaves its bits."""
    return end * (1 - left) + left * start


def _flat(tensors: Sequence[tf.Tensor]) -> tf.Tensor:
    """All of them in one vector."""
    return tf.concat([tf.reshape(tf.convert_to_tensor(each), [-1]) for each in tensors], axis=0)
