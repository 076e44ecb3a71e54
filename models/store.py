"""Parsed examples in a local file for each type of column: read once, and then never parsed again.

A record of a gzipped TFRecord costs several microseconds to read and parse, a row of these
files a tenth of one; an epoch that parses anew is bound by that.  Rows can be read in any
order, so that training draws its order here as it does in memory.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from models.packing import Layout, Packed, aligned
from records.record_files import files_in_order, records_of

_BLOCK = 4096


class Store:
    """The rows of some files in the order of `files_in_order`; the store's files are there as long as it is.

    Attributes:
      layout: Which columns lie where.
      rows: How many rows there are.
    """

    def __init__(
        self, patterns: Sequence[str], spec: Mapping[str, Any], reserved: Mapping[str, tuple[int, ...]] | None = None
    ):
        """Reads and parses all records, a block at a time.

        Args:
          patterns: File patterns of gzipped TFRecords of tf.Example.
          spec: The feature spec of the columns, all of fixed length.
          reserved: Columns that are in no file and that `fill` writes, float32, with the shape of an example's
            value; NaN until then.

        Raises:
          tf.errors.OpError: A file is damaged, or an example does not fit the spec.
        """
        kinds = {name: (column.dtype.as_numpy_dtype, column.shape) for name, column in spec.items()}
        reserved = reserved or {}
        self.layout = Layout.of(kinds | {name: (np.float32, shape) for name, shape in reserved.items()})
        self.rows = 0
        self._folder = tempfile.TemporaryDirectory(prefix="crosskd-examples-")
        files = [self._file(number).open("wb") for number in range(len(self.layout.names))]
        for matrices in _parsed(patterns, spec, reserved, self.layout).as_numpy_iterator():
            self.rows += len(matrices[0])
            for file, matrix in zip(files, matrices, strict=True):
                matrix.tofile(file)
        for file in files:
            file.close()

    @property
    def row_bytes(self) -> int:
        """What a row takes."""
        return sum(dtype.itemsize * width for dtype, width in self._shapes())

    def columns(self, names: Sequence[str]) -> dict[str, NDArray[Any]]:
        """Some columns, whole."""
        return {
            name: np.ascontiguousarray(column)
            for name, column in self.layout.columns(self._mapped()).items()
            if name in names
        }

    def fill(self, columns: Mapping[str, NDArray[Any]]) -> None:
        """Writes some columns, whole, over what they hold."""
        places = self.layout.columns(self._mapped("r+"))
        for name, column in columns.items():
            places[name][:] = column

    def take(self, rows: NDArray[np.int64], into: Sequence[NDArray[Any]]) -> None:
        """Reads some rows into a matrix for each type of column; nothing of the files stays in memory."""
        for matrix, room in zip(self._mapped(), into, strict=True):
            np.take(matrix, rows, axis=0, out=room, mode="clip")

    def read(self, into: Sequence[NDArray[Any]]) -> None:
        """Reads all rows into a matrix for each type of column."""
        for number, room in enumerate(into):
            with self._file(number).open("rb") as file:
                file.readinto(room.reshape(-1).view(np.uint8).data)

    def _mapped(self, mode: Literal["r", "r+"] = "r") -> list[NDArray[Any]]:
        if not self.rows:
            return [np.empty((0, width), dtype) for dtype, width in self._shapes()]
        return [
            np.memmap(self._file(number), dtype, mode, shape=(self.rows, width))
            for number, (dtype, width) in enumerate(self._shapes())
        ]

    def _shapes(self) -> list[tuple[np.dtype[Any], int]]:
        return list(zip(self.layout.dtypes, self.layout.totals, strict=True))

    def _file(self, number: int) -> Path:
        return Path(self._folder.name) / str(number)


def load(stores: Sequence[Store]) -> Packed:
    """All rows of some stores of one layout, one store after the other, in memory once."""
    matrices = _room(stores[0].layout, sum(store.rows for store in stores))
    start = 0
    for store in stores:
        store.read([matrix[start : start + store.rows] for matrix in matrices])
        start += store.rows
    return stores[0].layout.packed(matrices)


def taken(parts: Sequence[tuple[Store, NDArray[np.int64]]]) -> Packed:
    """Some rows of some stores of one layout, one store after the other."""
    matrices = _room(parts[0][0].layout, sum(len(rows) for _, rows in parts))
    start = 0
    for store, rows in parts:
        store.take(rows, [matrix[start : start + len(rows)] for matrix in matrices])
        start += len(rows)
    return parts[0][0].layout.packed(matrices)


def _room(layout: Layout, rows: int) -> list[NDArray[Any]]:
    shapes = zip(layout.dtypes, layout.totals, strict=True)
    return [aligned((rows, width), dtype) for dtype, width in shapes]


def _parsed(
    patterns: Sequence[str], spec: Mapping[str, Any], reserved: Mapping[str, tuple[int, ...]], layout: Layout
) -> tf.data.Dataset:
    """Blocks of rows, a matrix for each type of column."""

    def block(records: tf.Tensor) -> tuple[tf.Tensor, ...]:
        empty = {name: tf.fill([tf.size(records), *shape], math.nan) for name, shape in reserved.items()}
        return layout.side_by_side({**tf.io.parse_example(records, dict(spec)), **empty})

    return (
        records_of(files_in_order(patterns))
        .batch(_BLOCK)
        .map(
            block,
            num_parallel_calls=tf.data.AUTOTUNE,
            deterministic=True,
        )
        .prefetch(tf.data.AUTOTUNE)
    )
