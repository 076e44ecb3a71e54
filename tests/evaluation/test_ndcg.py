from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import ndcg_score

from evaluation.ndcg import Ndcg
from tests.evaluation.combining import compute


def test_by_hand() -> None:
    # Group 1: labels in the order of scores 0, 1: DCG 1 / log2(3), ideal 1.  Group 2: perfect.
    found = compute(Ndcg("user"), [1, 0, 1, 0], [0.1, 0.9, 0.8, 0.2], groups=[1, 1, 2, 2])
    assert found == pytest.approx((1 / math.log2(3) + 1) / 2)


def test_only_the_first_k_count() -> None:
    labels, scores, groups = [0, 1, 1], [0.9, 0.5, 0.1], [1, 1, 1]
    # k = 2: DCG 1 / log2(3), ideal 1 + 1 / log2(3).
    assert compute(Ndcg("user", k=2), labels, scores, groups=groups) == pytest.approx(
        (1 / math.log2(3)) / (1 + 1 / math.log2(3))
    )
    assert compute(Ndcg("user", k=1), labels, scores, groups=groups) == 0.0


@pytest.mark.parametrize("parts", [1, 5])
@pytest.mark.parametrize("digits", [8, 1])  # 1: many ties
def test_equals_scikit_learn(parts: int, digits: int) -> None:
    rng = np.random.default_rng(9)
    groups = rng.integers(0, 40, 900)
    labels = (rng.random(900) < 0.2).astype(float)
    scores = np.round(rng.random(900), digits).astype(np.float32)
    expected = [
        ndcg_score([labels[groups == group]], [scores[groups == group]], k=5)
        for group in np.unique(groups)
        if labels[groups == group].any()
    ]
    found = compute(Ndcg("user", k=5), labels, scores, groups=groups, parts=parts)
    assert found == pytest.approx(np.mean(expected))


def test_groups_without_positives_do_not_count() -> None:
    found = compute(Ndcg("user"), [0, 0, 1, 0], [0.1, 0.9, 0.8, 0.2], groups=[1, 1, 2, 2])
    assert found == 1.0
    assert math.isnan(compute(Ndcg("user"), [0, 0], [0.1, 0.9], groups=[1, 1]))
    assert math.isnan(compute(Ndcg("user"), [], [], groups=[]))


def test_absent_labels_do_not_count() -> None:
    assert compute(Ndcg("user"), [np.nan, 1, 0], [0.9, 0.8, 0.2], groups=[1, 1, 1]) == 1.0


def test_a_score_that_is_no_number_makes_it_undefined() -> None:
    assert math.isnan(compute(Ndcg("user"), [1, 0, 1], [0.9, np.nan, 0.2], groups=[1, 1, 2]))


def test_its_interval_is_over_groups() -> None:
    rng = np.random.default_rng(10)
    groups = np.repeat(np.arange(400), 5)
    labels = (rng.random(2000) < 0.4).astype(float)
    found = compute(Ndcg("user"), labels, rng.random(2000), groups=groups, folds=groups % 20)
    per_group = [
        compute(Ndcg("user"), labels[start : start + 5], rng.random(5), groups=[1] * 5)
        for start in range(0, 2000, 5)
        if labels[start : start + 5].any()
    ]
    error = np.std(per_group) / math.sqrt(len(per_group))
    assert found.sample_standard_deviation == pytest.approx(error, rel=0.4)
