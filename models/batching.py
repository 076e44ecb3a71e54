"""Batches that keep the rows of a group together, for losses that compare rows of a group."""

from __future__ import annotations

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

    def dataset(self, seed: int) -> tf.data.Dataset:
        """All rows one by one, the groups in another random order in every epoch."""
        rows, starts, ends = (tf.constant(each) for each in (self.rows, self.starts, self.ends))

        def epoch(number: tf.Tensor) -> tf.data.Dataset:
            numbers = tf.stack([tf.constant(seed, tf.int64), number])
            order = tf.random.experimental.stateless_shuffle(tf.range(len(self.starts)), numbers)
            places = tf.ragged.range(tf.gather(starts, order), tf.gather(ends, order)).values
            return tf.data.Dataset.from_tensor_slices(tf.gather(rows, places))

        epochs = tf.data.Dataset.random(seed, rerandomize_each_iteration=True).take(1)
        return epochs.flat_map(epoch).apply(tf.data.experimental.assert_cardinality(len(self.rows)))


def group_rows(groups: NDArray[np.int64], rows: NDArray[np.int64]) -> Grouped:
    """Brings rows into the order of their groups.

    Args:
      groups: Group of every example, [examples].
      rows: Indices of the examples to use.
    """
    ordered = rows[np.argsort(groups[rows], kind="stable")]
    starts = np.flatnonzero(np.diff(groups[ordered], prepend=groups[ordered][0] - 1))
    return Grouped(ordered, starts, np.append(starts[1:], len(ordered)))
