from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tensorflow_model_analysis import constants

from evaluation.inputs import FOLDS_KEY, GROUPS_KEY
from evaluation.jackknife import FOLDS
from evaluation.scored import ScoredRows

NAN = float("nan")
SLICES: list[Any] = [{(): [0, 1, 2], (("x", 1),): [0, 2]}, {(): [0, 1], (("x", 2),): [1]}]


def part(place: int, models: tuple[str, ...], weighted: bool) -> ScoredRows:
    labels = [np.array([1.0, NAN, 0.0]), np.array([NAN, 1.0])][place]
    rows = np.arange(len(labels)) + 10 * place
    return ScoredRows(
        count=len(labels),
        labels={"click": labels},
        predictions={model: {"click": rows + 0.5 * number} for number, model in enumerate(models)},
        weights={"click": rows * 2.0} if weighted else {},
        groups=rows + FOLDS,
        slices={key: np.array(found) for key, found in SLICES[place].items()},
    )


def extracts(*models: str, weighted: bool) -> dict[Any, Any]:
    whole = ScoredRows.together([part(place, models, weighted) for place in range(2)])
    return {each[constants.SLICE_KEY_TYPES_KEY][0]: each for each in whole.by_slice()}


def test_rows_of_all_parts_are_divided_into_slices_and_those_without_a_label_left_out() -> None:
    found = extracts("student", weighted=False)
    assert list(found) == [(), (("x", 1),), (("x", 2),)]
    rows = {key: list(each[constants.PREDICTIONS_KEY]["student"]["click"]) for key, each in found.items()}
    assert rows == {(): [0, 2, 11], (("x", 1),): [0, 2], (("x", 2),): [11]}
    np.testing.assert_array_equal(found[()][constants.LABELS_KEY]["click"], [1, 0, 1])
    np.testing.assert_array_equal(found[()][GROUPS_KEY]["click"], [FOLDS, FOLDS + 2, FOLDS + 11])
    np.testing.assert_array_equal(found[()][FOLDS_KEY]["click"], [0, 2, 11])
    assert constants.EXAMPLE_WEIGHTS_KEY not in found[()]


@pytest.mark.parametrize("weighted", [False, True])
def test_two_models_stand_beside_each_other(weighted: bool) -> None:
    (found, *_) = extracts("student", "control", weighted=weighted).values()
    by_model = {model: list(each["click"]) for model, each in found[constants.PREDICTIONS_KEY].items()}
    assert by_model == {"student": [0, 2, 11], "control": [0.5, 2.5, 11.5]}
    if weighted:
        np.testing.assert_array_equal(found[constants.EXAMPLE_WEIGHTS_KEY]["click"], [0, 4, 22])
