"""Catalogues: folders of people and of items, with or without a training row."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from tensorflow_metadata.proto.v0 import schema_pb2

from components.candidate_sampler import cross
from components.candidate_sampler.entries import Entries, entries_of
from components.candidate_sampler.records import Keys, Reader, counts, keys
from components.candidate_sampler.sides import is_new
from schema.candidates import ITEMS, PEOPLE
from schema.errors import InputError
from schema.pairs import PairPlan, catalogue_columns


@dataclass(frozen=True)
class CatalogueFile:
    """One file of a catalogue.

    Attributes:
      of: `people` or `items`.
      folder: The catalogue as the user gave it, for messages.
      path: The file.
      index: Its number over all files of catalogues.
    """

    of: str
    folder: str
    path: str
    index: int


@dataclass(frozen=True)
class Listed:
    """What one file adds.

    Attributes:
      source: The file.
      keys: Whom or what it lists.
      entries: Of items their side; of people none, who are read again where pairs are drawn for them.
      new: Whether each item is new, if that decides.
    """

    source: CatalogueFile
    keys: Keys
    entries: Entries | None = None
    new: NDArray[np.bool_] | None = None


def expect_side(batch: pa.RecordBatch, which: str, plan: PairPlan, schema: schema_pb2.Schema, where: str) -> None:
    """Checks that rows of a catalogue have what every example has of their side.

    Raises:
      InputError: A column is absent from some row, or from all, or has another number of values.
    """
    sizes = {each.name: math.prod(d.size for d in each.shape.dim) for each in schema.feature if each.HasField("shape")}
    identity = plan.user if which == PEOPLE else plan.item
    for name in (each for each in catalogue_columns(plan, which) if each in sizes):
        found = counts(batch, name)
        wrong = found[found != sizes[name]]
        if len(wrong):
            what = "identifies them" if name in identity else "every example has"
            raise InputError(
                f"--{which} {where}: expected the column {name!r}, which {what}, with {sizes[name]} "
                f"value{'' if sizes[name] == 1 else 's'} in every row; {len(wrong):,} of {batch.num_rows:,} rows have "
                f"{'none' if not wrong[0] else wrong[0]}"
            )


def read_people(source: CatalogueFile, plan: PairPlan, schema: schema_pb2.Schema) -> Entries:
    """The people of one file.

    Raises:
      InputError: It cannot be read, or a column is not as the plan needs it.
    """
    return entries_of(_batch(source, plan, schema), plan.user, plan.user_side, cross.operands(plan))


def read_listed(source: CatalogueFile, plan: PairPlan, schema: schema_pb2.Schema) -> Listed:
    """What one file adds to what pairs are drawn from.

    Raises:
      InputError: It cannot be read, or a column is not as the plan needs it.
    """
    batch = _batch(source, plan, schema)
    if source.of == PEOPLE:
        return Listed(source, keys(batch, plan.user))
    items = entries_of(batch, plan.item, plan.item_side, cross.operands(plan))
    return Listed(source, items.keys, items, is_new(batch, plan))


def _batch(source: CatalogueFile, plan: PairPlan, schema: schema_pb2.Schema) -> pa.RecordBatch:
    batch = Reader(schema, catalogue_columns(plan, source.of)).whole(source.path)
    expect_side(batch, source.of, plan, schema, source.folder)
    return batch


@dataclass(frozen=True)
class Catalogue:
    """All files of one catalogue.

    Attributes:
      folder: The catalogue as the user gave it.
      keys: Whom or what it lists, each once, in the order of the files.
      with_row: Which of them have a training row.
    """

    folder: str
    keys: Keys
    with_row: NDArray[np.bool_]


def catalogues_of(listed: Sequence[Listed], users: Keys, items: Keys) -> dict[str, Catalogue]:
    """The catalogues that there are, `people` or `items`.

    Args:
      listed: Their files.
      users: The users that have a training row, in ascending order.
      items: The items that have one, likewise.

    Raises:
      InputError: Somebody or something is listed twice, or a catalogue is empty.
    """
    found = {}
    for which, trained in ((PEOPLE, users), (ITEMS, items)):
        parts = [part for part in listed if part.source.of == which]
        if not parts:
            continue
        folder, all_keys = parts[0].source.folder, np.concatenate([part.keys for part in parts])
        if not len(all_keys):
            raise InputError(f"--{which} {folder}: expected {which}, found files without a single row")
        repeated = len(all_keys) - len(np.unique(all_keys))
        if repeated:
            raise InputError(
                f"--{which} {folder}: expected each of the {which} once, since two rows of one may differ; found "
                f"{repeated:,} of {len(all_keys):,} rows that repeat another's id. Keep one row of each."
            )
        found[which] = Catalogue(folder, all_keys, np.isin(all_keys, trained))
    return found
