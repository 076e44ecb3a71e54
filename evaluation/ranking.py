"""What follows from a histogram of scores: the areas under two curves, and the calibration error.

Nothing here, nor in what this imports, needs Beam or TFMA.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from evaluation.jackknife import FOLDS, Floats
from evaluation.rows import Rows
from schema.errors import InputError

_DROPPED_BITS = 9  # of a float32's 23 bits of mantissa; 14 remain: scores 6e-5 apart, relatively, tie.
BINS = 10


@dataclass(frozen=True)
class Scores:
    """A histogram of scores, by score and fold; arrays of equal length [cells].

    A score's code is the upper bits of its float32 form, mapped so that codes order as
    scores do.  The resolution is relative, so rare events, whose scores crowd near 0, are
    ranked as finely as others: TFMA's AUC has 10,000 equal steps between 0 and 1 instead,
    and calls a slice without positives 0.0 rather than undefined.

    Attributes:
      cells: score code * FOLDS + fold, ascending.
      positive: Weight of the positive rows.
      negative: Weight of the negative rows.
      count: Rows of each fold, shape [FOLDS].
      undefined: Rows of each fold whose score is NaN, shape [FOLDS].
      dropped_bits: How many of the lowest bits of a score's mantissa do not count.
    """

    cells: NDArray[np.int64]
    positive: Floats
    negative: Floats
    count: Floats
    undefined: Floats
    dropped_bits: int = _DROPPED_BITS

    @classmethod
    def nothing(cls) -> Scores:
        return cls(np.zeros(0, np.int64), np.zeros(0), np.zeros(0), np.zeros(FOLDS), np.zeros(FOLDS))

    @classmethod
    def of(cls, rows: Rows, dropped_bits: int = _DROPPED_BITS) -> Scores:
        """The histogram of some rows.

        Args:
          rows: The rows.
          dropped_bits: How many of the lowest bits of a score's mantissa do not count; with
            0, only scores that are equal as 32-bit floats tie.

        Raises:
          InputError: A label is not within [0, 1].
        """
        labels = rows.labels
        if labels.size and not (labels.min() >= 0 and labels.max() <= 1):
            wrong = labels[(labels < 0) | (labels > 1)][0]
            raise InputError(f"the label of a binary task must be 0 or 1, found {wrong:g}")
        cells = (ordered_bits(rows.predictions) >> dropped_bits) * FOLDS + rows.folds
        undefined = np.isnan(rows.predictions)
        return cls(
            *_gather(cells, rows.weights * labels, rows.weights * (1 - labels)),
            count=np.bincount(rows.folds, minlength=FOLDS).astype(np.float64),
            undefined=np.bincount(rows.folds, undefined, minlength=FOLDS).astype(np.float64),
            dropped_bits=dropped_bits,
        )

    @classmethod
    def merged(cls, parts: Iterable[Scores]) -> Scores:
        listed = [cls.nothing(), *parts]
        return cls(
            *_gather(
                np.concatenate([part.cells for part in listed]),
                np.concatenate([part.positive for part in listed]),
                np.concatenate([part.negative for part in listed]),
            ),
            count=np.sum([part.count for part in listed], axis=0),
            undefined=np.sum([part.undefined for part in listed], axis=0),
            dropped_bits=listed[-1].dropped_bits,
        )

    def fold_counts(self) -> Floats:
        return self.count

    @cached_property
    def by_code(self) -> ByCode:
        """The same, added up over folds."""
        return ByCode.of(self)


@dataclass(frozen=True)
class ByCode:
    """A histogram added up over folds, from which one of them can be taken away at little cost.

    Attributes:
      middles: The score in the middle of those that have a code, ascending, shape [codes].
      positive: Weight of the positive rows of each code, [codes].
      negative: Weight of the negative rows, likewise.
      of_fold: Each fold's codes, as places in these arrays, with its share of both weights.
    """

    middles: Floats
    positive: Floats
    negative: Floats
    of_fold: list[tuple[NDArray[np.intp], Floats, Floats]]

    @classmethod
    def of(cls, scores: Scores) -> ByCode:
        """The sums of a histogram."""
        codes, folds = np.divmod(scores.cells, FOLDS)
        new = np.diff(codes, prepend=codes[:1] - 1) > 0
        places, starts = np.cumsum(new) - 1, np.flatnonzero(new)
        middles = values_of((codes[starts] << scores.dropped_bits) + ((1 << scores.dropped_bits) >> 1))
        positive, negative = (
            np.bincount(places, weights, minlength=len(starts)).astype(np.float64)
            for weights in (scores.positive, scores.negative)
        )
        members = [np.flatnonzero(folds == fold) for fold in range(FOLDS)]
        shares = [(places[of], scores.positive[of], scores.negative[of]) for of in members]
        return cls(middles, positive, negative, shares)

    def without(self, fold: int) -> tuple[Floats, Floats]:
        """The weights of positive and negative rows of all other folds, [codes].

        Where these have none, nothing is left, and no residue: the sum was this fold's share itself.
        """
        places, *shares = self.of_fold[fold]
        positive, negative = self.positive.copy(), self.negative.copy()
        for weights, share in zip((positive, negative), shares, strict=True):
            weights[places] -= share
        return positive, negative


def area_under_curve(scores: Scores, included: Floats) -> float:
    """P(score of a positive > score of a negative) + P(equal) / 2, weighted.

    Args:
      scores: The histogram.
      included: Per fold 1.0 to include it or 0.0, shape [FOLDS]; at most one is left out.

    Returns:
      The area, or NaN when a score is NaN or when positives or negatives are missing.
    """
    positive, negative = _by_score(scores, included)
    pairs = positive.sum() * negative.sum()
    if included @ scores.undefined > 0 or pairs <= 0:
        return float("nan")
    below = np.cumsum(negative) - negative
    return float((positive * (below + negative / 2)).sum() / pairs)


def average_precision(scores: Scores, included: Floats) -> float:
    """The area under the curve of precision over recall, by steps: sum of (R_i - R_(i-1)) P_i, weighted.

    Rows with equal scores make one step, as in scikit-learn's `average_precision_score`.

    Args:
      scores: The histogram.
      included: Per fold 1.0 to include it or 0.0, shape [FOLDS]; at most one is left out.

    Returns:
      The area, or NaN when a score is NaN or when there are no positives.
    """
    positive, negative = _by_score(scores, included)
    if included @ scores.undefined > 0 or positive.sum() <= 0:
        return float("nan")
    found = np.cumsum(positive[::-1])[::-1]
    chosen = found + np.cumsum(negative[::-1])[::-1]
    precision = np.divide(found, chosen, out=np.zeros(len(found)), where=chosen > 0)
    return float((positive * precision).sum() / positive.sum())


def calibration_error(scores: Scores, included: Floats, bins: int = BINS) -> float:
    """The expected calibration error: the mean over bins of |mean prediction - mean label|, by their weight.

    Bins hold about equal weight (Nguyen and O'Connor 2015); rows with equal predictions stay
    together, so that there are fewer bins where many predictions are equal.

    Args:
      scores: The histogram.
      included: Per fold 1.0 to include it or 0.0, shape [FOLDS]; at most one is left out.
      bins: Most bins made.

    Returns:
      The error; NaN without rows, and when a prediction is no number.
    """
    positive, negative = _by_score(scores, included)
    weight = positive + negative
    if included @ scores.undefined > 0 or weight.sum() <= 0:
        return float("nan")
    of_code = bins_of(weight, bins)
    misses = np.bincount(of_code, weight * scores.by_code.middles - positive, minlength=bins)
    return float(np.abs(misses).sum() / weight.sum())


def bins_of(weight: Floats, bins: int = BINS) -> NDArray[np.int64]:
    """The bin of each of several weights in a row, so that bins hold about equal weight and none is split."""
    return ((np.cumsum(weight) - weight / 2) / weight.sum() * bins).astype(np.int64)


def _by_score(scores: Scores, included: Floats) -> tuple[Floats, Floats]:
    """The weights of positive and negative rows by ascending score, in the folds that are included."""
    left_out = np.flatnonzero(included == 0)
    if left_out.size > 1:
        raise ValueError(f"expected at most one fold to be left out, found {left_out.size}")
    by_code = scores.by_code
    return by_code.without(left_out[0]) if left_out.size else (by_code.positive, by_code.negative)


def values_of(ordered: NDArray[np.int64]) -> Floats:
    """The numbers whose `ordered_bits` these are."""
    return np.copysign(np.abs(ordered).astype(np.int32).view(np.float32), ordered).astype(np.float64)


def ordered_bits(scores: Floats) -> NDArray[np.int64]:
    """The bits of scores as float32, mapped to integers in the same order as the scores."""
    bits = (scores.astype(np.float32) + np.float32(0)).view(np.int32).astype(np.int64)  # + 0 turns -0 into 0
    return np.where(bits < 0, -(bits & 0x7FFFFFFF), bits)


def _gather(cells: NDArray[np.int64], positive: Floats, negative: Floats) -> tuple[NDArray[np.int64], Floats, Floats]:
    """Adds up the weights of equal cells."""
    unique, place = np.unique(cells, return_inverse=True)

    def per_cell(weights: Floats) -> Floats:
        return np.bincount(place, weights, minlength=len(unique)).astype(np.float64)

    return unique, per_cell(positive), per_cell(negative)
