"""Students that predict worse than they may: none is pushed, and the gate is named."""

import re
from dataclasses import replace

import pytest

from contracts.decision import BoundKind, Verdict
from tests.drills import shelf
from tests.drills.shelf import GOOD, USELESS

pytestmark = pytest.mark.slow


def test_one_task_below_its_absolute_bound(product):
    outcome = product.refuse(product.candidate("one-task", replace(GOOD, of={"liked": USELESS})))
    assert outcome.decision.sentence.startswith("Not blessed: liked auc, overall: 0.5")
    assert "at least 0.6 was asked" in outcome.decision.sentence
    assert {sentence.split()[0] for sentence in outcome.failed_gates()} == {"liked", "score"}
    assert outcome.verdict("borrowed", BoundKind.ABSOLUTE) is Verdict.PASS
    assert outcome.verdict("days", BoundKind.ABSOLUTE) is Verdict.PASS


def test_worse_than_the_last_blessed_while_the_absolute_bound_holds(product):
    worse = replace(GOOD, of={"days": 0.6})
    control = shelf.write_model(product.folder / "control-as-bad", worse)
    outcome = product.refuse(replace(product.candidate("worse", worse), control=control))
    (sentence,) = outcome.failed_gates()
    assert sentence.startswith("days r2, overall, against the last blessed model: ")
    assert sentence.endswith("but at least -0.03 was asked.")
    assert outcome.verdict("days", BoundKind.ABSOLUTE) is Verdict.PASS
    assert outcome.verdict("days", BoundKind.CONTROL) is Verdict.PASS


def test_worse_than_the_control(product, evaluated):
    control = shelf.write_model(product.folder / "better-control", shelf.BETTER)
    outcome = product.refuse(replace(evaluated.candidate, control=control))
    (sentence,) = outcome.failed_gates()
    assert sentence.startswith("days r2, overall, against the control: ")
    assert sentence.endswith("but at least -0.03 was asked.")
    assert outcome.verdict("days", BoundKind.LAST_BLESSED) is Verdict.PASS


def test_fine_overall_and_bad_in_one_slice(product):
    outcome = product.refuse(product.candidate("one-slice", replace(shelf.BETTER, in_genre={"crime": 2.5})))
    (sentence,) = outcome.failed_gates()
    assert sentence.startswith("borrowed auc, slice crime (genre=crime): ")
    assert sentence.endswith("but at least 0.8 was asked.")
    assert outcome.verdict("borrowed", BoundKind.ABSOLUTE) is Verdict.PASS


def test_predictions_that_are_not_numbers(product):
    outcome = product.refuse(product.candidate("nan", replace(GOOD, nan=("days",))))
    assert outcome.decision.sentence.startswith("Not blessed: days r2, overall: undefined")
    assert "days: the student's predictions are not all finite numbers." in outcome.failed()


def test_predictions_that_are_not_numbers_of_a_task_without_a_gate(product):
    outcome = product.refuse(product.candidate("nan-ungated", replace(GOOD, nan=("returned",))))
    assert "returned: the student's predictions are not all finite numbers." in outcome.failed()
    assert not outcome.failed_gates()


def test_better_in_order_and_a_third_too_high(product):
    outcome = product.refuse(product.candidate("too-high", replace(shelf.BETTER, shift={"borrowed": 0.9})))
    (sentence,) = outcome.failed()
    assert re.fullmatch(r"borrowed calibration, overall: 1\.3\d+, but between 0\.85 and 1\.15 was asked\.", sentence)
    aucs = [each.difference.value for each in outcome.decision.gates if each.metric == "auc" and each.difference]
    assert all(change > 0 for change in aucs)


def test_a_worse_score_of_tasks_that_are_as_good_as_before(product):
    outcome = product.refuse(product.candidate("flat", replace(shelf.BETTER, flat=("borrowed",))))
    (sentence,) = outcome.failed()
    assert sentence.startswith("score ndcg_at_10, overall, against the last blessed model: ")
    assert sentence.endswith("but at least -0.02 was asked.")
    aucs = [each.difference.value for each in outcome.decision.gates if each.metric == "auc" and each.difference]
    assert all(change > 0 for change in aucs)
