"""People and items without a training row: as slices of the evaluation split, and among pairs never shown.

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

from models import inputs
from schema.errors import InputError
from schema.pairs import identity
from schema.surface import Side, Surface

_Columns = Mapping[str, NDArray[Any]]


def title(side: Side) -> str:
    """The name of the slice."""
    return f"{side.value} without a training row"


def id_columns(surface: Surface, known: Mapping[str, Any]) -> dict[Side, tuple[str, ...]]:
    """What identifies users and items, of each side where it is clear.

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
        if set(columns) <= set(known):
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
    if len(columns) == 1:
        return np.isin(rows[columns[0]], np.unique(training[columns[0]]))
    known = set(zip(*(training[name].tolist() for name in columns), strict=True))
    return np.array([each in known for each in zip(*(rows[name].tolist() for name in columns), strict=True)], bool)
