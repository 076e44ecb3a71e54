from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import r2_score, roc_auc_score

from evaluation.influence import auc, mean, r2, ratio
from evaluation.rows import Rows


def test_auc_by_hand():
    # Pairs (positive, negative): .8 > .3, .8 > .5, .5 > .3, and .5 = .5 counts half.
    found = auc(Rows.of([1, 0, 1, 0], [0.8, 0.3, 0.5, 0.5]))
    assert found is not None
    assert found.value == pytest.approx(3.5 / 4)
    # The placements are 1, 1, .75 and .75; each half of the examples is one class.
    np.testing.assert_allclose(found.influence, [0.25, 0.25, -0.25, -0.25])


def test_r2_by_hand():
    # SSE = 0 + 1 + 1 = 2, SST = 4 + 0 + 4 = 8.
    found = r2(Rows.of([1.0, 3.0, 5.0], [1.0, 4.0, 4.0]))
    assert found is not None
    assert found.value == pytest.approx(0.75)
    np.testing.assert_allclose(found.influence, np.array([0.25 * 4 - 0, 0 - 1, 0.25 * 4 - 1]) / (8 / 3))


def test_metrics_agree_with_sklearn():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=500)
    predictions = np.round(truth + rng.normal(size=500), 1)
    binary = (truth + rng.normal(size=500) > 0.5).astype(np.float32)
    assert auc(Rows.of(binary, predictions)).value == pytest.approx(roc_auc_score(binary, predictions))
    assert r2(Rows.of(truth, predictions)).value == pytest.approx(r2_score(truth, predictions))


@pytest.mark.parametrize(
    ("scorer", "labels"),
    [
        (auc, np.zeros(4)),
        (auc, np.ones(4)),
        (auc, np.zeros(0)),
        (r2, np.full(4, 2.5)),
        (r2, np.full(10, 0.1)),
        (r2, np.full(10, 0.1, np.float32)),
        (r2, np.zeros(0)),
        (lambda rows: ratio(rows.predictions, rows.labels), np.zeros(4)),
        (lambda rows: mean(rows.labels), np.zeros(0)),
    ],
)
def test_an_undefined_metric_is_none(scorer, labels):
    assert scorer(Rows.of(labels, np.arange(len(labels)))) is None


@pytest.mark.parametrize("scorer", [auc, r2, lambda rows: mean(rows.predictions)])
def test_a_prediction_that_is_no_number_makes_it_undefined(scorer):
    assert scorer(Rows.of([0.0, 1.0, 1.0], [0.1, np.nan, 0.3])) is None


def test_means_and_ratios_by_hand():
    assert mean(np.array([1.0, 3.0])).influence.tolist() == [-1, 1]
    found = ratio(np.array([2.0, 4.0]), np.array([1.0, 3.0]))
    assert found.value == 1.5
    # n (a - R b) / B: 2 (2 - 1.5) / 4 and 2 (4 - 4.5) / 4.
    np.testing.assert_allclose(found.influence, [0.25, -0.25])


@pytest.mark.parametrize("scorer", [auc, r2])
def test_the_error_over_examples_agrees_with_the_bootstrap(scorer):
    rng = np.random.default_rng(1)
    truth = rng.normal(size=600)
    labels = (truth > 0.8).astype(float) if scorer is auc else truth
    ours, theirs = truth + rng.normal(size=600), truth + 1.3 * rng.normal(size=600)
    a, b = scorer(Rows.of(labels, ours)), scorer(Rows.of(labels, theirs))
    linear = np.sqrt(np.square(a.influence - b.influence).sum()) / 600

    def statistic(y, p, q):
        return scorer(Rows.of(y, p)).value - scorer(Rows.of(y, q)).value

    drawn = stats.bootstrap(
        (labels, ours, theirs),
        statistic,
        paired=True,
        vectorized=False,
        n_resamples=800,
        random_state=2,
        method="basic",
    )
    assert linear == pytest.approx(drawn.standard_error, rel=0.12)
