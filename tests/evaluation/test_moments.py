from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import log_loss, r2_score

from evaluation.moments import R2, CalibrationRatio, LabelledExamples, LabelMean, LogLoss, PredictionMean, SquaredError
from tests.evaluation.combining import compute


def test_by_hand() -> None:
    # mean 2, SST = 1 + 0 + 1 = 2, SSE = 0 + .25 + .25 = .5
    assert compute(R2(), [1.0, 2.0, 3.0], [1.0, 2.5, 2.5]) == 0.75


def test_by_hand_with_weights() -> None:
    # weights 1, 3: mean 2.5, SST = 2.25 + 3 * .25 = 3, SSE = 3 * 1 = 3
    assert compute(R2(), [1.0, 3.0], [1.0, 2.0], weights=[1.0, 3.0]) == 0.0


def test_a_bias_counts() -> None:
    # SquaredPearsonCorrelation would say 1.
    assert compute(R2(), [1.0, 2.0, 3.0], [2.0, 3.0, 4.0]) == 1 - 3 / 2


@pytest.mark.parametrize("parts", [1, 7])
@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_equals_scikit_learn(parts: int, offset: float) -> None:
    rng = np.random.default_rng(1)
    labels = rng.normal(size=3000) + offset
    predictions = offset + 0.6 * (labels - offset) + 0.3 * rng.normal(size=3000)
    weights = rng.uniform(0, 3, 3000)
    found = compute(R2(), labels, predictions, weights, parts=parts)
    assert found == pytest.approx(r2_score(labels, predictions, sample_weight=weights), abs=1e-9)
    unweighted = compute(R2(), labels, predictions, parts=parts)
    assert unweighted == pytest.approx(r2_score(labels, predictions), abs=1e-9)


def test_undefined_without_rows_or_variance() -> None:
    assert math.isnan(compute(R2(), [], []))
    assert math.isnan(compute(R2(), [4.0], [4.0]))
    assert math.isnan(compute(R2(), [0.1] * 9, np.arange(9.0), parts=3))
    assert math.isnan(compute(R2(), [1.0, 2.0], [1.0, 2.0], weights=[0.0, 0.0]))


def test_a_prediction_that_is_no_number_makes_it_undefined() -> None:
    assert math.isnan(compute(R2(), [1.0, 2.0, 3.0], [1.0, np.nan, 3.0]))


def test_absent_labels_do_not_count() -> None:
    labels, predictions = [1.0, np.nan, 2.0, 3.0], [1.0, 9.0, 2.5, 2.5]
    assert compute(R2(), labels, predictions) == 0.75
    assert compute(LabelledExamples(), labels, predictions) == 3.0
    assert compute(LabelMean(), labels, predictions) == 2.0
    assert compute(PredictionMean(), labels, predictions) == 2.0
    assert compute(SquaredError(), labels, predictions) == pytest.approx(0.5 / 3)


def test_calibration_is_predictions_over_labels() -> None:
    assert compute(CalibrationRatio(), [0.0, 1.0], [0.5, 0.7]) == pytest.approx(1.2)
    assert compute(CalibrationRatio(), [0.0, 1.0], [0.5, 0.7], weights=[1.0, 3.0]) == pytest.approx(2.6 / 3)
    assert math.isnan(compute(CalibrationRatio(), [0.0, 0.0], [0.5, 0.7]))


def test_log_loss_by_hand() -> None:
    assert compute(LogLoss(), [1.0, 0.0], [0.5, 0.75]) == pytest.approx((math.log(2) + math.log(4)) / 2)
    assert compute(LogLoss(), [1.0, 0.0], [0.5, 0.75], weights=[3.0, 1.0]) == pytest.approx(math.log(32) / 4)


@pytest.mark.parametrize("parts", [1, 7])
def test_log_loss_equals_scikit_learn_also_where_the_model_is_certain(parts: int) -> None:
    rng = np.random.default_rng(7)
    labels, weights = rng.integers(0, 2, 1000).astype(float), rng.uniform(0, 3, 1000)
    predictions = rng.random(1000).astype(np.float32)
    predictions[:20] = np.arange(20) % 2
    found = compute(LogLoss(), labels, predictions, weights, parts=parts)
    assert found == pytest.approx(log_loss(labels, predictions, sample_weight=weights), rel=1e-6)


def test_log_loss_is_undefined_without_rows_and_for_what_is_no_probability() -> None:
    assert math.isnan(compute(LogLoss(), [], []))
    assert math.isnan(compute(LogLoss(), [1.0], [1.5]))
    assert math.isnan(compute(LogLoss(), [1.0, 0.0], [0.5, np.nan]))
    assert compute(LogLoss(), [1.0, np.nan], [0.5, np.nan]) == pytest.approx(math.log(2))
