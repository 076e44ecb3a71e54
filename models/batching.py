"""In which order an epoch takes its rows: it is drawn at once, and each batch is a slice of it.

Drawing row by row through a shuffle buffer takes longer than a step of a small model leaves
time for.  Losses that compare rows of a group need its rows together: then groups are
shuffled and not rows.
"""

from __future__ import annotations

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

    def orders(self, seed: int) -> tf.data.Dataset:
        """An epoch's order of all rows, int64 [rows]; the groups are in another random order in every epoch."""
        rows, starts, ends = (tf.constant(each) for each in (self.rows, self.starts, self.ends))

        def order(numbers: tf.Tensor) -> tf.Tensor:
            groups = tf.random.experimental.stateless_shuffle(tf.range(len(self.starts)), numbers)
            return tf.gather(rows, tf.ragged.range(tf.gather(starts, groups), tf.gather(ends, groups)).values)

        return _epoch(order, seed)


def group_rows(groups: NDArray[np.int64], rows: NDArray[np.int64]) -> Grouped:
    """Brings rows into the order of their groups.

    Args:
      groups: Group of every example, [examples].
      rows: Indices of the examples to use.
    """
    ordered = rows[np.argsort(groups[rows], kind="stable")]
    starts = np.flatnonzero(np.diff(groups[ordered], prepend=groups[ordered][0] - 1))
    return Grouped(ordered, starts, np.append(starts[1:], len(ordered)))


def shuffled(rows: NDArray[np.int64], seed: int) -> tf.data.Dataset:
    """An epoch's order of all rows, int64 [rows]; another random one in every epoch."""
    every = tf.constant(rows)
    return _epoch(lambda numbers: tf.random.experimental.stateless_shuffle(every, numbers), seed)


def with_draws(
    orders: tf.data.Dataset,
    batch_size: int,
    batches: int,
    unlabelled: NDArray[np.int64],
    per_row: int,
    seed: int | None,
) -> tf.data.Dataset:
    """An epoch's order with further rows after each batch, drawn anew for it, with replacement.

    Args:
      orders: An epoch's order of the batches' own rows.
      batch_size: Own rows of a batch; the last may have fewer.
      batches: Number of batches in an epoch.
      unlabelled: What is drawn from.
      per_row: How many are drawn for each own row.
      seed: Seed of the draws; None for others in every run.
    """
    pool = tf.constant(unlabelled)

    def mixed(batch: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        own, number = batch
        count = [per_row * tf.size(own)]
        places = tf.random.stateless_uniform(count, tf.stack([number, 0]), maxval=tf.size(pool), dtype=tf.int32)
        return tf.concat([own, tf.gather(pool, places)], axis=0)

    def order(rows: tf.Tensor, numbers: tf.Tensor) -> tf.Tensor:
        own = tf.RaggedTensor.from_row_starts(rows, tf.range(batches, dtype=tf.int64) * batch_size)
        return tf.map_fn(mixed, (own, numbers), fn_output_signature=tf.RaggedTensorSpec([None], rows.dtype)).values

    return tf.data.Dataset.zip((orders, _numbers(seed).batch(batches))).map(order)


def _epoch(order: Callable[[tf.Tensor], tf.Tensor], seed: int) -> tf.data.Dataset:
    """One order, drawn by two numbers: the seed, and another one in every epoch."""
    return _numbers(seed).take(1).map(lambda number: order(tf.stack([tf.constant(seed, tf.int64), number])))


def _numbers(seed: int | None) -> tf.data.Dataset:
    """Random numbers without end, int64 [], other ones in every epoch."""
    return tf.data.Dataset.random(seed, rerandomize_each_iteration=True)
