"""What one file of examples adds to what pairs are drawn from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from tensorflow_metadata.proto.v0 import schema_pb2

from components.candidate_sampler import cross
from components.candidate_sampler.entries import Entries, entries_of
from components.candidate_sampler.records import Keys, Reader, keys, pair_keys, values
from schema.base import Scalar
from schema.pairs import PairPlan
from schema.surface import TRAIN_SPLIT


@dataclass(frozen=True)
class Source:
    """One file of examples: its split, its path and its number over all of them."""

    split: str
    path: str
    index: int


@dataclass(frozen=True)
class TrainingSide:
    """What a file of the training split adds.

    Attributes:
      users: The key of each example's user.
      items: Each example's item.
      contexts: Each example's context, for people who have no example; None if there are none to draw for.
      new: Whether each example's item is new, if that decides.
    """

    users: Keys
    items: Entries
    contexts: Entries | None
    new: NDArray[np.bool_]


@dataclass(frozen=True)
class Sides:
    """What one file adds.

    Attributes:
      source: The file.
      pairs: Key of each example's pair.
      trained: Users, items and contexts; of training files only.
    """

    source: Source
    pairs: Keys
    trained: TrainingSide | None = None


def read_sides(source: Source, plan: PairPlan, schema: schema_pb2.Schema, *, contexts: bool = False) -> Sides:
    """Reads one file.

    Args:
      source: The file.
      plan: Which pairs to make.
      schema: The TFDV schema of the examples.
      contexts: Whether the contexts of training examples are wanted.

    Raises:
      InputError: It cannot be read, a column is not as the plan needs it, or a declared
        `cross` column is not what the examples themselves say.
    """
    wanted = {*plan.user, *plan.item}
    if source.split == TRAIN_SPLIT:
        wanted |= {*plan.item_side, *cross.operands(plan), *plan.cross}
        wanted |= {plan.new_release.column} if plan.new_release else set()
        wanted |= set(plan.context_side) if contexts else set()
    batch = Reader(schema, wanted).whole(source.path)
    users, items = keys(batch, plan.user), keys(batch, plan.item)
    pairs = pair_keys(users, items)
    if source.split != TRAIN_SPLIT:
        return Sides(source, pairs)
    cross.verify(batch, plan, source.path)
    operands = cross.operands(plan)
    trained = TrainingSide(
        users,
        entries_of(batch, plan.item, plan.item_side, operands),
        entries_of(batch, (), plan.context_side, operands) if contexts else None,
        is_new(batch, plan),
    )
    return Sides(source, pairs, trained)


def is_new(batch: pa.RecordBatch, plan: PairPlan) -> NDArray[np.bool_]:
    """Which rows' items are new; all of them where that does not decide."""
    if plan.new_release is None:
        return np.ones(batch.num_rows, np.bool_)
    column = values(batch, plan.new_release.column)
    return np.asarray(column == _typed(plan.new_release.value, column), np.bool_)


def _typed(value: Scalar, column: NDArray[Any]) -> object:
    return str(value).encode() if column.dtype == object else float(value)
