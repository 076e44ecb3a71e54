"""Techniques in an experiment, whose traced loops are used again; `test_one_loop` holds them to the Trainer."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from evidence.arms import shuffled
from evidence.data import RunData
from evidence.fitting import Fitter
from models import trust
from models.scales import LabelStatistics
from schema.errors import InputError
from schema.surface import Surface
from tests.evidence.conftest import SURFACE

TECHNIQUES: dict[str, dict[str, Any]] = {
    "stacked kl, ranked minutes, learned weights": {
        "click": {"head": "stacked", "loss": "kl", "temperature": 2.0},
        "minutes": {"loss": "pairwise"},
        "training": {"batch_by": "group", "loss_weights": "uncertainty"},
    },
    "trusted by examples": {
        "click": {"adapter": {}, "reliability": True},
        "minutes": {"adapter": {"weight": 0.5}, "trunk_gradient": 0.5},
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


def test_trust_is_fitted_once_for_all_settings_of_a_seed_and_anew_for_a_placebo(data, monkeypatch):
    surface, fitter, fits = surface_of(TECHNIQUES["trusted by examples"], epochs=1), Fitter(data), []
    made = trust.columns

    def counted(*arguments: Any) -> Any:
        fits.append(arguments[3]["teacher/click"])
        return made(*arguments)

    monkeypatch.setattr(trust, "columns", counted)
    for rate in (0.01, 0.001):
        training = surface.training.model_copy(update={"learning_rate": rate})
        fitter.fit(surface.model_copy(update={"training": training}), data.training, distil=True)
    placebo = shuffled(data.training, np.random.default_rng(0))
    fitter.fit(surface, placebo, distil=True, placebo=True)
    fitter.fit(surface, data.training, distil=False)
    assert len(fits) == 2
    np.testing.assert_array_equal(fits[0], data.training["teacher/click"])
    np.testing.assert_array_equal(fits[1], placebo["teacher/click"])


def test_ids_that_a_teacher_knows_need_the_teacher(data):
    content = surface_of(TECHNIQUES["trusted by examples"]).model_dump(mode="json", by_alias=True)
    surface = Surface.model_validate(content | {"trust": {"known": ["user"]}})
    with pytest.raises(InputError, match=r"drawn: `trust.known` reads the teacher's model, and the run names none"):
        Fitter(data).fit(surface, data.training, distil=True)
