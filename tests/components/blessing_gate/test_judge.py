"""Verdicts of gates and of the whole decision."""

from __future__ import annotations

import dataclasses

import pytest

from components.blessing_gate.checks import Evidence
from components.blessing_gate.judge import decide
from contracts.decision import BoundKind, Check, Verdict
from evaluation.results import OVERALL, TaskMetrics
from tests.components.blessing_gate.handmade import (
    BOTH,
    NAN,
    NEW,
    Found,
    binary,
    evaluation,
    evidence,
    failed,
    regression,
    surface,
)
from tests.components.blessing_gate.reading import failed_checks, only, verdicts

ALL = {"at_least": 0.6, "vs_last_blessed": {"at_least": -0.01}, "vs_control": {"at_least": 0.0}}


def test_a_good_student_is_blessed() -> None:
    click = surface(click=binary(ALL))
    decision = decide(click, evidence(click))
    assert decision.blessed
    assert decision.first_run is False
    assert decision.sentence == "Blessed: 3 gates passed."
    assert [gate.sentence for gate in decision.gates] == [
        "click auc, overall: 0.7000, at least 0.6 was asked.",
        "click auc, overall, against the last blessed model: 0.7000 against 0.6900, change +0.0100, "
        "at least -0.01 was asked.",
        "click auc, overall, against the control: 0.7000 against 0.6900, change +0.0100, at least 0 was asked.",
    ]
    assert decision.gates[1].difference is not None
    assert decision.gates[1].difference.value == pytest.approx(0.01)
    assert decision.gates[0].baseline is None


def test_the_first_run_is_judged_by_absolute_bounds_and_the_control() -> None:
    click = surface(click=binary(ALL))
    decision = decide(click, evidence(click, {OVERALL: {"click": Found(0.7)}}, first_run=True))
    assert decision.blessed
    assert decision.first_run is True
    assert decision.sentence == (
        "Blessed: 2 gates passed, 1 not judged (click auc, overall, against the last blessed model: "
        "not judged, first run: no blessed model yet)."
    )
    assert list(verdicts(decision).values()) == [Verdict.PASS, Verdict.NOT_JUDGED, Verdict.PASS]


def test_below_its_absolute_bound_while_others_are_fine() -> None:
    both = surface(click=binary(ALL), trail=regression({"at_least": 0.2}))
    found = {OVERALL: {"click": Found(0.7, 0.69), "trail": Found(0.19, 0.1)}}
    decision = decide(both, evidence(both, found, found))
    assert not decision.blessed
    assert decision.sentence == "Not blessed: trail r2, overall: 0.1900, but at least 0.2 was asked."
    assert only(decision, Verdict.FAIL) == ["trail r2, overall: 0.1900, but at least 0.2 was asked."]


def test_worse_than_the_last_blessed_model_while_the_absolute_bound_holds() -> None:
    click = surface(click=binary(ALL))
    decision = decide(click, evidence(click, {OVERALL: {"click": Found(0.7, 0.72)}}))
    assert not decision.blessed
    assert decision.sentence == (
        "Not blessed: click auc, overall, against the last blessed model: 0.7000 against 0.7200, "
        "change -0.0200, but at least -0.01 was asked."
    )


def test_worse_than_the_control() -> None:
    click = surface(click=binary(ALL))
    decision = decide(click, evidence(click, control={OVERALL: {"click": Found(0.7, 0.701)}}))
    assert not decision.blessed
    assert only(decision, Verdict.FAIL) == [
        "click auc, overall, against the control: 0.7000 against 0.7010, change -0.0010, but at least 0 was asked."
    ]


def test_equal_to_last_blessed_and_control_passes_bounds_of_zero() -> None:
    click = surface(click=binary({"vs_last_blessed": {"at_least": 0}, "vs_control": {"at_least": 0}}))
    same = {OVERALL: {"click": Found(0.7, 0.7)}}
    assert decide(click, evidence(click, same, same)).blessed


def test_fine_overall_and_bad_in_one_slice() -> None:
    click = surface(click=binary({"at_least": 0.6}, {"slice": "new", "at_least": 0.6}))
    found = {OVERALL: {"click": Found(0.7)}, NEW: {"click": Found(0.55)}}
    control = {key: {"click": Found(0.7, 0.7)} for key in found}
    decision = decide(click, evidence(click, found, control))
    assert not decision.blessed
    assert decision.sentence == (
        "Not blessed: click auc, slice new (new_release=1): 0.5500, but at least 0.6 was asked."
    )


def test_a_gate_on_a_feature_without_value_holds_for_each_value() -> None:
    click = surface(click=binary({"slice": "shelf", "at_least": 0.6}))
    found = {(("shelf", shelf),): {"click": Found(0.5 if shelf == 2 else 0.7)} for shelf in range(4)}
    everything = {OVERALL: {"click": Found(0.7, 0.7)}, **found}
    decision = decide(click, evidence(click, everything, everything))
    assert verdicts(decision) == {
        ("click", BoundKind.ABSOLUTE, "shelf", f"shelf={shelf}"): Verdict.FAIL if shelf == 2 else Verdict.PASS
        for shelf in range(4)
    }
    assert not decision.blessed


@pytest.mark.parametrize(
    ("found", "end"),
    [
        (Found(NAN), "undefined, the metric is not defined (NaN)."),
        (Found(None), "the metric is missing from the evaluation."),
    ],
)
def test_a_metric_that_is_undefined_or_missing_fails(found: Found, end: str) -> None:
    click = surface(click=binary({"at_least": 0.6}))
    decision = decide(click, evidence(click, {OVERALL: {"click": found}}))
    assert not decision.blessed
    assert decision.sentence == f"Not blessed: click auc, overall: {end}"


def test_a_change_against_an_undefined_metric_fails() -> None:
    click = surface(click=binary({"vs_last_blessed": {"at_least": -0.5}}))
    decision = decide(click, evidence(click, {OVERALL: {"click": Found(0.7, NAN)}}))
    assert not decision.blessed
    assert only(decision, Verdict.FAIL) == [
        "click auc, overall, against the last blessed model: 0.7000 against undefined, change undefined, "
        "the metric is not defined (NaN)."
    ]


def test_bounds_may_hold_for_the_lower_limit() -> None:
    click = surface(click=binary({"at_least": 0.6, "vs_control": {"at_least": 0}, "judged_on": "lower_limit"}))
    found = {OVERALL: {"click": Found(0.61, 0.60, margin=0.011)}}
    decision = decide(click, evidence(click, found, found))
    assert only(decision, Verdict.FAIL) == [
        "click auc, overall: 0.6100, lower limit 0.5990, but at least 0.6 was asked.",
        "click auc, overall, against the control: 0.6100 against 0.6000, change +0.0100, "
        "lower limit -0.0010, but at least 0 was asked.",
    ]
    clear = {OVERALL: {"click": Found(0.63, 0.60, margin=0.011)}}
    assert decide(click, evidence(click, clear, clear)).blessed


def test_a_lower_limit_that_is_not_there_fails() -> None:
    click = surface(click=binary({"at_least": 0.6, "judged_on": "lower_limit"}))
    good = evidence(click)
    assert not isinstance(good.last_blessed, str)
    task = good.last_blessed.slices[OVERALL]["click"]
    point = task.student["auc"].model_copy(update={"lower": None})
    slices = {OVERALL: {"click": TaskMetrics({**task.student, "auc": point})}}
    found = dataclasses.replace(good.last_blessed, slices=slices)
    decision = decide(click, dataclasses.replace(good, last_blessed=found))
    assert decision.sentence == ("Not blessed: click auc, overall: 0.7000, its confidence interval is not defined.")


def test_a_bound_missed_by_less_than_is_shown_is_shown_in_full() -> None:
    click = surface(click=binary({"at_least": 0.6}))
    decision = decide(click, evidence(click, {OVERALL: {"click": Found(0.59999)}}))
    assert decision.sentence == (
        "Not blessed: click auc, overall: 0.6000, exactly 0.59999000000000002, but at least 0.6 was asked."
    )


def test_without_the_control_its_gates_fail() -> None:
    click = surface(click=binary(ALL))
    good = evidence(click)
    alone = evaluation(click, (BoundKind.CONTROL,), {OVERALL: {"click": Found(0.7)}}, has_baseline=False)
    decision = decide(click, dataclasses.replace(good, control=alone))
    assert not decision.blessed
    assert only(decision, Verdict.FAIL) == [
        "click auc, overall, against the control: 0.7000 against missing, change missing, "
        "the evaluation has no control to compare with."
    ]


@pytest.mark.parametrize("which", ["last_blessed", "control"])
def test_an_evaluation_that_is_not_there_blesses_nothing(which: str) -> None:
    click = surface(click=binary(ALL))
    decision = decide(click, dataclasses.replace(evidence(click), **{which: "eval_config.json: no such file"}))
    assert not decision.blessed
    assert decision.first_run is (None if which == "last_blessed" else False)
    name = {"last_blessed": "the last blessed model", "control": "the control"}[which]
    assert failed_checks(decision) == [f"There is no evaluation against {name}: eval_config.json: no such file"]
    assert len(only(decision, Verdict.FAIL)) == (2 if which == "last_blessed" else 1)


def test_even_if_no_gate_needs_it() -> None:
    click = surface(click=binary({"at_least": 0.6}))
    assert not decide(click, dataclasses.replace(evidence(click), control="gone")).blessed


def test_an_evaluation_with_other_gates_blesses_nothing() -> None:
    strict, lax = surface(click=binary({"at_least": 0.6})), surface(click=binary({"at_least": 0.1}))
    decision = decide(strict, evidence(lax))
    assert not decision.blessed
    assert failed_checks(decision) == [
        "The evaluation against the last blessed model was run with other gates than the surface has now. "
        "Run the Evaluator again."
    ]


def test_evaluations_of_different_examples_bless_nothing() -> None:
    click = surface(click=binary(ALL))
    decision = decide(click, evidence(click, control={OVERALL: {"click": Found(0.7, 0.69, examples=999)}}))
    assert not decision.blessed
    assert "saw different examples: {'click': 1000} and {'click': 999}" in failed_checks(decision)[0]


def test_predictions_that_are_no_numbers_fail_even_an_ungated_task() -> None:
    both = surface(click=binary({"at_least": 0.6}), skip=binary(label="skipped"))
    found = {OVERALL: {"click": Found(0.7, 0.7), "skip": Found(NAN, NAN, mean_prediction=NAN)}}
    decision = decide(both, evidence(both, found, found))
    assert decision.sentence == "Not blessed: skip: the student's predictions are not all finite numbers."


def test_ungated_tasks_alone_are_blessed_and_said_to_be() -> None:
    skip = surface(skip=binary(label="skipped"))
    decision = decide(skip, evidence(skip))
    assert decision.blessed
    assert decision.sentence == "Blessed: no task of this surface has a gate."


def test_tfma_rejecting_what_passed_here_blesses_nothing() -> None:
    click = surface(click=binary(ALL))
    objection = failed(click, "click", BoundKind.LAST_BLESSED, None, OVERALL)
    decision = decide(click, evidence(click, failures=(objection,)))
    assert not decision.blessed
    assert failed_checks(decision) == [
        "TFMA's own validation rejects click auc, overall (change of at least -0.01), which passed here: "
        "one of the two is wrong, so nothing is pushed."
    ]


def test_a_failed_check_from_elsewhere_blesses_nothing() -> None:
    click = surface(click=binary(ALL))
    check = Check(name="serving", verdict=Verdict.FAIL, sentence="The student cannot be served.")
    decision = decide(click, dataclasses.replace(evidence(click), checks=(check,)))
    assert decision.sentence == "Not blessed: The student cannot be served."


def test_several_failures_are_counted() -> None:
    click = surface(click=binary(ALL))
    bad = {OVERALL: {"click": Found(0.5, 0.6)}}
    decision = decide(click, evidence(click, bad, bad))
    assert decision.sentence == ("Not blessed: click auc, overall: 0.5000, but at least 0.6 was asked. 2 more failed.")


def test_the_table_has_all_models_side_by_side() -> None:
    click = surface(click=binary(ALL))
    last = {OVERALL: {"click": Found(0.7, 0.6)}, NEW: {"click": Found(0.8, 0.5, examples=10, positives=2)}}
    control = {OVERALL: {"click": Found(0.7, 0.65)}, NEW: {"click": Found(0.8, 0.75, examples=10, positives=2)}}
    rows = [row for row in decide(click, evidence(click, last, control)).metrics if row.metric == "auc"]
    found = [
        (row.slice, row.examples, row.positives, *(m.value if m else None for m in (row.student, row.control)))
        for row in rows
    ]
    assert found == [("", 1000, 100, 0.7, 0.65), ("new_release=1", 10, 2, 0.8, 0.75)]
    assert [row.last_blessed.value for row in rows if row.last_blessed] == [0.6, 0.5]


def test_the_student_alone_still_has_a_table() -> None:
    click = surface(click=binary(ALL))
    alone = evaluation(click, BOTH, {OVERALL: {"click": Found(0.7)}}, has_baseline=False)
    decision = decide(click, Evidence(last_blessed=alone, control="gone"))
    (row,) = [row for row in decision.metrics if row.metric == "auc"]
    assert row.student is not None
    assert (row.student.value, row.control, row.last_blessed) == (0.7, None, None)
