"""Writes columns as gzipped TFRecords of tf.Example, and whole domain folders of them.

A domain folder ``<out>/<name>`` is at once the examples folder (``train/``, ``eval/``) and
the surface folder (``surface.yaml``, ``schema.pbtxt``).  It is written under a temporary
name and renamed when it is complete, so that a folder with the final name is whole.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from records.record_files import write_records
from schema.errors import InputError
from schema.loader import SCHEMA_FILE, SURFACE_FILE

ORIGIN_FILE = "origin.json"
SHARDS = 4
# Measured for the labeller: level 6 costs half as much time again and saves little.
GZIP_LEVEL = 1
# Rows turned into Python lists at a time: bounds the memory of a large split.
_BLOCK = 50_000


@dataclass(frozen=True)
class ExampleColumn:
    """The values of one feature.

    Attributes:
      values: [rows] or [rows, size]; floats, integers, booleans or strings.
      present: [rows]; where it is false, the example does not have the feature.  None
        means everywhere present.
      counts: [rows]; of a list, how many of the row's `size` values are its own, the first ones.
        A row without any does not have the feature.  None means all of them.
    """

    values: NDArray[Any]
    present: NDArray[np.bool_] | None = None
    counts: NDArray[np.int64] | None = None

    @property
    def kind(self) -> str:
        """The field of tf.train.Feature that holds the values."""
        return {"f": "float_list", "i": "int64_list", "b": "int64_list", "U": "bytes_list"}[self.values.dtype.kind]

    @property
    def size(self) -> int:
        return 1 if self.values.ndim == 1 else self.values.shape[1]


Columns = Mapping[str, ExampleColumn]


@dataclass(frozen=True)
class Domain:
    """Everything that goes into one domain folder.

    Attributes:
      name: Name of the folder.
      splits: Columns by split name.
      surface: Text of ``surface.yaml``.
      schema: Text of ``schema.pbtxt``.
      origin: What the data were made from; equal origins mean equal data.
    """

    name: str
    splits: Mapping[str, Columns]
    surface: str
    schema: str
    origin: Mapping[str, Any]


def quiet(_: str) -> None:
    """The progress callback of a caller who does not want to be told."""


def holds_domain(folder: Path, origin: Mapping[str, Any]) -> bool:
    """Whether `folder` was completely written from `origin` before.

    Raises:
      InputError: It holds something else.
    """
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return False
    found = _read_origin(folder / ORIGIN_FILE)
    if found == json.loads(json.dumps(origin)):
        return True
    raise InputError(
        f"{folder}: expected a folder that is absent, empty or written by the same command; "
        f"found {json.dumps(found)}, not {json.dumps(origin)}. Choose another output folder or delete this one."
    )


def _full_origin(domain: Domain) -> dict[str, Any]:
    """The origin and what the surface was: a later release may ship another one."""
    files = f"{domain.surface}\n{domain.schema}".encode()
    return {**domain.origin, "surface_sha256": hashlib.sha256(files).hexdigest()}


def _read_origin(marker: Path) -> Any:
    if not marker.is_file():
        return "files of another origin"
    try:
        return json.loads(marker.read_text(encoding="utf-8"))
    except ValueError:
        return "files of another origin"


def write_domain(out: Path, domain: Domain, progress: Callable[[str], None]) -> Path:
    """Writes `domain` to ``out/<name>`` and returns that path.

    Raises:
      InputError: The folder already holds something else or cannot be made, or a split has no rows.
    """
    folder = out / domain.name
    origin = _full_origin(domain)
    if holds_domain(folder, origin):
        progress(f"{folder}: complete from an earlier run")
        return folder
    partial = _make_partial(out, domain.name)
    for split, columns in domain.splits.items():
        rows = write_split(partial / split, columns)
        progress(f"{folder}: {rows:,} {split} examples")
    (partial / SURFACE_FILE).write_text(domain.surface, encoding="utf-8")
    (partial / SCHEMA_FILE).write_text(domain.schema, encoding="utf-8")
    (partial / ORIGIN_FILE).write_text(json.dumps(origin, indent=2) + "\n", encoding="utf-8")
    if folder.exists():
        folder.rmdir()
    partial.rename(folder)
    return folder


def write_catalogue(out: Path, name: str, columns: Columns, progress: Callable[[str], None]) -> Path:
    """Writes rows to ``out/<name>``, in place of what lies there, and returns that path.

    Raises:
      InputError: The folder cannot be made, or there are no rows.
    """
    folder, partial = out / name, _make_partial(out, name)
    partial.rmdir()
    rows = write_split(partial, columns, shards=1)
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
    progress(f"{folder}: {rows:,} rows")
    return folder


def _make_partial(out: Path, name: str) -> Path:
    partial = out / f".{name}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
    except OSError as error:
        raise InputError(
            f"{out}: expected a folder that can be written to; found: {error.strerror}. Choose another output folder."
        ) from error
    return partial


def write_split(folder: Path, columns: Columns, shards: int = SHARDS) -> int:
    """Writes one split as ``part-00000-of-0000N.tfrecord.gz`` and returns the row count.

    Raises:
      InputError: There are no rows, or the columns differ in length.
    """
    counts = {name: len(column.values) for name, column in columns.items()}
    rows = max(counts.values(), default=0)
    if rows == 0:
        raise InputError(f"{folder}: expected at least one example, found none")
    if len(set(counts.values())) != 1:
        raise InputError(f"{folder}: expected columns of one length, found {counts}")
    folder.mkdir(parents=True)
    bounds = np.linspace(0, rows, shards + 1).astype(int)
    for shard in range(shards):
        path = folder / f"part-{shard:05d}-of-{shards:05d}.tfrecord.gz"
        _write_shard(path, columns, int(bounds[shard]), int(bounds[shard + 1]))
    return rows


def _write_shard(path: Path, columns: Columns, first: int, last: int) -> None:
    blocks = (encode(columns, start, min(start + _BLOCK, last)) for start in range(first, last, _BLOCK))
    write_records(str(path), chain.from_iterable(blocks), GZIP_LEVEL)


def encode(columns: Columns, first: int, last: int) -> Iterator[bytes]:
    """Yields rows `first` to `last` as serialized tf.Examples; equal rows are equal bytes."""
    lists = [(name, column.kind, _as_lists(column, first, last)) for name, column in columns.items()]
    for row in range(last - first):
        example = tf.train.Example()
        feature = example.features.feature
        for name, kind, values in lists:
            if values[row] is not None:
                getattr(feature[name], kind).value.extend(values[row])
        # Without `deterministic`, the order of the features differs from process to process.
        yield example.SerializeToString(deterministic=True)


def _as_lists(column: ExampleColumn, first: int, last: int) -> list[list[Any] | None]:
    """Each row's values as a list, None where the feature is absent."""
    block = column.values[first:last].reshape(last - first, -1)
    lists: Any = (np.char.encode(block, "utf-8") if block.dtype.kind == "U" else block).tolist()
    if column.counts is not None:
        return [row[:count] or None for row, count in zip(lists, column.counts[first:last], strict=True)]
    if column.present is None:
        return lists
    return [values if there else None for values, there in zip(lists, column.present[first:last], strict=True)]
