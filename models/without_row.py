"""People and items without a training row: among evaluation rows, held-out rows, and pairs never shown.

On a low-traffic product most people are such.  What a student says of them it has from their
other columns, or, where pairs were drawn for them, from the teacher.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_transform as tft
from numpy.typing import NDArray

from contracts.held_out import HeldOutRows
from models import inputs
from schema.errors import InputError
from schema.pairs import identity
from schema.surface import Side, Surface

_Columns = Mapping[str, NDArray[Any]]
_Slices = Mapping[str, NDArray[np.bool_]]


def title(side: Side) -> str:
    """The name of the slice."""
    return f"{side.value} without a training row"


def id_columns(surface: Surface, known: Mapping[str, Any]) -> dict[Side, tuple[str, ...]]:
    """What identifies users and items, of each side where it is clear: columns of one value each.

    Args:
      surface: The surface.
      known: The columns that there are.
    """
    found = {}
    for side in (Side.USER, Side.ITEM):
        try:
            columns = identity(surface, side)
        except InputError:  # a surface without ids, or with several, has no such slice
            continue
        features = [surface.features[name] for name in columns if name in surface.features]
        if set(columns) <= set(known) and not any(each.listed or each.size > 1 for each in features):
            found[side] = columns
    return found


def raw_training_ids(
    folders: Sequence[str], transform: tft.TFTransformOutput, columns: Sequence[str]
) -> dict[str, NDArray[Any]]:
    """The raw ids of the training split, as it was before Transform."""
    schema = transform.raw_metadata.schema
    parts = [inputs.raw_columns(Path(folder), schema, columns) for folder in folders]
    return {name: np.concatenate([part[name] for part in parts]) for name in columns}


def slices(
    sides: Mapping[Side, Sequence[str]], training: _Columns, evaluation: _Columns
) -> dict[str, NDArray[np.bool_]]:
    """Which evaluation rows are of users, and which of items, that no training row is of; by the slice's name.

    Args:
      sides: The columns that identify each side.
      training: Their raw values in the training split.
      evaluation: Their raw values in the evaluation split.
    """
    return {title(side): ~_known(columns, training, evaluation) for side, columns in sides.items()}


def held_out_slices(
    surface: Surface, training: _Columns, fitted: NDArray[np.int64], held_out: NDArray[np.int64]
) -> dict[str, NDArray[np.bool_]]:
    """Which held-out rows are of users, and which of items, that no fitted row is of; by the name of the slice.

    Args:
      surface: The surface.
      training: The training split, with ids as the student reads them.
      fitted: The rows that models are fitted to.
      held_out: The rows that epochs and settings are chosen by.
    """
    sides = id_columns(surface, training)
    ids = {name: training[name].reshape(-1) for columns in sides.values() for name in columns}
    parts = [{name: column[rows] for name, column in ids.items()} for rows in (fitted, held_out)]
    return slices(sides, *parts)


def compared(surface: Surface, chosen_by: _Slices, judged_by: _Slices) -> list[HeldOutRows]:
    """How new users and items are to the rows that choose and to those that judge, where both are known.

    Args:
      surface: Says which rows are held out.
      chosen_by: Which held-out rows are of users, and of items, without a fitted row; by the name of the slice.
      judged_by: Which evaluation rows are of such without a training row, likewise.
    """
    return [
        HeldOutRows(
            slice=name,
            held_out=float(chosen_by[name].mean()),
            evaluation=float(judged_by[name].mean()),
            last=surface.training.hold_out == "last",
        )
        for name in map(title, (Side.USER, Side.ITEM))
        if name in chosen_by and name in judged_by
    ]


def compared_as_read(
    surface: Surface,
    training: _Columns,
    parts: tuple[NDArray[np.int64], NDArray[np.int64]],
    evaluation: _Columns,
    known: Mapping[str, int],
) -> list[HeldOutRows]:
    """The same of rows after Transform, by ids as the student reads them.

    Ids that share a hashed row of an embedding are one.  One that Transform does not know, new or too rare for a row
    of its own, is new to the student wherever it stands.

    Args:
      surface: The surface.
      training: The training split.
      parts: The rows of it that models are fitted to, and those that choose.
      evaluation: The evaluation split.
      known: How many values have a row of their own, the first ones, by feature; see `models.vocabulary`.
    """
    sides = id_columns(surface, training)
    chosen_by = held_out_slices(surface, training, *parts)
    flat = {name: evaluation[name].reshape(-1) for columns in sides.values() for name in columns}
    judged_by = slices(sides, {name: training[name].reshape(-1) for name in flat}, flat)
    for side, columns in sides.items():
        for name in (each for each in columns if each in known):
            chosen_by[title(side)] |= training[name].reshape(-1)[parts[1]] >= known[name]
            judged_by[title(side)] |= flat[name] >= known[name]
    return compared(surface, chosen_by, judged_by)


def mean_of(found: Sequence[Sequence[HeldOutRows]]) -> list[HeldOutRows]:
    """Means over several trainings' data, of what is known of each of them."""
    by_slice = [{each.slice: each for each in of} for of in found]
    names = [name for name in by_slice[0] if all(name in each for each in by_slice)] if by_slice else []
    return [
        HeldOutRows(
            slice=name,
            held_out=float(np.mean([each[name].held_out for each in by_slice])),
            evaluation=float(np.mean([each[name].evaluation for each in by_slice])),
            last=by_slice[0][name].last,
        )
        for name in names
    ]


def with_row(surface: Surface, training: _Columns, pairs: _Columns) -> NDArray[np.bool_]:
    """Which pairs are of a user and an item that have a training row each.

    Beam does not keep the order of rows, so that this is told by the ids as the student reads
    them: ids that share a row of an embedding (`hash:`, or out of vocabulary) are one.

    Raises:
      InputError: What identifies users or items is no feature.
    """
    kept = np.ones(len(next(iter(pairs.values()))), bool)
    for side in (Side.USER, Side.ITEM):
        columns = identity(surface, side)
        missing = sorted(set(columns) - set(pairs))
        if missing:
            raise InputError(
                f"unlabelled.catalogue: expected features that identify a {side.value}, by which pairs of people and "
                f"items without a training row are told apart; {missing[0]!r} is none. Make a run without catalogues"
            )
        kept &= _known(columns, training, pairs)
    return kept


def _known(columns: Sequence[str], training: _Columns, rows: _Columns) -> NDArray[np.bool_]:
    """Which rows have values of these columns that a training row has too."""
    if len(columns) == 1 and training[columns[0]].dtype != object:  # NumPy compares objects one by one
        return np.isin(rows[columns[0]], training[columns[0]])
    there = len(training[columns[0]])
    codes = np.zeros(there + len(rows[columns[0]]), np.int64)
    for name in columns:
        values, found = np.unique(np.concatenate([training[name], rows[name]]), return_inverse=True)
        # Whole numbers from 0 on after each column, so that those of many columns do not overflow.
        codes = np.unique(codes * len(values) + found, return_inverse=True)[1]
    return np.isin(codes[there:], codes[:there])
