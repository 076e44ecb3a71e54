"""Makes or reads the unlabelled pairs of one output file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from tensorflow_metadata.proto.v0 import schema_pb2

from components.candidate_sampler import cross
from components.candidate_sampler.catalogue import Catalogue
from components.candidate_sampler.records import Keys, Reader, encode, keys, pair_keys, present, values, write
from schema.pairs import PairPlan

# A user who has seen nearly everything: after so many rounds the place stays empty.
_ROUNDS = 20
_PAIRS_AT_ONCE = 50_000  # bounds the memory of serialized records


@dataclass(frozen=True)
class PairShard:
    """One output file: what it is made of, and its number, which seeds its draws."""

    source: str
    path: str
    index: int


@dataclass
class Counts:
    """What came of draws or candidates; mergeable.  Keys are of pairs that were kept."""

    drawn: int = 0
    shown: int = 0
    evaluated: int = 0
    labelled: int = 0
    given_up: int = 0
    kept: int = 0
    pairs: Keys = field(default_factory=lambda: np.zeros(0, np.uint64))
    users: Keys = field(default_factory=lambda: np.zeros(0, np.uint64))
    items: Keys = field(default_factory=lambda: np.zeros(0, np.uint64))

    def keep(self, users: Keys, items: Keys) -> None:
        """Counts pairs that are written."""
        self.kept += len(users)
        self.pairs = np.union1d(self.pairs, pair_keys(users, items))
        self.users, self.items = np.union1d(self.users, users), np.union1d(self.items, items)

    def merge(self, other: Counts) -> None:
        """Adds what was counted elsewhere."""
        for name in ("drawn", "shown", "evaluated", "labelled", "given_up", "kept"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in ("pairs", "users", "items"):
            setattr(self, name, np.union1d(getattr(self, name), getattr(other, name)))


def draw_shard(shard: PairShard, plan: PairPlan, schema: schema_pb2.Schema, catalogue: Catalogue) -> Counts:
    """Puts pairs together, `per_row` for each example of the training file `shard.source`."""
    batch = Reader(schema, {*plan.user, *plan.user_side}).whole(shard.source)
    users = keys(batch, plan.user)
    counts = Counts()
    rng = np.random.default_rng([plan.seed, shard.index])
    rows, items = draw(users, plan.per_row, catalogue, rng, counts)
    sides = encode(batch, plan.user_side)
    operands = {name: values(batch, name) for name in cross.operands_of_users(plan)}

    def records() -> Iterator[bytes]:
        for start in range(0, len(rows), _PAIRS_AT_ONCE):
            mine, theirs = rows[start : start + _PAIRS_AT_ONCE], items[start : start + _PAIRS_AT_ONCE]
            of_users = {name: column[mine] for name, column in operands.items()}
            of_items = {name: column[theirs] for name, column in catalogue.operands.items()}
            crosses = cross.make(plan, of_users, of_items, len(mine), schema)
            # Serialized tf.Examples one after the other are one with the features of all.
            for row, item, last in zip(mine.tolist(), theirs.tolist(), crosses, strict=True):
                yield sides[row] + catalogue.item_records[item] + last

    write(shard.path, records())
    counts.keep(users[rows], catalogue.item_keys[items])
    return counts


def draw(
    users: Keys, per_row: int, catalogue: Catalogue, rng: np.random.Generator, counts: Counts
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Draws `per_row` items for each row of `users`, and draws again for pairs that were shown.

    Returns:
      The rows, in ascending order, and for each the training example whose item it gets.
    """
    rows = np.repeat(np.arange(len(users)), per_row)
    items = catalogue.draw(len(rows), rng)
    pending = np.arange(len(rows))
    for round_ in range(_ROUNDS):
        if round_:
            items[pending] = catalogue.draw(len(pending), rng)
        pairs = pair_keys(users[rows[pending]], catalogue.item_keys[items[pending]])
        shown, evaluated = catalogue.was_shown(pairs), catalogue.is_evaluated(pairs)
        counts.drawn += len(pending)
        counts.shown += int(shown.sum())
        counts.evaluated += int((evaluated & ~shown).sum())
        pending = pending[shown | evaluated]
        if not len(pending):
            break
    counts.given_up += len(pending)
    kept = np.ones(len(rows), np.bool_)
    kept[pending] = False
    return rows[kept], items[kept]


def read_shard(shard: PairShard, plan: PairPlan, schema: schema_pb2.Schema, catalogue: Catalogue) -> Counts:
    """Copies the candidates of the file `shard.source` that may be used, as they are."""
    counts = Counts()
    reader = Reader(schema, {*plan.user, *plan.item, *plan.labels})

    def records() -> Iterator[bytes]:
        for serialized, batch in reader.batches(shard.source):
            users, items = keys(batch, plan.user), keys(batch, plan.item)
            pairs = pair_keys(users, items)
            shown, evaluated = catalogue.was_shown(pairs), catalogue.is_evaluated(pairs)
            labelled = np.any([present(batch, label) for label in plan.labels], axis=0)
            kept = ~(shown | evaluated | labelled)
            counts.drawn += len(pairs)
            counts.shown += int(shown.sum())
            counts.evaluated += int((evaluated & ~shown).sum())
            counts.labelled += int((labelled & ~shown & ~evaluated).sum())
            counts.keep(users[kept], items[kept])
            yield from (record for record, good in zip(serialized, kept.tolist(), strict=True) if good)

    write(shard.path, records())
    return counts
