"""Sums over a task's labelled rows, and the metrics that follow from them.

`WeightedSums` is gathered once per model, task and slice, and shared by all metrics that
are functions of `Totals`.  The spread of the labels is kept as (mean, sum of squared
deviations) and merged by Chan, Golub and LeVeque's formula, which does not cancel when the
labels are large and close together, as a difference of raw sums of squares would.

Nothing here, nor in what this imports, needs Beam or TFMA: the labeller and the experiment
use it as well as the Evaluator.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from evaluation.jackknife import EVERYTHING, FOLDS, Floats
from evaluation.rows import Rows

# A model's outputs are 32-bit floats, of which those next to 0 and 1 are still probabilities.
LEAST_PROBABILITY = float(np.finfo(np.float32).eps)


@dataclass(frozen=True)
class Spread:
    """Weighted moments of numbers that were dealt out to cells, each of shape [cells].

    Attributes:
      weight: Sum of the weights w.
      mean: Weighted mean; 0 where the weight is 0.
      deviation: Sum of w (x - mean)^2.
    """

    weight: Floats
    mean: Floats
    deviation: Floats

    @classmethod
    def nothing(cls, cells: int) -> Spread:
        """The moments of no numbers."""
        return cls(np.zeros(cells), np.zeros(cells), np.zeros(cells))

    @classmethod
    def of(cls, values: Floats, weights: Floats, cells: NDArray[np.intp], count: int) -> Spread:
        """The moments of some numbers, in two passes over them.

        Args:
          values: Float [numbers].
          weights: Float [numbers].
          cells: The cell of each number, in [0, count).
          count: How many cells there are.
        """
        weight = _per_cell(cells, weights, count)
        mean = _ratio(_per_cell(cells, weights * values, count), weight)
        return cls(weight, mean, _per_cell(cells, weights * (values - mean[cells]) ** 2, count))

    @classmethod
    def of_one_cell(cls, values: Floats) -> Spread:
        """The moments of some numbers, each of weight 1, in one cell."""
        if not values.size:
            return cls.nothing(1)
        mean = values.mean()
        return cls(np.array([float(values.size)]), np.array([mean]), np.array([np.square(values - mean).sum()]))

    def __add__(self, other: Spread) -> Spread:
        """The moments of both, cell by cell (Chan, Golub and LeVeque 1979, equation 2.1)."""
        weight = self.weight + other.weight
        step, share = other.mean - self.mean, _ratio(other.weight, weight)
        return Spread(
            weight, self.mean + step * share, self.deviation + other.deviation + step**2 * self.weight * share
        )

    def total(self, included: Floats) -> tuple[float, float, float]:
        """Weight, mean and deviation over the cells that are included, by the same formula for many parts."""
        weight = float(included @ self.weight)
        mean = float((included * self.weight) @ self.mean) / weight if weight else 0.0
        deviation = float(included @ (self.deviation + self.weight * (self.mean - mean) ** 2))
        return weight, mean, deviation


@dataclass(frozen=True)
class WeightedSums:
    """Per fold, each of shape [FOLDS]; y is the label, p the prediction, w the weight.

    Attributes:
      count: Labelled rows, whatever their weight.
      positives: Sum of y over the rows, whatever their weight: the number of positives
        of a binary task.
      labels: The moments of y.
      error: Sum of w (y - p)^2.
      absolute: Sum of w |y - p|.
      surprise: Sum of w times the log loss of y; NaN where p is no probability.
      prediction: Sum of w p.
    """

    count: Floats
    positives: Floats
    labels: Spread
    error: Floats
    absolute: Floats
    surprise: Floats
    prediction: Floats

    @classmethod
    def nothing(cls) -> WeightedSums:
        """The sums of no rows."""
        return cls(
            count=np.zeros(FOLDS),
            positives=np.zeros(FOLDS),
            labels=Spread.nothing(FOLDS),
            error=np.zeros(FOLDS),
            absolute=np.zeros(FOLDS),
            surprise=np.zeros(FOLDS),
            prediction=np.zeros(FOLDS),
        )

    @classmethod
    def of(cls, rows: Rows) -> WeightedSums:
        """The sums of some rows."""

        def per_fold(values: Floats) -> Floats:
            return _per_cell(rows.folds, values, FOLDS)

        misses = rows.labels - rows.predictions
        return cls(
            count=per_fold(np.ones_like(rows.labels)),
            positives=per_fold(rows.labels),
            labels=Spread.of(rows.labels, rows.weights, rows.folds, FOLDS),
            error=per_fold(rows.weights * misses**2),
            absolute=per_fold(rows.weights * np.abs(misses)),
            surprise=per_fold(rows.weights * log_losses(rows.labels, rows.predictions)),
            prediction=per_fold(rows.weights * rows.predictions),
        )

    def __add__(self, other: WeightedSums) -> WeightedSums:
        return WeightedSums(
            count=self.count + other.count,
            positives=self.positives + other.positives,
            labels=self.labels + other.labels,
            error=self.error + other.error,
            absolute=self.absolute + other.absolute,
            surprise=self.surprise + other.surprise,
            prediction=self.prediction + other.prediction,
        )

    def fold_counts(self) -> Floats:
        return self.count

    def total(self, included: Floats = EVERYTHING) -> Totals:
        """The sums over the folds that are included."""
        weight, mean, deviation = self.labels.total(included)
        return Totals(
            count=float(included @ self.count),
            positives=float(included @ self.positives),
            weight=weight,
            mean=mean,
            deviation=deviation,
            error=_dot(included, self.error),
            absolute=_dot(included, self.absolute),
            surprise=_dot(included, self.surprise),
            prediction=_dot(included, self.prediction),
        )


@dataclass(frozen=True)
class Totals:
    """`WeightedSums` over several folds.

    Attributes:
      count: Labelled rows, whatever their weight.
      positives: Sum of y over the rows, whatever their weight.
      weight: Sum of w.
      mean: Weighted mean of y.
      deviation: Sum of w (y - mean)^2.
      error: Sum of w (y - p)^2.
      absolute: Sum of w |y - p|.
      surprise: Sum of w times the log loss of y; NaN where some p is no probability.
      prediction: Sum of w p.
    """

    count: float
    positives: float
    weight: float
    mean: float
    deviation: float
    error: float
    absolute: float
    surprise: float
    prediction: float


Formula = Callable[[Totals], float]


def labelled_examples(totals: Totals) -> float:
    """How many rows have a hard label."""
    return totals.count


def positives(totals: Totals) -> float:
    """How many rows of a binary task are positive: the sum of their labels."""
    return totals.positives


def mean_label(totals: Totals) -> float:
    """The weighted mean of the labels; NaN without rows."""
    return totals.mean if totals.weight else float("nan")


def mean_prediction(totals: Totals) -> float:
    """The weighted mean of the predictions; NaN without rows."""
    return _quotient(totals.prediction, totals.weight)


def calibration_ratio(totals: Totals) -> float:
    """Sum of predictions / sum of labels: 1 when right on average; NaN where the labels sum to 0."""
    return _quotient(totals.prediction, totals.weight * totals.mean)


def squared_error(totals: Totals) -> float:
    """The weighted mean of (y - p)^2; NaN without rows."""
    return _quotient(totals.error, totals.weight)


def root_squared_error(totals: Totals) -> float:
    """The root of the weighted mean of (y - p)^2, in the label's unit; NaN without rows."""
    return math.sqrt(squared_error(totals))


def absolute_error(totals: Totals) -> float:
    """The weighted mean of |y - p|; NaN without rows."""
    return _quotient(totals.absolute, totals.weight)


def bias(totals: Totals) -> float:
    """The weighted mean of p - y: 0 when right on average; NaN without rows."""
    return mean_prediction(totals) - mean_label(totals)


def log_loss(totals: Totals) -> float:
    """The weighted mean of minus the log likelihood, in nats; NaN without rows and for what is no probability."""
    return _quotient(totals.surprise, totals.weight)


def normalized_entropy(totals: Totals) -> float:
    """The log loss, relative to that of whoever says the mean label of everyone (He et al. 2014).

    Returns:
      log loss / (-(q log q + (1 - q) log(1 - q))), with q the weighted mean of the labels; NaN
      where the labels are of one class.
    """
    return _quotient(log_loss(totals), entropy(totals.mean) if totals.weight else 0.0)


def entropy(share: float) -> float:
    """That of an event of this probability, in nats; 0 where it is certain."""
    return float(special.entr(share) + special.entr(1 - share))


def coefficient_of_determination(totals: Totals) -> float:
    """R2 = 1 - SSE / SST, with SST about the mean of these labels.

    Returns:
      scikit-learn's `r2_score` with `sample_weight`; NaN without rows and where the labels
      do not vary.
    """
    # Equal labels can leave a residue in SST, since their mean is rounded.
    negligible = totals.weight * (1e-12 * totals.mean) ** 2
    if totals.deviation <= negligible:
        return float("nan")
    return 1.0 - totals.error / totals.deviation


def log_losses(labels: NDArray[np.floating], predictions: NDArray[np.floating]) -> Floats:
    """Minus the log likelihood of each label, in nats: -(y log p + (1 - y) log(1 - p)).

    A probability of 0 or 1 counts as the 32-bit float next to it, as in scikit-learn's
    `log_loss`; what is no probability gives NaN.
    """
    probable = (predictions >= 0) & (predictions <= 1)
    inside = np.clip(np.where(probable, predictions, 0.5), LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
    losses = -(labels * np.log(inside) + (1 - labels) * np.log1p(-inside))
    return np.where(probable, losses, np.nan)


def _per_cell(cells: NDArray[np.intp], values: Floats, count: int) -> Floats:
    return np.bincount(cells, values, minlength=count).astype(np.float64)


def _quotient(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator else float("nan")


def _ratio(numerator: Floats, denominator: Floats) -> Floats:
    return np.divide(numerator, denominator, out=np.zeros(len(denominator)), where=denominator != 0)


def _dot(included: Floats, values: Floats) -> float:
    """Sums the included folds only: a NaN in a fold that is left out must not spread."""
    return float(values[included > 0].sum())
