"""Gathers rows into sums and histograms that add up, batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Generic, Protocol, Self, TypeVar

import apache_beam as beam
from tensorflow_model_analysis.metrics import metric_types

from evaluation.inputs import TaskInputs
from evaluation.rows import Rows
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


class Sums(Protocol):
    """Sums of a fixed size, which those of other rows can be added to."""

    def __add__(self, other: Self) -> Self:
        """The sums over the rows of both."""


S = TypeVar("S", bound=Sums)


class AddUp(beam.CombineFn, Generic[S]):
    """Gathers sums of a fixed size."""

    def __init__(self, of: Callable[[Rows], S], nothing: S, inputs: TaskInputs):
        """Initializes the function.

        Args:
          of: The sums of some rows.
          nothing: Those of none.
          inputs: Which model and task is read.
        """
        self._of = of
        self._nothing = nothing
        self._inputs = inputs

    def create_accumulator(self) -> S:
        return self._nothing

    def add_input(self, accumulator: S, element: metric_types.StandardMetricInputs) -> S:
        return accumulator + self._of(self._inputs.rows(element))

    def merge_accumulators(self, accumulators: Iterable[S]) -> S:
        return sum(accumulators, self._nothing)

    def extract_output(self, accumulator: S) -> dict[metric_types.MetricKey, S]:
        return {self._inputs.key: accumulator}
