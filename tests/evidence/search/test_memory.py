"""What was trained is remembered, and only for the very same training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from evidence.data import RunData
from evidence.fitting import Fitted, Fitter
from evidence.search.memory import RememberingFitter
from tests.evidence.conftest import SURFACE

SHORT = SURFACE.model_copy(update={"training": SURFACE.training.model_copy(update={"epochs": 2})})


def same(one: Fitted, other: Fitted) -> bool:
    numbers = [vars(each) | {"weights": None, "seconds": None} for each in (one, other)]
    return numbers[0] == numbers[1] and all(map(np.array_equal, one.weights, other.weights))


def test_a_training_is_found_again_by_another_fitter_to_the_last_bit(knowing: RunData, tmp_path: Path):
    first, plain = RememberingFitter(knowing, tmp_path, weights=True), Fitter(knowing)
    made = first.fit(SHORT, knowing.training, distil=True, fold=1)
    again = RememberingFitter(knowing, tmp_path, weights=True)
    found = again.fit(SHORT, dict(knowing.training), distil=True, fold=1)
    assert (first.trained, again.trained) == (1, 0)
    assert same(found, made)
    assert same(found, plain.fit(SHORT, knowing.training, distil=True, fold=1))
    assert len(found.weights) > 3
    predicted = [each.predict(SHORT, found, knowing.evaluation, distil=True) for each in (again, plain)]
    np.testing.assert_array_equal(predicted[0]["click"], predicted[1]["click"])


def test_without_weights_the_losses_are_kept_alone(knowing: RunData, tmp_path: Path):
    made = RememberingFitter(knowing, tmp_path, weights=False).fit(SHORT, knowing.training, distil=False)
    found = RememberingFitter(knowing, tmp_path, weights=False).fit(SHORT, knowing.training, distil=False)
    assert made.weights and not found.weights
    assert found.task_losses == made.task_losses


@pytest.fixture
def known(knowing: RunData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RememberingFitter:
    monkeypatch.setattr(Fitter, "fit", lambda *given, **more: Fitted([], 0.0, 0.0, {}, 1))
    fitter = RememberingFitter(knowing, tmp_path, weights=False)
    fitter.fit(SHORT, knowing.training, distil=True)
    assert fitter.trained == 1
    return fitter


def other_label(columns: dict) -> dict:
    labels = columns["label/click"].copy()
    labels[7] = 1 - labels[7]
    return {**columns, "label/click": labels}


@pytest.mark.parametrize(
    "change",
    [
        {"surface": SHORT.model_copy(update={"training": SHORT.training.model_copy(update={"seed": 1})})},
        {"columns": other_label},
        {"distil": False},
        {"fold": 1},
        {"placebo": True},
        {"unlabelled": lambda columns: columns},
    ],
    ids=lambda change: next(iter(change)),
)
def test_whatever_decides_a_training_is_part_of_what_it_is_known_by(known: RememberingFitter, change: dict):
    asked = {"surface": SHORT, "columns": known.data.training, "distil": True} | {
        key: each(known.data.training) if callable(each) else each for key, each in change.items()
    }
    surface, columns = asked.pop("surface"), asked.pop("columns")
    known.fit(surface, columns, **asked)
    assert known.trained == 2
    known.fit(SHORT, dict(known.data.training), distil=True)
    assert known.trained == 2


def test_an_interrupted_write_leaves_nothing_that_is_taken_for_a_training(known: RememberingFitter, tmp_path: Path):
    (file,) = tmp_path.glob("*.npz")
    file.rename(file.with_suffix(".part"))
    known.fit(SHORT, known.data.training, distil=True)
    assert known.trained == 2
