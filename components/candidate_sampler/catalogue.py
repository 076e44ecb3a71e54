"""What pairs are drawn from: the items of the training examples, and all pairs that were shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from tensorflow_metadata.proto.v0 import schema_pb2

from components.candidate_sampler import cross
from components.candidate_sampler.records import Keys, Reader, encode, keys, pair_keys, values
from schema.base import Scalar
from schema.errors import InputError
from schema.pairs import PairPlan
from schema.surface import TRAIN_SPLIT


@dataclass(frozen=True)
class Source:
    """One file of examples: its split, its path and its number over all of them."""

    split: str
    path: str
    index: int


@dataclass(frozen=True)
class Sides:
    """What one file adds to the catalogue.

    Attributes:
      source: The file.
      pairs: Key of each example's pair.
      item_keys: Key of each example's item; of training files only, as all that follows.
      item_records: Each example's item side, serialized.
      operands: The item's side of scalar products, float [examples, size], by column.
      new: Whether each example's item is new, if that decides.
    """

    source: Source
    pairs: Keys
    item_keys: Keys
    item_records: list[bytes]
    operands: dict[str, NDArray[Any]]
    new: NDArray[np.bool_]


def read_sides(source: Source, plan: PairPlan, schema: schema_pb2.Schema) -> Sides:
    """Reads one file.

    Raises:
      InputError: It cannot be read, a column is not as the plan needs it, or a declared
        `cross` column is not what the examples themselves say.
    """
    wanted = {*plan.user, *plan.item}
    if source.split == TRAIN_SPLIT:
        wanted |= {*plan.item_side, *cross.operands(plan), *plan.cross}
        wanted |= {plan.new_release.column} if plan.new_release else set()
    batch = Reader(schema, wanted).whole(source.path)
    items = keys(batch, plan.item)
    pairs = pair_keys(keys(batch, plan.user), items)
    if source.split != TRAIN_SPLIT:
        return Sides(source, pairs, items[:0], [], {}, np.zeros(0, np.bool_))
    cross.verify(batch, plan, source.path)
    return Sides(
        source,
        pairs,
        items,
        encode(batch, plan.item_side),
        {name: values(batch, name) for name in cross.operands_of_items(plan)},
        _new(batch, plan),
    )


def _new(batch: pa.RecordBatch, plan: PairPlan) -> NDArray[np.bool_]:
    if plan.new_release is None:
        return np.ones(batch.num_rows, np.bool_)
    column = values(batch, plan.new_release.column)
    return np.asarray(column == _typed(plan.new_release.value, column), np.bool_)


def _typed(value: Scalar, column: NDArray[Any]) -> object:
    return str(value).encode() if column.dtype == object else float(value)


class Catalogue:
    """All files together."""

    def __init__(self, parts: Sequence[Sides], plan: PairPlan) -> None:
        """Merges the files, in the order of their numbers, whatever order they came in.

        Raises:
          InputError: There is nothing to draw from.
        """
        parts = sorted(parts, key=lambda part: part.source.index)
        training = [part for part in parts if part.source.split == TRAIN_SPLIT]
        self.shown = np.unique(np.concatenate([part.pairs for part in training]))
        others = [part.pairs for part in parts if part.source.split != TRAIN_SPLIT]
        self.evaluated = np.unique(np.concatenate([np.zeros(0, np.uint64), *others]))
        self.item_keys = np.concatenate([part.item_keys for part in training])
        self.item_records = [record for part in training for record in part.item_records]
        self.operands = {
            name: np.concatenate([part.operands[name] for part in training]) for name in training[0].operands
        }
        self._bounds = np.cumsum(_weights(plan, self.item_keys, np.concatenate([part.new for part in training])))
        if not self._bounds.size or not self._bounds[-1]:
            raise InputError(
                f"unlabelled: {_nothing(plan)}; there is no item to make pairs of. Check `weights:` and the examples."
            )

    def draw(self, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Training examples whose items are drawn, [count], by the plan's weights."""
        drawn = np.searchsorted(self._bounds, rng.random(count) * self._bounds[-1], side="right")
        return np.minimum(drawn, len(self._bounds) - 1)

    def was_shown(self, pairs: Keys) -> NDArray[np.bool_]:
        """Which pairs are in the training split."""
        return _is_in(self.shown, pairs)

    def is_evaluated(self, pairs: Keys) -> NDArray[np.bool_]:
        """Which pairs are in the evaluation split."""
        return _is_in(self.evaluated, pairs)


def _weights(plan: PairPlan, items: Keys, new: NDArray[np.bool_]) -> NDArray[np.float64]:
    """A weight for each training example: as popularity has it all are alike, else an item's examples share one."""
    if plan.weights == "popularity":
        return np.ones(len(items))
    _, which, counts = np.unique(items, return_inverse=True, return_counts=True)
    return new / counts[which]


def _nothing(plan: PairPlan) -> str:
    if plan.new_release is None:
        return "the training split is empty"
    return f"no training example has {plan.new_release.column!r} = {plan.new_release.value!r}"


def _is_in(ascending: Keys, wanted: Keys) -> NDArray[np.bool_]:
    if not len(ascending):
        return np.zeros(len(wanted), np.bool_)
    place = np.minimum(np.searchsorted(ascending, wanted), len(ascending) - 1)
    return ascending[place] == wanted
