"""Verdicts on trials written by hand."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from components.serving_validator.graph import ModelGraph
from components.serving_validator.judge import (
    _are_of_stacked_heads,
    budget_check,
    budgets,
    latencies,
    sentence,
    trial_checks,
)
from components.serving_validator.latency import measure, percentile_ratio
from components.serving_validator.requests import _malformed, _strip
from components.serving_validator.trial import Trial
from components.serving_validator.worker import WAYS, Counted, MalformedAnswer, _add_classes
from contracts.decision import Check, Verdict
from schema.score import Score
from tests.components.serving_validator.handmade import REQUIREMENTS, example

GOOD = np.array([0.1, 0.2], np.float32)


def predictions(**changed: np.ndarray) -> Trial:
    found = {f"{way}/{task}": GOOD for way in ("session", *WAYS) for task in ("click", "minutes")}
    return Trial(predictions={**found, **{name.replace("_", "/"): values for name, values in changed.items()}})


def only(trial: Trial) -> Check:
    (check,) = trial_checks(trial, REQUIREMENTS)
    return check


def test_predictions_may_differ_by_rounding_only() -> None:
    assert only(predictions(eager_click=GOOD + np.float32(9e-6))).verdict is Verdict.PASS
    check = only(predictions(eager_click=GOOD + np.float32(2e-5)))
    assert check.sentence == "click: a server's predictions differ from those of tf.saved_model.load by 2e-05."


def test_large_values_may_differ_by_as_many_digits() -> None:
    large = GOOD * 10_000  # 1000 and 2000
    pair = {f"{way}_minutes": large for way in ("session", *WAYS) if way != "evaluation"}
    assert only(predictions(**pair, evaluation_minutes=large + np.float32(0.005))).verdict is Verdict.PASS
    assert only(predictions(**pair, evaluation_minutes=large + np.float32(0.05))).verdict is Verdict.FAIL


def test_another_number_of_predictions_is_another_prediction() -> None:
    assert only(predictions(eager_click=GOOD[:1])).sentence.endswith("by inf.")


def test_the_score_must_be_what_its_formula_says_of_the_predictions() -> None:
    score = Score(formula="click * exp(minutes) + bonus", constants={"bonus": 1})
    asked = REQUIREMENTS.model_copy(update={"score": score})
    right = (GOOD * np.exp(GOOD) + 1).astype(np.float32)
    for served, verdict in ((right, Verdict.PASS), (right + np.float32(0.01), Verdict.FAIL)):
        found = {check.name: check for check in trial_checks(predictions(session_score=served), asked)}
        assert found["score"].verdict is verdict
        assert found["predictions"].verdict is Verdict.PASS
    assert found["score"].sentence.startswith("The score that is served differs from 'click * exp(minutes) + bonus' of")


def test_every_row_must_be_answered_by_a_number_and_binary_tasks_by_probabilities() -> None:
    good = {"click": Counted(rows=9, least=0, most=1), "minutes": Counted(rows=9, least=-5, most=700)}
    assert only(Trial(rows=good)).verdict is Verdict.PASS
    bad = only(Trial(rows={**good, "minutes": Counted(rows=9000, infinite=1080, least=0, most=1)}))
    assert bad.sentence == "minutes: 1,080 of 9,000 predictions are not finite."


def test_a_request_after_a_malformed_one_must_be_answered_as_before() -> None:
    check = only(
        Trial(answers=(MalformedAnswer(description="garbage bytes", error="Could not parse", recovered=False),))
    )
    assert check.sentence == "After garbage bytes the next request was answered otherwise than before."


def test_a_ratio_is_taken_within_rounds() -> None:
    """One round in which the machine was busy does not decide: 2, 2 and 1.01 have the median 2."""
    other = np.array([[1.0] * 100, [1.0] * 100, [99.0] * 100])
    student = np.array([[2.0] * 100, [2.0] * 100, [100.0] * 100])
    assert percentile_ratio(student, other, 99) == 2.0
    trial = Trial(seconds={"student/1": student, "control/1": other})
    (row,) = latencies(trial, REQUIREMENTS)
    assert (row.against, row.batch_size, row.calls, row.p99_ratio) == ("control", 1, 300, 2.0)
    assert (row.student_p50_ms, row.other_p50_ms) == (2000.0, 1000.0)
    assert row.limit == 5.0


@pytest.mark.parametrize(("times", "verdict"), [(5.0, Verdict.PASS), (5.1, Verdict.FAIL)])
def test_latency_is_gated_on_the_ratio(times: float, verdict: Verdict) -> None:
    other = np.full([3, 100], 0.001)
    check = only(Trial(seconds={"student/4": times * other, "control/4": other}))
    assert check.verdict is verdict
    assert check.sentence == (
        f"Latency, batches of 4: the student's p99 is {times:.2f} times the control's, 5 is allowed."
    )


def graph_of(megabytes: float) -> ModelGraph:
    return ModelGraph(signatures={}, names=frozenset(), columns={}, shapes=Counter(), megabytes=megabytes)


def test_budgets_are_of_the_student_alone() -> None:
    """A p99 is the median over rounds: one round in which the machine was busy does not decide."""
    rounds = np.full([3, 100], 0.002)
    rounds[2] = 0.9
    serving = REQUIREMENTS.serving.model_copy(update={"max_p99_ms": {4: 1.9}, "max_size_mb": 5.0})
    asked = REQUIREMENTS.model_copy(update={"serving": serving})
    trial = Trial(seconds={"student/4": rounds, "student/1": rounds, "control/4": rounds})
    size, p99 = budgets(graph_of(4.2), trial, asked)
    assert (size.what, size.unit, size.found, size.most) == ("size", "MB", 4.2, 5.0)
    assert (p99.what, p99.unit, p99.most) == ("p99, batches of 4", "ms", 1.9)
    assert p99.found == pytest.approx(2.0)
    assert budget_check(size).verdict is Verdict.PASS
    failed = budget_check(p99)
    assert failed.verdict is Verdict.FAIL
    assert failed.sentence == "P99, batches of 4: the student's is 2 ms, 1.9 ms is allowed."
    assert [each.what for each in budgets(graph_of(4.2), Trial(), asked)] == ["size"]
    assert list(budgets(graph_of(4.2), trial, REQUIREMENTS)) == []


def test_one_budget_is_of_every_batch_size() -> None:
    asked = REQUIREMENTS.serving.model_copy(update={"max_p99_ms": 3.0})
    assert asked.p99_budgets == {1: 3.0, 4: 3.0}


def test_models_are_measured_in_turn() -> None:
    called: list[str] = []
    calls = {name: lambda batch, name=name: called.append(f"{name}{batch}") for name in "abc"}
    seconds = measure(calls, [0, 1], rounds=2, count=2)
    assert {name: values.shape for name, values in seconds.items()} == {"a": (2, 2), "b": (2, 2), "c": (2, 2)}
    # After 20 calls each to warm up, everyone begins in turn.
    assert " ".join(called[60:]) == "a0 b0 c0 b1 c1 a1 c0 a0 b0 a1 b1 c1"
    assert all(values.min() > 0 for values in seconds.values())


def test_a_request_is_stripped_of_what_a_server_does_not_have() -> None:
    stripped = _strip(example(1).SerializeToString(), REQUIREMENTS.features)
    assert set(example(1).FromString(stripped).features.feature) == {"user", "match", "age"}


def test_every_required_feature_is_left_out_once() -> None:
    assert list(_malformed(example(1).SerializeToString(), REQUIREMENTS)) == [
        "garbage bytes",
        "a request without user",
        "a request with user of another type",
        "a request without match",
        "a request with match of another type",
    ]


def test_the_sentence_names_the_first_failure_and_counts_the_others() -> None:
    checks = [
        Check(name="a", verdict=Verdict.PASS, sentence="a is well."),
        Check(name="b", verdict=Verdict.FAIL, sentence="b is ill."),
        Check(name="c", verdict=Verdict.FAIL, sentence="c is ill."),
    ]
    assert sentence(checks) == "The student failed the serving validation: b is ill. 1 more failed."
    assert sentence(checks[:1]) == "The student can be served: 1 checks passed."


def test_stacked_heads_of_several_classes_are_known_by_the_shapes_of_their_variables() -> None:
    """Two classes are compared, three served: a kernel and a bias of two columns, and weights of two rows for three."""
    more = Counter({"float32 [8, 2]": 1, "float32 [2]": 1, "float32 [2, 3]": 1})
    assert _are_of_stacked_heads(more, [(2, 3)])
    assert _are_of_stacked_heads(Counter({shape: 2 * count for shape, count in more.items()}), [(2, 3)])
    both = more + Counter({"float32 [16, 1]": 1, "float32 [1]": 1, "float32 [1, 1]": 1})
    assert _are_of_stacked_heads(both, [(1, 1), (2, 3)])
    for wrong in (
        more - Counter({"float32 [2]": 1}),
        more + Counter({"float32 [4, 4]": 3}),
        Counter({"float32 [8, 2]": 1, "float32 [2]": 1, "float32 [2, 4]": 1}),
        Counter({"float32 [8, 3]": 1, "float32 [2]": 1, "float32 [2, 3]": 1}),
    ):
        assert not _are_of_stacked_heads(wrong, [(2, 3)])
    assert not _are_of_stacked_heads(more, [])
    assert not _are_of_stacked_heads(Counter(), [(2, 3)])


def test_probabilities_of_classes_sum_to_1() -> None:
    right = np.array([[0.2, 0.3, 0.5], [0.0, 0.0, 1.0]], np.float32)
    counted = _add_classes(Counted(rows=2), right, 3)
    assert counted.unsummed == 0
    assert _add_classes(counted, right + np.float32(0.1), 3).unsummed == 2
    assert _add_classes(counted, right[:, :2], 3).unsummed == 2
    check = only(Trial(rows={"click": Counted(rows=9, least=0, most=1, unsummed=4)}))
    assert check.verdict is Verdict.FAIL
    assert check.sentence == "click: the answers to 4 rows are not a probability for each class that sum to 1."
