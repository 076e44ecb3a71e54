"""Batches that know their place, and files of them in the order that was read.

Which worker reads, transforms and writes a batch, and when, is the engine's affair, and so is
what it does again when a worker is lost.  What is trained on must not depend on it: the order
of its rows decides which of them are held out, and which make a batch.  So a batch carries the
file and the row that it came from, workers write what they get into files of their own, and a
file of the results is put together from these parts when all of them are there.
"""

from __future__ import annotations

import io
import uuid
from collections.abc import Iterable, Iterator
from typing import IO, NamedTuple

import apache_beam as beam
import numpy as np
import pyarrow as pa
from apache_beam.pvalue import PCollection
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.windowed_value import WindowedValue
from tfx.dsl.io import fileio

from records.shards import WRITING, naming_file
from records.tfrecords import RecordWriter

PLACE = "crosskd/place"
PLACE_FIELD = pa.field(PLACE, pa.large_list(pa.int64()))
_ROWS_OF_A_FILE = 1 << 40
_COMPRESSION_LEVEL = 1


class Place(NamedTuple):
    """Where a row stood: the number of its file, and of the row in it."""

    file: int
    row: int


class Part(NamedTuple):
    """A batch that was written: the row that it begins with, and where its bytes are."""

    row: int
    path: str
    start: int
    size: int


def with_place(batch: pa.RecordBatch, first: Place) -> pa.RecordBatch:
    """The batch with one more column, of where each row stood: lists of one number, as Transform passes them on."""
    rows = batch.num_rows
    places = np.arange(rows, dtype=np.int64) + (first.file * _ROWS_OF_A_FILE + first.row)
    column = pa.LargeListArray.from_arrays(np.arange(rows + 1, dtype=np.int64), places)
    return pa.RecordBatch.from_arrays([*batch.columns, column], schema=batch.schema.append(PLACE_FIELD))


def without_place(batch: pa.RecordBatch) -> tuple[Place, pa.RecordBatch]:
    """The place of the first row, and the batch without the column.

    Raises:
      KeyError: It has no such column.
    """
    place = int(batch.column(PLACE).flatten()[0].as_py())
    return Place(*divmod(place, _ROWS_OF_A_FILE)), batch.drop_columns([PLACE])


class WriteInOrder(beam.PTransform[PCollection[tuple[Place, list[bytes]]], PCollection[str]]):
    """Writes batches of serialized records as gzipped TFRecords, one for each file that they came from.

    Args:
      path: What the names of the files begin with.
      parts: Folder for what workers write; its content is of no use afterwards.
    """

    def __init__(self, path: str, parts: str) -> None:
        super().__init__()
        self._path, self._parts = path, parts

    def expand(self, batches: PCollection[tuple[Place, list[bytes]]]) -> PCollection[str]:
        return (
            batches
            | "WriteParts" >> beam.ParDo(_WriteParts(self._parts)).with_output_types(tuple[int, Part])
            | "OfFile" >> beam.GroupByKey()
            | "PutTogether" >> beam.Map(put_together, self._path, self._parts).with_output_types(str)
        )


class _WriteParts(beam.DoFn):
    """Each bundle of batches goes into a file of its own, which is whole before anyone learns of it.

    A batch is a gzip file in itself, and several in a row are one.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def start_bundle(self) -> None:
        self._path = f"{self._folder}/{uuid.uuid4().hex}"
        self._file: IO[bytes] | None = None
        self._written: list[tuple[int, Part]] = []

    def process(self, element: tuple[Place, list[bytes]]) -> None:
        (number, row), records = element
        content = _compressed(records)
        with naming_file(self._path, WRITING):
            if self._file is None:
                fileio.makedirs(self._folder)
                self._file = fileio.open(self._path, "wb")
            self._file.write(content)
        last = self._written[-1][1] if self._written else Part(0, self._path, 0, 0)
        self._written.append((number, Part(row, self._path, last.start + last.size, len(content))))

    def finish_bundle(self) -> Iterator[WindowedValue]:
        if self._file is not None:
            with naming_file(self._path, WRITING):
                self._file.close()
        window = GlobalWindow()
        for part in self._written:
            yield WindowedValue(part, window.max_timestamp(), (window,))


def _compressed(records: list[bytes]) -> bytes:
    content = io.BytesIO()
    writer = RecordWriter(content, _COMPRESSION_LEVEL)
    writer.write(records)
    writer.finish()
    return content.getvalue()


def put_together(numbered: tuple[int, Iterable[Part]], path: str, folder: str) -> str:
    """Makes a file of its parts, in the order of their rows.

    It gets its name when it is whole; a second attempt replaces the first by the same bytes.

    Args:
      numbered: The number of the file, and all of its parts.
      path: What the names of files begin with.
      folder: Where the file is put together.

    Returns:
      The path of the file.

    Raises:
      InputError: It cannot be written.
    """
    number, parts = numbered
    whole, attempt = f"{path}-{number:05d}.gz", f"{folder}/{uuid.uuid4().hex}"
    with naming_file(whole, WRITING):
        with fileio.open(attempt, "wb") as file:
            for part in sorted(parts):
                with fileio.open(part.path, "rb") as source:
                    source.seek(part.start)
                    file.write(source.read(part.size))
        fileio.makedirs(whole.rpartition("/")[0])
        fileio.rename(attempt, whole, overwrite=True)
    return whole
