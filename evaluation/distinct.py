"""The values of a column, each distinct one once: what is done with values in Python is done for few of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from schema.errors import InputError


@dataclass(frozen=True)
class DistinctValues:
    """What stands in the rows of a column of lists.

    Attributes:
      codes: For each row the place of its value in `values`, shape [rows].
      values: What rows have, hashable: () for nothing, texts for bytes.  Not every one needs to have
        a row, and equal ones may stand there twice.
    """

    codes: NDArray[np.intp]
    values: Sequence[tuple[Any, ...]]


def distinct_values(batch: pa.RecordBatch, name: str) -> DistinctValues:
    """The values of a column.

    Args:
      batch: Parsed examples.
      name: The column; one that is not there has nothing in any row.

    Raises:
      InputError: It holds bytes that are no UTF-8.
    """
    index = batch.schema.get_field_index(name)
    if index < 0 or pa.types.is_null(batch.schema.field(index).type):
        return DistinctValues(np.zeros(batch.num_rows, np.intp), [()])
    column = batch.column(index)
    counts = column.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
    if counts.max(initial=0) > 1:
        return _of_several(name, column)
    found = column.flatten().dictionary_encode(null_encoding="encode")
    codes = np.zeros(batch.num_rows, np.intp)
    codes[counts == 1] = found.indices.to_numpy(zero_copy_only=False) + 1
    return DistinctValues(codes, [(), *((_text(name, value),) for value in found.dictionary.to_pylist())])


def _of_several(name: str, column: pa.Array) -> DistinctValues:
    """Of a column with more than one value in some row, row by row."""
    places: dict[tuple[Any, ...], int] = {}
    rows = (tuple(_text(name, value) for value in row or ()) for row in column.to_pylist())
    codes = [places.setdefault(row, len(places)) for row in rows]
    return DistinctValues(np.asarray(codes, np.intp), [*places])


def _text(name: str, value: Any) -> Any:
    if not isinstance(value, bytes):
        return value
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"slicing feature {name!r}: expected UTF-8 text, found {value[:20]!r}") from error
