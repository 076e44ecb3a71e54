from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from evaluation.moments import Positives
from evaluation.scores import RocAuc
from schema.errors import InputError
from tests.evaluation.combining import compute


def test_by_hand() -> None:
    # Pairs (positive, negative): .8 > .1, .8 > .5, .3 > .1, .3 < .5: 3 of 4.
    assert compute(RocAuc(), [0, 1, 0, 1], [0.1, 0.3, 0.5, 0.8]) == 0.75


def test_ties_count_half() -> None:
    assert compute(RocAuc(), [0, 1, 1], [0.5, 0.5, 0.7]) == 0.75


def test_by_hand_with_weights() -> None:
    # The pair that is wrong way round weighs 3 of 4.
    assert compute(RocAuc(), [0, 0, 1], [0.1, 0.9, 0.5], weights=[1.0, 3.0, 2.0]) == 0.25


@pytest.mark.parametrize("parts", [1, 9])
@pytest.mark.parametrize("scale", [1.0, 1e-5])
def test_equals_scikit_learn_also_for_rare_events(parts: int, scale: float) -> None:
    rng = np.random.default_rng(2)
    signal = rng.normal(size=5000)
    labels = (rng.random(5000) < 1 / (1 + np.exp(2 - signal))).astype(float)
    scores = scale / (1 + np.exp(3 - signal))
    weights = rng.uniform(0, 3, 5000)
    found = compute(RocAuc(), labels, scores, weights, parts=parts)
    assert found == pytest.approx(roc_auc_score(labels, scores, sample_weight=weights), abs=1e-5)
    assert compute(RocAuc(), labels, scores, parts=parts) == pytest.approx(roc_auc_score(labels, scores), abs=1e-5)


def test_logits_of_either_sign_are_ranked_too() -> None:
    assert compute(RocAuc(), [0, 0, 1, 1], [-3.0, -1.0, -2.0, 4.0]) == 0.75
    assert compute(RocAuc(), [0, 1], [-0.0, 0.0]) == 0.5


def test_undefined_without_positives_or_negatives() -> None:
    assert math.isnan(compute(RocAuc(), [0, 0], [0.1, 0.2]))
    assert math.isnan(compute(RocAuc(), [1, 1], [0.1, 0.2]))
    assert math.isnan(compute(RocAuc(), [], []))
    assert compute(Positives(), [0, 0], [0.1, 0.2]) == 0.0


def test_a_score_that_is_no_number_makes_it_undefined() -> None:
    assert math.isnan(compute(RocAuc(), [0, 1, 1], [0.1, np.nan, 0.2]))


def test_absent_labels_do_not_count() -> None:
    assert compute(RocAuc(), [0, np.nan, 1, 0, 1], [0.1, 0.9, 0.3, 0.5, 0.8]) == 0.75
    assert compute(Positives(), [0, np.nan, 1, 0, 1], [0.1, 0.9, 0.3, 0.5, 0.8]) == 2.0


def test_a_label_that_is_not_binary_is_refused() -> None:
    with pytest.raises(InputError, match="must be 0 or 1, found 2"):
        compute(RocAuc(), [0.0, 2.0], [0.1, 0.2])
