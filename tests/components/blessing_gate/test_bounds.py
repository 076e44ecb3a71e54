"""Bounds from above, ranges, changes in a metric's own direction, and joint gates."""

from __future__ import annotations

from typing import Any

import pytest

from components.blessing_gate.judge import decide
from contracts.decision import Check, Decision, Verdict
from evaluation.results import OVERALL
from schema.surface import Surface
from tests.components.blessing_gate.handmade import (
    BOTH,
    Found,
    binary,
    evaluation,
    evidence,
    failed,
    regression,
    surface,
)


def judged(gate: dict[str, Any], found: Found) -> Decision:
    click = surface(click=binary(gate))
    return decide(click, evidence(click, {OVERALL: {"click": found}}, {OVERALL: {"click": found}}))


def outcome(gate: dict[str, Any], found: Found) -> tuple[bool, str]:
    decision = judged(gate, found)
    return decision.blessed, decision.gates[0].sentence


def test_a_calibration_ratio_out_of_its_range_is_not_blessed() -> None:
    between = {"metric": "calibration", "between": [0.9, 1.1]}
    assert outcome(between, Found(1.02, 1.0)) == (
        True,
        "click calibration, overall: 1.0200, between 0.9 and 1.1 was asked.",
    )
    for wrong in (1.3, 0.89):
        assert outcome(between, Found(wrong, 1.0)) == (
            False,
            f"click calibration, overall: {wrong:.4f}, but between 0.9 and 1.1 was asked.",
        )


def test_at_most() -> None:
    at_most = {"metric": "log_loss", "at_most": 0.5}
    assert outcome(at_most, Found(0.5, 0.5)) == (True, "click log_loss, overall: 0.5000, at most 0.5 was asked.")
    assert outcome(at_most, Found(0.50001, 0.5)) == (
        False,
        "click log_loss, overall: 0.5000, exactly 0.50000999999999995, but at most 0.5 was asked.",
    )


def test_where_lower_is_better_a_rise_is_a_loss() -> None:
    not_worse = {"metric": "log_loss", "vs_control": {"at_least": -0.01}}
    assert outcome(not_worse, Found(0.405, 0.4)) == (
        True,
        "click log_loss, overall, against the control: 0.4050 against 0.4000, change +0.0050, at most 0.01 was asked.",
    )
    assert outcome(not_worse, Found(0.42, 0.4))[0] is False
    assert outcome(not_worse, Found(0.3, 0.4))[0] is True
    better = {"metric": "log_loss", "vs_last_blessed": {"at_least": 0.05}}
    assert [outcome(better, Found(value, 0.4))[0] for value in (0.34, 0.36)] == [True, False]


def test_where_a_target_is_best_nearer_is_a_gain() -> None:
    not_worse = {"metric": "calibration", "vs_control": {"at_least": 0}}
    assert outcome(not_worse, Found(1.05, 0.9)) == (
        True,
        "click calibration, overall, against the control: 1.0500 against 0.9000, nearer to 1 by +0.0500, "
        "at least 0 was asked.",
    )
    assert outcome(not_worse, Found(1.3, 1.05))[0] is False
    assert outcome(not_worse, Found(0.7, 1.05))[0] is False


@pytest.mark.parametrize(
    ("judged_on", "passes"),
    [("point", True), ("lower_limit", False), ("upper_limit", True), ("both_limits", False)],
)
def test_the_limit_of_a_change_is_that_of_the_gain(judged_on: str, passes: bool) -> None:
    """The log loss falls by .005, give or take .01: the gain's lower limit is a loss of .005."""
    gate = {"metric": "log_loss", "vs_control": {"at_least": 0}, "judged_on": judged_on}
    assert outcome(gate, Found(0.395, 0.4))[0] is passes


@pytest.mark.parametrize(
    ("gate", "value", "passes"),
    [
        ({"at_least": 0.6, "judged_on": "upper_limit"}, 0.595, True),  # not clearly below
        ({"at_least": 0.6, "judged_on": "upper_limit"}, 0.585, False),
        ({"at_most": 0.6, "judged_on": "upper_limit"}, 0.595, False),
        ({"at_most": 0.6, "judged_on": "lower_limit"}, 0.605, True),
        ({"between": [0.5, 0.6], "judged_on": "both_limits"}, 0.55, True),
        ({"between": [0.5, 0.6], "judged_on": "both_limits"}, 0.595, False),
        ({"between": [0.5, 0.6], "judged_on": "both_limits"}, 0.505, False),
    ],
)
def test_bounds_of_either_limit(gate: dict[str, Any], value: float, passes: bool) -> None:
    assert judged({"metric": "brier", **gate}, Found(value, value)).blessed is passes


def test_tfma_is_not_asked_for_what_only_a_limit_meets() -> None:
    lenient, strict = ({"at_least": 0.6, "judged_on": end} for end in ("upper_limit", "lower_limit"))
    told = [
        evaluation(surface(click=binary(gate)), BOTH, {OVERALL: {"click": Found(0.7)}}).bounds
        for gate in (lenient, strict)
    ]
    assert [len(each) for each in told] == [0, 1]


def test_tfma_rejects_a_range_that_held_here() -> None:
    click = surface(click=binary({"metric": "calibration", "between": [0.9, 1.1]}))
    found = {OVERALL: {"click": Found(1.0, 1.0)}}
    violated = (failed(click, "click", BOTH[0], None, OVERALL),)
    decision = decide(click, evidence(click, found, found, failures=violated))
    assert decision.sentence == (
        "Not blessed: TFMA's own validation rejects click calibration, overall (between 0.9 and 1.1), which passed "
        "here: one of the two is wrong, so nothing is pushed."
    )


def joint(click: Found, trail: Found, **gate: Any) -> Check:
    tasks = {"click": binary({"at_least": 0.1}), "trail": regression({"at_least": 0.01})}
    content = surface(**tasks).model_dump(mode="json", by_alias=True)
    both = Surface.model_validate({**content, "joint_gates": [{"against": "control", "worse_by": 0.02, **gate}]})
    found = {OVERALL: {"click": click, "trail": trail}}
    decision = decide(both, evidence(both, found, found))
    (check,) = (each for each in decision.checks if each.name.startswith("no task worse"))
    assert decision.blessed is (check.verdict is not Verdict.FAIL)
    return check


def test_no_task_may_be_worse_by_the_margin() -> None:
    """Standard errors of .005 with 19 degrees of freedom: the limit is .0086 below the gain."""
    found = joint(Found(0.7, 0.7), Found(0.301, 0.3), relative=False)
    assert found.verdict is Verdict.PASS
    assert found.sentence == (
        "No task worse than the control by 0.02, together at 95%: click auc gain +0.0000, lower limit -0.0086, "
        "at least -0.0200 was asked; trail r2 gain +0.0010, lower limit -0.0076, at least -0.0200 was asked."
    )
    assert joint(Found(0.7, 0.7), Found(0.285, 0.3), relative=False).verdict is Verdict.FAIL


def test_a_relative_margin_is_a_share_of_the_other_models_metric() -> None:
    # 2% of .7 is .014, and of .3 it is .006.
    assert joint(Found(0.7, 0.7), Found(0.303, 0.3)).verdict is Verdict.PASS
    assert joint(Found(0.7, 0.7), Found(0.3, 0.3)).verdict is Verdict.FAIL
    assert joint(Found(0.7, 0.7), Found(0.303, 0.3), confidence=0.999).verdict is Verdict.FAIL


def test_a_joint_gate_that_cannot_be_judged_blocks_unless_told() -> None:
    nothing = Found(0.3, None)
    assert joint(Found(0.7, 0.7), nothing).verdict is Verdict.FAIL
    found = joint(Found(0.7, 0.7), nothing, may_be_unjudged=True)
    assert found.verdict is Verdict.NOT_JUDGED
    assert "trail r2 cannot be judged, the metric is not defined" in found.sentence
