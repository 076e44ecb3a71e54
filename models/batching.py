"""Which rows an epoch takes, and in which order: a function of the seed and of the epoch, and of nothing else.

Whoever trains draws here: the Trainer, the reference teacher and every model of an
experiment.  An order is drawn at once, and each batch is a slice of it; drawing row by row
takes longer than a step of a small model leaves time for.  Losses that compare the rows of
a group need them together: then groups are shuffled and not rows.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from schema.training import Training

# Tells the draws of unlabelled rows from the shuffle of the labelled ones.
_DRAWS = 1

# Neighbouring rows that are read together from a file.
_BLOCK = 256
# Rows without labels that are shuffled together.
_REPEATED = 1 << 17


@dataclass(frozen=True)
class Parts:
    """Which rows are fitted and which are held out for validation, as a rule by which to find either.

    Attributes:
      rows: How many there are.
      every: One in so many is held out.
      last: Whether those are the last ones, in the order in which they were read, or every k-th.
    """

    rows: int
    every: int
    last: bool

    @property
    def held_out(self) -> int:
        """How many rows are held out."""
        return math.ceil(self.rows / self.every)

    @property
    def fitted(self) -> int:
        """How many rows are fitted."""
        return self.rows - self.held_out

    def rows_to_fit(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """The rows at some places among those to fit."""
        return places if self.last else places + places // (self.every - 1) + 1

    def rows_held_out(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """The rows at some places among those held out."""
        return places + self.fitted if self.last else places * self.every

    def of_fold(self, fold: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The rows to fit and those held out, where another fold of as many rows is held out than in training, fold 0.

        No two of the folds have a row in common.
        """
        rows = np.arange(self.rows)
        number = (self.rows - 1 - rows) // self.held_out if self.last else rows % self.every
        held_out = number == fold % self.every
        return rows[~held_out], rows[held_out]


def parts(rows: int, training: Training) -> Parts:
    """How so many rows are divided for a training, in each arm alike."""
    return Parts(rows, max(2, round(1 / training.validation_fraction)), training.hold_out == "last")


def split(rows: int, training: Training, fold: int = 0) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The indices of the rows to fit and of those held out, the same ones in every arm.

    Args:
      rows: How many there are.
      training: Says how many of them are held out, and which.
      fold: Which part: that of the training, or one that has no row in common with it.
    """
    return parts(rows, training).of_fold(fold)


def shuffled(rows: NDArray[np.int64], seed: int, epoch: int) -> NDArray[np.int64]:
    """All rows in the order of an epoch.

    Args:
      rows: Indices of the examples to use.
      seed: The seed of the training.
      epoch: The epoch, from 0.
    """
    return np.random.default_rng([seed, epoch]).permutation(rows)


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

    def shuffled(self, seed: int, epoch: int) -> NDArray[np.int64]:
        """All rows in the order of an epoch: the groups at random, the rows of each in their own order."""
        order = np.random.default_rng([seed, epoch]).permutation(len(self.starts))
        starts, sizes = self.starts[order], (self.ends - self.starts)[order]
        before = np.cumsum(sizes) - sizes
        return self.rows[np.repeat(starts - before, sizes) + np.arange(len(self.rows))]


def group_rows(groups: NDArray[np.int64], rows: NDArray[np.int64]) -> Grouped:
    """Brings rows into the order of their groups.

    Args:
      groups: Group of every example, [examples].
      rows: Indices of the examples to use.
    """
    ordered = rows[np.argsort(groups[rows], kind="stable")]
    starts = np.flatnonzero(np.diff(groups[ordered], prepend=groups[ordered][:1] - 1))
    return Grouped(ordered, starts, np.append(starts[1:], len(ordered)))


def with_draws(
    order: NDArray[np.int64], batch_size: int, unlabelled: NDArray[np.int64], per_row: int, seed: int, epoch: int
) -> NDArray[np.int64]:
    """An epoch's order with unlabelled rows after each batch, drawn anew in every epoch, with replacement.

    The draws are of their own, so that the labelled rows are those of an arm without unlabelled ones.

    Args:
      order: The order of the labelled rows.
      batch_size: Labelled rows of a batch; the last may have fewer.
      unlabelled: Indices of the rows that are drawn from.
      per_row: How many are drawn for each labelled row.
      seed: The seed of the training.
      epoch: The epoch, from 0.

    Returns:
      Batches of `batch_size * (1 + per_row)` rows, int64 [rows * (1 + per_row)].
    """
    drawn = np.random.default_rng([seed, epoch, _DRAWS]).choice(unlabelled, per_row * len(order))
    return interleaved(order, drawn, batch_size, per_row)


def interleaved(order: NDArray[np.int64], drawn: NDArray[np.int64], batch_size: int, per_row: int) -> NDArray[np.int64]:
    """Rows with others after each batch: `batch_size` of `order`, then `per_row` of `drawn` for each of them."""
    whole = len(order) // batch_size * batch_size
    batches = (order[:whole].reshape(-1, batch_size), drawn[: per_row * whole].reshape(-1, per_row * batch_size))
    return np.concatenate([np.concatenate(batches, axis=1).ravel(), order[whole:], drawn[per_row * whole :]])


def in_windows(rows: int, room: int, seed: Sequence[int]) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """All of so many rows in windows, each of neighbouring rows in blocks that were chosen at random.

    Args:
      rows: How many rows there are.
      room: Rows of a window; the last may have fewer.
      seed: What the order depends on.

    Yields:
      The rows of a window, block by block, int64 [room]; and a random order of them.
    """
    rng = np.random.default_rng(seed)
    blocks = rng.permutation(math.ceil(rows / _BLOCK))
    rest = np.empty(0, np.int64)
    together = math.ceil(room / _BLOCK)
    for start in range(0, len(blocks), together):
        chosen = blocks[start : start + together, None] * _BLOCK + np.arange(_BLOCK)
        found = np.concatenate([rest, chosen[chosen < rows]])
        while len(found) >= room:
            yield found[:room], rng.permutation(room)
            found = found[room:]
        rest = found
    if len(rest):
        yield rest, rng.permutation(len(rest))


class Repeated:
    """Rows in windows, from another order whenever all were taken."""

    def __init__(self, rows: int, seed: int, epoch: int):
        """Takes none yet.

        Args:
          rows: How many rows there are, 1 at least.
          seed: The seed of the training.
          epoch: The epoch, from 0.
        """
        self._shuffled = (
            window[order]
            for times in itertools.count()
            for window, order in in_windows(rows, _REPEATED, [seed, epoch, _DRAWS, times])
        )
        self._rest = np.empty(0, np.int64)

    def take(self, count: int) -> NDArray[np.int64]:
        """The next rows."""
        parts = [self._rest]
        while sum(map(len, parts)) < count:
            parts.append(next(self._shuffled))
        found = np.concatenate(parts)
        self._rest = found[count:]
        return found[:count]
