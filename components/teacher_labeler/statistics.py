"""Accumulators of the label report: exact where sums suffice, a bounded uniform sample for the rest; mergeable."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluation.jackknife import FOLDS
from evaluation.rows import Rows
from evaluation.sums import Spread, WeightedSums

SAMPLE_SIZE = 200_000
EXAMPLE_FAULTS = 3


@dataclass
class Moments:
    """Count, mean, spread and ends of the numbers seen so far."""

    spread: Spread = field(default_factory=lambda: Spread.nothing(1))
    low: float = np.inf
    high: float = -np.inf

    @staticmethod
    def of(values: NDArray[Any]) -> Moments:
        """The moments of an array of any shape."""
        if not values.size:
            return Moments()
        numbers = values.astype(np.float64)
        return Moments(Spread.of_one_cell(numbers), float(numbers.min()), float(numbers.max()))

    def merge(self, other: Moments) -> None:
        """Adds what `other` has seen."""
        self.spread = self.spread + other.spread
        self.low, self.high = min(self.low, other.low), max(self.high, other.high)

    @property
    def count(self) -> int:
        """How many numbers there were."""
        return int(self.spread.weight[0])

    @property
    def mean(self) -> float:
        """Their mean; 0 without any."""
        return float(self.spread.mean[0])

    @property
    def std(self) -> float:
        """Their standard deviation, as of a whole population; 0 without any."""
        return math.sqrt(float(self.spread.deviation[0]) / self.count) if self.count else 0.0


@dataclass
class Agreement:
    """A teacher's value against the hard label, over rows that have one; in folds, for a jackknife."""

    sums: WeightedSums = field(default_factory=WeightedSums.nothing)

    def add(self, predicted: NDArray[Any], labels: NDArray[Any], folds: NDArray[np.intp]) -> None:
        """Adds rows; `labels` [batch] is NaN where there is none."""
        known = ~np.isnan(labels)
        self.sums = self.sums + WeightedSums.of(Rows.of(labels[known], predicted[known], folds[known]))

    def merge(self, other: Agreement) -> None:
        """Adds the rows of `other`."""
        self.sums = self.sums + other.sums


def folds_of(keys: NDArray[np.float64]) -> NDArray[np.intp]:
    """A fold for each row, by the last bits of the key it drew.

    Which rows a sample keeps depends on the first bits of their keys, so that folds are
    equally likely among them.

    Args:
      keys: Float [rows], drawn uniformly from [0, 1) by NumPy, hence multiples of 2^-53.
    """
    return np.asarray((keys * 2.0**53).astype(np.int64) % FOLDS, np.intp)


@dataclass
class LabelSample:
    """A uniform sample of rows, of bounded size, that merges exactly.

    Each row draws a key from [0, 1); the sample is all rows whose key is under `threshold`.
    Whoever drops rows lowers the threshold, so a merged sample keeps the lower threshold of
    the two and stays uniform ("bottom-k" sampling, Cohen and Kaplan, PODC 2007).

    Attributes:
      capacity: Most rows kept.
      threshold: All rows with a key under it are here; 1 means nothing was dropped.
      keys: float64 [rows].
      values: float32 [rows, columns].
    """

    capacity: int
    columns: int
    threshold: float = 1.0
    keys: NDArray[np.float64] = field(init=False)
    values: NDArray[np.float32] = field(init=False)

    def __post_init__(self) -> None:
        self.keys = np.empty(0)
        self.values = np.empty((0, self.columns), np.float32)
        self._pending: list[tuple[NDArray[Any], NDArray[Any]]] = []
        self._pending_rows = 0

    @property
    def exact(self) -> bool:
        """Whether every row is in the sample."""
        return self.threshold == 1.0

    def add(self, keys: NDArray[np.float64], values: NDArray[np.float32]) -> None:
        """Adds rows: keys [batch] drawn uniformly from [0, 1), values [batch, columns]."""
        chosen = keys < self.threshold
        self._pending.append((keys[chosen], values[chosen]))
        self._pending_rows += int(chosen.sum())
        if self._pending_rows > self.capacity:
            self.settle()

    def merge(self, other: LabelSample) -> None:
        self.settle()
        other.settle()
        self.threshold = min(self.threshold, other.threshold)
        self.capacity = max(self.capacity, other.capacity)
        self._pending = [(other.keys, other.values)]
        self.settle()

    def settle(self) -> None:
        """Brings the arrays up to date and within bounds."""
        self.keys = np.concatenate([self.keys, *(keys for keys, _ in self._pending)])
        self.values = np.concatenate([self.values, *(values for _, values in self._pending)])
        self._pending, self._pending_rows = [], 0
        if len(self.keys) > self.capacity:
            self.threshold = min(self.threshold, float(np.partition(self.keys, self.capacity)[self.capacity]))
        chosen = self.keys < self.threshold
        if not chosen.all():
            self.keys, self.values = self.keys[chosen], self.values[chosen]


@dataclass
class SplitStatistics:
    """Everything that is counted over one split, or a part of it.

    Attributes:
      filled: For each feature, the rows in which it was filled, and rows in which it had a value that is
        not in its vocabulary; int [features, 2].
      tasks: Moments of the finite logits, by teacher task.
      agreements: The agreements by hard label.
      sample: Rows of logits, then hard labels.
      read: Records read.
      adapted: Records that reached the teacher (the denominator of fill rates).
      labelled: Records written.
      bad: Dead letters by reason.
      at_fault: Dead letters by (reason, column or task).
      examples: Some dead letters, as sentences.
    """

    filled: NDArray[np.int64]
    tasks: list[Moments]
    agreements: list[Agreement]
    sample: LabelSample
    read: int = 0
    adapted: int = 0
    labelled: int = 0
    bad: Counter[str] = field(default_factory=Counter)
    at_fault: Counter[tuple[str, str]] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)

    @staticmethod
    def empty(features: int, tasks: int, labels: int, sample_size: int) -> SplitStatistics:
        return SplitStatistics(
            np.zeros((features, 2), np.int64),
            [Moments() for _ in range(tasks)],
            [Agreement() for _ in range(labels)],
            LabelSample(sample_size, tasks + labels),
        )

    def add_fault(self, reason: str, column: str, sentence: str) -> None:
        self.bad[reason] += 1
        self.at_fault[reason, column] += 1
        if len(self.examples) < EXAMPLE_FAULTS:
            self.examples.append(sentence)

    def merge(self, other: SplitStatistics) -> None:
        self.filled = self.filled + other.filled
        for mine, theirs in zip(self.tasks, other.tasks, strict=True):
            mine.merge(theirs)
        for agreement, others in zip(self.agreements, other.agreements, strict=True):
            agreement.merge(others)
        self.sample.merge(other.sample)
        self.read += other.read
        self.adapted += other.adapted
        self.labelled += other.labelled
        self.bad += other.bad
        self.at_fault += other.at_fault
        self.examples = (self.examples + other.examples)[:EXAMPLE_FAULTS]
