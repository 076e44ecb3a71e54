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
from scipy import stats

from evaluation.rows import Rows
from evaluation.sums import WeightedSums, coefficient_of_determination

Numbers = NDArray[np.floating]


@dataclass(frozen=True)
class Score:
    """A metric on some examples.

    Attributes:
      value: The metric.
      influence: Per example; the squared standard error of `value` over examples is
        sum(influence^2) / examples^2.
    """

    value: float
    influence: Numbers


# Takes labels, all present, and predictions, float [examples]; None where the metric is not defined.
Scorer = Callable[[Numbers, Numbers], Score | None]


def auc(labels: Numbers, scores: Numbers) -> Score | None:
    """Area under the ROC curve, ties counted half; None with one class only, and where a score is no number."""
    positive = labels > 0
    positives, negatives = int(positive.sum()), int((~positive).sum())
    if not positives or not negatives or np.isnan(scores).any():
        return None
    ranks = stats.rankdata(scores)
    placement = np.empty(len(scores))
    placement[positive] = (ranks[positive] - stats.rankdata(scores[positive])) / negatives
    placement[~positive] = 1 - (ranks[~positive] - stats.rankdata(scores[~positive])) / positives
    value = float(placement[positive].mean())
    share = np.where(positive, positives, negatives) / len(scores)
    return Score(value, (placement - value) / share)


def r2(labels: Numbers, predictions: Numbers) -> Score | None:
    """1 - SSE / SST about the mean of these labels; None where they do not vary or a prediction is no number."""
    labels, predictions = labels.astype(np.float64), predictions.astype(np.float64)
    totals = WeightedSums.of(Rows.of(labels, predictions)).total()
    value = coefficient_of_determination(totals)
    if math.isnan(value):
        return None
    squares, errors = np.square(labels - totals.mean), np.square(labels - predictions)
    return Score(value, ((1 - value) * squares - errors) * totals.count / totals.deviation)


def mean(numbers: Numbers) -> Score | None:
    """The mean of a number per example; None without examples, and where one is no number."""
    value = float(numbers.mean()) if len(numbers) else math.nan
    return None if math.isnan(value) else Score(value, numbers - value)


def ratio(upper: Numbers, lower: Numbers) -> Score | None:
    """sum(upper) / sum(lower) over the same units (Deng, Knoblich and Lu, KDD 2018, section 3); None over 0."""
    total = float(lower.sum())
    if total == 0:
        return None
    value = float(upper.sum()) / total
    return Score(value, len(upper) * (upper - value * lower) / total)
