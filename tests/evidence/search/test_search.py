"""A whole search, on losses that a formula gives and on real files."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from evidence.arms import Arm, Role
from evidence.data import RunData
from evidence.experiment import Plan
from evidence.fitting import Fitted, Fitter
from evidence.paths import RunPaths
from evidence.search import tune
from evidence.search.search import Found, Limits, search
from evidence.search.space import AS_IT_IS, Change, Facts, ways
from evidence.search.tune import Ask, choose, comparison_of
from models.batching import split
from schema.distillation import Head
from schema.errors import InputError
from schema.overrides import override
from schema.surface import Surface
from schema.training import Training
from tests.evidence.conftest import SURFACE
from tests.evidence.search.test_space import FACTS, load
from tests.evidence.test_data import paths as paths  # a fixture: a run's files
from tests.models import conftest as real
from tests.models.conftest import transformed as transformed  # a fixture: what Transform left


class Formula(Fitter):
    """Held-out losses of a formula: stacked heads and ten times the penalty are better, and better still together."""

    def fit(self, surface, columns, *, distil, unlabelled=None, placebo=False, fold=0) -> Fitted:
        assert surface.training.seed == fold
        gained = 0.02 * (surface.model.l2 == pytest.approx(0.001)) - 0.05 * (surface.model.dropout > 0)
        if distil:
            heads = {each.head for each in surface.distillations().values()}
            losses = {each.loss for each in surface.distillations().values()}
            gained += 0.05 * (heads == {Head.STACKED}) - 0.03 * (len(losses) > 1 or "huber" in losses)
        loss = 0.6 - gained + 0.01 * (fold % 3)
        return Fitted([], loss, loss, {"click": loss, "minutes": loss}, 1)


def searched(loaded: RunData, limits: Limits, clock=lambda: 0.0) -> tuple[Found, list[str]]:
    told: list[str] = []
    found = search(ways(FACTS, load), load, loaded, limits, Formula, told.append, clock)
    return found, told


def test_the_best_single_changes_are_put_together(knowing: RunData):
    found, told = searched(knowing, Limits(400))
    assert found.student.name == "stacked heads + L2 x 10"
    assert found.result.student.sets == [*_STACKED, "model.l2=0.001"]
    assert found.control.name == "L2 x 10"
    # Minutes are z-scored, so that their constant's loss is 1; that of click is the entropy of its rate.
    rate = float(knowing.training["label/click"].mean())
    entropy = -rate * np.log(rate) - (1 - rate) * np.log(1 - rate)
    assert found.result.student.gain == pytest.approx((0.07 / entropy + 0.07) / 2)
    assert [each.name for each in found.result.rounds] == ["control", "alone", "together"]
    assert found.result.trainings <= 400
    assert told[0].startswith("control: 10 ways, ")


_STACKED = ["tasks.click.distil.head=stacked", "tasks.minutes.distil.head=stacked"]


@pytest.mark.parametrize("trainings", [8, 30, 60, 150])
def test_no_search_takes_more_than_it_may(knowing: RunData, trainings: int):
    found, _ = searched(knowing, Limits(trainings))
    assert found.result.trainings <= trainings


def test_time_ends_a_search_with_what_is_known(knowing: RunData):
    ticks = iter(range(10_000))
    found, told = searched(knowing, Limits(400, minutes=1.0), clock=lambda: next(ticks))
    assert not found.result.rounds[1].ended
    assert "alone: time is over" in told
    assert 0 < found.result.trainings < 60
    assert all(each.falls == [] for each in found.result.rounds[1:])


@pytest.mark.parametrize(("limits", "message"), [(Limits(7), "expected 8 or more"), (Limits(8, 0), "more than 0")])
def test_limits_that_are_too_small_are_refused(knowing: RunData, limits: Limits, message: str):
    with pytest.raises(InputError, match=message):
        searched(knowing, limits)


def test_where_nothing_gains_the_surface_stays_as_it_is(knowing: RunData):
    space = [Change("dropout", "dropout", ("model.dropout=0.5",))]
    facts = replace(FACTS, surface=load(["model.l2=0.001"]))

    def from_there(sets: Sequence[str]) -> Surface:
        return load(["model.l2=0.001", *sets])

    found = search(ways(facts, from_there, space=space), from_there, knowing, Limits(40), Formula, lambda _: None)
    assert (found.student.name, found.control.name) == (AS_IT_IS, AS_IT_IS)
    assert found.result.student.gain is None
    plan = comparison_of(Plan(facts.surface, seeds=4), found)
    assert [arm.name for arm in plan.arms()] == ["control", "student", "shuffled", "gaussian", "logits_as_inputs"]


def test_the_comparison_judges_what_is_written_against_the_control_that_was_found(knowing: RunData):
    found, _ = searched(knowing, Limits(400))
    plan = comparison_of(Plan(SURFACE, seeds=4, references=False), found)
    assert [arm.name for arm in plan.arms()] == [
        *("control", "student", "shuffled", "gaussian", "chosen", "chosen/shuffled", "chosen/gaussian")
    ]
    by_name = {arm.name: arm for arm in plan.arms()}
    assert by_name["control"].surface.model.l2 == 0.001
    assert by_name["student"].surface == SURFACE
    assert plan.as_written
    assert tune.told(plan) == "7 arms, at most 148 trainings"


def test_other_trainings_hold_other_rows_out(knowing: RunData):
    fitter, arm = Fitter(knowing), Arm("student", Role.CANDIDATE, SURFACE, distil=True)
    rows = [fitter._rows(arm.surface, fold)[1].tolist() for fold in (0, 1, 5)]
    assert rows[0] == knowing.held_out.tolist() == rows[2]
    assert rows[1] == split(400, Training(validation_fraction=0.2), 1)[1].tolist()
    assert not set(rows[0]) & set(rows[1])


def load_real(sets: Sequence[str]) -> Surface:
    content = copy.deepcopy(real.SURFACE.model_dump(by_alias=True, mode="json", exclude_unset=True))
    for each in sets:
        override(content, each)
    return Surface.model_validate(content)


def test_the_choice_is_the_same_to_the_last_bit_without_the_evaluation_split(paths: RunPaths, tmp_path: Path):
    """Once as it is, once damaged, once gone: nothing of it is read before the choice is made."""
    found = []
    ask = Ask(Plan(real.SURFACE, seeds=4), Limits(8))
    damaged = tmp_path / "damaged"
    shutil.copytree(paths.labelled_eval, damaged)
    for file in damaged.iterdir():
        file.write_bytes(b"damaged")
    for number, folder in enumerate((paths.labelled_eval, str(damaged), str(tmp_path / "gone"))):
        memory = tmp_path / f"memory{number}"
        found.append(choose(ask, replace(paths, labelled_eval=folder), load_real, memory, lambda _: None))
        assert len([*(memory / "search").glob("*.npz")]) == found[0].result.trainings > 4
    for other in found[1:]:
        assert other.student == found[0].student
        assert other.control == found[0].control
        assert other.result.rounds == found[0].result.rounds
    assert any(each.gain for part in found[0].result.rounds for each in part.falls)


def test_an_interrupted_search_goes_on_where_it_was(paths: RunPaths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    ask, trained, fit = Ask(Plan(real.SURFACE, seeds=4), Limits(8)), [], Fitter.fit

    def interrupted(self: Fitter, *given: object, **more: object) -> Fitted:
        if len(trained) == 3:
            raise KeyboardInterrupt
        trained.append(given)
        return fit(self, *given, **more)

    monkeypatch.setattr(Fitter, "fit", interrupted)
    with pytest.raises(KeyboardInterrupt):
        choose(ask, paths, load_real, tmp_path, lambda _: None)
    trained.clear()
    monkeypatch.setattr(Fitter, "fit", lambda self, *given, **more: trained.append(given) or fit(self, *given, **more))
    found = choose(ask, paths, load_real, tmp_path, lambda _: None)
    assert len(trained) == found.result.trainings - 3


def test_facts_are_those_of_surface_and_run():
    facts = Facts(SURFACE, frozenset())
    assert "the run made no column" in ways(facts, load).left_out["stacked heads"]
