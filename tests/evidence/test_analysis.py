"""What becomes of a metric that is not defined."""

from __future__ import annotations

import numpy as np
import pytest

from evaluation.registry import score
from evidence.analysis import Family, analyse
from evidence.arms import TEACHER, Group, group, student, technique
from evidence.data import RunData
from evidence.result import Finding
from evidence.statistics import difference
from evidence.verdicts import Effect
from schema.base import TaskKind
from schema.metrics import main_metric
from tests.evidence.conftest import SURFACE

GROUP = group(student(SURFACE))


def predictions(knowing: RunData, judged: Group) -> dict[str, list[list[dict[str, np.ndarray]]]]:
    """Of each arm and two seeds: the truth, with noise."""
    rng = np.random.default_rng(0)
    truth = {"click": knowing.evaluation["label/click"], "minutes": 2 + knowing.evaluation["teacher/minutes"]}
    return {
        arm.name: [
            [
                {task: values + rng.normal(size=len(values)).astype(np.float32) for task, values in truth.items()}
                for _ in range(2)
            ]
        ]
        for arm in judged.arms()
    }


def overall(found: list[Finding], task: str) -> Finding:
    return next(each for each in found if each.task == task and each.slice is None)


def test_each_task_is_judged_on_its_main_metric(knowing: RunData) -> None:
    found = analyse(SURFACE, Family([GROUP], 0.95), [knowing], predictions(knowing, GROUP), None)
    assert [overall(found.findings, task).metric for task in SURFACE.tasks] == ["auc", "r2"]
    assert all(overall(found.findings, task).verdict is not None for task in SURFACE.tasks)
    means = {(each.arm, each.task): each.mean for each in found.means if each.slice is None}
    assert all(means[TEACHER, task] is not None for task in SURFACE.tasks)


@pytest.mark.parametrize("task", list(SURFACE.tasks))
def test_predictions_that_are_no_numbers_give_no_verdict(knowing: RunData, task: str) -> None:
    """A difference that is NaN compares as false with everything, and would pass for regularisation."""
    made = predictions(knowing, GROUP)
    made[GROUP.candidate.name][0][1][task][:] = np.nan
    found = overall(analyse(SURFACE, Family([GROUP], 0.95), [knowing], made, None).findings, task)
    assert found.verdict is None
    assert found.control is None
    assert found.note == f"no verdict: predictions that are no numbers among {found.examples} labelled examples"


def test_candidates_are_compared_with_each_other(knowing: RunData) -> None:
    other = group(technique("other", SURFACE), shared=GROUP.control)
    made = predictions(knowing, GROUP) | predictions(knowing, other)
    for of_seed in made["other"][0]:
        of_seed["click"] = np.random.default_rng(1).normal(size=len(of_seed["click"]))
    found = analyse(SURFACE, Family([GROUP, other], 0.95), [knowing], made, None).comparisons
    assert [(each.candidate, each.difference.arm, each.task) for each in found] == [
        ("other", "student", "click"),
        ("other", "student", "minutes"),
    ]
    assert found[0].difference.mean < -0.1
    assert found[1].difference.mean == 0.0


def test_controls_of_different_configurations_are_compared_too(knowing: RunData) -> None:
    wider = SURFACE.model_copy(update={"model": SURFACE.model.model_copy(update={"trunk": (8,)})})
    other = group(technique("other", wider), shared=GROUP.control)
    made = predictions(knowing, GROUP) | predictions(knowing, other)
    found = analyse(SURFACE, Family([GROUP, other], 0.95), [knowing], made, None).comparisons
    assert [(each.candidate, each.difference.arm, each.task) for each in found] == [
        ("other", "student", "click"),
        ("other/control", "control", "click"),
        ("other", "student", "minutes"),
        ("other/control", "control", "minutes"),
    ]


def test_three_candidates_share_what_a_seed_matters(knowing: RunData) -> None:
    others = [group(technique(name, SURFACE), shared=GROUP.control) for name in ("one", "two")]
    made = predictions(knowing, GROUP) | predictions(knowing, others[0]) | predictions(knowing, others[1])
    rng = np.random.default_rng(4)
    for arm in ("one", "two"):
        for of_seed in made[arm][0]:
            of_seed["click"] = of_seed["click"] + rng.normal(size=len(of_seed["click"]))
    found = analyse(SURFACE, Family([GROUP, *others], 0.95), [knowing], made, None).comparisons
    compared = {(each.candidate, each.difference.arm, each.task): each.difference for each in found}
    assert len(compared) == len(found) == 6
    labels = knowing.evaluation["label/click"]
    one, two, student_ = (
        [[score(main_metric(TaskKind.BINARY), labels, of_seed["click"], None) for of_seed in made[arm][0]]]
        for arm in ("one", "two", "student")
    )
    expected = difference(two, one, confidence=1 - 0.05 / 6, others=[student_])
    shown = compared["two", "one", "click"]
    assert (shown.mean, shown.low, shown.high) == pytest.approx((expected.mean, expected.low, expected.high))
    alone = difference(two, one, confidence=1 - 0.05 / 6)
    assert shown.high != pytest.approx(alone.high)


def test_a_control_that_noise_beats_is_under_tuned(knowing: RunData) -> None:
    made = predictions(knowing, GROUP)
    rng = np.random.default_rng(2)
    for of_seed in made[GROUP.control.name][0]:
        of_seed["click"] = of_seed["click"] + 3 * rng.normal(size=len(of_seed["click"]))
    found = overall(analyse(SURFACE, Family([GROUP], 0.95), [knowing], made, None).findings, "click")
    assert found.control is not None
    assert found.best is not None
    assert found.under_tuned == ["shuffled", "gaussian"]
    assert found.verdict is Effect.REGULARISATION
    assert found.best.arm in found.under_tuned
    assert found.best.mean == min(each.mean for each in found.placebos) < found.control.mean
