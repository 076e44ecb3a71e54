"""Which rows of a batch belong to which slice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from tensorflow_model_analysis.proto import config_pb2
from tensorflow_model_analysis.slicer import slicer_lib

from schema.errors import InputError
from schema.slice import OTHERS, SliceColumn, value_text

_MAX_REMEMBERED_SLICES = 100_000
# Each slice has accumulators of every metric in every fold: 10,000 of them take 2 GB and a quarter of an hour.
MOST_SLICES = 1000
NOTHING_KEPT: Mapping[str, frozenset[Any]] = MappingProxyType({})


class SliceFinder:
    """Finds the rows of a batch that belong to each slice.

    TFMA's own function decides which slices an example is in; its answer is remembered
    for each distinct combination of the slicing columns' values.
    """

    def __init__(self, specs: Sequence[config_pb2.SlicingSpec], derived: Sequence[SliceColumn] = ()):
        """Initializes the finder.

        Args:
          specs: The slices; none means the overall slice only.
          derived: Columns that they name and that follow from those of the examples.
        """
        listed = list(specs) or [config_pb2.SlicingSpec()]
        self._specs = [slicer_lib.SingleSliceSpec(spec=spec) for spec in listed]
        columns = {key for spec in listed for key in [*spec.feature_keys, *spec.feature_values]}
        self._columns = sorted(columns)
        self._derived = {each.name: each for each in derived}
        self._remembered: dict[tuple[Any, ...], list[slicer_lib.SliceKeyType]] = {}
        self._found: set[slicer_lib.SliceKeyType] = set()

    def rows_by_slice(
        self, batch: pa.RecordBatch, kept: Mapping[str, frozenset[Any]] = NOTHING_KEPT
    ) -> dict[slicer_lib.SliceKeyType, NDArray[np.intp]]:
        """Row indices, ascending, of each slice that has rows in the batch.

        Args:
          batch: Parsed examples.
          kept: The most frequent values of each column that is cut down to them.
        """
        found: dict[slicer_lib.SliceKeyType, list[int]] = {}
        values = [self._values(batch, column, kept) for column in self._columns]
        combinations = zip(*values, strict=True) if values else iter([()] * batch.num_rows)
        for row, combination in enumerate(combinations):
            for key in self._slices_of(combination):
                found.setdefault(key, []).append(row)
        return {key: np.asarray(rows, np.intp) for key, rows in found.items()}

    def _values(self, batch: pa.RecordBatch, column: str, kept: Mapping[str, frozenset[Any]]) -> list[tuple[Any, ...]]:
        derived = self._derived.get(column)
        if derived is None:
            return python_values(batch, column)
        found = python_values(batch, derived.column)
        if derived.edges:
            return [tuple(derived.bucket(value) for value in row if value == value) for row in found]
        frequent = kept.get(column, frozenset())
        return [tuple(value_text(value) if value in frequent else OTHERS for value in row) for row in found]

    def _slices_of(self, combination: tuple[Any, ...]) -> list[slicer_lib.SliceKeyType]:
        if combination not in self._remembered:
            if len(self._remembered) >= _MAX_REMEMBERED_SLICES:
                self._remembered.clear()
            features = {
                column: np.asarray(values, dtype=object if isinstance(values[0], str) else None)
                for column, values in zip(self._columns, combination, strict=True)
                if values
            }
            keys = slicer_lib.get_slices_for_features_dicts([], features, self._specs)
            self._remembered[combination] = list(dict.fromkeys(keys))
            self._count(self._remembered[combination])
        return self._remembered[combination]

    def _count(self, keys: Sequence[slicer_lib.SliceKeyType]) -> None:
        self._found.update(keys)
        if len(self._found) > MOST_SLICES:
            raise InputError(_too_many(self._found))


def _too_many(found: set[slicer_lib.SliceKeyType]) -> str:
    (columns, count), *_ = Counter(tuple(column for column, _ in key) for key in found).most_common(1)
    return (
        f"slices: {' and '.join(columns)}: expected at most {MOST_SLICES:,} slices in the evaluation data, found more, "
        f"{count:,} of them by this; each takes memory and time in the Evaluator. Slice by a feature with fewer "
        "values, by its most frequent ones ({most_frequent: {NAME: 20}}), by buckets of numbers "
        "({buckets: {NAME: [10, 100]}}), or by the values that matter: {features: {NAME: VALUE}}."
    )


def value_counts(
    batch: pa.RecordBatch, columns: Sequence[SliceColumn]
) -> Iterator[tuple[tuple[str, int | float | str], int]]:
    """How often each value stands in a batch, for columns that are cut down to the most frequent ones."""
    for each in columns:
        values = python_values(batch, each.column)
        for value, count in Counter(value for row in values for value in row).items():
            yield (each.name, value), count


def kept_values(batch: pa.RecordBatch, columns: Sequence[SliceColumn]) -> dict[str, frozenset[Any]]:
    """The values that are kept of columns that are cut down, if the batch is all there is."""
    cut = {each.name: each for each in columns if each.most_frequent is not None}
    counted: dict[str, list[tuple[int, Any]]] = {}
    for (name, value), count in value_counts(batch, [*cut.values()]):
        counted.setdefault(name, []).append((count, value))
    return dict(most_frequent(each, cut) for each in counted.items())


def most_frequent(
    counted: tuple[str, Iterable[tuple[int, Any]]], columns: Mapping[str, SliceColumn]
) -> tuple[str, frozenset[Any]]:
    """The most frequent values of a column; of equally frequent ones, those that come first in order.

    Args:
      counted: The column's name, and how often which value stands in it.
      columns: All such columns.

    Returns:
      The name, and the values that are kept.
    """
    name, counts = counted
    ordered = sorted(counts, key=lambda each: (-each[0], str(each[1])))
    return name, frozenset(value for _, value in ordered[: columns[name].most_frequent])


def python_values(batch: pa.RecordBatch, name: str) -> list[tuple[Any, ...]]:
    """Per row the column's values, hashable; bytes become text, nothing becomes ()."""
    index = batch.schema.get_field_index(name)
    if index < 0:
        return [()] * batch.num_rows
    return [tuple(_text(name, value) for value in row or ()) for row in batch.column(index).to_pylist()]


def _text(name: str, value: Any) -> Any:
    if not isinstance(value, bytes):
        return value
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"slicing feature {name!r}: expected UTF-8 text, found {value[:20]!r}") from error
