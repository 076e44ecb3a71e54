"""Histories: what the teacher said of an id's rows of earlier periods, as one vector of each id and period.

A row of a training reads what was said before its own period, so that neither it nor anything of its day is in its
history.  What serves reads what was said before the newest period of the training rows: no later, since it is
judged on the evaluation split of that period.  There an id has one vector, which is moved into its embedding.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from models.columns import NO_PERIOD, PERIOD_COLUMN, dealt_column, history_column
from models.kept import slices
from models.layers import embedding_layer, history_layer
from models.ranker import Ranker
from schema.errors import InputError
from schema.history import History
from schema.surface import Surface, soft_label

Columns = Mapping[str, NDArray[Any]]
Ints = NDArray[np.int64]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Histories:
    """The histories of a training.

    Attributes:
      rows: The input columns of the training rows, float32 [rows, size + 1]: zeros where an id has no history, and
        else 1 as the last number.
      pairs: The same of pairs never shown.
      tables: By feature, the histories that serve, float32 [indices, size + 1].
    """

    rows: dict[str, Floats] = field(default_factory=dict)
    pairs: dict[str, Floats] = field(default_factory=dict)
    tables: dict[str, Floats] = field(default_factory=dict)


def make(
    surface: Surface,
    sizes: Mapping[str, int],
    known: Mapping[str, int],
    training: Columns,
    pairs: Columns | None = None,
) -> Histories:
    """Makes the histories of a training.

    Args:
      surface: The surface.
      sizes: How many indices each feature has.
      known: How many of these, the first ones, are of one id each; the others are of unknown ids, without history.
      training: The columns `models.columns.history_sources` of the training rows; and where a row is to be in the
        history of another id than its own, `models.columns.dealt_column`.
      pairs: The ids and periods of pairs never shown; a pair's time is that of the row which its context comes from.

    Raises:
      InputError: No training row has a time.
    """
    found = Histories()
    if not surface.histories:
        return found
    newest = newest_period(training[PERIOD_COLUMN])
    for name, history in surface.histories.items():
        ids, column = training[name], history_column(name)
        owners = training.get(dealt_column(name), ids)
        past = Past(owners, training[PERIOD_COLUMN], training[soft_label(history.of)], history, known[name])
        found.tables[name] = past.before(np.arange(sizes[name]), np.full(sizes[name], newest))
        found.rows[column] = past.before(ids, training[PERIOD_COLUMN])
        if pairs is not None:
            found.pairs[column] = past.before(pairs[name], pairs[PERIOD_COLUMN])
    return found


def newest_period(periods: Ints) -> int:
    """The newest period of the training rows.

    Raises:
      InputError: No row has one.
    """
    newest = int(periods.max(initial=NO_PERIOD))
    if newest == NO_PERIOD:
        raise InputError(
            "histories: no training row has a value in the column that `period` names; expected times, by which to "
            "tell what is earlier"
        )
    return newest


def oldest_period(periods: Ints) -> int:
    """The oldest period of some rows; `NO_PERIOD` where none has a time."""
    timed = periods[periods != NO_PERIOD]
    return int(timed.min()) if len(timed) else NO_PERIOD


def expect_later(where: str, training: Ints, evaluation: Ints) -> None:
    """Checks that nothing that serves knows is of a later period than a row that judges it.

    Args:
      where: The examples, for the message.
      training: The periods of the training rows.
      evaluation: Those of the evaluation rows.

    Raises:
      InputError: Some evaluation rows are earlier.
    """
    timed, newest = evaluation[evaluation != NO_PERIOD], newest_period(training)
    earlier = int((timed < newest).sum())
    if earlier:
        before = newest - oldest_period(evaluation)
        raise InputError(
            f"{where}: histories: expected evaluation rows of the newest period of the training rows or later, found "
            f"{earlier:,} of {len(timed):,} before it (from {before:,} periods before on). What "
            "serves would know more of their ids than was known then. Divide the examples by time (`split: {by: "
            "time}`), give a longer `step` under `period:`, or leave `histories` out"
        )


class Past:
    """What was said of each id up to each of its periods: running sums, which decay from period to period."""

    def __init__(self, ids: Ints, periods: Ints, said: Floats, history: History, known: int):
        """Sums up.

        Args:
          ids: The index of each row's id, int64 [rows].
          periods: Its period.
          said: What the teacher said of it, float32 [rows, size]; NaN where it said nothing.
          history: How rows become one vector.
          known: Indices from this on are of unknown ids.
        """
        self._history, self._known, self._size = history, known, said.shape[1]
        counted = (ids < known) & (periods != NO_PERIOD) & np.isfinite(said).all(axis=1)
        self._times, times = np.unique(periods[counted], return_inverse=True)
        self._keys, group = np.unique(self._key(ids[counted], times), return_inverse=True)
        self._ids, self._periods = self._keys // self._width, self._times[self._keys % self._width]
        # A column at a time: all of them in double precision would be twice the data in memory.
        said, count = said[counted], len(self._keys)
        sums = [np.bincount(group, said[:, place], count) for place in range(self._size)]
        self._sums = self._running(np.stack([*sums, np.bincount(group, minlength=count)], axis=1))

    def before(self, ids: Ints, periods: Ints) -> Floats:
        """The histories of ids before periods, [count] each: float32 [count, size + 1], zeros where there is none."""
        found = np.zeros((len(ids), self._size + 1), np.float32)
        asked = np.flatnonzero((ids < self._known) & (periods != NO_PERIOD))
        # The last of the id's periods that is before this one; what stands there may also be of another id, or nothing.
        times = np.searchsorted(self._times, periods[asked], side="left")
        place = np.searchsorted(self._keys, self._key(ids[asked], times), side="left") - 1
        asked, place = asked[place >= 0], place[place >= 0]
        same = self._ids[place] == ids[asked]
        asked, place = asked[same], place[same]
        sums = self._sums[place]
        if self._history.pool == "mean":
            found[asked, :-1] = sums[:, :-1] / sums[:, -1:]
        else:
            found[asked, :-1] = sums[:, :-1] * self._faded(periods[asked] - self._periods[place])
        found[asked, -1] = 1
        return found

    @property
    def _width(self) -> int:
        return len(self._times) + 1

    def _key(self, ids: Ints, times: Ints) -> Ints:
        """One number for an id and the place of a period among all of them, in their order."""
        return ids.astype(np.int64) * self._width + times

    def _faded(self, gone_by: Ints) -> NDArray[np.float64]:
        """What rows count for after so many periods, [count, 1]."""
        return np.float64(self._history.decay) ** gone_by.astype(np.float64)[:, np.newaxis]

    def _running(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """The sums up to each period of an id, of those of the periods alone, [id and period, size + 1]."""
        first = np.flatnonzero(np.diff(self._ids, prepend=-1))
        rank = np.arange(len(sums)) - np.repeat(first, np.diff(first, append=len(sums)))
        order, counts = np.argsort(rank, kind="stable"), np.bincount(rank)
        for rows in np.split(order, np.cumsum(counts))[1:-1]:
            sums[rows] += sums[rows - 1] * self._faded(self._periods[rows] - self._periods[rows - 1])
        return sums


def settle(ranker: Ranker, tables: Mapping[str, Floats]) -> None:
    """Moves what histories say into the embeddings, in place: an id's history and embedding become one vector.

    What serves reads embeddings alone, and has nothing of histories; the training model reads no history any more,
    and says the same.

    Args:
      ranker: A trained student.
      tables: The histories that serve, by feature; from `make`.
    """
    for name, table in tables.items():
        kernel = ranker.training.get_layer(history_layer(name)).kernel
        embeddings = ranker.training.get_layer(embedding_layer(name)).embeddings
        for rows in slices(embeddings):
            added = tf.gather(table, rows) @ kernel.value
            embeddings.value.scatter_add(tf.IndexedSlices(added, rows))
        kernel.assign(tf.zeros_like(kernel.value))
