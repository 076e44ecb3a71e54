"""Histories in an experiment: they help where they say something, and only of those whom they are of."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from evidence import analysis, own_history
from evidence.arms import Role, dealt_out, group, shuffled, student, technique
from evidence.choosing import Budget, train_arms
from evidence.data import RunData
from evidence.experiment import Plan
from evidence.fitting import Fitter
from models.columns import input_columns
from models.scales import label_statistics
from schema.surface import Surface
from tests.evidence.conftest import SURFACE

USERS, DAYS, ROWS = 300, 5, 1500
LAYER = 4
CONTENT = SURFACE.model_dump(mode="json", by_alias=True)
CONTENT["teacher"]["representations"] = {"layer": {"size": LAYER}}
CONTENT["tasks"]["click"]["distil"]["weight"] = 0.1
CONTENT["training"] |= {"epochs": 15}
REMEMBERING = Surface.model_validate(
    CONTENT | {"period": {"column": "day"}, "histories": {"user": {"of": "layer"}}, "slices": {}}
)
ONE = Budget(settings=1, widen=0)


def _silent(_: str) -> None:
    pass


@pytest.fixture(scope="module")
def data() -> RunData:
    """People with a taste that labels show badly, and that the teacher has in its layer of every row of theirs."""
    rng = np.random.default_rng(0)
    taste = rng.normal(size=USERS)
    direction = rng.normal(size=LAYER)

    def columns(count: int, days: np.ndarray) -> dict[str, np.ndarray]:
        users, match = rng.integers(USERS, size=count), rng.normal(size=count)
        clicked = rng.random(count) < 1 / (1 + np.exp(-1.2 * taste[users] - match))
        said = taste[users][:, None] * direction + 0.5 * rng.normal(size=(count, LAYER))
        return {
            "user": users,
            "item": rng.integers(10, size=count),
            "match": match.astype(np.float32)[:, None],
            "period/id": days,
            "label/click": clicked.astype(np.float32),
            "label/minutes": np.where(clicked, 1 + taste[users], np.nan).astype(np.float32),
            "teacher/click": rng.normal(size=count).astype(np.float32),
            "teacher/minutes": rng.normal(size=count).astype(np.float32),
            "teacher/layer": said.astype(np.float32),
        }

    training = columns(ROWS, np.sort(rng.integers(DAYS, size=ROWS)))
    held_out = np.arange(ROWS) % 5 == 0
    return RunData(
        name="drawn",
        training=training,
        evaluation=columns(3000, np.full(3000, DAYS)) | {"taste": taste},
        fitted=np.flatnonzero(~held_out),
        held_out=np.flatnonzero(held_out),
        vocabulary_sizes={"user": USERS + 1, "item": 10},
        vocabularies={"user": [b""] * USERS, "item": [b""] * 10},
        statistics=label_statistics(REMEMBERING, training),
        teacher={},
        raw={},
        slices={},
        small_slices=0,
    )


@pytest.fixture(scope="module")
def examples(data: RunData) -> RunData:
    """The same, whose evaluation split has columns of examples alone."""
    kept = {name: each for name, each in data.evaluation.items() if name != "taste"}
    return dataclasses.replace(data, evaluation=kept)


def test_each_candidate_with_histories_has_ablations_and_no_other_has():
    judged = group(technique("history", REMEMBERING))
    assert [arm.name for arm in judged.ablations] == ["history/dealt_out", "history/own_history"]
    assert {(arm.role, arm.of, arm.distil) for arm in judged.ablations} == {(Role.ABLATION, "history", True)}
    assert group(student(SURFACE)).ablations == ()
    assert [arm.name for arm in judged.arms()] == ["history/control", "history", "history/shuffled", "history/gaussian"]
    names = [arm.name for arm in Plan(REMEMBERING, references=False).arms()]
    assert names == ["control", "student", "shuffled", "gaussian", "dealt_out", "own_history"]


def test_histories_are_dealt_out_whole():
    ids = np.random.default_rng(0).integers(3, 30, size=200)
    dealt = dealt_out({"user": ids}, ["user"], np.random.default_rng(1))["history/dealt/user"]
    assert len({(one, other) for one, other in zip(ids, dealt, strict=True)}) == len(set(ids))
    assert set(dealt) == set(ids)
    assert (dealt != ids).mean() > 0.8


def told(fitter: Fitter, data: RunData, columns: dict, surface: Surface = REMEMBERING) -> float:
    """How well a student's clicks follow people's tastes."""
    fitted = fitter.fit(surface, columns, distil=True)
    evaluation = {name: each for name, each in data.evaluation.items() if name != "taste"}
    predicted = fitter.predict(surface, fitted, evaluation, distil=True)["click"]
    return float(np.corrcoef(predicted, data.evaluation["taste"][evaluation["user"]])[0, 1])


def test_histories_tell_of_whom_they_are_and_not_if_they_are_dealt_out(data):
    fitter, rng = Fitter(data), np.random.default_rng(0)
    without = told(fitter, data, data.training, REMEMBERING.model_copy(update={"histories": {}}))
    with_histories = told(fitter, data, data.training)
    assert with_histories > without + 0.05
    for placebo in (dealt_out(data.training, ["user"], rng), shuffled(data.training, rng)):
        assert told(fitter, data, placebo) < with_histories - 0.05


def test_a_control_is_the_same_with_histories_and_without(data):
    fitter = Fitter(data)
    plain = REMEMBERING.model_copy(update={"histories": {}})
    one, other = (fitter.fit(each, data.training, distil=False) for each in (REMEMBERING, plain))
    assert len(one.weights) == len(other.weights)
    for ours, theirs in zip(one.weights, other.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_rows_that_a_training_leaves_out_are_in_no_history(data):
    """Of a part of the run, as a curve over its size has it."""
    few = dataclasses.replace(data, fitted=data.fitted[:600], held_out=data.held_out[:150])
    poisoned = data.training["teacher/layer"].copy()
    poisoned[900:] = 1e4
    columns = {**data.training, "teacher/layer": poisoned}
    one, other = (Fitter(few).fit(REMEMBERING, each, distil=True) for each in (data.training, columns))
    assert one.selection_loss == other.selection_loss
    assert Fitter(data).fit(REMEMBERING, columns, distil=True).selection_loss != one.selection_loss


def test_own_histories_are_of_controls_that_saw_nothing_later(data):
    arm = group(student(REMEMBERING)).ablations[1]
    assert input_columns(arm.surface)["history/user"].shape == (17,)  # the trunk's 16, and whether there is one
    fitter = Fitter(data)
    said = own_history.said(fitter, arm.surface, data.training, seed=0)
    days = data.training["period/id"]
    assert np.isnan(said[days == DAYS - 1]).all()
    assert np.isfinite(said[days < DAYS - 1]).all()
    assert np.nanstd(said) == pytest.approx(1, abs=0.1)
    clicked = data.training["label/click"]
    later = {**data.training, "label/click": np.where(days >= 2, 1 - clicked, clicked)}
    changed = own_history.said(fitter, arm.surface, later, seed=0)

    def rank(values: np.ndarray) -> np.ndarray:
        """Without the scale, which is of all rows."""
        return np.argsort(np.argsort(values[days == 1], axis=0), axis=0)

    np.testing.assert_array_equal(rank(changed), rank(said))
    assert not np.array_equal(changed[days == 2], said[days == 2])


def test_an_experiment_compares_a_student_with_its_ablations(examples):
    training = REMEMBERING.training.model_copy(update={"epochs": 4, "batch_size": 128})
    plan = Plan(REMEMBERING.model_copy(update={"training": training}), seeds=2, references=False, few=True)
    groups = plan.groups()
    trained = train_arms(plan.arms(), 2, ONE, examples, Fitter(examples), _silent)
    predictions = {name: [of.predictions] for name, of in trained.items()}
    found = analysis.analyse(plan.surface, analysis.Family(groups, 0.95), [examples], predictions, None)
    of_click = [each for each in found.comparisons if each.task == "click"]
    compared = {(each.candidate, each.difference.arm): each.difference for each in of_click}
    assert set(compared) == {("student", "dealt_out"), ("student", "own_history")}
    means = {each.arm: each.mean for each in found.means if each.task == "click"}
    difference = compared["student", "dealt_out"].mean
    assert difference == pytest.approx(means["student"] - means["dealt_out"])
    assert difference > 0
    assert {arm.arm for arm in found.findings[0].placebos} == {"shuffled", "gaussian"}
