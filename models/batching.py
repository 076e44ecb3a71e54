"""Which rows make a batch: an epoch's order is drawn at once, and each batch is a slice of it.

Drawing row by row through a shuffle buffer takes longer than a step of a small model leaves
time for.  Losses that compare rows of a group need its rows together: then groups are
shuffled and not rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray


@dataclass(frozen=True)
class Grouped:
    """Rows by group.

    Attributes:
      rows: All rows, those of a group beside each other.
      starts: Where each group begins in `rows`.
      ends: Where it ends.
    """

    rows: NDArray[np.int64]
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]

    def shuffled(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """All rows, the groups in random order."""
        order = rng.permutation(len(self.starts))
        return np.concatenate([self.rows[self.starts[group] : self.ends[group]] for group in order])

    def batches(self, batch_size: int, seed: int) -> tf.data.Dataset:
        """All rows, int64 [batch], the groups in another random order in every epoch."""
        rows, starts, ends = (tf.constant(each) for each in (self.rows, self.starts, self.ends))

        def order(numbers: tf.Tensor) -> tf.Tensor:
            groups = tf.random.experimental.stateless_shuffle(tf.range(len(self.starts)), numbers)
            return tf.gather(rows, tf.ragged.range(tf.gather(starts, groups), tf.gather(ends, groups)).values)

        return _epochs(order, len(self.rows), batch_size, seed)


def group_rows(groups: NDArray[np.int64], rows: NDArray[np.int64]) -> Grouped:
    """Brings rows into the order of their groups.

    Args:
      groups: Group of every example, [examples].
      rows: Indices of the examples to use.
    """
    ordered = rows[np.argsort(groups[rows], kind="stable")]
    starts = np.flatnonzero(np.diff(groups[ordered], prepend=groups[ordered][0] - 1))
    return Grouped(ordered, starts, np.append(starts[1:], len(ordered)))


def shuffled_batches(rows: NDArray[np.int64], batch_size: int, seed: int) -> tf.data.Dataset:
    """All rows, int64 [batch], in another random order in every epoch."""
    every = tf.constant(rows)
    return _epochs(
        lambda numbers: tf.random.experimental.stateless_shuffle(every, numbers), len(rows), batch_size, seed
    )


def _epochs(order: Callable[[tf.Tensor], tf.Tensor], count: int, batch_size: int, seed: int) -> tf.data.Dataset:
    """Batches of an order that is drawn anew in every epoch, by two numbers; the last batch may be smaller."""
    whole = count - count % batch_size

    def epoch(number: tf.Tensor) -> tf.data.Dataset:
        rows = order(tf.stack([tf.constant(seed, tf.int64), number]))
        batches = tf.data.Dataset.from_tensor_slices(tf.reshape(rows[:whole], [-1, batch_size]))
        return batches.concatenate(tf.data.Dataset.from_tensors(rows[whole:])) if whole < count else batches

    epochs = tf.data.Dataset.random(seed, rerandomize_each_iteration=True).take(1).flat_map(epoch)
    return epochs.apply(tf.data.experimental.assert_cardinality(math.ceil(count / batch_size)))
