from __future__ import annotations

import pytest

from evidence.days.cells import FROZEN, REPLACED, Layout, Question, Way, by_age, one_teacher, replaced
from schema.errors import InputError

SPANS = (1, 2, 3, 4, 5)


def test_a_teacher_stays_as_many_spans_behind_as_it_is_old_or_is_the_oldest():
    fresh, old = by_age(SPANS, [0, 1, 2, 4], [3, 0])
    assert (fresh.name, fresh.age) == ("teacher 0 spans old", 0)
    assert fresh.by_span == {1: 1, 2: 2, 3: 2, 4: 4, 5: 4}
    assert (old.name, old.age) == ("teacher 3 spans old", 3)
    assert old.by_span == {1: 0, 2: 0, 3: 0, 4: 1, 5: 2}
    assert by_age(SPANS, [3, 4], [0])[0].by_span[1] == 3


def test_one_teacher_takes_the_place_of_the_oldest():
    frozen, new = replaced(SPANS, [0, 1, 3, 5], 4)
    assert frozen.by_span == dict.fromkeys(SPANS, 0)
    assert new.by_span == {1: 0, 2: 0, 3: 0, 4: 3, 5: 3}
    assert (frozen.name, new.name) == (FROZEN, REPLACED)


@pytest.mark.parametrize(("teachers", "at"), [([3, 4], 2), ([0], 3), ([0, 1], 1), ([0, 1], 6)])
def test_a_replacement_needs_a_second_teacher_and_a_span_after_the_first(teachers, at):
    with pytest.raises(InputError, match=f"--replace-at {at}: expected a span of 2 to 5, and a second teacher"):
        replaced(SPANS, teachers, at)


def test_each_way_has_a_control_and_the_continued_one_the_replaced_teacher_too():
    layout = Layout(2, (1, 4), (*by_age(SPANS, [0, 1], [0, 1]), *replaced(SPANS, [0, 1], 3)), kept_apart=2)
    cells = layout.cells()
    assert [each.labels for each in cells if each.way is Way.CONTINUED] == [
        *("control", "teacher 0 spans old", "teacher 1 spans old", FROZEN, REPLACED)
    ]
    for window in (1, 4):
        assert [each.labels for each in cells if (each.way, each.window) == (Way.COLD, window)] == [
            *("control", "teacher 0 spans old", "teacher 1 spans old")
        ]
    assert cells[0].name == "continued, 2 spans: control"
    assert len({each.name for each in cells}) == len(cells) == 11


def test_a_question_is_answered_by_arms_that_differ_in_that_alone():
    layout = Layout(2, (1, 4), (*by_age(SPANS, [0, 1], [0, 1]), *replaced(SPANS, [0, 1], 3)), kept_apart=2)
    asked = layout.differences()
    counts = {question: sum(each is question for each, _, _ in asked) for question in Question}
    assert counts == {
        Question.CONTINUING: 3 * 2,
        Question.DISTILLING: 3 * 2,
        Question.AGEING: 1,
        Question.REPLACING: 1,
    }
    for question, arm, other in asked:
        if question is Question.CONTINUING:
            assert (arm.way, other.way, arm.labels) == (Way.CONTINUED, Way.COLD, other.labels)
        else:
            assert arm.start == other.start
            assert arm.labels != other.labels
    replacing = next((arm.labels, other.labels) for question, arm, other in asked if question is Question.REPLACING)
    assert replacing == (REPLACED, FROZEN)


def test_with_one_teacher_only_the_start_and_distilling_are_asked_for():
    layout = Layout(1, (2,), one_teacher(SPANS, 0))
    assert {question for question, _, _ in layout.differences()} == {Question.CONTINUING, Question.DISTILLING}
