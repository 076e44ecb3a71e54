"""Columns out of serialized tf.Examples and back, whole batches at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx_bsl.coders import example_coder

from records.record_files import records_of, write_records
from schema.errors import InputError

_BATCH = 8192
_COMPRESSION_LEVEL = 1  # the fastest that compresses
_FACTOR = np.uint64(0x9E3779B97F4A7C15)  # 2^64 divided by the golden ratio: odd, with its bits well mixed

Keys = NDArray[np.uint64]


class Reader:
    """Reads some columns of gzipped TFRecords of tf.Example."""

    def __init__(self, schema: schema_pb2.Schema, columns: Iterable[str]) -> None:
        wanted = set(columns)
        kept = schema_pb2.Schema(feature=[each for each in schema.feature if each.name in wanted])
        self._decoder = example_coder.ExamplesToRecordBatchDecoder(kept.SerializeToString())

    def batches(self, path: str) -> Iterator[tuple[list[bytes], pa.RecordBatch]]:
        """The file's records with their columns, batch by batch.

        Raises:
          InputError: The file is not whole, holds no tf.Examples, or a column has another type.
        """
        with _naming(path):
            for records in records_of(path).batch(_BATCH).as_numpy_iterator():
                found = records.tolist()
                yield found, self._decoder.DecodeBatch(found)

    def decode(self, records: Sequence[bytes], where: str) -> pa.RecordBatch:
        """The columns of records that were read before.

        Raises:
          InputError: They are no tf.Examples, or a column has another type.
        """
        with _naming(where):
            return self._decoder.DecodeBatch(list(records))

    def whole(self, path: str) -> pa.RecordBatch:
        """The columns of all of the file's records; no rows for an empty file."""
        batches = [batch for _, batch in self.batches(path)]
        if not batches:
            return self._decoder.DecodeBatch([])
        return pa.Table.from_batches(batches).combine_chunks().to_batches()[0]


@contextmanager
def _naming(where: str) -> Iterator[None]:
    try:
        yield
    except (tf.errors.OpError, RuntimeError, ValueError) as error:
        raise InputError(
            f"{where}: expected gzipped TFRecords of tf.Example whose columns are as schema.pbtxt says: {error}"
        ) from error


def write(path: str, records: Iterable[bytes]) -> None:
    """Writes gzipped TFRecords."""
    write_records(path, records, _COMPRESSION_LEVEL)


def encode(batch: pa.RecordBatch, columns: Sequence[str]) -> list[bytes]:
    """One serialized tf.Example a row with these columns, where the row has them.

    The encoder writes an absent feature as an empty one, which readers take for a value of
    another size; columns with absent values are therefore encoded alone and left out by row.
    """
    there = {name: present(batch, name) for name in columns}
    whole = [name for name in columns if there[name].all()]
    records = _encode(batch.select(whole)) if whole else [b""] * batch.num_rows
    for name in columns:
        if name not in whole:
            parts = _encode(batch.select([name]))
            records = [
                record + part if known else record
                for record, part, known in zip(records, parts, there[name].tolist(), strict=True)
            ]
    return records


def _encode(batch: pa.RecordBatch) -> list[bytes]:
    return example_coder.RecordBatchToExamples(batch)


def present(batch: pa.RecordBatch, name: str) -> NDArray[np.bool_]:
    """Which rows have at least one value of the column."""
    return counts(batch, name) > 0


def counts(batch: pa.RecordBatch, name: str) -> NDArray[np.int64]:
    """How many values of the column each row has."""
    column = batch.column(name)
    if pa.types.is_null(column.type):
        return np.zeros(batch.num_rows, np.int64)
    lengths = column.value_lengths().fill_null(0)
    return lengths.to_numpy(zero_copy_only=False).astype(np.int64)


def values(batch: pa.RecordBatch, name: str) -> NDArray[Any]:
    """A column that every row has, [rows] or [rows, size].

    Raises:
      InputError: A row lacks it, or has another number of values.
    """
    column = batch.column(name)
    found = np.unique(counts(batch, name))
    if len(found) > 1 or (len(found) == 1 and found[0] == 0):
        raise InputError(
            f"column {name!r}: expected the same number of values in every example, found {found.tolist()}"
        )
    if not batch.num_rows:
        return np.empty((0,))
    flat = column.flatten().to_numpy(zero_copy_only=False)
    return flat if found[0] == 1 else flat.reshape(batch.num_rows, int(found[0]))


def keys(batch: pa.RecordBatch, columns: Sequence[str]) -> Keys:
    """A 64-bit hash of each row's values of these columns; equal values have equal keys."""
    total = np.zeros(batch.num_rows, np.uint64)
    for name in columns:
        total = total * _FACTOR + pd.util.hash_array(values(batch, name))
    return total


def pair_keys(users: Keys, items: Keys) -> Keys:
    """A key of each pair.  Should two pairs have the same one, a pair too many is rejected, never one too few."""
    return users * _FACTOR + items
