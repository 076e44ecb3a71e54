"""Tables of embeddings, of which a training step touches the rows of its batch and no others.

Who trains a table of millions of rows cannot move all of them in every step.  Its optimizer
may leave a row behind until it is read again; so before a layer reads rows in training, it
asks the optimizer to bring them up to date.  Any layer that embeds is one of these, whatever
it does with the rows: there may be several lookups of one table, and lists of indices.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

import keras
import tensorflow as tf

# Rows that are handled at once by what passes over a whole table: it must not make a second one.
SLICE = 1 << 16

# Numbers of a table up to which it costs less to move all rows in every step than to look for some: a
# step with 2,500 rows of 8 takes the same time either way, with 1,000 it takes .8 if all are moved.
_SMALL = 30_000


class BringsUpToDate(Protocol):
    """An optimizer that leaves rows behind."""

    def bring_up_to_date(self, table: keras.Variable, rows: tf.Tensor) -> None:
        """Lets `rows` of the table, int64 [rows] with repetitions, be as after the last step."""


_optimizer: ContextVar[BringsUpToDate | None] = ContextVar("optimizer", default=None)


@contextmanager
def read_for(optimizer: BringsUpToDate) -> Iterator[None]:
    """Within it, layers that are called for training read rows as the optimizer brings them up to date."""
    token = _optimizer.set(optimizer)
    try:
        yield
    finally:
        _optimizer.reset(token)


class Table(keras.layers.Embedding):
    """Keras's embedding, whose L2 penalty is of the rows that a batch reads.

    A penalty on all rows would give each of them a gradient in every step.
    """

    def __init__(self, rows: int, width: int, *, initializer: keras.initializers.Initializer, l2: float, name: str):
        """Makes the layer.

        Args:
          rows: How many indices there are.
          width: Numbers of an embedding.
          initializer: Gives the first embeddings.
          l2: The penalty on each row that a batch reads, times the sum of its squares; each counts once.
          name: The layer's name.
        """
        super().__init__(rows, width, embeddings_initializer=initializer, name=name)
        self._l2 = l2

    def call(self, indices: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Embeds indices, int64 of any shape, to [..., width]."""
        if training:
            self._prepare(tf.reshape(indices, [-1]))
        # Not Keras's: it reads the whole table first, which is a copy of it once single rows have been written.
        return tf.gather(self.embeddings.value, indices)

    def compute_output_spec(self, indices: keras.KerasTensor, training: bool = False) -> keras.KerasTensor:
        return super().compute_output_spec(indices)

    def _prepare(self, rows: tf.Tensor) -> None:
        optimizer = _optimizer.get()
        if optimizer is not None:
            optimizer.bring_up_to_date(self.embeddings, rows)
        if self._l2:
            read = tf.gather(self.embeddings.value, tf.unique(rows).y)
            self.add_loss(2 * self._l2 * tf.nn.l2_loss(read))


def large_tables(model: keras.Model) -> list[keras.Variable]:
    """The embeddings of a model, wherever in it they are, that are not to be moved as a whole in every step."""
    tables = [each.embeddings for each in model._flatten_layers() if isinstance(each, Table)]
    return [each for each in tables if math.prod(each.shape) > _SMALL]


def rows_from(start: tf.Tensor, table: keras.Variable) -> tf.Tensor:
    """The indices of the rows of one slice of a table."""
    return tf.range(start, tf.minimum(start + SLICE, table.shape[0]))


def finite(tables: Sequence[keras.Variable]) -> tf.Tensor:
    """Whether all numbers of all tables are finite, a bool scalar."""
    found = tf.constant(True)
    for table in tables:
        for start in tf.range(0, table.shape[0], SLICE):
            read = tf.gather(table.value, rows_from(start, table))
            found &= tf.reduce_all(tf.math.is_finite(read))
    return found
