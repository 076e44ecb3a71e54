"""The histogram of scores without one fold is that of the rows of the others."""

from __future__ import annotations

import numpy as np
import pytest

from evaluation.jackknife import EVERYTHING, FOLDS
from evaluation.ranking import Scores, area_under_curve, average_precision, calibration_error
from evaluation.rows import Rows

RNG = np.random.default_rng(21)
COUNT = 4000
ROWS = Rows.of(
    labels=(RNG.random(COUNT) < 0.2).astype(float),
    predictions=RNG.choice(RNG.random(300), COUNT),
    folds=RNG.integers(0, FOLDS, COUNT),
    weights=RNG.choice([0.1, 0.2, 0.3, 0.0], COUNT),
)


def some(kept: np.ndarray) -> Scores:
    return Scores.of(Rows(*(each[kept] for each in vars(ROWS).values())))


@pytest.mark.parametrize("metric", [area_under_curve, average_precision, calibration_error])
def test_a_fold_that_is_left_out_is_as_if_it_had_never_been_there(metric) -> None:
    scores = Scores.merged([some(np.arange(COUNT) % 3 == part) for part in range(3)])
    assert metric(scores, EVERYTHING) == pytest.approx(metric(some(np.full(COUNT, True)), EVERYTHING), abs=1e-12)
    for fold in range(FOLDS):
        included = np.where(np.arange(FOLDS) == fold, 0.0, 1.0)
        assert metric(scores, included) == pytest.approx(metric(some(ROWS.folds != fold), EVERYTHING), abs=1e-12)


def test_nothing_is_left_where_all_rows_of_a_score_are_of_that_fold() -> None:
    rows = Rows.of([1, 1, 0], [0.5, 0.5, 0.25], np.array([3, 3, 4]), [0.1, 0.2, 0.7])
    positive, negative = Scores.of(rows).by_code.without(3)
    assert list(positive) == [0, 0]
    assert list(negative) == [0.7, 0]
    assert [list(each) for each in Scores.of(rows).by_code.without(7)] == [[0, 0.1 + 0.2], [0.7, 0]]


def test_two_folds_are_not_left_out() -> None:
    with pytest.raises(ValueError, match="expected at most one fold to be left out, found 20"):
        area_under_curve(some(np.full(COUNT, True)), np.zeros(FOLDS))
