"""Gates with too little to judge them on: what blocks, and what may pass unjudged."""

from __future__ import annotations

import pytest

from components.blessing_gate.judge import decide
from contracts.decision import BoundKind, Verdict
from evaluation.results import OVERALL
from tests.components.blessing_gate.handmade import (
    NAN,
    NEW,
    Found,
    binary,
    evidence,
    failed,
    regression,
    surface,
)
from tests.components.blessing_gate.reading import failed_checks, only


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (Found(0.1, examples=299), "299 labelled examples and 300 are needed"),
        (Found(0.1, positives=29), "29 positives and 30 are needed"),
        (Found(0.1, examples=1, positives=0), "1 labelled examples and 300 are needed"),
    ],
)
def test_a_slice_with_too_little_data_is_reported_and_not_judged(found: Found, reason: str) -> None:
    new = {"slice": "new", "at_least": 0.6, "min_examples": 300, "min_positives": 30}
    click = surface(click=binary({"at_least": 0.6}, new))
    everything = {OVERALL: {"click": Found(0.7, 0.7)}, NEW: {"click": found}}
    decision = decide(click, evidence(click, everything, everything))
    assert decision.blessed
    assert only(decision, Verdict.NOT_JUDGED) == [
        f"click auc, slice new (new_release=1): not judged, {reason}.",
    ]
    assert decision.gates[1].examples == found.examples


def test_minimum_counts_are_inclusive() -> None:
    click = surface(click=binary({"at_least": 0.6, "min_examples": 300, "min_positives": 30}))
    found = {OVERALL: {"click": Found(0.7, 0.7, examples=300, positives=30)}}
    assert decide(click, evidence(click, found, found)).blessed


def test_positives_do_not_matter_to_a_regression() -> None:
    trail = surface(trail=regression({"at_least": 0.1}))
    found = {OVERALL: {"trail": Found(0.7, 0.7, positives=0)}}
    decision = decide(trail, evidence(trail, found, found))
    assert decision.blessed
    assert decision.gates[0].positives is None


BLOCKS = "; such a gate blocks, unless it says `may_be_unjudged: true`."


def test_a_slice_that_the_data_do_not_have_blocks() -> None:
    click = surface(click=binary({"at_least": 0.6}, {"slice": "new", "at_least": 0.6}))
    decision = decide(click, evidence(click))
    assert not decision.blessed
    text = "click auc, slice new: not judged, the evaluation data have no such example"
    assert only(decision, Verdict.NOT_JUDGED) == [f"{text}."]
    assert failed_checks(decision) == [text + BLOCKS]
    assert decision.sentence == f"Not blessed: {text}{BLOCKS}"


def test_a_slice_without_a_labelled_example_blocks() -> None:
    click = surface(click=binary({"at_least": 0.6}, {"slice": "new", "at_least": 0.6}))
    found = {OVERALL: {"click": Found(0.7, 0.7)}, NEW: {"click": Found(NAN, NAN, examples=0, positives=0)}}
    decision = decide(click, evidence(click, found, found))
    assert failed_checks(decision) == [
        f"click auc, slice new (new_release=1): not judged, 0 labelled examples and 1 are needed{BLOCKS}"
    ]


def test_a_slice_that_may_be_absent_does_not_block() -> None:
    new = {"slice": "new", "at_least": 0.6, "may_be_unjudged": True}
    click = surface(click=binary({"at_least": 0.6}, new))
    decision = decide(click, evidence(click))
    assert decision.blessed
    assert decision.sentence.startswith("Blessed: 1 gate passed, 1 not judged (click auc, slice new: not judged")


def test_of_a_slice_per_value_some_may_have_nothing() -> None:
    click = surface(click=binary({"at_least": 0.6}, {"slice": "shelf", "at_least": 0.6}))
    values = {(("shelf", shelf),): {"click": Found(0.7, 0.7, examples=100 * shelf)} for shelf in range(3)}
    everything = {OVERALL: {"click": Found(0.7, 0.7)}, **values}
    assert decide(click, evidence(click, everything, everything)).blessed
    nothing = {**{key: {"click": Found(NAN, NAN, examples=0)} for key in values}, OVERALL: everything[OVERALL]}
    assert not decide(click, evidence(click, nothing, nothing)).blessed


@pytest.mark.parametrize(
    ("gate", "found", "reason"),
    [
        ({"min_examples": 5}, Found(0.9, 0.9, examples=2), "2 labelled examples and 5 are needed"),
        ({"min_positives": 30}, Found(0.9, 0.9, positives=29), "29 positives and 30 are needed"),
        ({}, Found(NAN, NAN, examples=0), "0 labelled examples and 1 are needed"),
    ],
)
@pytest.mark.parametrize("first_run", [True, False])
def test_an_overall_gate_with_too_little_to_judge_blocks(
    gate: dict, found: Found, reason: str, first_run: bool
) -> None:
    bounds = {"at_least": 0.6, "vs_last_blessed": {"at_least": -0.01}, "vs_control": {"at_least": -0.01}}
    both = surface(like=binary({"at_least": 0.5}, label="liked"), click=binary({**bounds, **gate}))
    slices = {OVERALL: {"like": Found(0.7, 0.7), "click": found}}
    decision = decide(both, evidence(both, slices, slices, first_run=first_run))
    assert failed_checks(decision) == [f"click auc, overall: not judged, {reason}{BLOCKS}"]
    lenient = surface(
        like=binary({"at_least": 0.5}, label="liked"), click=binary({**bounds, **gate, "may_be_unjudged": True})
    )
    assert decide(lenient, evidence(lenient, slices, slices, first_run=first_run)).blessed


def test_a_first_run_without_labels_does_not_wait_for_a_blessed_model() -> None:
    both = surface(like=binary({"at_least": 0.5}), click=binary({"vs_last_blessed": {"at_least": 0}}, label="clicked"))
    slices = {OVERALL: {"like": Found(0.7, 0.7), "click": Found(NAN, examples=0)}}
    assert not decide(both, evidence(both, slices, slices, first_run=True)).blessed


def test_nothing_judged_blesses_nothing() -> None:
    click = surface(click=binary({"vs_last_blessed": {"at_least": 0}}))
    decision = decide(click, evidence(click, first_run=True))
    assert not decision.blessed
    assert failed_checks(decision) == [
        "None of the gates could be judged. Give at least one of them `at_least` or `vs_control`."
    ]


def test_a_task_without_labels_does_not_slip_through() -> None:
    both = surface(click=binary({"at_least": 0.6}), trail=regression({"at_least": 0.1}))
    found = {OVERALL: {"click": Found(0.7, 0.7), "trail": Found(NAN, NAN, examples=0)}}
    decision = decide(both, evidence(both, found, found))
    assert not decision.blessed
    assert failed_checks(decision) == [f"trail r2, overall: not judged, 0 labelled examples and 1 are needed{BLOCKS}"]


def test_a_task_that_only_waits_for_a_blessed_model_does_not_block_the_first_run() -> None:
    both = surface(click=binary({"at_least": 0.6}), trail=regression({"vs_last_blessed": {"at_least": 0}}))
    assert decide(both, evidence(both, first_run=True)).blessed


def test_tfma_rejecting_what_was_not_judged_is_no_contradiction() -> None:
    click = surface(click=binary({"at_least": 0.6}, {"slice": "new", "at_least": 0.6, "min_examples": 300}))
    found = {OVERALL: {"click": Found(0.7, 0.7)}, NEW: {"click": Found(0.5, 0.5, examples=20)}}
    objection = failed(click, "click", BoundKind.ABSOLUTE, "new", NEW)
    assert decide(click, evidence(click, found, found, failures=(objection,))).blessed
    lenient = {"slice": "new", "at_least": 0.6, "min_examples": 300, "may_be_unjudged": True}
    click = surface(click=binary({"at_least": 0.6}, lenient))
    absent = failed(click, "click", BoundKind.ABSOLUTE, "new", None)
    assert decide(click, evidence(click, failures=(absent,))).blessed
