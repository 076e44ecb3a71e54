"""Reads Parquet, CSV and TFRecords in whole batches: their columns, and each row as a serialized tf.Example.

Parquet and CSV are read by pyarrow and encoded by tfx-bsl, both in C++: no row is touched in Python.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pyarrow import csv
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx_bsl.coders import example_coder

from records.arrow_columns import example_batch, natural_kind
from records.table_files import DataFile, Format
from records.tf_example import FLOAT, INT, STRING
from records.tfrecords import DamagedFileError, read_records
from schema.checks import nearest
from schema.errors import InputError

_ROWS = 16_384
_CSV_BLOCK = 1 << 23
KINDS = {schema_pb2.INT: INT, schema_pb2.FLOAT: FLOAT, schema_pb2.BYTES: STRING}
_TYPES = {kind: of_schema for of_schema, kind in KINDS.items()}


@dataclass(frozen=True)
class Columns:
    """The columns that are read of a table.

    Attributes:
      kinds: `int`, `float` or `string` by column.
      required: Those that every file must have.
    """

    kinds: Mapping[str, str]
    required: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Batch:
    """Some rows of one file.

    Attributes:
      columns: Columns as lists of int64, float32 or bytes, null where a row has none; of TFRecords those
        that were asked for.
      encode: The rows as serialized tf.Examples, all of them or those that a mask [rows] says.
    """

    columns: pa.RecordBatch
    encode: Callable[[NDArray[np.bool_] | None], list[bytes]]


def read(file: DataFile, columns: Columns, looked_at: Mapping[str, str]) -> Iterator[Batch]:
    """The rows of one file, in order.

    Args:
      file: The file.
      columns: What its rows are made of, if they are rows of a table.
      looked_at: Kinds of the columns that a batch must show, of TFRecords, too.

    Raises:
      InputError: The file cannot be read, or lacks a column, or a column is of another kind.
    """
    if file.format is Format.TFRECORDS:
        yield from _records(file, looked_at)
        return
    encoder = example_coder.RecordBatchToExamplesEncoder()
    for table in tables(file, columns):
        batch = _naming(file, partial(example_batch, table, columns.kinds))
        yield Batch(batch, partial(_encode, encoder, batch))


def tables(file: DataFile, columns: Columns | None = None) -> Iterator[pa.RecordBatch]:
    """The rows of a Parquet or CSV file as they are, with the columns that its folders name.

    Args:
      file: The file.
      columns: The columns to read; None for all.

    Raises:
      InputError: The file cannot be read, or lacks a required column.
    """
    reader = _parquet if file.format is Format.PARQUET else _csv
    try:
        for batch in reader(file, columns):
            yield _with_partitions(batch, file, columns)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file.path}: expected a whole {file.format} file: {str(error).splitlines()[0]}") from error


def lists(file: DataFile) -> Iterator[pa.RecordBatch]:
    """The rows of a file of TFRecords, each column a list of values, with the columns that its folders name.

    Raises:
      InputError: The file is damaged, or holds something else.
    """
    decoder = example_coder.ExamplesToRecordBatchDecoder().DecodeBatch
    for batch in _decoded(file, decoder):
        yield _with_partitions(batch.columns, file, None)


def schema_of(file: DataFile) -> pa.Schema:
    """Names and types of a Parquet or CSV file's columns, with those of its folders; CSV's from its first rows."""
    for batch in tables(file):
        return batch.schema
    return pa.schema([])


def unreadable(schema: pa.Schema) -> dict[str, str]:
    """Columns that tf.Example has no place for, with their types."""
    return {each.name: str(each.type) for each in schema if natural_kind(each.type) is None}


def _parquet(file: DataFile, columns: Columns | None) -> Iterator[pa.RecordBatch]:
    with file.system.open_input_file(file.path) as source:
        parquet = pq.ParquetFile(source)
        names = parquet.schema_arrow.names
        _expect_columns(file, columns, names)
        wanted = None if columns is None else [name for name in names if name in columns.kinds]
        yield from parquet.iter_batches(_ROWS, columns=wanted)


def _csv(file: DataFile, columns: Columns | None) -> Iterator[pa.RecordBatch]:
    options = csv.ConvertOptions(strings_can_be_null=True, quoted_strings_can_be_null=False)
    if columns is not None:
        with _open_csv(file, options) as reader:
            guessed = reader.schema
        _expect_columns(file, columns, guessed.names)
        options.include_columns = [name for name in guessed.names if name in columns.kinds]
        options.column_types = {
            name: _csv_type(guessed.field(name).type, columns.kinds[name]) for name in options.include_columns
        }
    with _open_csv(file, options) as reader:
        yield from reader


def _open_csv(file: DataFile, options: csv.ConvertOptions) -> csv.CSVStreamingReader:
    stream = file.system.open_input_stream(file.path, compression="detect")
    return csv.open_csv(stream, csv.ReadOptions(block_size=_CSV_BLOCK), convert_options=options)


def _csv_type(guessed: pa.DataType, kind: str) -> pa.DataType:
    """What a column is read as: its first rows tell times, truth values and ids with a point, the schema all else."""
    if pa.types.is_timestamp(guessed) or pa.types.is_date(guessed) or pa.types.is_boolean(guessed):
        return guessed
    if kind == INT and pa.types.is_floating(guessed):
        return pa.float64()
    return {INT: pa.int64(), FLOAT: pa.float64(), STRING: pa.large_string()}[kind]


def _expect_columns(file: DataFile, columns: Columns | None, names: list[str]) -> None:
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise InputError(f"{file.path}: expected columns of different names, found {doubled[0]!r} more than once")
    for name in sorted(columns.required if columns else ()):
        if name not in names and name not in file.partitions:
            raise InputError(
                f"{file.path}: expected the column {name!r}, which schema.pbtxt says every example has"
                f"{nearest(name, names)}"
            )


def _with_partitions(batch: pa.RecordBatch, file: DataFile, columns: Columns | None) -> pa.RecordBatch:
    for name, value in file.partitions.items():
        if name in batch.schema.names or (columns is not None and name not in columns.kinds):
            continue
        repeated = pa.repeat(_of_folder(value), batch.num_rows)
        batch = pa.RecordBatch.from_arrays([*batch.columns, repeated], [*batch.schema.names, name])
    return batch


def _of_folder(value: str | None) -> pa.Scalar:
    """A folder's value, which is text, as a whole number or a date where it reads as one."""
    text = pa.scalar(value, pa.string())
    for kind in (pa.int64(), pa.date32()):
        try:
            return text.cast(kind)
        except pa.ArrowInvalid:
            continue
    return text


def _encode(
    encoder: example_coder.RecordBatchToExamplesEncoder, batch: pa.RecordBatch, mask: NDArray[np.bool_] | None
) -> list[bytes]:
    rows = batch if mask is None else batch.filter(pa.array(mask))
    return encoder.encode(rows) if rows.num_rows else []


def _records(file: DataFile, looked_at: Mapping[str, str]) -> Iterator[Batch]:
    yield from _decoded(file, _decoder(looked_at))


def _decoded(file: DataFile, decoder: Callable[[list[bytes]], pa.RecordBatch]) -> Iterator[Batch]:
    try:
        with file.system.open_input_stream(file.path, compression=None) as stream:
            for records in read_records(io.BufferedReader(stream), compressed=True, batch_size=_ROWS):
                columns = _naming(file, partial(decoder, records))
                yield Batch(columns, partial(_masked, records))
    except (DamagedFileError, OSError) as error:
        raise InputError(f"{file.path}: expected whole gzipped TFRecords: {error}. Write the file again.") from error


def _decoder(looked_at: Mapping[str, str]) -> Callable[[list[bytes]], pa.RecordBatch]:
    schema = schema_pb2.Schema()
    for name, kind in looked_at.items():
        schema.feature.add(name=name, type=_TYPES[kind])
    if not looked_at:
        return lambda records: pa.RecordBatch.from_arrays([pa.nulls(len(records))], [""])
    return example_coder.ExamplesToRecordBatchDecoder(schema.SerializeToString()).DecodeBatch


def _masked(records: list[bytes], mask: NDArray[np.bool_] | None) -> list[bytes]:
    return records if mask is None else [records[row] for row in np.flatnonzero(mask)]


def _naming(file: DataFile, convert: Callable[[], pa.RecordBatch]) -> pa.RecordBatch:
    try:
        return convert()
    except InputError as error:
        raise InputError(f"{file.path}: {error}") from error
    except ValueError as error:
        raise InputError(f"{file.path}: expected tf.Examples: {error}") from error
