"""Columns of tables as columns of tf.Example: lists of int64, float32 or bytes, in whole arrays.

A value that is missing becomes an absent feature.  Points in time become whole seconds since
1970 in UTC, true and false 1 and 0.  What would lose something on the way is an error.
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from records.tf_example import FLOAT, INT, STRING
from schema.errors import InputError

ARROW_TYPES = {INT: pa.int64(), FLOAT: pa.float32(), STRING: pa.large_binary()}
_SCHEMA_NAMES = {INT: "INT", FLOAT: "FLOAT", STRING: "BYTES"}


def natural_kind(kind: pa.DataType) -> str | None:
    """What a column of this type becomes where no schema says it; None for what tf.Example has no place for."""
    if pa.types.is_dictionary(kind):
        return natural_kind(kind.value_type)
    if _is_list(kind):
        return None if _is_list(kind.value_type) else natural_kind(kind.value_type)
    for is_of, name in _KINDS:
        if is_of(kind):
            return name
    return None


def example_column(name: str, values: pa.Array, kind: str) -> pa.LargeListArray:
    """One column as tf.Example's encoder takes it.

    Args:
      name: The column, for messages.
      values: [rows], of numbers, text, times, truth values, categories, or lists of them.
      kind: `int`, `float` or `string`.

    Returns:
      [rows], a list of values in each; null where there is none.

    Raises:
      InputError: The values are not of that kind, and cannot become so without a loss.
    """
    values = _plain(values)
    if _is_list(values.type):
        lengths = pc.fill_null(pc.list_value_length(values), 0)
        flat = _plain(values.flatten())
        if flat.null_count:
            raise InputError(f"column {name!r}: expected whole lists, found a null in one. Leave such values out.")
    else:
        values = _without_nan(values)
        lengths, flat = values.is_valid().cast(pa.int64()), values.drop_null()
    offsets = pa.concat_arrays([pa.array([0], pa.int64()), pc.cumulative_sum(lengths.cast(pa.int64()))])
    return pa.LargeListArray.from_arrays(offsets, _converted(name, flat, kind), mask=values.is_null())


def example_batch(table: pa.RecordBatch, kinds: Mapping[str, str]) -> pa.RecordBatch:
    """The columns of `kinds` that a table has, as tf.Example's encoder takes them.

    Raises:
      InputError: A column is not what it should be.
    """
    names = [name for name in kinds if name in table.schema.names]
    return pa.RecordBatch.from_arrays([example_column(name, table.column(name), kinds[name]) for name in names], names)


def _plain(values: pa.Array) -> pa.Array:
    """Without dictionaries, extensions and fixed sizes."""
    if isinstance(values, pa.ExtensionArray):
        values = values.storage
    if pa.types.is_dictionary(values.type):
        return values.dictionary_decode()
    if pa.types.is_fixed_size_list(values.type):
        return values.cast(pa.large_list(values.type.value_type))
    return values


def _without_nan(values: pa.Array) -> pa.Array:
    """Pandas writes NaN for what is not there."""
    if not pa.types.is_floating(values.type):
        return values
    return pc.if_else(pc.is_nan(values), pa.scalar(None, values.type), values)


def _converted(name: str, flat: pa.Array, kind: str) -> pa.Array:
    if pa.types.is_null(flat.type):
        return pa.array([], ARROW_TYPES[kind])
    if _is_list(flat.type) or natural_kind(flat.type) is None:
        raise InputError(
            f"column {name!r}: expected numbers, text, times or lists of them, found {flat.type}. Write what is inside "
            "of it as columns of its own."
        )
    try:
        return _cast(flat, kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise InputError(
            f"column {name!r}: expected {_SCHEMA_NAMES[kind]}, as schema.pbtxt says, found {flat.type}: "
            f"{_sentence(error)}. Mend the data, or the type in the schema."
        ) from error


def _cast(flat: pa.Array, kind: str) -> pa.Array:
    if pa.types.is_date(flat.type):
        flat = flat.cast(pa.timestamp("s"))
    if pa.types.is_timestamp(flat.type):
        return _of_times(flat, kind)
    if pa.types.is_boolean(flat.type):
        flat = flat.cast(pa.int8())
    if kind == STRING:
        return _text(flat)
    if kind == INT and pa.types.is_decimal(flat.type):
        return flat.cast(pa.decimal128(38, 0)).cast(pa.int64())
    return flat.cast(ARROW_TYPES[kind], safe=kind == INT)


def _of_times(flat: pa.Array, kind: str) -> pa.Array:
    seconds = flat.cast(pa.timestamp("s", flat.type.tz), safe=False)
    if kind == INT:
        return seconds.cast(pa.int64())
    if kind == STRING:
        return pc.strftime(seconds, "%Y-%m-%dT%H:%M:%S").cast(pa.large_binary())
    raise pa.ArrowInvalid("float32 does not tell two seconds apart since 1970; write INT")


def _text(flat: pa.Array) -> pa.Array:
    if pa.types.is_floating(flat.type):
        flat = flat.cast(pa.int64())  # Ids that some tool made floats; others have no one form as text.
    if not (pa.types.is_binary(flat.type) or pa.types.is_large_binary(flat.type)):
        flat = flat.cast(pa.large_string())
    return flat.cast(pa.large_binary())


def _sentence(error: pa.ArrowException) -> str:
    return str(error).strip().rstrip(".").splitlines()[0]


def _is_list(kind: pa.DataType) -> bool:
    return pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)


_KINDS = (
    (pa.types.is_boolean, INT),
    (pa.types.is_integer, INT),
    (pa.types.is_timestamp, INT),
    (pa.types.is_date, INT),
    (pa.types.is_null, INT),
    (pa.types.is_floating, FLOAT),
    (pa.types.is_decimal, FLOAT),
    (pa.types.is_string, STRING),
    (pa.types.is_large_string, STRING),
    (pa.types.is_string_view, STRING),
    (pa.types.is_binary, STRING),
    (pa.types.is_large_binary, STRING),
    (pa.types.is_fixed_size_binary, STRING),
)
