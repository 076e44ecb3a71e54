from __future__ import annotations

import numpy as np
import pytest

from evaluation.calibration import CalibrationCurve
from tests.evaluation.combining import compute


def bins(labels, predictions, **more):
    """(rows, sum of labels, sum of predictions) of each bin."""
    return [
        (
            each.num_weighted_examples.value,
            each.total_weighted_label.value,
            pytest.approx(each.total_weighted_refined_prediction.value),
        )
        for each in compute(CalibrationCurve(), labels, predictions, **more).buckets
    ]


def test_by_hand() -> None:
    # Twenty rows, two a bin; the rows with the larger predictions are the positive ones.
    predictions = [row / 20 for row in range(20)]
    labels = [float(row >= 15) for row in range(20)]
    expected = [(2, 0, (4 * two + 1) / 20) for two in range(7)]
    expected += [(2, 1, 29 / 20), (2, 2, 33 / 20), (2, 2, 37 / 20)]
    assert bins(labels, predictions) == expected


def test_equal_predictions_stay_in_one_bin() -> None:
    assert bins([0, 1, 0, 1, 1], [0.5, 0.5, 0.5, 0.5, 0.9]) == [(4, 2, 2.0), (1, 1, 0.9)]


def test_weights_count() -> None:
    assert bins([0, 1, 1], [0.25, 0.25, 0.75], weights=[1.0, 3.0, 6.0]) == [(4, 3, 1.0), (6, 6, 4.5)]


@pytest.mark.parametrize("scale", [1.0, 1e-6])
def test_bins_are_about_equal_wherever_the_predictions_lie(scale: float) -> None:
    rng = np.random.default_rng(5)
    labels, predictions = rng.normal(size=5000), scale * rng.normal(size=5000)
    found = compute(CalibrationCurve(), labels, predictions, parts=7).buckets
    assert len(found) == 10
    assert all(abs(each.num_weighted_examples.value - 500) <= 100 for each in found)
    assert sum(each.total_weighted_label.value for each in found) == pytest.approx(labels.sum())
    # Each bin holds what lies within its bounds, also under zero.
    for each in found:
        inside = (predictions >= each.lower_threshold_inclusive) & (predictions < each.upper_threshold_exclusive)
        assert inside.sum() == each.num_weighted_examples.value


def test_absent_labels_do_not_count() -> None:
    assert bins([0, np.nan, 1], [0.25, 0.5, 0.75]) == [(1, 0, 0.25), (1, 1, 0.75)]


def test_there_is_no_curve_of_nothing_or_of_what_is_no_number() -> None:
    assert bins([], []) == []
    assert bins([0, 1], [0.5, np.nan]) == []
    assert bins([0, 1], [0.5, np.inf]) == []
