"""Adagrad, of which large tables are moved by rows.

A row without a gradient stays where it is, so nothing is to be made up for, except for an
L2 penalty, which is a gradient of every row in every step.  What a row missed of it is
added up when it is read again: the sum over steps of g / sqrt(a + step g^2), as an integral.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf
from numpy.typing import NDArray

from models.optimizers.by_rows import ByRows, Rows
from models.optimizers.rates import Rates
from models.tables import Table

# Those of `keras.optimizers.Adagrad`.
_BEFORE = 0.1
_EPSILON = 1e-7
_ACCUMULATOR = "accumulator"


class Adagrad(ByRows, keras.optimizers.Adagrad):
    """Duchi, Hazan & Singer, JMLR 2011, with the values of Keras's defaults; Keras's own but for large tables."""

    def __init__(
        self,
        learning_rate: float,
        tables: Sequence[Table] = (),
        *,
        rates: Rates | None = None,
        clip_norm: float | None = None,
    ):
        """Makes the optimizer; see `ByRows`."""
        super().__init__(
            learning_rate,
            tables,
            rates=rates,
            clip_norm=clip_norm,
            initial_accumulator_value=_BEFORE,
            epsilon=_EPSILON,
        )

    def rows_of(self, table: Table, name: str) -> Rows:
        return _Rows(self, table, name, self._accumulators[self._get_variable_index(table.embeddings)])

    def forget(self) -> None:
        for each in self._accumulators:
            each.assign(tf.fill(each.shape, _BEFORE))

    def slots(self) -> dict[str, NDArray[Any]]:
        pairs = zip(self._trainable_variables, self._accumulators, strict=True)
        return {f"{_ACCUMULATOR}/{variable.path}": each.numpy() for variable, each in pairs}

    def put_back(self, slots: Mapping[str, NDArray[Any]]) -> None:
        for variable, each in zip(self._trainable_variables, self._accumulators, strict=True):
            each.assign(slots[f"{_ACCUMULATOR}/{variable.path}"])
        for rows in self._rows.values():
            rows.put_back([])

    def _backend_update_step(
        self, grads: Sequence[tf.Tensor], trainable_variables: Sequence[keras.Variable], learning_rate: tf.Tensor
    ) -> None:
        """Keras calls it with all gradients."""
        others = []
        for gradient, variable in zip(grads, trainable_variables, strict=True):
            index = self._get_variable_index(variable)
            if index in self._rows:
                self._rows[index].finish(gradient, learning_rate)
            else:
                others.append((gradient, variable))
        if others:
            super()._backend_update_step(*zip(*others, strict=True), learning_rate)


class _Rows(Rows):
    """One table with Keras's accumulator, and for each row the steps that it has of the penalty."""

    _optimizer: Adagrad

    def __init__(self, optimizer: Adagrad, table: Table, name: str, accumulator: keras.Variable):
        super().__init__(optimizer, table, 1, name)
        self._accumulator = accumulator.value

    def begin(self, rows: tf.Tensor) -> None:
        self.catch_up(rows)

    def catch_up(self, rows: tf.Tensor) -> None:
        if not self._l2:
            return
        done = tf.cast(self._optimizer.iterations.value, tf.float32)
        since = tf.gather(self._state.value, rows)
        weights, before = tf.gather(self.table.value, rows), tf.gather(self._accumulator, rows)
        after = before + (done - since) * (2 * self._l2 * weights) ** 2
        passed = self._optimizer.missed.rate * self._optimizer.missed.passed(since, done)
        roots = (tf.sqrt(before + _EPSILON) + tf.sqrt(after + _EPSILON)) / 2
        weights *= tf.exp(-2 * self._l2 * passed / roots)
        self._accumulator.scatter_update(tf.IndexedSlices(after, rows))
        self.table.value.scatter_update(tf.IndexedSlices(weights, rows))
        self._state.value.scatter_update(tf.IndexedSlices(tf.zeros_like(since) + done, rows))

    def moved(self, rows: tf.Tensor, values: tf.Tensor, learning_rate: tf.Tensor) -> None:
        # As in Keras, a row that a batch has several times is squared before it is summed.
        self._accumulator.scatter_add(tf.IndexedSlices(tf.square(values), rows))
        roots = tf.sqrt(tf.gather(self._accumulator, rows) + _EPSILON)
        self.table.value.scatter_sub(tf.IndexedSlices(learning_rate * values / roots, rows))
