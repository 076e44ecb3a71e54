"""The data of a training: the batches of every epoch, and those of the held-out part."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from models.batching import group_rows, shuffled, with_draws
from models.columns import GROUP_COLUMN, split_labels
from models.packing import Packed, pack
from schema.errors import InputError
from schema.training import Training

# Held-out rows that are measured at once.
HELD_OUT_BATCH = 4096

Batch = tuple[dict[str, tf.Tensor], dict[str, tf.Tensor]]


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


class Held(Protocol):
    """Batches in memory; an `ExtensionType`, so that it can be an argument of a traced function."""

    def batch(self, step: tf.Tensor) -> Batch:
        """Features and labels of a step, by column."""


Feed: TypeAlias = "Held | tf.data.Iterator"


@dataclass(frozen=True)
class Batches:
    """Some batches of (features, labels by column), once.

    Attributes:
      feed: What gives them to a traced function; see `batch_of`.
      steps: How many there are.
    """

    feed: Feed
    steps: int


def batch_of(feed: Feed, step: tf.Tensor) -> Batch:
    """The batch of a step; an iterator is asked for all of them in their order."""
    return next(feed) if isinstance(feed, tf.data.Iterator) else feed.batch(step)


class TrainingData(Protocol):
    """What a training reads."""

    def epoch(self, number: int) -> Batches:
        """The batches of an epoch, from 0; epochs are asked for in order."""

    def held_out(self) -> Batches:
        """The held-out rows, the same ones for every epoch."""


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

        Raises:
          InputError: Unlabelled examples are to be drawn, and there are none.
        """
        more = [] if unlabelled is None else [unlabelled]
        if per_row:
            expect_unlabelled(sum(len(next(iter(part.values()), ())) for part in more), per_row)
        self._columns = pack(columns, *more)
        self._fitted = fitted
        self._groups = group_rows(columns[GROUP_COLUMN], fitted) if training.batch_by == "group" else None
        self._training = training
        self._per_row = per_row
        self._pool = np.arange(len(next(iter(columns.values()))), self._columns.rows)
        self._held_out = self._batches(held_out, HELD_OUT_BATCH)

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
        return Batches(feed, math.ceil(len(rows) / size))


@dataclass(frozen=True)
class Streamed:
    """Batches that are read from files anew in every epoch, since they do not fit in memory.

    Attributes:
      training: Batches of (features, labels), in another order in every epoch.
      validation: The same of the held-out rows.
    """

    training: tf.data.Dataset
    validation: tf.data.Dataset

    def epoch(self, number: int) -> Batches:
        """The next epoch's batches."""
        return _iterated(self.training)

    def held_out(self) -> Batches:
        """The held-out rows in their order."""
        return _iterated(self.validation)


def expect_unlabelled(rows: int, per_row: int) -> None:
    """Raises InputError if there are no unlabelled rows, of which some are to be drawn for each labelled one."""
    if not rows:
        raise InputError(f"expected unlabelled examples, {per_row} for each labelled one of a batch; found none")


def _iterated(batches: tf.data.Dataset) -> Batches:
    return Batches(iter(batches), int(batches.cardinality()))
