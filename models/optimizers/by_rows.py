"""Optimizers that move the rows of a large table which a batch has, and leave the others behind."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from models.optimizers.missed import AtOneRate, AtRates, Missed
from models.optimizers.rates import Rates
from models.tables import SLICE, Table, rows_from
from models.workers.replicas import ALONE, Gradient, Replicas
from schema.errors import InputError

Slots = dict[str, NDArray[Any]]

# The step that a row is as of is a 32-bit float, which tells this many apart.
_EXACT = 1 << 24
# After so many steps of one learning rate it no longer matters how many there were: the corrections of
# Adam's means for their first steps (algorithm 1) are 1 to the last bit.
_SETTLED = 1 << 20


class Rows(ABC):
    """What an optimizer keeps of one table for each row, among it the step that the row is as of.

    A step is two writes: `begin` brings the rows of a batch up to date, `finish` adds its
    gradients and moves them.  Both may be given a row several times; what they write for it
    is then the same, or a sum.

    Attributes:
      table: The table.
    """

    def __init__(self, optimizer: keras.optimizers.Optimizer, table: Table, width: int, name: str):
        """Makes what is kept, float [rows, width], of zeros."""
        self.table = table.embeddings
        self._optimizer = optimizer
        self._l2 = table.l2
        self._kept = width
        self._state = optimizer.add_variable((self.table.shape[0], width), name=name)

    @abstractmethod
    def begin(self, rows: tf.Tensor) -> None:
        """Lets rows be as after the last step, for the step to come."""

    @abstractmethod
    def catch_up(self, rows: tf.Tensor) -> None:
        """Lets rows be as after the last step, with no step to come."""

    @abstractmethod
    def moved(self, rows: tf.Tensor, values: tf.Tensor, learning_rate: tf.Tensor) -> None:
        """Moves rows by the gradients of a batch, [rows, width], in which a row may be several times."""

    def finish(self, gradient: tf.Tensor, learning_rate: tf.Tensor) -> None:
        """Ends the step of a table.

        Raises:
          ValueError: The gradient is one of all rows.
        """
        if not isinstance(gradient, tf.IndexedSlices):
            raise ValueError(
                f"{self.table.path}: expected a gradient of single rows, found one of the whole table; read a table "
                "in training by calling its layer, and by nothing else"
            )
        self.moved(gradient.indices, gradient.values, learning_rate)

    def kept(self) -> list[NDArray[Any]]:
        """What is kept of all rows, [rows, width] each, and the step that they are as of, [rows, 1]."""
        whole, width = self._state.numpy(), int(self.table.shape[1])
        return list(np.split(whole, range(width, self._kept, width), axis=1))

    def put_back(self, parts: Sequence[NDArray[Any]]) -> None:
        """Takes what `kept` gave but for the step, which is the last one."""
        done = np.full((self.table.shape[0], 1), float(self._optimizer.iterations.numpy()), np.float32)
        self._state.assign(np.concatenate([*parts, done], axis=1))

    def settle(self) -> None:
        """Brings all rows up to date."""
        for start in tf.range(0, self.table.shape[0], SLICE):
            self.catch_up(rows_from(start, self.table))

    def reset(self) -> None:
        """Forgets all steps."""
        for start in tf.range(0, self.table.shape[0], SLICE):
            rows = rows_from(start, self.table)
            self._state.value.scatter_update(tf.IndexedSlices(tf.zeros([tf.size(rows), self._kept]), rows))


class ByRows(keras.optimizers.Optimizer, ABC):
    """An optimizer with large tables.

    Attributes:
      rates: The learning rates of all steps; None if there is one for all of them.
      missed: What rows miss while they are not read.
    """

    def __init__(
        self,
        learning_rate: float,
        tables: Sequence[Table] = (),
        *,
        rates: Rates | None = None,
        clip_norm: float | None = None,
        weight_decay: float | None = None,
        **of_keras: Any,
    ):
        """Makes the optimizer.

        Args:
          learning_rate: The learning rate.  It may change when all rows are up to date (see `settle`).
          tables: Layers that read rows in training only after they were brought up to date.
          rates: The learning rate of each step in its place.
          clip_norm: The most that the norm of all gradients together may be.
          weight_decay: What part of a weight a step takes away, times the learning rate; it needs `rates`.
          of_keras: More arguments of the optimizer of Keras.
        """
        given = rates or learning_rate
        super().__init__(given, global_clipnorm=clip_norm, weight_decay=weight_decay, **of_keras)
        self.rates = rates
        self._given_tables = tuple(tables)
        self.missed: Missed = AtOneRate(self) if rates is None else AtRates(weight_decay or 0.0)
        self._replicas = ALONE

    def exchange_through(self, replicas: Replicas) -> None:
        """Takes steps by the gradients of all workers."""
        self._replicas = replicas

    def apply(self, grads: Sequence[Gradient], trainable_variables: Sequence[keras.Variable] | None = None) -> None:
        """Takes a step by the gradients of this worker's rows and of the others'."""
        if self._replicas.several:
            grads = self._replicas.summed(grads)
            for gradient, variable in zip(grads, trainable_variables or self._trainable_variables, strict=True):
                if isinstance(gradient, tf.IndexedSlices):
                    # Rows that other workers have read are behind here.
                    self.bring_up_to_date(variable, gradient.indices)
        super().apply(grads, trainable_variables)

    @abstractmethod
    def rows_of(self, table: Table, name: str) -> Rows:
        """What is kept of a table."""

    @abstractmethod
    def forget(self) -> None:
        """Forgets what all steps left behind, except for the rows of tables."""

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Makes what is kept of the tables."""
        if self.built:
            return
        super().build(variables)
        self._rows = {
            self._get_variable_index(table.embeddings): self.rows_of(table, f"rows_{number}")
            for number, table in enumerate(self._given_tables)
        }

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

    @abstractmethod
    def slots(self) -> Slots:
        """What is kept of each variable, of its shape, by `slot/path`; all rows must be up to date."""

    @abstractmethod
    def put_back(self, slots: Mapping[str, NDArray[Any]]) -> None:
        """Takes what `slots` gave; all rows are as of the last step."""

    def resume(self, learning_rate: float, steps: int, done: int, onto: Callable[[Slots], Slots]) -> None:
        """Goes on where an earlier training ended.

        Args:
          learning_rate: As for `reset`.
          steps: How many steps are to come.
          done: How many were taken.
          onto: Puts what was kept, by `slot/path`, into what is kept of the variables that there are now.

        Raises:
          InputError: As `reset`.
        """
        if self.rates is None:
            done = min(done, _SETTLED)
        self.reset(learning_rate, done + steps)
        self.iterations.assign(done)
        self.put_back(onto(self.slots()))

    def reset(self, learning_rate: float, steps: int = 1) -> None:
        """Forgets all steps.

        Args:
          learning_rate: The learning rate from now on.
          steps: How many steps there will be.

        Raises:
          InputError: The warm-up is longer than that, or rows of tables cannot tell so many steps apart.
        """
        if self._rows and steps > _EXACT:
            raise InputError(
                f"expected at most {_EXACT:,} steps where tables are large, found {steps:,} with those of runs that "
                "it continues from; leave `continue_optimizer` out of one run, after which it counts anew, or "
                "take larger batches or fewer epochs"
            )
        self.forget()
        self.iterations.assign(tf.zeros_like(self.iterations.value))
        for rows in self._rows.values():
            rows.reset()
        if self.rates is None:
            self.learning_rate.assign(learning_rate)
            return
        self.rates.lay_out(learning_rate, steps)
        if isinstance(self.missed, AtRates) and self._rows:
            self.missed.lay_out(self.rates.values)

    def _clip_gradients(self, grads: Sequence[tf.Tensor]) -> Sequence[tf.Tensor]:
        """As Keras does, except that an embedding's row that a batch has several times has one gradient, their sum.

        To Keras each of them is one, so that a table's part of the norm would depend on how it is read.
        """
        if self.global_clipnorm is None:
            return grads
        norm = tf.linalg.global_norm([_summed(each) for each in grads])
        return tf.clip_by_global_norm(grads, self.global_clipnorm, use_norm=norm)[0]


def _summed(gradient: tf.Tensor | tf.IndexedSlices | None) -> tf.Tensor | None:
    """A gradient in which every row is once."""
    if not isinstance(gradient, tf.IndexedSlices):
        return gradient
    rows, index = tf.unique(gradient.indices)
    return tf.math.unsorted_segment_sum(gradient.values, index, tf.size(rows))
