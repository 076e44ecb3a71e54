from __future__ import annotations

import numpy as np
import pytest

from evidence import analysis
from evidence.analysis import Analysis
from evidence.arms import Arm, Role, group, shuffled, technique
from evidence.choosing import Budget, train_arms
from evidence.data import RunData
from evidence.experiment import Plan, check, train
from evidence.fitting import Fitter
from evidence.verdicts import Effect
from schema.errors import InputError
from schema.surface import Surface
from tests.evidence.conftest import SURFACE

ONE = Budget(settings=1, widen=0)


def _silent(_: str) -> None:
    pass


def _analyse(plan: Plan, data: RunData) -> Analysis:
    trained = train(plan, data, _silent)
    predictions = {name: [each.predictions] for name, each in trained.items()}
    family = analysis.Family(plan.groups(), plan.confidence, plan.margin)
    return analysis.analyse(plan.surface, family, [data], predictions, plan.clusters)


def _verdicts(found: Analysis, candidate: str = "student") -> dict[str, Effect | None]:
    return {each.task: each.verdict for each in found.findings if each.slice is None and each.candidate == candidate}


def test_a_knowing_teacher_gives_knowledge(knowing):
    progress: list[str] = []
    plan = Plan(SURFACE, seeds=4, tuning=ONE, clusters="user")
    trained = train(plan, knowing, progress.append)
    predictions = {name: [each.predictions] for name, each in trained.items()}
    found = analysis.analyse(SURFACE, analysis.Family(plan.groups(), 0.95), [knowing], predictions, "user")
    assert _verdicts(found) == {"click": Effect.KNOWLEDGE, "minutes": Effect.KNOWLEDGE}
    assert found.verdicts == 2
    assert progress[0] == "drawn: 320 rows to fit, 80 held out"
    assert progress[1].startswith("drawn: arm 1 of 5, control: seed 1 of 4, ")
    means = {(each.arm, each.task, each.slice): each for each in found.means}
    assert {arm for arm, _, _ in means} == {
        "control",
        "student",
        "shuffled",
        "gaussian",
        "logits_as_inputs",
        "teacher",
    }
    # This teacher's logits are the truth, and reading them is no harm.
    assert means["logits_as_inputs", "click", None].mean > means["control", "click", None].mean
    assert means["teacher", "click", None].std is None
    sliced = [each for each in found.findings if each.slice == "odd"]
    assert [each.verdict for each in sliced] == [None, None]
    assert [each.transfer for each in sliced] == [None, None]
    assert sliced[0].examples == int((knowing.raw["user"] % 2 == 1).sum())


def test_a_teacher_of_other_users_and_items_gives_nothing(disjoint):
    found = _analyse(Plan(SURFACE, seeds=4, tuning=ONE, references=False), disjoint)
    assert set(_verdicts(found).values()) <= {Effect.NONE, Effect.INCONCLUSIVE}


@pytest.mark.slow
def test_shuffled_labels_as_a_student_are_practically_never_knowledge(knowing):
    """Twenty experiments of three seeds each, by real training: at most one false verdict.

    Neighbors share two of their seeds, which saves training.
    """
    short = SURFACE.model_copy(update={"training": SURFACE.training.model_copy(update={"epochs": 6})})
    judged = group(Arm("impostor", Role.CANDIDATE, short, distil=True, change=shuffled))
    trained = train_arms(judged.arms(), 22, ONE, knowing, Fitter(knowing), _silent)
    false = 0
    for start in range(20):
        some = {name: [each.predictions[start : start + 3]] for name, each in trained.items()}
        found = analysis.analyse(short, analysis.Family([judged], 0.95), [knowing], some, None)
        false += Effect.KNOWLEDGE in _verdicts(found, "impostor").values()
    assert false <= 1


def test_a_graph_that_is_used_again_gives_the_same_model(knowing):
    """Weights, optimizer and dropout start anew with every fit, whatever was fitted before."""
    dropout = SURFACE.model_copy(update={"model": SURFACE.model.model_copy(update={"dropout": 0.2})})
    fitter = Fitter(knowing)
    fits = [fitter.fit(_with_seed(dropout, seed), knowing.training, distil=False) for seed in (0, 1, 0)]
    assert fits[0].hard_loss == fits[2].hard_loss
    assert fits[0].hard_loss != fits[1].hard_loss
    for one, other in zip(fits[0].weights, fits[2].weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_distillation_of_weight_zero_is_the_control(knowing):
    """Same start, batches and steps: the student differs from its control by its losses alone."""
    tasks = {
        name: task.model_copy(update={"distil": task.distil.model_copy(update={"weight": 0.0})})
        for name, task in SURFACE.tasks.items()
    }
    surface = SURFACE.model_copy(update={"tasks": tasks, "model": SURFACE.model.model_copy(update={"l2": 0.0})})
    fitter = Fitter(knowing)
    found = []
    for distil in (True, False):
        fitted = fitter.fit(surface, knowing.training, distil=distil)
        found.append(fitter.predict(surface, fitted, knowing.evaluation, distil=distil))
    for task in surface.tasks:
        np.testing.assert_allclose(found[0][task], found[1][task], rtol=1e-3, atol=1e-3)


def _with_seed(surface: Surface, seed: int) -> Surface:
    return surface.model_copy(update={"training": surface.training.model_copy(update={"seed": seed})})


def test_one_class_only_gives_no_verdict(knowing):
    plan = Plan(SURFACE, references=False)
    evaluation = {**knowing.evaluation, "label/click": np.zeros_like(knowing.evaluation["label/click"])}
    nothing = RunData(**{**vars(knowing), "evaluation": evaluation})
    rng = np.random.default_rng(0)
    predictions = {
        arm.name: [[{task: rng.normal(size=1500) for task in SURFACE.tasks} for _ in range(2)]] for arm in plan.arms()
    }
    found = analysis.analyse(SURFACE, analysis.Family(plan.groups(), 0.95), [nothing], predictions, None)
    finding = next(each for each in found.findings if each.task == "click" and each.slice is None)
    assert finding.verdict is None
    assert finding.control is None
    assert finding.note == "no verdict: one class only among 1500 labelled examples"
    assert {each.mean for each in found.means if each.task == "click"} == {None}


def _changed(**update: object) -> Plan:
    return Plan(**{**vars(Plan(SURFACE)), **update})


def _holding_out_the_last(surface: Surface) -> Surface:
    return surface.model_copy(update={"training": surface.training.model_copy(update={"hold_out": "last"})})


@pytest.mark.parametrize(
    ("plan", "runs", "message"),
    [
        (_changed(seeds=1), 1, "two seeds or more"),
        (_changed(), 0, "needs a finished run"),
        (_changed(seeds=3), 1, "expected 4 seeds or more, found 3: .* --few to go on with 3"),
        (_changed(seeds=9), 3, "expected 4 runs or more, found 3"),
        (_changed(tuning=Budget(99)), 1, "expected 1 to 8 settings, found 99"),
        (_changed(techniques=(technique("student", SURFACE),)), 1, "two arms are called"),
        (
            _changed(techniques=(technique("other", SURFACE.model_copy(update={"tasks": {}})),)),
            1,
            "'other': its surface has other tasks",
        ),
        (
            _changed(techniques=(technique("later", _holding_out_the_last(SURFACE)),)),
            1,
            "'later': its surface has another `validation_fraction` or `hold_out`",
        ),
        (_changed(surface=SURFACE.model_copy(update={"tasks": {}})), 1, "distils nothing"),
    ],
)
def test_a_useless_plan_is_refused(plan, runs, message):
    with pytest.raises(InputError, match=message):
        check(plan, runs)
