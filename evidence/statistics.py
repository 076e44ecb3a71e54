"""Paired differences of metrics over seeds and examples, and their intervals.

Where an interval comes from.  A difference between two arms varies for two reasons: other
seeds would train other models, and other evaluation examples would be drawn.  The first is
the variance over seeds of the paired differences.  The second is the variance of the
metric over examples, of the mean over seeds, taken from influence values
(`evaluation.influence`).  Both variances are added, and the interval is Student's t with
Satterthwaite's degrees of freedom.

Where several arms are trained under the same seeds, they share the noise of a seed's weights
and batches, and their two-way layout (arms by seeds) tells its variance from more degrees of
freedom than one pair does: (arms - 1) (seeds - 1).  That pooled variance supposes that all
arms vary alike.  Where a pair varies more than the rest, its own variance is taken, so that
the larger of the two counts.  `tests/evidence/test_statistics.py` holds by simulation that a
one-sided error of 2.5% stays within 5% where deviations differ by a factor of 3, and that of
four seeds an interval of 98% is less than .75 as wide where they do not.

A percentile bootstrap over five seeds would be too narrow: it sees (n - 1) / n of the
variance over n seeds and has the tails of a normal distribution.  The tests hold the
example part against `scipy.stats.bootstrap`.
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from evaluation.influence import MetricScore, ratio

Floats = NDArray[np.floating]
# Of one arm, by run and seed.
Scores = Sequence[Sequence[MetricScore]]


@dataclass(frozen=True)
class SeedSpread:
    """What makes an interval as wide as it is.

    Attributes:
      of_one: Variance of the difference under one seed (or in one run, where there are several).
      units: Number of seeds or runs.
      arms: Number of arms whose variances were pooled; 2 where none were.
      examples: Variance that is left when there are seeds without end.
      confidence: Confidence of the two-sided interval.
    """

    of_one: float
    units: int
    arms: int
    examples: float
    confidence: float

    def variance(self, units: int) -> float:
        """Variance of the mean difference over as many seeds."""
        return self.of_one / units + self.examples

    def freedom(self, units: int) -> float:
        """Satterthwaite's degrees of freedom of that variance."""
        between = self.of_one / units
        return (self.arms - 1) * (units - 1) * (self.variance(units) / between) ** 2 if between > 0 else np.inf

    def half_width(self, units: int) -> float:
        """Half the width of the interval that as many seeds would give."""
        return float(stats.t.ppf((1 + self.confidence) / 2, self.freedom(units)) * np.sqrt(self.variance(units)))


@dataclass(frozen=True)
class Estimate:
    """A mean with its simultaneous confidence interval.

    Attributes:
      mean: The mean over runs and seeds.
      low: Lower end of the interval, corrected for the number of comparisons.
      high: Upper end.
      p_value: Two-sided, against 0, not corrected.
      replicates: The value of each run and seed, runs first.
      spread: Where the interval's width comes from; None where it was not taken from seeds.
    """

    mean: float
    low: float
    high: float
    p_value: float
    replicates: tuple[float, ...]
    spread: SeedSpread | None = None


def lift(ours: Floats, theirs: Floats) -> MetricScore | None:
    """The relative difference of two totals over the same units, such as people.

    sum(ours) / sum(theirs) - 1, with the delta method's influence of a unit on a ratio.

    Args:
      ours: Float [units].
      theirs: The same units under the other arm.

    Returns:
      None where the other arm has nothing.
    """
    found = ratio(ours, theirs)
    return None if found is None else MetricScore(found.value - 1, found.influence)


def mean_of(scores: Sequence[MetricScore], *, confidence: float) -> Estimate:
    """The mean of one metric over models of several seeds, met by the same units.

    Args:
      scores: One per pair of models; of a single one, the interval is over units alone.
      confidence: Confidence of the two-sided interval, after any correction.
    """
    values = np.array([[each.value for each in scores]])
    of_one = float(np.var(values, ddof=1)) if len(scores) > 1 else 0.0
    examples = _example_variance(_mean_influence(scores), None)
    return _interval(values, SeedSpread(of_one, len(scores), 2, examples, confidence))


def difference(
    ours: Scores,
    theirs: Scores,
    *,
    confidence: float,
    clusters: Sequence[NDArray[np.integer] | None] | None = None,
    others: Sequence[Scores] = (),
) -> Estimate:
    """The paired difference between two arms.

    Args:
      ours: Scores by run and seed.
      theirs: The other arm's, of the same runs, seeds and examples.
      confidence: Confidence of the two-sided interval, after any correction.
      clusters: Per run the cluster (a person) of each example; None where each example
        stands for itself.
      others: Further arms of the same runs and seeds, which tell how much a seed matters.

    Returns:
      The mean difference, positive where `ours` is better.

    Raises:
      ValueError: There is nothing to take the variance over.
    """
    values = _values(ours) - _values(theirs)
    units = len(values) if len(values) > 1 else values.shape[1]
    if units < 2:
        raise ValueError("an interval needs two seeds or more, or two runs or more")
    # Not divided by the number of runs: their evaluation splits may be drawn from the same examples.
    examples = float(
        np.mean(
            [
                _example_variance(_mean_influence(a) - _mean_influence(b), groups)
                for a, b, groups in zip(ours, theirs, clusters or [None] * len(values), strict=True)
            ]
        )
    )
    of_one = _variance_of_one([_by_unit(each) for each in (ours, theirs, *others)])
    return _interval(values, SeedSpread(of_one, units, 2 + len(others), examples, confidence))


def units_to_decide(estimate: Estimate, margin: float, most: int = 1000) -> int | None:
    """How many seeds (or runs) would show that a difference is there, or that it is within the margin.

    It supposes that the mean and the variances stay what they are.

    Args:
      estimate: A difference whose interval decides nothing.
      margin: A difference this small is none.
      most: Where to stop.

    Returns:
      None where no number up to `most` would: the evaluation examples are too few.

    Raises:
      ValueError: The estimate does not say where its width comes from.
    """
    if estimate.spread is None:
        raise ValueError("expected an estimate over seeds")
    needed = max(abs(estimate.mean), margin - abs(estimate.mean))
    spread = estimate.spread
    # More units, narrower intervals: the first that is narrow enough is found by halving.
    tried = range(max(spread.units, 2), most + 1)
    found = bisect.bisect_left(tried, True, key=lambda units: spread.half_width(units) < needed)
    return tried[found] if found < len(tried) else None


def _values(scores: Scores) -> Floats:
    """The values by run and seed, float [runs, seeds]."""
    return np.array([[each.value for each in of_seeds] for of_seeds in scores])


def _by_unit(scores: Scores) -> Floats:
    """The values of what is drawn anew: of each run where there are several, else of each seed."""
    values = _values(scores)
    return values.mean(axis=1) if len(values) > 1 else values[0]


def _variance_of_one(arms: Sequence[Floats]) -> float:
    """Variance of the first arm's difference to the second under one seed: its own or the pooled one.

    The pooled one is twice the residual variance of the two-way layout of arms and seeds.
    """
    table = np.array(arms)
    own = float(np.var(table[0] - table[1], ddof=1))
    rows, columns = table.shape
    residual = table - table.mean(axis=1, keepdims=True) - table.mean(axis=0, keepdims=True) + table.mean()
    return max(own, 2 * float(np.square(residual).sum()) / ((rows - 1) * (columns - 1)))


def _interval(values: Floats, spread: SeedSpread) -> Estimate:
    mean, half = float(values.mean()), spread.half_width(spread.units)
    error = np.sqrt(spread.variance(spread.units))
    different = 0.0 if mean else 1.0
    p_value = float(2 * stats.t.sf(abs(mean) / error, spread.freedom(spread.units))) if error else different
    return Estimate(mean, mean - half, mean + half, p_value, tuple(map(float, values.ravel())), spread)


def _mean_influence(scores: Sequence[MetricScore]) -> Floats:
    return np.mean([each.influence for each in scores], axis=0)


def _example_variance(influence: Floats, clusters: NDArray[np.integer] | None) -> float:
    """Variance of a mean of independent examples, or of independent clusters of them."""
    sums = influence if clusters is None else np.bincount(clusters, weights=influence)
    return float(np.square(sums).sum()) / len(influence) ** 2
