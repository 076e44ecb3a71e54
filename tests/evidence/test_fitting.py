"""Techniques in an experiment, whose traced loops are used again; `test_one_loop` holds them to the Trainer."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from evidence.data import RunData
from evidence.fitting import Fitter
from models.scales import LabelStatistics
from schema.surface import Surface
from tests.evidence.conftest import SURFACE

TECHNIQUES: dict[str, dict[str, Any]] = {
    "stacked kl, ranked minutes, learned weights": {
        "click": {"head": "stacked", "loss": "kl", "temperature": 2.0},
        "minutes": {"loss": "pairwise"},
        "training": {"batch_by": "group", "loss_weights": "uncertainty"},
    },
    "shared, warmed up, ple": {
        "click": {"head": "shared", "loss": "bce", "schedule": {"from": 0.0, "steps": 20}},
        "minutes": {"head": "shared", "weight": 0.0, "schedule": {"from": 1.0, "steps": 40}},
        "model": {"trunk_kind": "ple", "experts": 2, "trunk": [8]},
    },
}


@pytest.fixture(scope="module")
def data(knowing: RunData) -> RunData:
    """The knowing teacher's run with groups of users, and the scale of its logits."""
    statistics = knowing.statistics | {
        "teacher/click": LabelStatistics(0.0, 1.5),
        "teacher/minutes": knowing.statistics["minutes"],
    }
    columns = {**knowing.training, "group/id": knowing.training["user"] % 20}
    return dataclasses.replace(knowing, training=columns, statistics=statistics)


def surface_of(technique: dict[str, Any], **training: Any) -> Surface:
    content = SURFACE.model_dump(mode="json", by_alias=True)
    for task in ("click", "minutes"):
        content["tasks"][task]["distil"] |= technique.get(task, {})
    content["training"] |= {"epochs": 6} | technique.get("training", {}) | training
    content["model"] |= technique.get("model", {})
    return Surface.model_validate({**content, "group": "user"})


@pytest.mark.parametrize("name", TECHNIQUES)
def test_a_technique_learns_and_starts_anew_with_every_fit(data, name):
    surface, fitter = surface_of(TECHNIQUES[name]), Fitter(data)
    first, again = (fitter.fit(surface, data.training, distil=True) for _ in range(2))
    assert first.selection_loss < 1.9  # 2 is what constants come to
    np.testing.assert_allclose(again.selection_loss, first.selection_loss, rtol=1e-6)
    predictions = fitter.predict(surface, first, data.evaluation, distil=True)
    taste = data.evaluation["teacher/click"]
    for task in surface.tasks:
        assert np.corrcoef(predictions[task], taste)[0, 1] > 0.4


def test_patience_ends_training(data):
    """A rate too small to change anything has its best epoch first, and two more are waited for."""
    surface = surface_of({}, epochs=12, learning_rate=1e-12, early_stopping={"patience": 2})
    fitter = Fitter(data)
    assert fitter.fit(surface, data.training, distil=False).epoch == 1
    steps = fitter._structure(surface, distil=False)._loop._model.optimizer.iterations
    assert int(steps) == 3 * len(data.fitted) / surface.training.batch_size


def test_seeds_settings_and_columns_share_a_traced_loop(data):
    """A structure is traced once; another number of heads is another structure."""
    fitter = Fitter(data)
    for surface in (surface_of({}, epochs=1), surface_of({}, epochs=2, seed=3, learning_rate=0.1, batch_size=64)):
        for columns in (data.training, {**data.training, "teacher/click": -data.training["teacher/click"]}):
            fitter.fit(surface, columns, distil=True)
    loop = fitter._structure(surface_of({}), distil=True)._loop
    assert loop._steps.experimental_get_tracing_count() == 1
    assert loop._measured.experimental_get_tracing_count() == 1
    assert fitter._structure(surface_of({}), distil=False)._loop is not loop
