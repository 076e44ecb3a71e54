"""Paired differences of metrics over seeds and examples, and their intervals.

Where an interval comes from.  A difference between two arms varies for two reasons: other
seeds would train other models, and other evaluation examples would be drawn.  The first is
the variance over seeds of the paired differences.  The second is the variance of the
metric over examples, of the mean over seeds, taken from influence values
(`evaluation.influence`).  Both variances are added, and the interval is Student's t with
Satterthwaite's degrees of freedom.

A percentile bootstrap over five seeds would be too narrow: it sees (n - 1) / n of the
variance over n seeds and has the tails of a normal distribution.  The tests hold the
example part against `scipy.stats.bootstrap`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from evaluation.influence import Score, ratio

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Estimate:
    """A mean with its simultaneous confidence interval.

    Attributes:
      mean: The mean over runs and seeds.
      low: Lower end of the interval, corrected for the number of comparisons.
      high: Upper end.
      p_value: Two-sided, against 0, not corrected.
      replicates: The value of each run and seed, runs first.
    """

    mean: float
    low: float
    high: float
    p_value: float
    replicates: tuple[float, ...]


def lift(ours: Floats, theirs: Floats) -> Score | None:
    """The relative difference of two totals over the same units, such as people.

    sum(ours) / sum(theirs) - 1, with the delta method's influence of a unit on a ratio.

    Args:
      ours: Float [units].
      theirs: The same units under the other arm.

    Returns:
      None where the other arm has nothing.
    """
    found = ratio(ours, theirs)
    return None if found is None else Score(found.value - 1, found.influence)


def mean_of(scores: Sequence[Score], *, confidence: float) -> Estimate:
    """The mean of one metric over models of several seeds, met by the same units.

    Args:
      scores: One per pair of models; of a single one, the interval is over units alone.
      confidence: Confidence of the two-sided interval, after any correction.
    """
    values = np.array([[each.value for each in scores]])
    between = float(np.var(values, ddof=1)) / len(scores) if len(scores) > 1 else 0.0
    return _interval(values, between, len(scores) - 1, _example_variance(_mean_influence(scores), None), confidence)


def difference(
    ours: Sequence[Sequence[Score]],
    theirs: Sequence[Sequence[Score]],
    *,
    confidence: float,
    clusters: Sequence[NDArray[np.integer] | None] | None = None,
) -> Estimate:
    """The paired difference between two arms.

    Args:
      ours: Scores by run and seed.
      theirs: The other arm's, of the same runs, seeds and examples.
      confidence: Confidence of the two-sided interval, after any correction.
      clusters: Per run the cluster (a person) of each example; None where each example
        stands for itself.

    Returns:
      The mean difference, positive where `ours` is better.

    Raises:
      ValueError: There is nothing to take the variance over.
    """
    values = np.array(
        [[a.value - b.value for a, b in zip(*pair, strict=True)] for pair in zip(ours, theirs, strict=True)]
    )
    units = values.mean(axis=1) if len(values) > 1 else values[0]
    if len(units) < 2:
        raise ValueError("an interval needs two seeds or more, or two runs or more")
    between = float(np.var(units, ddof=1)) / len(units)
    # Not divided by the number of runs: their evaluation splits may be drawn from the same examples.
    within = float(
        np.mean(
            [
                _example_variance(_mean_influence(a) - _mean_influence(b), groups)
                for a, b, groups in zip(ours, theirs, clusters or [None] * len(values), strict=True)
            ]
        )
    )
    return _interval(values, between, len(units) - 1, within, confidence)


def _interval(values: Floats, between: float, degrees: int, within: float, confidence: float) -> Estimate:
    mean, variance = float(values.mean()), between + within
    replicates = tuple(float(value) for value in values.ravel())
    if variance == 0:
        return Estimate(mean, mean, mean, 1.0 if mean == 0 else 0.0, replicates)
    freedom = degrees * (variance / between) ** 2 if between > 0 else np.inf
    error = np.sqrt(variance)
    half = float(stats.t.ppf((1 + confidence) / 2, freedom) * error)
    p_value = float(2 * stats.t.sf(abs(mean) / error, freedom))
    return Estimate(mean, mean - half, mean + half, p_value, replicates)


def _mean_influence(scores: Sequence[Score]) -> Floats:
    return np.mean([each.influence for each in scores], axis=0)


def _example_variance(influence: Floats, clusters: NDArray[np.integer] | None) -> float:
    """Variance of a mean of independent examples, or of independent clusters of them."""
    sums = influence if clusters is None else np.bincount(clusters, weights=influence)
    return float(np.square(sums).sum()) / len(influence) ** 2
