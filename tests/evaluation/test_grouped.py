from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import ArrayLike
from sklearn.metrics import ndcg_score

from evaluation import groups
from evaluation.grouped import GroupMetric
from evaluation.groups import MeasuredGroups, RankedRows, mean_over_groups
from evaluation.jackknife import EVERYTHING
from evaluation.rows import Rows
from schema import metrics
from tests.evaluation.combining import compute


def ndcg() -> GroupMetric:
    return GroupMetric("user", metrics.NDCG.name)


def of_groups(measure: groups.Measure, labels: ArrayLike, scores: ArrayLike, of: ArrayLike) -> float:
    """A measure of rows at hand, in one accumulator."""
    rows = Rows.of(labels, scores, groups=np.asarray(of, np.int64))
    sums = MeasuredGroups.of(RankedRows.of(rows), {"measure": measure}).sums["measure"]
    return mean_over_groups(sums, EVERYTHING)


def ndcg_of(labels: ArrayLike, scores: ArrayLike, of: ArrayLike, k: int) -> float:
    return of_groups(groups.at(groups.ndcg, k), labels, scores, of)


def test_by_hand() -> None:
    # Group 1: labels in the order of scores 0, 1: DCG 1 / log2(3), ideal 1.  Group 2: perfect.
    found = compute(ndcg(), [1, 0, 1, 0], [0.1, 0.9, 0.8, 0.2], groups=[1, 1, 2, 2])
    assert found == pytest.approx((1 / math.log2(3) + 1) / 2)


def test_only_the_first_k_count() -> None:
    labels, scores, of = [0, 1, 1], [0.9, 0.5, 0.1], [1, 1, 1]
    # k = 2: DCG 1 / log2(3), ideal 1 + 1 / log2(3).
    assert ndcg_of(labels, scores, of, 2) == pytest.approx((1 / math.log2(3)) / (1 + 1 / math.log2(3)))
    assert ndcg_of(labels, scores, of, 1) == 0.0


@pytest.mark.parametrize("digits", [8, 1])  # 1: many ties
def test_equals_scikit_learn(digits: int) -> None:
    rng = np.random.default_rng(9)
    of = rng.integers(0, 40, 900)
    labels = (rng.random(900) < 0.2).astype(float)
    scores = np.round(rng.random(900), digits).astype(np.float32)
    expected = [
        ndcg_score([labels[of == group]], [scores[of == group]], k=5)
        for group in np.unique(of)
        if labels[of == group].any()
    ]
    found = ndcg_of(labels, scores, of, 5)
    assert found == pytest.approx(np.mean(expected))


def test_groups_without_positives_do_not_count() -> None:
    found = compute(ndcg(), [0, 0, 1, 0], [0.1, 0.9, 0.8, 0.2], groups=[1, 1, 2, 2])
    assert found == 1.0
    assert math.isnan(compute(ndcg(), [0, 0], [0.1, 0.9], groups=[1, 1]))
    assert math.isnan(compute(ndcg(), [], [], groups=[]))


def test_absent_labels_do_not_count() -> None:
    assert compute(ndcg(), [np.nan, 1, 0], [0.9, 0.8, 0.2], groups=[1, 1, 1]) == 1.0


def test_a_score_that_is_no_number_makes_it_undefined() -> None:
    assert math.isnan(compute(ndcg(), [1, 0, 1], [0.9, np.nan, 0.2], groups=[1, 1, 2]))


def test_its_interval_is_over_groups() -> None:
    rng = np.random.default_rng(10)
    of = np.repeat(np.arange(400), 5)
    labels = (rng.random(2000) < 0.4).astype(float)
    found = compute(ndcg(), labels, rng.random(2000), groups=of, folds=of % 20)
    per_group = [
        compute(ndcg(), labels[start : start + 5], rng.random(5), groups=[1] * 5)
        for start in range(0, 2000, 5)
        if labels[start : start + 5].any()
    ]
    error = np.std(per_group) / math.sqrt(len(per_group))
    assert found.sample_standard_deviation == pytest.approx(error, rel=0.4)


def test_the_first_positive_counts_and_ties_count_as_chance_would() -> None:
    # Group 1: the positive is second.  Group 2: of three alike, two are positive; the first positive
    # is first in 2/3 of the orders and second in 1/3.  Group 3 has no positive.
    labels, scores, of = [0, 1, 1, 1, 0, 0], [0.9, 0.5, 0.3, 0.3, 0.3, 0.1], [1, 1, 2, 2, 2, 3]
    assert of_groups(groups.reciprocal_rank, labels, scores, of) == pytest.approx((1 / 2 + (2 / 3 + 1 / 6)) / 2)


def test_recall_is_of_each_groups_positives() -> None:
    # Group 1: one of two positives is in the first two.  Group 2: a positive and a negative share ranks 2 and 3.
    labels, scores, of = [1, 0, 1, 0, 1, 0], [0.9, 0.8, 0.7, 0.9, 0.5, 0.5], [1, 1, 1, 2, 2, 2]
    assert of_groups(groups.at(groups.recall, 2), labels, scores, of) == pytest.approx((1 / 2 + 1 / 2) / 2)


def test_the_grouped_auc_counts_groups_for_their_examples() -> None:
    # Group 1 (3 rows): the positive beats one of two negatives; group 2 (2 rows): it wins; group 3 has one class.
    labels, scores, of = [1, 0, 0, 1, 0, 1], [0.5, 0.9, 0.1, 0.8, 0.2, 0.3], [1, 1, 1, 2, 2, 3]
    assert of_groups(groups.grouped_auc, labels, scores, of) == pytest.approx((3 * 0.5 + 2 * 1) / 5)


def test_who_scores_all_of_a_group_alike_correlates_by_nothing() -> None:
    labels, of = [1.0, 2.0, 3.0, 1.0, 2.0, 5.0, 5.0], [1, 1, 1, 2, 2, 3, 3]
    # Group 1: ranks in order; group 2: all alike; group 3: the labels do not vary.
    assert of_groups(groups.spearman, labels, [1, 2, 3, 4, 4, 1, 2], of) == pytest.approx((1 + 0) / 2)
