from __future__ import annotations

from evidence.days.answers import answers
from evidence.days.cells import Question, Way
from evidence.days.result import Answer
from tests.evidence.days.handmade import FRESH, difference, result


def test_costs_come_first_then_each_question_is_answered():
    assert answers(result()) == [
        "A training that goes on with 1 span takes 0.50 s, one that starts cold with 7 spans 2.00 s: 0.25 of it.",
        "On all examples (5,000): going on, against a cold start with 7 spans, is better in 1 of 3 (control: click "
        "+0.020), not decided in 2 of 3.",
        "On all examples (5,000): students against their controls: as good in 1 of 1.",
        "On all examples (5,000): older teachers against the youngest: worse in 1 of 1 (teacher 3 spans old: click "
        "-0.020).",
    ]


def test_students_are_named_with_their_start():
    found = result()
    arm = f"cold, 7 spans: {FRESH}"
    found.differences = [difference(Question.DISTILLING, arm, "cold, 7 spans: control", Answer.BETTER)]
    assert f"better in 1 of 1 (cold, 7 spans, {FRESH}: click +0.020)" in answers(found)[-1]


def test_a_slice_has_sentences_of_its_own():
    found = result()
    of_slice = found.differences[0].model_copy(update={"slice": "new_release"})
    found.differences.append(of_slice)
    assert answers(found)[-1].startswith("On new_release (300): going on, against a cold start with 7 spans, is better")
    assert Way.COLD in {each.way for each in found.cells}
