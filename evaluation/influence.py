"""Metrics of rows at hand, with the influence of each row: what an experiment's intervals are made of.

The squared standard error of a metric over examples is sum(influence^2) / examples^2.  For
the AUC the influence values are DeLong's placement values (DeLong, DeLong and
Clarke-Pearson, Biometrics 44, 1988, 837-845), for the others the delta method's.  The
Evaluator sees a row once and keeps sums alone, so that its intervals are a jackknife's
(`evaluation.jackknife`); the tests hold each of the two against the other.

Nothing here, nor in what this imports, needs Beam or TFMA.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluation import sums
from evaluation.groups import Measure, RankedRows, Ranking
from evaluation.jackknife import Floats
from evaluation.ranking import bins_of
from evaluation.rows import Rows
from evaluation.sums import WeightedSums

Numbers = NDArray[np.floating]


@dataclass(frozen=True)
class MetricScore:
    """A metric on some examples.

    Attributes:
      value: The metric.
      influence: Per example; the squared standard error of `value` over examples is
        sum(influence^2) / examples^2.
    """

    value: float
    influence: Numbers


# Takes labelled rows; None where the metric is not defined.
Scorer = Callable[[Rows], MetricScore | None]


def auc(rows: Rows) -> MetricScore | None:
    """Area under the ROC curve, ties counted half; None with one class only, and where a score is no number."""
    positive, negative = rows.weights * (rows.labels > 0), rows.weights * (rows.labels <= 0)
    positives, negatives = positive.sum(), negative.sum()
    if not positives or not negatives or np.isnan(rows.predictions).any():
        return None
    of, per_score = _by_score(rows.predictions, positive, negative)
    won, lost = ((np.cumsum(each) - each / 2)[of] / each.sum() for each in (per_score[1], per_score[0]))
    placement = np.where(rows.labels > 0, won, 1 - lost)
    value = float(positive @ placement / positives)
    share = np.where(rows.labels > 0, positives, negatives) / len(placement)
    return MetricScore(value, rows.weights * (placement - value) / share)


def pr_auc(rows: Rows) -> MetricScore | None:
    """Average precision, the area under the curve of precision over recall; None without positives.

    A row moves the precision at every score up to its own, and its own step if it is positive.
    """
    positive = rows.weights * (rows.labels > 0)
    positives = positive.sum()
    if not positives or np.isnan(rows.predictions).any():
        return None
    of, (found, others) = _by_score(rows.predictions, positive, rows.weights - positive)
    hits, chosen = (np.cumsum(each[::-1])[::-1] for each in (found, found + others))
    precision = _shares(hits, chosen)
    value = float(found @ precision / positives)
    steps = np.cumsum(_shares(found, chosen))
    drawn = np.cumsum(_shares(found * precision, chosen))
    relevant = rows.labels > 0
    own = np.where(relevant, precision[of] - value, 0.0)
    others_steps = np.where(relevant, steps[of], 0.0) - drawn[of]
    return MetricScore(value, len(of) * rows.weights * (own + others_steps) / positives)


def calibration_error(rows: Rows) -> MetricScore | None:
    """The expected calibration error of `evaluation.ranking`, its bins taken as they are."""
    weight = rows.weights.sum()
    if not weight or np.isnan(rows.predictions).any():
        return None
    of, (found,) = _by_score(rows.predictions, rows.weights)
    bins = bins_of(found)[of]
    misses = rows.weights * (rows.predictions - rows.labels)
    signs = np.sign(np.bincount(bins, misses))
    value = float(signs[bins] @ misses / weight)
    return MetricScore(value, len(bins) * (signs[bins] * misses - value * rows.weights) / weight)


def r2(rows: Rows) -> MetricScore | None:
    """1 - SSE / SST about the mean of these labels; None where they do not vary or a prediction is no number."""
    totals = WeightedSums.of(rows).total()
    value = sums.coefficient_of_determination(totals)
    if math.isnan(value):
        return None
    squares, errors = np.square(rows.labels - totals.mean), np.square(rows.labels - rows.predictions)
    return MetricScore(value, rows.weights * ((1 - value) * squares - errors) * totals.count / totals.deviation)


def normalized_entropy(rows: Rows) -> MetricScore | None:
    """The log loss relative to that of the mean label; None with one class only."""
    totals = WeightedSums.of(rows).total()
    value = sums.normalized_entropy(totals)
    if math.isnan(value):
        return None
    bound, odds = sums.entropy(totals.mean), math.log((1 - totals.mean) / totals.mean)
    surprise = sums.log_losses(rows.labels, rows.predictions) - sums.log_loss(totals)
    moved = (surprise - value * odds * (rows.labels - totals.mean)) / bound
    return MetricScore(value, totals.count * rows.weights * moved / totals.weight)


def root_squared_error(rows: Rows) -> MetricScore | None:
    """The root of the mean squared error; its influence is that of the square over twice the root."""
    square = mean(np.square(rows.labels - rows.predictions), rows.weights)
    if square is None:
        return None
    value = math.sqrt(square.value)
    return MetricScore(value, square.influence / (2 * value) if value else np.zeros_like(square.influence))


def over_groups(measure: Measure) -> Scorer:
    """The mean of a measure over groups; a group's influence stands at one of its rows, and the others have none."""

    def scored(rows: Rows) -> MetricScore | None:
        if not rows.labels.size:
            return None
        found = measure(Ranking(RankedRows.of(rows)))
        weight = found.weights.sum()
        value = float(found.weights @ found.values / weight) if weight else math.nan
        if math.isnan(value):
            return None
        influence = np.zeros(rows.labels.size)
        influence[found.firsts] = rows.labels.size * found.weights * (found.values - value) / weight
        return MetricScore(value, influence)

    return scored


def mean(numbers: Numbers, weights: Numbers | None = None) -> MetricScore | None:
    """The mean of a number per example; None without examples, and where one is no number."""
    return ratio(numbers, np.ones(len(numbers)), weights)


def ratio(upper: Numbers, lower: Numbers, weights: Numbers | None = None) -> MetricScore | None:
    """sum(upper) / sum(lower) over the same units (Deng, Knoblich and Lu, KDD 2018, section 3); None over 0."""
    weighted = np.ones(len(upper)) if weights is None else weights
    total = float(weighted @ lower)
    value = float(weighted @ upper) / total if total else math.nan
    return None if math.isnan(value) else MetricScore(value, len(upper) * weighted * (upper - value * lower) / total)


def _by_score(scores: Numbers, *weights: Numbers) -> tuple[NDArray[np.intp], list[Floats]]:
    """For each row the place of its score among the different ones, ascending, and sums of weights by that place."""
    different, place = np.unique(scores, return_inverse=True)
    sums_of_weights = [np.bincount(place, each, minlength=len(different)).astype(np.float64) for each in weights]
    return place, sums_of_weights


def _shares(parts: Numbers, wholes: Numbers) -> Numbers:
    return np.divide(parts, wholes, out=np.zeros(len(wholes)), where=wholes > 0)
