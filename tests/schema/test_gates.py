from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from schema.gates import Gate, JudgedOn, Limits
from schema.surface import Surface

POINT, LOWER, UPPER, BOTH = JudgedOn


def test_old_files_keep_their_meaning() -> None:
    gate = Gate.model_validate({"metric": "auc", "at_least": 0.6, "vs_control": {"at_least": -0.01}})
    assert gate.absolute() == Limits(0.6, None, POINT)
    assert gate.vs_control is not None
    assert gate.of_change(gate.vs_control) == Limits(-0.01, None, POINT)


def test_ranges_and_changes_in_the_metrics_own_direction() -> None:
    assert Gate.model_validate({"metric": "calibration", "between": [0.9, 1.1]}).absolute() == Limits(0.9, 1.1, POINT)
    assert Gate(metric="rmse", at_least=1, at_most=2).absolute() == Limits(1, 2, POINT)
    gate = Gate.model_validate({"metric": "mae", "vs_control": {"at_least": -0.5}, "judged_on": "lower_limit"})
    assert gate.vs_control is not None
    assert gate.absolute() is None
    assert gate.of_change(gate.vs_control) == Limits(None, 0.5, UPPER)


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        (Limits(0.5, None, POINT), True),
        (Limits(0.5, None, LOWER), True),
        (Limits(0.5, None, UPPER), False),
        (Limits(None, 0.5, UPPER), True),
        (Limits(None, 0.5, LOWER), False),
        (Limits(0.4, 0.5, BOTH), True),
        (Limits(0.4, 0.5, LOWER), False),
        (Limits(0.4, 0.5, UPPER), False),
    ],
)
def test_what_holds_of_the_point_wherever_it_holds_of_the_limit(limits: Limits, expected: bool) -> None:
    assert limits.also_of_the_point is expected


@pytest.mark.parametrize(
    ("gate", "message"),
    [
        ({"metric": "auc"}, "a gate needs at_least, at_most, between, vs_last_blessed or vs_control"),
        ({"metric": "auc", "between": [0.5, 0.6], "at_most": 0.7}, "either `between` or `at_least` and `at_most`"),
        ({"metric": "auc", "between": [0.6, 0.5]}, "from a lower to a higher number, found 0.6 to 0.5"),
        ({"metric": "auc", "at_least": 0.6, "at_most": 0.6}, "from a lower to a higher number"),
        ({"metric": "auc", "at_most": 60}, "at_most: auc is a fraction, expected a value of 0 to 1, found 60; 60% is"),
        ({"metric": "brier", "between": [-0.1, 0.3]}, "between: brier is a fraction, expected a value of 0 to 1"),
        ({"metric": "log_loss", "at_most": -1}, "at_most: log_loss: expected a value of 0 or more, found -1"),
        ({"metric": "r2", "at_least": 1.5}, "at_least: r2 is a fraction, expected a value of 1 or less, found 1.5"),
        ({"metric": "auc", "vs_control": {"at_least": 1}}, "expected a change of -1 to 1, the ends excluded, found 1"),
        ({"metric": "auc", "at_least": 0.5, "judged_on": "mean"}, "'point', 'lower_limit', 'upper_limit' or 'both_"),
    ],
)
def test_what_is_no_gate(gate: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message.replace("(", r"\(")):
        Gate.model_validate(gate)


def surface(**more: Any) -> Surface:
    click = {"kind": "binary", "label": "y", "gates": [{"metric": "mrr", "at_least": 0.1}]}
    return Surface.model_validate(
        {"name": "s", "features": {"x": {"kind": "numeric"}}, "tasks": {"click": click}, **more}
    )


def test_metrics_of_groups_need_a_group() -> None:
    assert surface(group="request").tasks["click"].gates[0].metric == "mrr"
    with pytest.raises(ValidationError, match=r"tasks\.click\.gates: mrr is computed within groups, and the surface"):
        surface()


@pytest.mark.parametrize(
    ("gate", "message"),
    [
        ({"metrics": {"clik": "auc"}}, r"joint_gates\.0\.metrics: expected tasks, found 'clik'"),
        ({"metrics": {"click": "r2"}}, r"joint_gates\.0\.metrics\.click: a binary task is gated on one of auc"),
        ({"worse_by": 0}, "greater than 0"),
        ({"confidence": 95}, "less than 1"),
        ({"against": "teacher"}, "'control' or 'last_blessed'"),
    ],
)
def test_what_is_no_joint_gate(gate: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        surface(group="request", joint_gates=[{"against": "control", "worse_by": 0.005, **gate}])


def test_metrics_weigh_by_a_column() -> None:
    assert surface(group="request", weight_column="w", weighted_evaluation=True).weighted_evaluation
    with pytest.raises(ValidationError, match="`weighted_evaluation` needs a `weight_column`, found none"):
        surface(group="request", weighted_evaluation=True)
