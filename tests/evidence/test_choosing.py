"""Every arm may choose among the same settings, and none is left at the edge of them without a word."""

from __future__ import annotations

import math

import numpy as np
import pytest

from evidence.arms import group, student
from evidence.choosing import Budget, Trained, train_arms
from evidence.data import RunData
from evidence.fitting import Fitted, Fitter
from evidence.tuning import SETTINGS, Setting, settings
from tests.evidence.conftest import SURFACE


class Valley(Fitter):
    """Held-out losses that a formula gives: least at 100 times the L2 penalty and a third of the learning rate."""

    def fit(self, surface, columns, *, distil, unlabelled=None, placebo=False) -> Fitted:
        l2 = math.log10(surface.model.l2 / SURFACE.model.l2)
        rate = math.log(surface.training.learning_rate / SURFACE.training.learning_rate, 3)
        loss = (l2 - 2) ** 2 + (rate + 1) ** 2
        losses = {"click": loss, "minutes": 2 * loss if distil else loss}
        return Fitted([np.array([loss])], loss, loss, losses, surface.training.epochs // 2)

    def predict(self, surface, fitted, columns, *, distil) -> dict[str, np.ndarray]:
        return {task: np.full(3, fitted.weights[0][0]) for task in surface.tasks}


def _train(loaded: RunData, budget: Budget) -> tuple[dict[str, Trained], list[str]]:
    own, told = group(student(SURFACE)), []
    return train_arms((own.control, own.candidate), 2, budget, loaded, Valley(loaded), told.append), told


def test_settings_widen_until_every_choice_lies_inside(knowing: RunData):
    trained, told = _train(knowing, Budget(settings=1, widen=20))
    best = "L2 x 100, learning rate / 3"
    for each in trained.values():
        assert set(each.chosen.values()) == {best}
        assert each.untried == {"click": [], "minutes": []}
        assert each.held_out[best] == {"click": pytest.approx(0), "minutes": pytest.approx(0)}
        # The predictions are those of the chosen models, though most settings came before and some after.
        assert [seed["click"] for seed in each.predictions] == pytest.approx(np.zeros((2, 3)), abs=1e-12)
    assert [*trained["control"].held_out] == [*trained["student"].held_out]
    said = [line for line in told if line.startswith("settings widen")]
    assert said[0] == "settings widen, 1 of at most 20: L2 x 10, a neighbor of 4 choices"
    assert len(said) == len(trained["control"].held_out) - 1 < 20


def test_a_budget_that_ends_leaves_the_edge_and_says_so(knowing: RunData):
    trained, told = _train(knowing, Budget(settings=1, widen=1))
    assert trained["control"].chosen == {"click": "L2 x 10", "minutes": "L2 x 10"}
    assert trained["control"].untried["minutes"] == [
        "L2 x 100",
        "L2 x 10, learning rate / 3",
        "L2 x 10, learning rate x 3",
    ]
    assert told[0].startswith("arm 1 of 2, control: seed 1 of 2, ")


def test_each_task_of_a_really_trained_arm_takes_what_its_held_out_rows_prefer(knowing: RunData):
    control = group(student(SURFACE)).control
    trained = train_arms([control], 1, Budget(settings=2, widen=0), knowing, Fitter(knowing), lambda _: None)["control"]
    for task, chosen in trained.chosen.items():
        assert trained.held_out[chosen][task] == min(losses[task] for losses in trained.held_out.values())
    assert [*trained.predictions[0]] == [*SURFACE.tasks]


@pytest.mark.parametrize(
    ("setting", "epoch", "expected"),
    [
        (SETTINGS[0], 1.0, ["L2 x 10", "L2 / 10", "learning rate / 3", "learning rate x 3"]),
        (
            SETTINGS[2],
            12.0,
            [
                "L2 x 1e+03, dropout + .2",
                "L2 x 10, dropout + .2",
                "L2 x 100, dropout + .2, learning rate / 3",
                "L2 x 100, dropout + .2, learning rate x 3",
                "L2 x 100, dropout + .2, epochs x 2",
            ],
        ),
        # Nothing is learned under a penalty of 1, and no rate over .3 is tried.
        (Setting("far", l2=1e4, rate=81.0), 1.0, ["L2 x 1e+03, learning rate x 81", "L2 x 1e+04, learning rate x 27"]),
    ],
)
def test_neighbors_are_one_step_away(setting, epoch, expected):
    assert [each.name for each in setting.neighbors(SURFACE, epoch)] == expected


def test_steps_there_and_back_end_at_the_same_setting():
    for each in settings(8):
        for neighbor in each.neighbors(SURFACE, 1.0):
            assert each in neighbor.neighbors(SURFACE, 1.0)


def test_without_a_penalty_there_is_no_weaker_one():
    bare = SURFACE.model_copy(update={"model": SURFACE.model.model_copy(update={"l2": 0.0})})
    assert "L2 / 10" not in [each.name for each in SETTINGS[0].neighbors(bare, 1.0)]
