"""One side of some rows: who or what they are of, the columns that a pair takes, and operands of scalar products."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from components.candidate_sampler.records import Keys, encode, keys, values
from schema.candidates import Columns


@dataclass(frozen=True)
class Entries:
    """Users, items or contexts, one a row.

    Attributes:
      keys: The key of each user or item; contexts have none.
      records: The columns that a pair takes, serialized.
      operands: This side of scalar products, float [rows, size] or [rows], by column.
    """

    keys: Keys
    records: list[bytes]
    operands: dict[str, NDArray[Any]]

    def __len__(self) -> int:
        return len(self.records)

    def where(self, mask: NDArray[np.bool_]) -> Entries:
        """The rows that a mask [rows] says."""
        return Entries(
            self.keys[mask],
            [record for record, kept in zip(self.records, mask.tolist(), strict=True) if kept],
            {name: column[mask] for name, column in self.operands.items()},
        )


def entries_of(batch: pa.RecordBatch, identity: Columns, columns: Columns, operands: set[str]) -> Entries:
    """One side of a batch.

    Args:
      batch: Rows.
      identity: The columns that identify a user or an item; none for contexts.
      columns: The columns that a pair takes.
      operands: Operands of scalar products, of any side; those among `columns` are this side's.

    Raises:
      InputError: A row lacks what identifies it, or an operand.
    """
    own = {name: values(batch, name) for name in sorted(operands & set(columns))}
    return Entries(keys(batch, identity), encode(batch, columns), own)


def joined(parts: Sequence[Entries]) -> Entries:
    """All rows of some parts, at least one, in order."""
    return Entries(
        np.concatenate([part.keys for part in parts]),
        [record for part in parts for record in part.records],
        {name: np.concatenate([part.operands[name] for part in parts]) for name in parts[0].operands},
    )
