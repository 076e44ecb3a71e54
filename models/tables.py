"""Tables of embeddings, of which a training step touches the rows of its batch and no others.

Who trains a table of millions of rows cannot move all of them in every step.  Its optimizer
may leave a row behind until it is read again; so before a layer reads rows in training, it
asks the optimizer to bring them up to date.  Any layer that embeds is one of these, whatever
it does with the rows: there may be several lookups of one table, and lists of indices.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol

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


class L2(keras.regularizers.L2):
    """Keras's, in one operation: small models are bound by their number."""

    def __call__(self, weights: keras.Variable) -> tf.Tensor:
        return 2 * self.l2 * tf.nn.l2_loss(weights.value)


class Table(keras.layers.Embedding):
    """Keras's embedding, of which a large one is moved by rows and not as a whole.

    Attributes:
      large: Whether it is.
      l2: The penalty on the squares of its numbers.  A large table does not add it to the model's losses,
        since it would give every row a gradient in every step: the optimizer takes it into account.
    """

    def __init__(
        self,
        rows: int,
        width: int,
        *,
        initializer: keras.initializers.Initializer,
        l2: float,
        name: str,
        frozen: bool = False,
    ):
        """Makes the layer.

        Args:
          rows: How many indices there are.
          width: Numbers of an embedding.
          initializer: Gives the first embeddings; of a large table one with a seed.
          l2: The penalty.
          name: The layer's name.
          frozen: Whether training leaves the embeddings as they are; then there is no penalty.
        """
        self.large = rows * width > _SMALL
        self.l2 = 0.0 if frozen else l2
        penalty = None if self.large or not self.l2 else L2(self.l2)
        super().__init__(
            rows,
            width,
            embeddings_initializer=initializer,
            embeddings_regularizer=penalty,
            trainable=not frozen,
            name=name,
        )
        self._initializer = initializer

    def build(self, input_shape: Any = None) -> None:
        """Makes the embeddings; those of a large table a slice at a time, since random numbers leave copies behind."""
        if not self.large:
            super().build(input_shape)
            return
        self.embeddings_initializer = keras.initializers.Zeros()
        super().build(input_shape)
        first = self._initializer
        config = first.get_config()
        for start in range(0, self.input_dim, SLICE):
            rows = rows_from(tf.constant(start), self.embeddings)
            numbers = type(first)(**{**config, "seed": config["seed"] + start})((len(rows), self.output_dim))
            self.embeddings.value.scatter_update(tf.IndexedSlices(numbers, rows))

    def call(self, indices: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Embeds indices, int64 of any shape, to [..., width]."""
        optimizer = _optimizer.get()
        if training and optimizer is not None:
            optimizer.bring_up_to_date(self.embeddings, tf.reshape(indices, [-1]))
        # Not Keras's: it reads the whole table first, which is a copy of it once single rows have been written.
        return tf.gather(self.embeddings.value, indices)

    def compute_output_spec(self, indices: keras.KerasTensor, training: bool = False) -> keras.KerasTensor:
        return super().compute_output_spec(indices)


def large_tables(model: keras.Model) -> list[Table]:
    """The large tables of a model that are trained, wherever in it they are."""
    found = (each for each in model._flatten_layers() if isinstance(each, Table))
    return [each for each in found if each.large and each.trainable]


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
