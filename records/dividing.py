"""Divides rows into a training and an evaluation split, and lets no group stand on both sides."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from records.table_files import DataFile
from schema.errors import InputError
from schema.split import Split, SplitBy

# Groups are drawn by a number of 32 bits that their name gives.
_DRAWS = 2**32
# Between them, in seconds since 1970, lie points in time; other numbers may be hours or days.
_YEAR_1973, _YEAR_2286 = 1e8, 1e10

Columns = Callable[[DataFile], Iterable[pa.RecordBatch]]
IsEval = Callable[[pa.RecordBatch], NDArray[np.bool_]]


@dataclass(frozen=True)
class Division:
    """Says for the rows of each file, in order, which are for evaluation.

    Attributes:
      of_file: By file, what says it of its batches, one after the other.
      what: The rule in words.
    """

    of_file: Callable[[DataFile], IsEval]
    what: str


def columns_of(split: Split) -> list[str]:
    """The columns that a division looks at."""
    return [name for name in (split.column, split.together) if name is not None]


def divide(split: Split, files: Sequence[DataFile], columns: Columns) -> Division:
    """Makes a division; one by time reads the columns of times and groups of all files.

    Args:
      split: The rule, with the surface's group in it (`Split.within`).
      files: All files.
      columns: Reads a file's columns that `columns_of` names, as tf.Example's.

    Raises:
      InputError: A row lacks the value that decides, or one of the splits would be empty.
    """
    if split.by is SplitBy.RANDOM:
        return Division(
            lambda file: _rows_drawn(split, file), f"rows at random, {split.eval_fraction:.0%} for evaluation"
        )
    if split.by is SplitBy.GROUP:
        return Division(
            lambda file: lambda batch: _groups_drawn(split, batch),
            f"whole groups by {split.column}, {split.eval_fraction:.0%} for evaluation",
        )
    return _by_time(split, files, columns)


def _rows_drawn(split: Split, file: DataFile) -> IsEval:
    """The n-th row of a file of this name is drawn alike, however it is read."""
    name = file.path.rpartition("/")[2] + "".join(f"/{key}={value}" for key, value in file.partitions.items())
    draws = np.random.default_rng(_number(name, split.seed))
    return lambda batch: draws.random(batch.num_rows) < split.eval_fraction


def _groups_drawn(split: Split, batch: pa.RecordBatch) -> NDArray[np.bool_]:
    coded = _single(batch, split.column or "").dictionary_encode()
    drawn = [_number(str(value), split.seed) / _DRAWS < split.eval_fraction for value in _texts(coded.dictionary)]
    return np.array(drawn, bool)[coded.indices.to_numpy()]


def _number(text: str, seed: int) -> int:
    digest = hashlib.blake2b(text.encode(errors="surrogateescape"), digest_size=4, salt=str(seed).encode()[:16])
    return int.from_bytes(digest.digest(), "little")


def _texts(values: pa.Array) -> list[str]:
    """The same text for a number and for its digits, so that a group is drawn alike in every format."""
    if pa.types.is_large_binary(values.type) or pa.types.is_binary(values.type):
        return [value.decode(errors="surrogateescape") for value in values.to_pylist()]
    return [str(value) for value in values.to_pylist()]


def _by_time(split: Split, files: Sequence[DataFile], columns: Columns) -> Division:
    name, together = split.column or "", split.together
    parts = [batch for file in files for batch in columns(file)]
    times = np.concatenate([_times(batch, name) for batch in parts])
    boundary = _boundary(split, times)
    late = times >= boundary
    reaching: set[str] = set()
    if together is not None:
        groups = np.concatenate([np.array(_texts(_single(batch, together)), object) for batch in parts])
        reaching = set(pd.unique(groups[late]))
        late = late | pd.Series(groups).isin(reaching).to_numpy()
    _expect_both(split, late, boundary)

    def is_eval(batch: pa.RecordBatch) -> NDArray[np.bool_]:
        after = _times(batch, name) >= boundary
        if together is None:
            return after
        return after | pd.Series(_texts(_single(batch, together))).isin(reaching).to_numpy()

    whole = f", rows of one {together} together" if together else ""
    return Division(lambda file: is_eval, f"{name} from {_when(boundary)} on for evaluation{whole}")


def _when(boundary: float) -> str:
    """A point in time as people read it; any other number as it is."""
    if not _YEAR_1973 <= boundary < _YEAR_2286:
        return f"{boundary:.10g}"
    return f"{datetime.fromtimestamp(boundary, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _boundary(split: Split, times: NDArray[np.float64]) -> float:
    if split.eval_from is None:
        return float(np.quantile(times, 1 - split.eval_fraction, method="higher"))
    if not isinstance(split.eval_from, str):
        return float(split.eval_from)
    try:
        found = datetime.fromisoformat(split.eval_from)
    except ValueError as error:
        raise InputError(
            f"split.eval_from: expected a number, or a date such as 2026-01-31, found {split.eval_from!r}"
        ) from error
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def _expect_both(split: Split, late: NDArray[np.bool_], boundary: float) -> None:
    if late.all() or not late.any():
        side, other = ("evaluation", "training") if late.all() else ("training", "evaluation")
        why = f", as rows of one {split.together} stay together (`together:`)" if split.together else ""
        raise InputError(
            f"split: all {len(late):,} rows would be for {side} and none for {other}: {split.column} is divided at "
            f"{boundary:.10g}{why}. Choose another `eval_from`, `eval_fraction` or `together`."
        )


def _times(batch: pa.RecordBatch, name: str) -> NDArray[np.float64]:
    values = _single(batch, name)
    if not (pa.types.is_integer(values.type) or pa.types.is_floating(values.type)):
        raise InputError(f"split.column: expected times or numbers in {name!r}, found text")
    return values.cast(pa.float64()).to_numpy(zero_copy_only=False)


def _single(batch: pa.RecordBatch, name: str) -> pa.Array:
    """A column's values, one for each row."""
    if name not in batch.schema.names:
        raise InputError(f"split: the examples have no column {name!r}, which decides where a row goes")
    values = batch.column(name)
    lengths = pc.fill_null(pc.list_value_length(values), 0)
    wrong = pc.sum(pc.not_equal(lengths, 1)).as_py() or 0
    if wrong:
        raise InputError(f"split: expected one value of {name!r} in each row, found none or several in {wrong:,} rows")
    return values.flatten()
