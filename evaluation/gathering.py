"""Gathers rows into histograms that add up, batch by batch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, Protocol, Self, TypeVar

import apache_beam as beam
import numpy as np
from numpy.typing import NDArray
from tensorflow_model_analysis.metrics import metric_types

from evaluation.estimates import Floats
from evaluation.rows import Rows, TaskInputs
from schema.errors import InputError


class Histogram(Protocol):
    """Sums over rows, which those of other rows can be added to."""

    @classmethod
    def of(cls, rows: Rows) -> Self:
        """The sums over some rows."""

    @classmethod
    def merged(cls, parts: Iterable[Self]) -> Self:
        """The sums over the rows of all parts; over none, if there are no parts."""


T = TypeVar("T", bound=Histogram)


class GatherRows(beam.CombineFn, Generic[T]):
    """Gathers a task's rows; batches are kept apart until merging, to sort once and not often."""

    def __init__(self, kind: type[T], inputs: TaskInputs):
        self._kind = kind
        self._inputs = inputs

    def create_accumulator(self) -> list[T]:
        return []

    def add_input(self, accumulator: list[T], element: metric_types.StandardMetricInputs) -> list[T]:
        rows = self._inputs.rows(element)
        try:
            accumulator.append(self._kind.of(rows))
        except InputError as error:
            raise InputError(f"task {self._inputs.key.output_name!r}: {error}") from error
        return accumulator

    def merge_accumulators(self, accumulators: Iterable[list[T]]) -> list[T]:
        return [self._kind.merged(part for parts in accumulators for part in parts)]

    def compact(self, accumulator: list[T]) -> list[T]:
        return [self._kind.merged(accumulator)]

    def extract_output(self, accumulator: list[T]) -> dict[metric_types.MetricKey, T]:
        return {self._inputs.key: self._kind.merged(accumulator)}


def ordered_bits(scores: Floats) -> NDArray[np.int64]:
    """The bits of scores as float32, mapped to integers in the same order as the scores."""
    bits = (scores.astype(np.float32) + np.float32(0)).view(np.int32).astype(np.int64)  # + 0 turns -0 into 0
    return np.where(bits < 0, -(bits & 0x7FFFFFFF), bits)
