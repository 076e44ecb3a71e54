from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score
from tensorflow_model_analysis.api import types
from tensorflow_model_analysis.utils import math_util

from evaluation.derived import to_tfma
from evaluation.jackknife import FOLDS, Jackknife
from evaluation.moments import R2, LabelMean
from evaluation.scores import RocAuc
from tests.evaluation.combining import compute, dealt_folds


def test_of_a_mean_it_is_the_textbook_interval() -> None:
    labels = np.random.default_rng(3).normal(size=2000)
    folds = dealt_folds(2000)
    found = compute(LabelMean(), labels, labels, folds=folds, parts=4)
    fold_means = np.array([labels[folds == fold].mean() for fold in range(FOLDS)])
    error = fold_means.std(ddof=1) / math.sqrt(FOLDS)
    assert float(found) == pytest.approx(labels.mean())
    assert found.sample_standard_deviation == pytest.approx(error)
    _, lower, upper = math_util.calculate_confidence_interval(found)
    assert (lower, upper) == pytest.approx(stats.t.interval(0.95, FOLDS - 1, labels.mean(), error))


def test_leave_one_out_values_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(4)
    labels = rng.integers(0, 2, 600).astype(float)
    scores = rng.random(600).astype(np.float32)
    folds = dealt_folds(600)
    found = compute(RocAuc(), labels, scores, folds=folds)
    without = np.array([roc_auc_score(labels[folds != fold], scores[folds != fold]) for fold in range(FOLDS)])
    pseudo = FOLDS * float(found) - (FOLDS - 1) * without
    assert found.sample_standard_deviation == pytest.approx(pseudo.std(ddof=1) / math.sqrt(FOLDS), rel=1e-3)


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(5)
    held = 0
    for _ in range(200):
        labels = rng.normal(size=400)
        found = compute(R2(), labels, 0.5 * labels + rng.normal(size=400), folds=dealt_folds(400))
        _, lower, upper = math_util.calculate_confidence_interval(found)
        held += lower <= 1 - 1.25 <= upper  # SSE / SST = (.25 + 1) / 1
    assert 180 <= held <= 199


def test_a_difference_is_paired() -> None:
    without = np.linspace(0.4, 0.6, FOLDS)
    difference = Jackknife(0.5, without) - Jackknife(0.3, without - 0.2)
    written = to_tfma(difference)
    assert float(written) == pytest.approx(0.2)
    assert written.sample_standard_deviation == pytest.approx(0, abs=1e-12)


def test_the_interval_is_the_one_that_tfma_writes() -> None:
    found = Jackknife(0.7, np.random.default_rng(6).normal(0.7, 0.01, FOLDS))
    _, lower, upper = math_util.calculate_confidence_interval(to_tfma(found))
    assert found.interval() == pytest.approx((lower, upper))


def test_an_undefined_fold_leaves_no_interval() -> None:
    assert Jackknife(0.7, np.array([0.7, math.nan, 0.6])).interval() is None


def test_without_folds_there_is_a_value_and_no_interval() -> None:
    alone = Jackknife(0.5, np.array([0.5]))
    assert to_tfma(alone) == 0.5
    assert alone.interval() is None
    assert compute(LabelMean(), [1.0, 3.0], [0.0, 0.0]) == 2.0


def test_an_undefined_metric_has_an_undefined_interval() -> None:
    found = compute(R2(), [1.0] * 40, [1.0] * 40, folds=dealt_folds(40))
    assert isinstance(found, types.ValueWithTDistribution)
    assert math.isnan(float(found))
    assert math.isnan(found.sample_standard_deviation)
