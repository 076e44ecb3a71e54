"""How well scores rank within groups of rows that were ranked together.

Each measure gives a number per group; the metric is their mean, each group with the mean
weight of its rows (all with 1, unless rows are weighted), the grouped AUC with the weight of
its rows.  Where a model scores rows alike, a measure is what an order by chance gives on average:
no model gains by refusing to rank.

Nothing here, nor in what this imports, needs Beam or TFMA.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import special

from evaluation.jackknife import FOLDS, Floats
from evaluation.rows import Rows


@dataclass(frozen=True)
class RankedRows:
    """Rows to be ranked: arrays of equal length [rows]; 36 bytes per row are kept until the end."""

    groups: NDArray[np.int64]
    scores: NDArray[np.float32]
    labels: Floats
    weights: Floats
    folds: NDArray[np.intp]

    @classmethod
    def of(cls, rows: Rows) -> RankedRows:
        """What is kept of some rows."""
        return cls(rows.groups, rows.predictions.astype(np.float32), rows.labels, rows.weights, rows.folds)

    @classmethod
    def merged(cls, parts: Iterable[RankedRows]) -> RankedRows:
        nothing = cls(np.zeros(0, np.int64), np.zeros(0, np.float32), np.zeros(0), np.zeros(0), np.zeros(0, np.intp))
        listed = [nothing, *parts]
        return cls(
            np.concatenate([part.groups for part in listed]),
            np.concatenate([part.scores for part in listed]),
            np.concatenate([part.labels for part in listed]),
            np.concatenate([part.weights for part in listed]),
            np.concatenate([part.folds for part in listed]),
        )


@dataclass(frozen=True)
class GroupValues:
    """A measure of each group that has one; arrays of equal length [groups].

    Attributes:
      values: The measure; NaN where a score is NaN.
      weights: What the group counts for.
      folds: The group's fold.
      firsts: A row of the group, as an index into the rows as they were given.
    """

    values: Floats
    weights: Floats
    folds: NDArray[np.intp]
    firsts: NDArray[np.intp]

    def sums(self) -> GroupSums:
        """The same, added up per fold."""

        def per_fold(numbers: Floats) -> Floats:
            return np.bincount(self.folds, numbers, minlength=FOLDS).astype(np.float64)

        count = np.bincount(self.folds, minlength=FOLDS).astype(np.float64)
        return GroupSums(per_fold(self.weights * self.values), per_fold(self.weights), count)


@dataclass(frozen=True)
class GroupSums:
    """Per fold, shapes [FOLDS]: the measure times the groups' weights, these weights, and the number of groups."""

    total: Floats
    weight: Floats
    count: Floats

    def fold_counts(self) -> Floats:
        return self.count


def mean_over_groups(sums: GroupSums, included: Floats) -> float:
    """The weighted mean of a measure over the groups in the folds that are included; NaN without any."""
    kept = included > 0
    weight = sums.weight[kept].sum()
    return float(sums.total[kept].sum() / weight) if weight > 0 else float("nan")


class Ranking:
    """Rows in the order of their groups and, within these, of their scores, the best first."""

    def __init__(self, rows: RankedRows):
        """Initializes the ranking.

        Args:
          rows: The rows, in any order.
        """
        self.order = np.lexsort((-rows.scores, rows.groups))
        self.groups, self.scores = rows.groups[self.order], rows.scores[self.order]
        self.labels, self.weights = rows.labels[self.order], rows.weights[self.order]
        new_group = self.groups[1:] != self.groups[:-1]
        self.starts = _starts(new_group, len(self.groups))
        self.sizes = np.diff(np.append(self.starts, len(self.groups)))
        self.rank = np.arange(len(self.groups)) - np.repeat(self.starts, self.sizes)
        self.folds = rows.folds[self.order][self.starts]
        self.ties = _starts(new_group | (self.scores[1:] != self.scores[:-1]), len(self.groups))
        self.tie_sizes = np.diff(np.append(self.ties, len(self.groups)))

    @cached_property
    def gains(self) -> Floats:
        """Each row's label, and of rows with equal scores the mean of their labels; NaN where the score is NaN."""
        shared = self.per_tie(self.labels) / self.tie_sizes
        return np.where(np.isnan(self.scores), np.nan, np.repeat(shared, self.tie_sizes))

    @cached_property
    def defined(self) -> Floats:
        """0 for each group, and NaN for one with a score that is NaN."""
        return np.where(self.per_group(np.isnan(self.scores).astype(np.float64)) > 0, np.nan, 0.0)

    def per_group(self, values: Floats) -> Floats:
        """The sum over each group's rows."""
        return np.add.reduceat(values, self.starts)

    def per_tie(self, values: Floats) -> Floats:
        """The sum over the rows of a group that have one score."""
        return np.add.reduceat(values, self.ties)

    def of_groups(self, values: Floats, kept: NDArray[np.bool_], weights: Floats | None = None) -> GroupValues:
        """A measure of those groups that are kept; they count for the mean weight of their rows, unless told."""
        counted = self.per_group(self.weights) / self.sizes if weights is None else weights
        return GroupValues(values[kept], counted[kept], self.folds[kept], self.order[self.starts][kept])


def ndcg(ranking: Ranking, k: int) -> GroupValues:
    """NDCG@k of each group that has a positive label.

    Järvelin and Kekäläinen 2002, with the label as gain and 1 / log2(1 + rank) as
    discount; rows with equal scores share the mean of their gains, as in scikit-learn's
    `ndcg_score`.
    """
    discount = np.where(ranking.rank < k, 1 / np.log2(ranking.rank + 2), 0.0)
    best = ranking.labels[np.lexsort((-ranking.labels, ranking.groups))]
    ideal = ranking.per_group(best * discount)
    kept = ideal > 0
    return ranking.of_groups(ranking.per_group(ranking.gains * discount) / np.where(kept, ideal, 1.0), kept)


def recall(ranking: Ranking, k: int) -> GroupValues:
    """The share of each group's positives that are among its first k rows; of ties, the share expected by chance."""
    positives = ranking.per_group((ranking.labels > 0).astype(np.float64))
    hits = np.repeat(ranking.per_tie((ranking.labels > 0).astype(np.float64)) / ranking.tie_sizes, ranking.tie_sizes)
    found = ranking.per_group(np.where(ranking.rank < k, hits, 0.0))
    kept = positives > 0
    return ranking.of_groups(found / np.where(kept, positives, 1.0) + ranking.defined, kept)


def reciprocal_rank(ranking: Ranking) -> GroupValues:
    """1 / the rank of each group's first positive (Voorhees 1999); with ties, its mean over their orders."""
    hits = ranking.per_tie((ranking.labels > 0).astype(np.float64)).astype(np.int64)
    groups_of_ties = ranking.groups[ranking.ties]
    hit = np.flatnonzero(hits)
    first = hit[_starts(groups_of_ties[hit][1:] != groups_of_ties[hit][:-1], len(hit))]
    values = np.zeros(len(ranking.starts))
    places = np.searchsorted(ranking.starts, ranking.ties[first], side="right") - 1
    values[places] = _expected_reciprocals(ranking.rank[ranking.ties[first]], ranking.tie_sizes[first], hits[first])
    return ranking.of_groups(values + ranking.defined, np.isin(np.arange(len(values)), places))


def _expected_reciprocals(above: NDArray[np.int64], size: NDArray[np.int64], hits: NDArray[np.int64]) -> Floats:
    """The mean of 1 / (above + 1 + j), where j rows of a block precede the first of its positives.

    Among the orders of `size` rows with `hits` positives, C(size - 1 - j, hits - 1) / C(size, hits)
    have j others before the first positive.
    """
    most = size - hits + 1
    block = np.repeat(np.arange(len(size)), most)
    j = np.arange(len(block)) - np.repeat(np.cumsum(most) - most, most)
    chance = np.exp(_log_choose((size[block] - 1 - j), hits[block] - 1) - _log_choose(size[block], hits[block]))
    return np.bincount(block, chance / (above[block] + 1 + j), minlength=len(size)).astype(np.float64)


def _log_choose(n: NDArray[np.int64], k: NDArray[np.int64]) -> Floats:
    return np.asarray(special.gammaln(n + 1) - special.gammaln(k + 1) - special.gammaln(n - k + 1))


def grouped_auc(ranking: Ranking) -> GroupValues:
    """The AUC of each group with both classes, which counts for the weight of its rows (Zhu et al. 2017)."""
    positive, negative = ranking.weights * ranking.labels, ranking.weights * (1 - ranking.labels)
    per_tie = ranking.per_tie(negative)
    total = ranking.per_group(negative)
    places = np.searchsorted(ranking.starts, ranking.ties, side="right") - 1
    before = np.cumsum(per_tie) - per_tie - (np.cumsum(total) - total)[places]
    below = total[places] - before - per_tie
    wins = ranking.per_tie(positive) * (below + per_tie / 2)
    pairs = ranking.per_group(positive) * total
    kept = pairs > 0
    found = np.bincount(places, wins, minlength=len(total)) / np.where(kept, pairs, 1.0)
    return ranking.of_groups(found + ranking.defined, kept, ranking.per_group(ranking.weights))


def spearman(ranking: Ranking) -> GroupValues:
    """Spearman's rank correlation of labels and scores in each group whose labels vary.

    It is 0 where all scores of a group are alike.
    """
    by_score = np.repeat(ranking.ties + (ranking.tie_sizes - 1) / 2, ranking.tie_sizes)
    by_label = _ranks_of_labels(ranking)

    def centred(ranks: Floats) -> Floats:
        return ranks - np.repeat(ranking.per_group(ranks) / ranking.sizes, ranking.sizes)

    scores, labels = -centred(by_score), centred(by_label)
    spread = ranking.per_group(labels**2)
    product = np.sqrt(ranking.per_group(scores**2) * spread)
    found = ranking.per_group(scores * labels) / np.where(product > 0, product, 1.0)
    return ranking.of_groups(np.clip(found, -1, 1) + ranking.defined, spread > 0)


def _ranks_of_labels(ranking: Ranking) -> Floats:
    """Ascending ranks of the labels, ties with their mean, over all rows in the order of groups."""
    order = np.lexsort((ranking.labels, ranking.groups))
    groups, labels = ranking.groups[order], ranking.labels[order]
    starts = _starts((groups[1:] != groups[:-1]) | (labels[1:] != labels[:-1]), len(groups))
    sizes = np.diff(np.append(starts, len(groups)))
    ranks = np.empty(len(groups))
    ranks[order] = np.repeat(starts + (sizes - 1) / 2, sizes)
    return ranks


Measure = Callable[[Ranking], GroupValues]


@dataclass(frozen=True)
class MeasuredGroups:
    """The sums of several measures of the same rows, by name."""

    sums: dict[str, GroupSums]

    @classmethod
    def of(cls, rows: RankedRows, measures: dict[str, Measure]) -> MeasuredGroups:
        """Ranks the rows once for all measures."""
        if not rows.groups.size:
            return cls({name: GroupSums(np.zeros(FOLDS), np.zeros(FOLDS), np.zeros(FOLDS)) for name in measures})
        ranking = Ranking(rows)
        return cls({name: measure(ranking).sums() for name, measure in measures.items()})


class MeasureAtRank(Protocol):
    """A measure of so many first ranks of each group."""

    def __call__(self, ranking: Ranking, k: int) -> GroupValues: ...


def at(measure: MeasureAtRank, k: int) -> Measure:
    """A measure of the first k ranks."""
    return partial(measure, k=k)


def _starts(changes: NDArray[np.bool_], length: int) -> NDArray[np.intp]:
    """Where runs start among so many elements, given where each but the first differs from the one before."""
    return np.concatenate([[0], np.flatnonzero(changes) + 1]) if length else np.zeros(0, np.intp)
