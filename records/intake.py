"""Takes in data as they lie: Parquet, CSV or TFRecords, with splits or without, here or in a bucket.

What comes out is what all else reads: a folder with `train/` and `eval/`, gzipped TFRecords of
tf.Example.  It is written whole or not at all, and not again while its source is as it was.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from records.dividing import Division, columns_of, divide
from records.shards import OverlappedShardWriter
from records.table_files import DataFile, digest, splits_of, uri_of
from records.tables import KINDS, Batch, Columns, read
from schema.candidates import CANDIDATES
from schema.errors import InputError
from schema.loader import RAW, SurfaceFolder
from schema.pairs import catalogue_columns, pair_plan
from schema.split import Split
from schema.surface import EVAL_SPLIT, SOFT_LABEL_PREFIX, TRAIN_SPLIT

_LEVEL = 1
_ROWS_OF_SHARD = 250_000
# Begins with `_`: readers of examples pass over it.
_SOURCE = "_source.json"
# Raised when the same source would be written otherwise.
_VERSION = 1


@dataclass(frozen=True)
class TakenIn:
    """What was taken in.

    Attributes:
      folder: Where it lies now.
      rows: Examples of each split.
      what: How they were divided, in words.
      again: Whether it was there already.
    """

    folder: Path
    rows: Mapping[str, int]
    what: str
    again: bool = False


@dataclass(frozen=True)
class Reading:
    """What of the source is read, and how it is divided.

    Attributes:
      columns: The columns of tables.
      split: How rows are divided where there are no splits; None is an error there.
      hint: Where `split:` is to be written, for messages.
    """

    columns: Columns
    split: Split | None = None
    hint: str = ""

    def described(self) -> list[object]:
        """All that decides what is written, for JSON."""
        split = self.split.model_dump(mode="json") if self.split else None
        return [dict(self.columns.kinds), sorted(self.columns.required), split]


def reading_of(loaded: SurfaceFolder) -> Reading:
    """What a surface reads: the columns of its schema that raw examples have, divided by its `split:`."""
    columns = {
        each.name: each
        for each in loaded.schema.feature
        if RAW not in each.not_in_environment and not each.name.startswith(SOFT_LABEL_PREFIX)
    }
    required = frozenset(name for name, each in columns.items() if each.presence.min_fraction == 1)
    kinds = {name: KINDS[each.type] for name, each in columns.items() if each.type in KINDS}
    split = loaded.surface.split
    whole = None if split is None else split.within(loaded.surface.group)
    return Reading(Columns(kinds, required & kinds.keys()), whole, f"{loaded.path}/surface.yaml")


def reading_of_pairs(loaded: SurfaceFolder, name: str) -> Reading:
    """What is read of a folder that unlabelled pairs are made of.

    Args:
      loaded: The surface, with an `unlabelled:` section.
      name: `candidates`, which have all columns but need no label; or `people` or `items`,
        of which nothing but the columns of their side is read.
    """
    plan, columns = pair_plan(loaded.surface), reading_of(loaded).columns
    if name == CANDIDATES:
        return Reading(replace(columns, required=columns.required - set(plan.labels)))
    kinds = {each: columns.kinds[each] for each in catalogue_columns(plan, name) if each in columns.kinds}
    shaped = {each.name for each in loaded.schema.feature if each.HasField("shape")}
    return Reading(Columns(kinds, frozenset(shaped & kinds.keys())))


def take_in(place: str | Path, reading: Reading, into: Path, only: Sequence[str] = ()) -> TakenIn:
    """Writes examples of any format as folders of gzipped TFRecords.

    Args:
      place: A folder, a file, or a URI of a bucket's (s3://, gs://, minio://).
      reading: What is read.
      into: The folder to write; replaced where its source has changed.
      only: The splits that are wanted; all by default.

    Raises:
      InputError: The source cannot be read, or cannot be divided.
    """
    splits = splits_of(place)
    files = [file for each in splits.values() for file in each]
    source = {"digest": digest(files), "reading": reading.described(), "only": list(only), "version": _VERSION}
    known = _known(into, source)
    if known is not None:
        return known
    if into.exists() and any(into.iterdir()) and not (into / _SOURCE).exists():
        raise InputError(f"{into}: holds other things, which would be replaced; choose another folder")
    partial = into.with_name(f".{into.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        rows, what = _write(place, splits, reading, partial, only)
        (partial / _SOURCE).write_text(json.dumps({"source": source, "rows": rows, "what": what}), encoding="utf-8")
        shutil.rmtree(into, ignore_errors=True)
        partial.rename(into)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return TakenIn(into, rows, what)


def _known(into: Path, source: Mapping[str, object]) -> TakenIn | None:
    try:
        found = json.loads((into / _SOURCE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return TakenIn(into, found["rows"], found["what"], again=True) if found["source"] == source else None


def _write(
    place: str | Path, splits: Mapping[str, list[DataFile]], reading: Reading, into: Path, only: Sequence[str]
) -> tuple[dict[str, int], str]:
    if "" not in splits:
        wanted = [name for name in splits if not only or name in only]
        rows = {name: _copy(splits[name], reading, into / name) for name in wanted}
        return rows, "as its folders say"
    if list(only) == [""]:
        return {"": _copy(splits[""], reading, into)}, "one folder"
    division = _division(place, splits[""], reading)
    return _divided(splits[""], reading, division, into), division.what


def _division(place: str | Path, files: Sequence[DataFile], reading: Reading) -> Division:
    if reading.split is None:
        raise InputError(
            f"{uri_of(place)}: expected folders {TRAIN_SPLIT}/ and {EVAL_SPLIT}/ in it, or `split:` in "
            f"{reading.hint}, which says how to divide its rows: `split: {{by: time, column: A_TIME}}`, "
            "`split: {by: group, column: A_PERSON_OR_REQUEST}` or `split: {by: random}`"
        )
    kinds = _looked_at(reading)
    narrow = Columns(kinds, frozenset(kinds))
    return divide(reading.split, files, lambda file: (batch.columns for batch in read(file, narrow, kinds)))


def _looked_at(reading: Reading) -> dict[str, str]:
    names = columns_of(reading.split) if reading.split else []
    unknown = [name for name in names if name not in reading.columns.kinds]
    if unknown:
        raise InputError(f"split: expected a column of schema.pbtxt, found {unknown[0]!r}")
    return {name: reading.columns.kinds[name] for name in names}


def _copy(files: Iterable[DataFile], reading: Reading, into: Path) -> int:
    with _Shards(into) as shards:
        for file in files:
            for batch in read(file, reading.columns, {}):
                shards.write(batch, None)
    return shards.rows


def _divided(files: Iterable[DataFile], reading: Reading, division: Division, into: Path) -> dict[str, int]:
    looked_at = _looked_at(reading)
    with _Shards(into / TRAIN_SPLIT) as train, _Shards(into / EVAL_SPLIT) as evaluation:
        for file in files:
            is_eval = division.of_file(file)
            for batch in read(file, reading.columns, looked_at):
                late = is_eval(batch.columns)
                train.write(batch, ~late)
                evaluation.write(batch, late)
    return {TRAIN_SPLIT: train.rows, EVAL_SPLIT: evaluation.rows}


class _Shards:
    """Writes one folder of shards, each of some 250,000 rows."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: ExitStack = ExitStack()
        self._write: Callable[[list[bytes]], None] | None = None
        self._in_shard = self._shards = self.rows = 0

    def write(self, batch: Batch, mask: NDArray[np.bool_] | None) -> None:
        records = batch.encode(mask)
        if not records:
            return
        if self._write is None or self._in_shard >= _ROWS_OF_SHARD:
            self._next()
        assert self._write is not None  # _next made it
        self._write(records)
        self._in_shard += len(records)
        self.rows += len(records)

    def _next(self) -> None:
        self._open.close()
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"examples-{self._shards:05}.gz"
        self._write = self._open.enter_context(OverlappedShardWriter(str(path), _LEVEL)).write
        self._shards, self._in_shard = self._shards + 1, 0

    def __enter__(self) -> _Shards:
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()
