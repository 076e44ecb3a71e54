"""Makes or reads the unlabelled pairs of one output file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from tensorflow_metadata.proto.v0 import schema_pb2

from components.candidate_sampler import cross
from components.candidate_sampler.catalogue import CatalogueFile, read_people
from components.candidate_sampler.entries import Entries, entries_of
from components.candidate_sampler.records import Keys, Reader, keys, pair_keys, present, write
from components.candidate_sampler.stock import Stock, is_among
from schema.pairs import PairPlan

# A user who has seen nearly everything: after so many rounds the place stays empty.
_ROUNDS = 20
_PAIRS_AT_ONCE = 50_000  # bounds the memory of serialized records


@dataclass(frozen=True)
class PairShard:
    """One output file: what it is made of, and its number, which seeds its draws.

    Attributes:
      source: A file of training examples, of a catalogue of people, or of candidates.
      path: The file to write.
      index: Its number over all of them.
      people: The same file as one of a catalogue; None if it is none.
    """

    source: str
    path: str
    index: int
    people: CatalogueFile | None = None


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


def draw_shard(shard: PairShard, plan: PairPlan, schema: schema_pb2.Schema, stock: Stock) -> Counts:
    """Puts pairs together, `per_row` for each training example, or person without one, of the file `shard.source`."""
    counts = Counts()
    rng = np.random.default_rng([plan.seed, shard.index])
    users = _users(shard, plan, schema, stock)
    rows, items = draw(users.keys, plan.per_row, stock, rng, counts)
    parts = [(users, rows), (stock.items, items)]
    if shard.people is not None and stock.contexts is not None:
        parts.append((stock.contexts, rng.integers(len(stock.contexts), size=len(rows))))
    write(shard.path, _records(parts, plan, schema))
    counts.keep(users.keys[rows], stock.items.keys[items])
    return counts


def _users(shard: PairShard, plan: PairPlan, schema: schema_pb2.Schema, stock: Stock) -> Entries:
    """The users of training examples with these examples' contexts; of a catalogue the people without any."""
    if shard.people is not None:
        people = read_people(shard.people, plan, schema)
        return people.where(~is_among(stock.users, people.keys))
    sides = (*plan.user_side, *plan.context_side)
    batch = Reader(schema, {*plan.user, *sides}).whole(shard.source)
    return entries_of(batch, plan.user, sides, cross.operands(plan))


def _records(
    parts: Sequence[tuple[Entries, NDArray[np.int64]]], plan: PairPlan, schema: schema_pb2.Schema
) -> Iterator[bytes]:
    """Pairs, of rows of each part that belong together."""
    count = len(parts[0][1])
    for start in range(0, count, _PAIRS_AT_ONCE):
        some = [(entries, rows[start : start + _PAIRS_AT_ONCE]) for entries, rows in parts]
        sides = {name: column[rows] for entries, rows in some for name, column in entries.operands.items()}
        crosses = cross.make(plan, sides, len(some[0][1]), schema)
        columns = [[entries.records[row] for row in rows.tolist()] for entries, rows in some]
        # Serialized tf.Examples one after the other are one with the features of all.
        yield from map(b"".join, zip(*columns, crosses, strict=True))


def draw(
    users: Keys, per_row: int, stock: Stock, rng: np.random.Generator, counts: Counts
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Draws `per_row` items for each row of `users`, and draws again for pairs that were shown.

    Returns:
      The rows, in ascending order, and for each the row of `stock.items` that it gets.
    """
    rows = np.repeat(np.arange(len(users)), per_row)
    items = stock.draw(len(rows), rng)
    pending = np.arange(len(rows))
    for round_ in range(_ROUNDS):
        if round_:
            items[pending] = stock.draw(len(pending), rng)
        pairs = pair_keys(users[rows[pending]], stock.items.keys[items[pending]])
        shown, evaluated = stock.was_shown(pairs), stock.is_evaluated(pairs)
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


def read_shard(shard: PairShard, plan: PairPlan, schema: schema_pb2.Schema, stock: Stock) -> Counts:
    """Copies the candidates of the file `shard.source` that may be used, as they are."""
    counts = Counts()
    reader = Reader(schema, {*plan.user, *plan.item, *plan.labels})

    def records() -> Iterator[bytes]:
        for serialized, batch in reader.batches(shard.source):
            users, items = keys(batch, plan.user), keys(batch, plan.item)
            pairs = pair_keys(users, items)
            shown, evaluated = stock.was_shown(pairs), stock.is_evaluated(pairs)
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
