"""Logs in any format that examples may have, added up while they are read, so that no row is held.

A log is what a product writes down of its people: rows of a unit and a time, with numbers that
add up.  Parquet, CSV and TFRecords are read as examples are, and Arrow groups them in C++.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from records.table_files import DataFile, Format, splits_of
from records.tables import Columns, lists, schema_of, tables
from records.tf_example import FLOAT, STRING
from schema.checks import nearest
from schema.errors import InputError

# No column of a log is called so.
ROWS = "#rows"
# Groups that are held before they are added up once more.
_HELD = 2_000_000
_EIGHT_DIGITS = (19_000_101, 99_991_231)
_SECONDS_OF_DAY = 86_400


@dataclass(frozen=True)
class LogColumns:
    """The columns that are read of a log, by what is done with them.

    Attributes:
      texts: Read as text; rows are grouped by them.
      days: Read as days; rows are grouped by them.
      flags: Read as true or false, numbers above 0 being true; rows are grouped by them.
      sums: Numbers that are added up.
      constants: Numbers of a group that are the same in all its rows.
    """

    texts: tuple[str, ...]
    days: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    sums: tuple[str, ...] = ()
    constants: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in (*self.sums, *self.constants):
            if name in self.keys:
                raise InputError(
                    f"the column {name!r}: expected one meaning, found that it is to be a number and a name"
                )

    @property
    def names(self) -> tuple[str, ...]:
        """All of them, each once."""
        return tuple(dict.fromkeys([*self.keys, *self.sums, *self.constants]))

    @property
    def keys(self) -> tuple[str, ...]:
        """Those by which rows are grouped."""
        return tuple(dict.fromkeys([*self.texts, *self.days, *self.flags]))


@dataclass
class Log:
    """A log, added up.

    Attributes:
      groups: A row per combination of the keys: texts and days (date32) with nulls where they were absent,
        flags as booleans, sums as float64 under their names, of constants the least and the greatest
        value as `NAME_min` and `NAME_max`, and under `ROWS` how many rows were added up.
      rows: How many rows were read.
    """

    groups: pa.Table
    rows: int = field(default=0)


def read_log(places: Sequence[str | Path], columns: LogColumns) -> Log:
    """Reads files and folders of logs.

    Args:
      places: Files, folders (with partitions or without), or URIs of buckets.
      columns: What is read of them.

    Raises:
      InputError: A file cannot be read or lacks a column, a column is not what it should be, or
        there is no row at all.
    """
    held: list[pa.Table] = []
    rows = 0
    for file in _files(places):
        for batch in _batches(file, columns):
            rows += batch.num_rows
            held.append(_added_up(pa.Table.from_batches([batch]), columns, first=True))
            if sum(each.num_rows for each in held) > _HELD:
                held = [_added_up(pa.concat_tables(held), columns, first=False)]
    if not rows:
        raise InputError(f"{', '.join(map(str, places))}: expected logs, found files without a single row")
    return Log(_added_up(pa.concat_tables(held), columns, first=False), rows)


def numbers_in(places: Sequence[str | Path]) -> list[str]:
    """The columns of numbers of the first file, in its order: what may be meant where no column was named."""
    file = next(iter(_files(places)))
    if file.format is Format.TFRECORDS:
        schema = next((batch.schema for batch in lists(file)), pa.schema([]))
    else:
        schema = schema_of(file)
    return [each.name for each in schema if _is_number(each.type)]


def _is_number(kind: pa.DataType) -> bool:
    while pa.types.is_list(kind) or pa.types.is_large_list(kind):
        kind = kind.value_type
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind))


def _files(places: Sequence[str | Path]) -> Iterator[DataFile]:
    for place in places:
        for files in splits_of(place).values():
            yield from files


def _batches(file: DataFile, columns: LogColumns) -> Iterator[pa.RecordBatch]:
    seen: dict[str, None] = {}
    for batch in _read(file, columns):
        seen |= dict.fromkeys(batch.schema.names)
        yield pa.RecordBatch.from_arrays(
            [_column(file, name, _found(batch, name), columns) for name in columns.names], list(columns.names)
        )
    if seen:
        _expect_columns(file, columns, [*seen])


def _found(batch: pa.RecordBatch, name: str) -> pa.Array:
    """A column; in TFRecords one may be absent from all rows of a batch."""
    return batch.column(name) if name in batch.schema.names else pa.nulls(batch.num_rows)


def _read(file: DataFile, columns: LogColumns) -> Iterable[pa.RecordBatch]:
    if file.format is Format.TFRECORDS:
        return lists(file)
    if names := schema_of(file).names:
        _expect_columns(file, columns, names)
    numbers = {*columns.sums, *columns.constants, *columns.flags}
    return tables(file, Columns({name: FLOAT if name in numbers else STRING for name in columns.names}))


def _expect_columns(file: DataFile, columns: LogColumns, names: Sequence[str]) -> None:
    for name in columns.names:
        if name not in names:
            raise InputError(f"{file.path}: expected the column {name!r}, found no such column{nearest(name, names)}")


def _column(file: DataFile, name: str, values: pa.Array, columns: LogColumns) -> pa.Array:
    try:
        values = _scalars(values)
        if name in columns.days:
            return _days(values)
        if name in columns.texts:
            return _text(values)
        numbers = _numbers(values)
    except (pa.ArrowException, ValueError) as error:
        wanted = "days" if name in columns.days else "text or whole numbers" if name in columns.texts else "numbers"
        raise InputError(
            f"{file.path}: column {name!r}: expected {wanted}, found {values.type}: {str(error).splitlines()[0]}"
        ) from error
    return pc.fill_null(pc.greater(numbers, 0.0), False) if name in columns.flags else numbers


def _scalars(values: pa.Array) -> pa.Array:
    """One value a row, null where there is none."""
    if isinstance(values, pa.ExtensionArray):
        values = values.storage
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if not (pa.types.is_list(values.type) or pa.types.is_large_list(values.type)):
        return values
    lengths = pc.fill_null(pc.list_value_length(values), 0)
    if pc.max(lengths).as_py() not in (None, 0, 1):
        raise ValueError("there are several values in a row")
    there = pc.equal(lengths, 1)
    places = pc.subtract(pc.cumulative_sum(lengths.cast(pa.int64())), 1)
    return values.flatten().take(pc.if_else(there, places, pa.scalar(None, pa.int64())))


def _text(values: pa.Array) -> pa.Array:
    if pa.types.is_floating(values.type):
        values = values.cast(pa.int64())  # Ids that some tool made floats; others have no one form as text.
    return values.cast(pa.large_string())


def _numbers(values: pa.Array) -> pa.Array:
    """Float64, null where there is none; pandas writes NaN for that."""
    if pa.types.is_boolean(values.type):
        values = values.cast(pa.int8())
    numbers = values.cast(pa.float64())
    if pc.any(pc.is_inf(numbers)).as_py():
        raise ValueError("a number is infinite")
    return pc.if_else(pc.is_nan(numbers), pa.scalar(None, pa.float64()), numbers)


def _days(values: pa.Array) -> pa.Array:
    """Date32 of dates, times, ISO text, numbers of eight digits (20260131), or seconds since 1970."""
    if pa.types.is_integer(values.type):
        low, high = _EIGHT_DIGITS
        written = pc.all(pc.and_(pc.greater_equal(values, low), pc.less_equal(values, high))).as_py()
        if not written:
            return (
                pc.floor(pc.divide(values.cast(pa.float64()), float(_SECONDS_OF_DAY)))
                .cast(pa.int32())
                .cast(pa.date32())
            )
        values = values.cast(pa.string())
    if pa.types.is_binary(values.type) or pa.types.is_large_binary(values.type):
        values = values.cast(pa.large_string())
    if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        return pc.replace_substring_regex(values, r"^(\d{4})-?(\d\d)-?(\d\d).*$", r"\1-\2-\3").cast(pa.date32())
    return values.cast(pa.timestamp("s", getattr(values.type, "tz", None)), safe=False).cast(pa.date32(), safe=False)


def _added_up(table: pa.Table, columns: LogColumns, *, first: bool) -> pa.Table:
    keys = list(columns.keys)
    ends = {f"{name}_{end}": (name if first else f"{name}_{end}", end) for name in columns.constants for end in _ENDS}
    if first:
        table = table.append_column(ROWS, pa.array([1] * table.num_rows, pa.int64()))
    wanted: Mapping[str, tuple[str, str]] = {
        **{name: (name, "sum") for name in dict.fromkeys([*columns.sums, ROWS])},
        **ends,
    }
    grouped = table.group_by(keys, use_threads=False).aggregate(
        [
            (source, how, pc.ScalarAggregateOptions(min_count=0 if how == "sum" else 1))
            for source, how in wanted.values()
        ]
    )
    made = {name: grouped.column(f"{source}_{how}") for name, (source, how) in wanted.items()}
    return pa.table({**{key: grouped.column(key) for key in keys}, **made})


_ENDS = ("min", "max")
