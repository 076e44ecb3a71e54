"""Metrics with what their intervals need, and paired differences over seeds and examples.

Where an interval comes from.  A difference between two arms varies for two reasons: other
seeds would train other models, and other evaluation examples would be drawn.  The first is
the variance over seeds of the paired differences.  The second is the variance of the
metric over examples, of the mean over seeds, taken from influence values: for the AUC they
are DeLong's placement values (DeLong, DeLong and Clarke-Pearson, Biometrics 44, 1988,
837-845), for R2 the delta method's.  Both variances are added, and the interval is
Student's t with Satterthwaite's degrees of freedom.

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

from schema.surface import TaskKind

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Score:
    """A metric on some examples.

    Attributes:
      value: The metric.
      influence: Per example; the squared standard error of `value` over examples is
        sum(influence^2) / examples^2.
    """

    value: float
    influence: Floats


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


def score(kind: TaskKind, labels: Floats, predictions: Floats) -> Score | None:
    """The metric of a task: AUC if binary, R2 if regression.

    Args:
      kind: The task's kind.
      labels: Float [examples], all present.
      predictions: Float [examples]: any number that ranks, or values in the label's unit.

    Returns:
      None where the metric is not defined: one class only, or labels that do not vary.
    """
    return auc(labels, predictions) if kind is TaskKind.BINARY else r2(labels, predictions)


def auc(labels: Floats, scores: Floats) -> Score | None:
    """Area under the ROC curve, ties counted half; None with one class only."""
    positive = labels > 0
    positives, negatives = int(positive.sum()), int((~positive).sum())
    if not positives or not negatives:
        return None
    ranks = stats.rankdata(scores)
    placement = np.empty(len(scores))
    placement[positive] = (ranks[positive] - stats.rankdata(scores[positive])) / negatives
    placement[~positive] = 1 - (ranks[~positive] - stats.rankdata(scores[~positive])) / positives
    value = float(placement[positive].mean())
    share = np.where(positive, positives, negatives) / len(scores)
    return Score(value, (placement - value) / share)


def r2(labels: Floats, predictions: Floats) -> Score | None:
    """1 - SSE / SST with SST about the mean of these labels; None where they do not vary."""
    labels, predictions = labels.astype(np.float64), predictions.astype(np.float64)
    if not len(labels):
        return None
    squares = np.square(labels - labels.mean())
    if squares.sum() <= 0:
        return None
    errors = np.square(labels - predictions)
    ratio = errors.sum() / squares.sum()
    return Score(float(1 - ratio), (ratio * squares - errors) / squares.mean())


def lift(ours: Floats, theirs: Floats) -> Score | None:
    """The relative difference of two totals over the same units, such as people.

    sum(ours) / sum(theirs) - 1, with the delta method's influence of a unit on a ratio
    (for online experiments: Deng, Knoblich and Lu, KDD 2018, section 3).

    Args:
      ours: Float [units].
      theirs: The same units under the other arm.

    Returns:
      None where the other arm has nothing.
    """
    total = float(theirs.sum())
    if total == 0:
        return None
    ratio = float(ours.sum()) / total
    return Score(ratio - 1, len(ours) * (ours - ratio * theirs) / total)


def mean_of(scores: Sequence[Score], *, confidence: float) -> Estimate:
    """The mean of one metric over models of several seeds, met by the same units.

    Args:
      scores: One a model pair; of a single one, the interval is over units alone.
      confidence: Of the two-sided interval, after any correction.
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
      confidence: Of the two-sided interval, after any correction.
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
