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

from evaluation.distinct import DistinctValues, distinct_values
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
        columns = [self._values(batch, column, kept) for column in self._columns]
        of_row = np.zeros(batch.num_rows, np.intp)  # the place of each row's combination of values
        for each in columns:
            _, of_row = np.unique(of_row * len(each.values) + each.codes, return_inverse=True)
        _, firsts = np.unique(of_row, return_index=True)
        members: dict[slicer_lib.SliceKeyType, NDArray[np.bool_]] = {}
        for place, row in enumerate(firsts):
            for key in self._slices_of(tuple(each.values[each.codes[row]] for each in columns)):
                members.setdefault(key, np.zeros(len(firsts), np.bool_))[place] = True
        return {key: np.flatnonzero(inside[of_row]) for key, inside in members.items()}

    def _values(self, batch: pa.RecordBatch, column: str, kept: Mapping[str, frozenset[Any]]) -> DistinctValues:
        derived = self._derived.get(column)
        if derived is None:
            return distinct_values(batch, column)
        found = distinct_values(batch, derived.column)
        frequent = kept.get(column, frozenset())

        def of_row(row: tuple[Any, ...]) -> tuple[Any, ...]:
            if derived.edges:
                return tuple(derived.bucket(value) for value in row if value == value)
            return tuple(value_text(value) if value in frequent else OTHERS for value in row)

        return DistinctValues(found.codes, [of_row(row) for row in found.values])

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
        found = distinct_values(batch, each.column)
        counted = Counter[int | float | str]()
        for row, count in zip(found.values, np.bincount(found.codes, minlength=len(found.values)), strict=True):
            for value in row:
                counted[value] += int(count)
        for value, total in counted.items():
            yield (each.name, value), total


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
