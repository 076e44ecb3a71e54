"""How well scores rank: the area under the ROC curve over all rows, NDCG within groups.

Nothing here, nor in what this imports, needs Beam or TFMA.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluation.jackknife import FOLDS, Floats
from evaluation.rows import Rows
from schema.errors import InputError

_DROPPED_BITS = 9  # of a float32's 23 bits of mantissa; 14 remain: scores 6e-5 apart, relatively, tie.


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
    """

    cells: NDArray[np.int64]
    positive: Floats
    negative: Floats
    count: Floats
    undefined: Floats

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
        )

    def fold_counts(self) -> Floats:
        return self.count


def area_under_curve(scores: Scores, included: Floats) -> float:
    """P(score of a positive > score of a negative) + P(equal) / 2, weighted.

    Args:
      scores: The histogram.
      included: Per fold 1.0 to include it or 0.0, shape [FOLDS].

    Returns:
      The area, or NaN when a score is NaN or when positives or negatives are missing.
    """
    if included @ scores.undefined > 0 or not scores.cells.size:
        return float("nan")
    codes, folds = scores.cells // FOLDS, scores.cells % FOLDS
    starts = np.flatnonzero(np.diff(codes, prepend=codes[0] - 1))
    positive = np.add.reduceat(scores.positive * included[folds], starts)
    negative = np.add.reduceat(scores.negative * included[folds], starts)
    pairs = positive.sum() * negative.sum()
    if pairs <= 0:
        return float("nan")
    below = np.cumsum(negative) - negative
    return float(positive @ (below + negative / 2) / pairs)


@dataclass(frozen=True)
class RankedRows:
    """Rows to be ranked: arrays of equal length [rows]; 28 bytes per row are kept until the end."""

    groups: NDArray[np.int64]
    scores: NDArray[np.float32]
    labels: Floats
    folds: NDArray[np.intp]

    @classmethod
    def merged(cls, parts: Iterable[RankedRows]) -> RankedRows:
        nothing = cls(np.zeros(0, np.int64), np.zeros(0, np.float32), np.zeros(0), np.zeros(0, np.intp))
        listed = [nothing, *parts]
        return cls(
            np.concatenate([part.groups for part in listed]),
            np.concatenate([part.scores for part in listed]),
            np.concatenate([part.labels for part in listed]),
            np.concatenate([part.folds for part in listed]),
        )


@dataclass(frozen=True)
class GroupSums:
    """NDCG summed over groups, and the number of groups, per fold: shapes [FOLDS]."""

    total: Floats
    count: Floats

    def fold_counts(self) -> Floats:
        return self.count


def group_sums(rows: RankedRows, k: int) -> GroupSums:
    """NDCG@k of each group that has a positive label, added up per fold.

    Järvelin and Kekäläinen 2002, with the label as gain and 1 / log2(1 + rank) as
    discount; rows with equal scores share the mean of their gains, as in scikit-learn's
    `ndcg_score`.  A score that is NaN makes its group's NDCG NaN.

    Args:
      rows: The rows, in any order.
      k: Ranks that count.
    """
    if not rows.groups.size:
        return GroupSums(np.zeros(FOLDS), np.zeros(FOLDS))
    by_score = np.lexsort((-rows.scores, rows.groups))
    by_label = np.lexsort((-rows.labels, rows.groups))
    groups, scores = rows.groups[by_score], rows.scores[by_score]
    firsts = _starts(groups[1:] != groups[:-1])
    sizes = np.diff(np.append(firsts, groups.size))
    rank = np.arange(groups.size) - np.repeat(firsts, sizes)
    discount = np.where(rank < k, 1 / np.log2(rank + 2), 0.0)
    ties = _starts((groups[1:] != groups[:-1]) | (scores[1:] != scores[:-1]))
    tie_sizes = np.diff(np.append(ties, groups.size))
    gains = np.repeat(np.add.reduceat(rows.labels[by_score], ties) / tie_sizes, tie_sizes)
    gains = np.where(np.isnan(scores), np.nan, gains)
    found = np.add.reduceat(gains * discount, firsts)
    ideal = np.add.reduceat(rows.labels[by_label] * discount, firsts)
    ranked = ideal > 0
    folds = rows.folds[by_score][firsts][ranked]
    values = found[ranked] / ideal[ranked]
    return GroupSums(
        np.bincount(folds, values, minlength=FOLDS).astype(np.float64),
        np.bincount(folds, minlength=FOLDS).astype(np.float64),
    )


def mean_over_groups(sums: GroupSums, included: Floats) -> float:
    """The mean NDCG of the groups in the folds that are included; NaN without any."""
    kept = included > 0
    count = sums.count[kept].sum()
    return float(sums.total[kept].sum() / count) if count else float("nan")


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


def _starts(changes: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Where runs start, given where each element but the first differs from the one before."""
    return np.concatenate([[0], np.flatnonzero(changes) + 1])
