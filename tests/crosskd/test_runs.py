"""What runs left, also those of older releases."""

from __future__ import annotations

import pytest

from contracts.roles import ModelRole
from crosskd.runs import NodeOfRun, Run, evaluation_of


def node(**outputs: str) -> NodeOfRun:
    return NodeOfRun("COMPLETE", 1.0, {key: [(uri, {})] for key, uri in outputs.items()}, {})


TODAY = {"Evaluator": node(evaluation="/beside/served", control_evaluation="/beside/control")}
BEFORE = {
    "Evaluator.last_blessed": node(evaluation="/beside/served"),
    "Evaluator.control": node(evaluation="/beside/control"),
}


@pytest.mark.parametrize("nodes", [TODAY, BEFORE], ids=["one Evaluator", "one for each comparison"])
def test_each_comparison_is_found(nodes):
    run = Run("monday", "shop", nodes)
    assert evaluation_of(run, ModelRole.LAST_BLESSED) == "/beside/served"
    assert evaluation_of(run, ModelRole.CONTROL) == "/beside/control"


def test_a_run_that_did_not_get_there_has_none():
    run = Run("monday", "shop", {"Evaluator": NodeOfRun("FAILED", 1.0, {}, {})})
    assert evaluation_of(run, ModelRole.CONTROL) is None
