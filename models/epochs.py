"""The data of a training: the batches of every epoch, and those of the held-out part."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from models.batching import Repeated, group_rows, in_windows, interleaved, parts, shuffled, with_draws
from models.columns import GROUP_COLUMN, split_labels
from models.packing import Packed, pack
from models.store import Store, taken
from schema.errors import InputError
from schema.training import Training

# Held-out rows that are measured at once.
HELD_OUT_BATCH = 4096

# Rows of a window, those without labels included.
_WINDOW = 1 << 18

Batch = tuple[dict[str, tf.Tensor], dict[str, tf.Tensor]]


class Feed(Protocol):
    """Batches in memory; an `ExtensionType`, so that it can be an argument of a traced function.

    Attributes:
      size: Rows of a batch, an int64 scalar; the last batch may have fewer.
    """

    size: tf.Tensor

    def batch(self, step: tf.Tensor) -> Batch:
        """Features and labels of a step, by column."""


class Gathered(tf.experimental.ExtensionType):
    """Batches that are gathered from memory within the step that asks for them.

    A tf.data pipeline costs a small model more: an iterator for every epoch, for which
    TensorFlow optimizes the graphs of the pipeline's functions, and a call for every batch.

    Attributes:
      columns: What is gathered from.
      rows: The rows of all batches in order, int64 [rows].
      size: Rows of a batch, an int64 scalar; the last batch may have fewer.
    """

    columns: Packed
    rows: tf.Tensor
    size: tf.Tensor

    def batch(self, step: tf.Tensor) -> Batch:
        """Features and labels of a step, by column."""
        return split_labels(self.columns.gather(self.rows[step * self.size : (step + 1) * self.size]))


@dataclass(frozen=True)
class RowsPart:
    """Some batches of (features, labels by column) in memory, once.

    Attributes:
      feed: What gives them to a traced function.
      steps: How many there are.
    """

    feed: Feed
    steps: int


@dataclass(frozen=True)
class Batches:
    """All batches of an epoch, or of the held-out part.

    Attributes:
      steps: How many there are.
      parts: Gives them in their order, a part at a time.
    """

    steps: int
    parts: Callable[[], Iterator[RowsPart]]


class TrainingData(Protocol):
    """What a training reads."""

    @property
    def steps(self) -> int:
        """The batches of each epoch."""

    def epoch(self, number: int) -> Batches:
        """The batches of an epoch, from 0."""

    def held_out(self) -> Batches:
        """The held-out rows, the same ones for every epoch."""


def at_once(feed: Feed, steps: int) -> Batches:
    """Batches that are all in memory."""
    return Batches(steps, lambda: iter([RowsPart(feed, steps)]))


class InMemory:
    """Columns held in memory; the order of an epoch depends on the seed and the epoch alone."""

    def __init__(
        self,
        columns: Mapping[str, NDArray[Any]],
        fitted: NDArray[np.int64],
        held_out: NDArray[np.int64],
        training: Training,
        *,
        unlabelled: Mapping[str, NDArray[Any]] | None = None,
        per_row: int = 0,
        packed: Packed | None = None,
    ):
        """Packs the columns.

        Args:
          columns: What training reads, [examples] or [examples, width] each.
          fitted: Indices of the examples to fit.
          held_out: Indices of the examples to choose an epoch by.
          training: Gives seed and batches; with `batch_by: group`, groups are shuffled and not rows.
          unlabelled: The same columns of further examples, which are drawn from at random
            and put after a batch's own.
          per_row: How many are drawn for each of a batch's own; 0 draws none.
          packed: All rows, unlabelled ones last, of whoever has packed them already; then no more of
            `columns` is needed than that of the group.

        Raises:
          InputError: Unlabelled examples are to be drawn, and there are none.
        """
        self._columns = packed or pack(columns, *([] if unlabelled is None else [unlabelled]))
        labelled = len(next(iter(columns.values()))) if columns else len(fitted) + len(held_out)
        self._pool = np.arange(labelled, self._columns.rows)
        if per_row:
            expect_unlabelled(len(self._pool), per_row)
        self._fitted = fitted
        self._groups = group_rows(columns[GROUP_COLUMN], fitted) if training.batch_by == "group" else None
        self._training = training
        self._per_row = per_row
        self._held_out = self._batches(held_out, HELD_OUT_BATCH)

    @property
    def steps(self) -> int:
        """The batches of each epoch."""
        return math.ceil(len(self._fitted) / self._training.batch_size)

    def epoch(self, number: int) -> Batches:
        """The batches of an epoch, from 0."""
        seed, size = self._training.seed, self._training.batch_size
        order = self._groups.shuffled(seed, number) if self._groups else shuffled(self._fitted, seed, number)
        if self._per_row:
            order = with_draws(order, size, self._pool, self._per_row, seed, number)
        return self._batches(order, size * (1 + self._per_row))

    def held_out(self) -> Batches:
        """The held-out rows in their order."""
        return self._held_out

    def _batches(self, rows: NDArray[np.int64], size: int) -> Batches:
        feed = Gathered(self._columns, tf.constant(rows, tf.int64), tf.constant(size, tf.int64))
        return at_once(feed, math.ceil(len(rows) / size))


class Streamed:
    """Rows that are read from a store anew in every epoch, since they do not fit in memory.

    An epoch takes blocks of neighbouring rows at random, as many at a time as a window has
    room for, and the rows of a window at random.  Blocks and rows depend on the seed and the
    epoch alone, and the labelled ones not on whether there are others.  The next window is
    read while steps are taken.
    """

    def __init__(self, labelled: Store, training: Training, unlabelled: Store | None = None, per_row: int = 0):
        """Reads nothing yet.

        Args:
          labelled: The labelled rows.
          training: Gives seed, batches and the part that is held out.
          unlabelled: Rows that are put after a batch's own.
          per_row: How many for each of a batch's own; each is taken once before any is taken again.

        Raises:
          InputError: Unlabelled examples are asked for, and there are none.
        """
        if per_row:
            expect_unlabelled(unlabelled.rows if unlabelled else 0, per_row)
        self._labelled, self._unlabelled = labelled, unlabelled
        self._training = training
        self._per_row = per_row
        self._parts = parts(labelled.rows, training)

    @property
    def steps(self) -> int:
        """The batches of each epoch."""
        return math.ceil(self._parts.fitted / self._training.batch_size)

    def epoch(self, number: int) -> Batches:
        """The batches of an epoch, from 0."""
        return Batches(self.steps, lambda: _ahead(self._windows(self._parts.fitted, number)))

    def held_out(self) -> Batches:
        """The held-out rows in their order."""
        rows = self._parts.held_out
        return Batches(math.ceil(rows / HELD_OUT_BATCH), lambda: _ahead(self._held_out(rows)))

    def _windows(self, fitted: int, epoch: int) -> Iterator[RowsPart]:
        seed, size = self._training.seed, self._training.batch_size
        room = max(1, _WINDOW // (size * (1 + self._per_row))) * size
        pool = Repeated(self._unlabelled.rows, seed, epoch) if self._unlabelled and self._per_row else None
        for places, order in in_windows(fitted, room, [seed, epoch]):
            drawn = np.empty(0, np.int64) if pool is None else pool.take(self._per_row * len(places))
            rows = self._parts.rows_to_fit(places)
            columns = taken(
                [(self._labelled, rows), *([(self._unlabelled, drawn)] if self._unlabelled and len(drawn) else [])]
            )
            if len(drawn):
                order = interleaved(order, np.arange(len(rows), len(rows) + len(drawn)), size, self._per_row)
            yield _part(columns, order, size * (1 + self._per_row))

    def _held_out(self, rows: int) -> Iterator[RowsPart]:
        room = max(1, _WINDOW // HELD_OUT_BATCH) * HELD_OUT_BATCH
        for start in range(0, rows, room):
            places = np.arange(start, min(start + room, rows))
            yield _part(taken([(self._labelled, self._parts.rows_held_out(places))]), places - start, HELD_OUT_BATCH)


def expect_unlabelled(rows: int, per_row: int) -> None:
    """Raises InputError if there are no unlabelled rows, of which some are to be drawn for each labelled one."""
    if not rows:
        raise InputError(f"expected unlabelled examples, {per_row} for each labelled one of a batch; found none")


def _part(columns: Packed, rows: NDArray[np.int64], size: int) -> RowsPart:
    return RowsPart(
        Gathered(columns, tf.constant(rows, tf.int64), tf.constant(size, tf.int64)), math.ceil(len(rows) / size)
    )


def _ahead(parts: Iterator[RowsPart]) -> Iterator[RowsPart]:
    """The same, each made while the one before it is used."""
    with ThreadPoolExecutor(1) as maker:
        coming = maker.submit(next, parts, None)
        while (part := coming.result()) is not None:
            coming = maker.submit(next, parts, None)
            yield part
