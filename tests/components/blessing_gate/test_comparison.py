"""A surface that is not what it was when the model that serves was pushed."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from components.blessing_gate.checks import Evidence
from components.blessing_gate.comparison import no_baseline
from components.blessing_gate.judge import decide
from contracts.decision import BoundKind, Decision, Measurement, Verdict
from evaluation.results import OVERALL, TaskMetrics
from records.parsed_columns import ParsedColumn
from records.served import ServedModel
from schema.surface import Surface
from tests.components.blessing_gate.handmade import binary, evidence, surface

ALL = {"at_least": 0.6, "vs_last_blessed": {"at_least": -0.01}, "vs_control": {"at_least": 0.0}}


def served(*outputs: str, requires: str = "x", **kinds: str) -> ServedModel:
    types = dict.fromkeys(outputs, ("float32", (None,)))
    return ServedModel(types, {requires: ParsedColumn("float32", True, ())}, kinds, 17)


def with_keys(of: Surface, **keys: Any) -> Surface:
    return Surface.model_validate({**of.model_dump(mode="json", by_alias=True), **keys})


def unanswered(of: Surface, task: str) -> Evidence:
    """What serves answers NaN for a task, on all rows or on some: its metric and the difference are not defined."""
    found = evidence(of)
    slices = dict(found.last_blessed.slices[OVERALL])
    undefined = {"auc": Measurement(value=None)}
    slices[task] = TaskMetrics(slices[task].student, undefined, undefined)
    return dataclasses.replace(found, last_blessed=dataclasses.replace(found.last_blessed, slices={OVERALL: slices}))


def judged(decision: Decision) -> dict[tuple[str, BoundKind], Verdict]:
    return {(gate.task, gate.kind): gate.verdict for gate in decision.gates}


def said(decision: Decision) -> str:
    return next((check.sentence for check in decision.checks if check.name == "comparison with what serves"), "")


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (served("click"), "new task: no baseline"),
        (served("click", "save", save="regression"), "the task was regression and is binary now: no baseline"),
        (
            served("click", "save", requires="city"),
            "what serves asks for city, which the surface has no longer: no baseline",
        ),
        (served("click", "save"), "what serves answers what is no finite number, or nothing at all: no baseline"),
    ],
)
def test_what_cannot_be_compared_is_judged_otherwise_and_named(model: ServedModel, reason: str) -> None:
    both = surface(click=binary(ALL), save=binary(ALL, label="saved"))
    decision = decide(both, dataclasses.replace(unanswered(both, "save"), served=model))
    assert decision.blessed
    assert decision.sentence == (
        "Blessed: 5 gates passed, 1 not judged (save auc, overall, against the last blessed model: not judged, "
        f"{reason})."
    )
    assert judged(decision)["save", BoundKind.LAST_BLESSED] is Verdict.NOT_JUDGED
    assert judged(decision)["save", BoundKind.CONTROL] is Verdict.PASS
    assert judged(decision)["click", BoundKind.LAST_BLESSED] is Verdict.PASS
    assert said(decision) == (
        f"Compared with version 17, the surface has changed: save: {reason}. What has no baseline is judged "
        "absolutely and against the control."
    )


def test_a_task_that_is_gone_is_named() -> None:
    click = surface(click=binary(ALL))
    decision = decide(click, dataclasses.replace(evidence(click), served=served("click", "days")))
    assert decision.blessed
    assert "days is a task no more" in said(decision)


def test_nothing_is_said_of_a_surface_that_did_not_change() -> None:
    click = surface(click=binary(ALL))
    assert said(decide(click, dataclasses.replace(evidence(click), served=served("click", click="binary")))) == ""


def test_a_new_task_without_another_bound_is_judged_by_nothing() -> None:
    both = surface(click=binary(ALL), save=binary({"vs_last_blessed": {"at_least": -0.01}}, label="saved"))
    decision = decide(both, dataclasses.replace(unanswered(both, "save"), served=served("click")))
    assert not decision.blessed
    assert "new task: no baseline, and nothing else judged save; give one of its gates" in decision.sentence


def test_a_student_without_a_metric_is_not_excused() -> None:
    click = surface(click=binary(ALL))
    found = evidence(click)
    undefined = {"auc": Measurement(value=None)}
    nan = {
        OVERALL: {
            "click": TaskMetrics(
                {**found.last_blessed.slices[OVERALL]["click"].student, **undefined}, undefined, undefined
            )
        }
    }
    decision = decide(
        click,
        dataclasses.replace(
            found, last_blessed=dataclasses.replace(found.last_blessed, slices=nan), served=served("click")
        ),
    )
    assert not decision.blessed
    assert judged(decision)["click", BoundKind.LAST_BLESSED] is Verdict.FAIL


def test_a_new_task_that_is_bad_is_refused() -> None:
    both = surface(click=binary(ALL), save=binary({**ALL, "at_least": 0.9}, label="saved"))
    decision = decide(both, dataclasses.replace(unanswered(both, "save"), served=served("click")))
    assert not decision.blessed
    assert decision.sentence.startswith("Not blessed: save auc, overall: 0.7000, but at least 0.9 was asked.")


def test_a_joint_gate_compares_the_tasks_that_have_a_baseline() -> None:
    both = with_keys(
        surface(click=binary(ALL), save=binary(ALL, label="saved")),
        joint_gates=[{"against": "last_blessed", "worse_by": 0.02, "relative": False}],
    )
    found = unanswered(both, "save")
    new = decide(both, dataclasses.replace(found, served=served("click")))
    (check,) = (each for each in new.checks if each.name.startswith("no task worse"))
    assert (check.verdict, new.blessed) == (Verdict.PASS, True)
    assert check.sentence.endswith("; save not compared, new task: no baseline.")
    # The same of a model whose files nobody read excuses nothing.
    assert not decide(both, found).blessed


def scored() -> Surface:
    return with_keys(
        surface(click=binary(ALL), save=binary(ALL, label="saved")),
        score="click + save",
        group="page",
    )


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (served("click", "save", "score"), None),
        (served("click", "save"), None),
        (served("click"), "the score reads save, new task: no baseline"),
        (
            served("click", "save", save="regression"),
            "the score reads save, the task was regression and is binary now: no baseline",
        ),
        (served("click", "score"), None),
    ],
)
def test_a_score_is_compared_with_one_that_is_served_or_follows_from_what_is(
    model: ServedModel, reason: str | None
) -> None:
    ndcg = Measurement(value=0.5)
    assert no_baseline(scored(), "score", ndcg, ndcg, model) == reason


def test_a_score_that_is_gone_is_named_and_one_that_stays_is_not() -> None:
    assert (
        said(decide(scored(), dataclasses.replace(evidence(scored()), served=served("click", "save", "score")))) == ""
    )
    click = surface(click=binary(ALL))
    decision = decide(click, dataclasses.replace(evidence(click), served=served("click", "score")))
    assert "the score is served no more" in said(decision)
