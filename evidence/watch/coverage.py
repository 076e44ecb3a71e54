"""How much of what comes the model's vocabularies know: new people and new items come every day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc


def coverage(columns: pa.Table, known: Mapping[str, Sequence[bytes]]) -> dict[str, float]:
    """The share of values that have an embedding of their own.

    Args:
      columns: Raw columns, lists of values.
      known: Values by feature, numbers as text.

    Returns:
      By feature, those with values in these columns.
    """
    found = {}
    for name, values in known.items():
        there = _texts(columns, name)
        if len(there):
            found[name] = float(
                pc.mean(pc.is_in(there, pa.array(values, pa.large_binary())).cast(pa.float64())).as_py()
            )
    return found


def _texts(columns: pa.Table, name: str) -> pa.Array:
    index = columns.schema.get_field_index(name)
    if index < 0 or pa.types.is_null(columns.schema.field(index).type):
        return pa.array([], pa.large_binary())
    values = pc.list_flatten(columns.column(index)).combine_chunks()
    if pa.types.is_integer(values.type):
        values = values.cast(pa.large_string())
    return values.cast(pa.large_binary())
