"""The study on a product that is drawn here: really transformed, really trained."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from evidence import plot
from evidence.days import study
from evidence.days.cells import Layout, Question, by_age, replaced
from evidence.days.examples import Examples
from evidence.days.result import Answer, DaysResult
from evidence.days.study import Plan
from schema.errors import InputError
from schema.surface import Surface
from tests.evidence.days.product import READERS, ROWS, SPANS, SURFACE, folder, labelled

LAYOUT = Layout(1, (1, 2), (*by_age(SPANS, [0, 1, 2, 3], [0]), *replaced(SPANS, [0, 3], 3)), kept_apart=2)
PLAN = Plan(SURFACE, SPANS, LAYOUT, seeds=3, few=True, clusters="reader")


@pytest.fixture(scope="module")
def examples() -> Examples:
    return Examples(folder(), SPANS, labelled, "reader")


@pytest.fixture(scope="module")
def result(examples) -> DaysResult:
    told: list[str] = []
    found = study.run(PLAN, examples, told.append)
    assert told[0] == "span 1, window 1: 4 arms, 3 seeds, 192 rows"
    return found


def value(result: DaysResult, name: str, task: str = "click", part: str | None = None) -> float | None:
    cell = next(each for each in result.cells if each.name == name)
    return next(each.mean for each in cell.values if (each.task, each.slice) == (task, part))


def test_cold_arms_are_trained_and_all_are_judged_on_the_span_after(result):
    assert result.spans == [1, 2, 3, 4]
    assert result.judged == [3, 4]
    assert result.examples == {
        "": 2 * ROWS,
        "odd": ROWS,
        "user without a training row": result.examples["user without a training row"],
    }
    assert 0 < result.examples["user without a training row"] < ROWS / 2
    rows = {each.name: each.rows for each in result.cells}
    assert rows["continued, 1 span: control"] == rows["cold, 1 span: control"] == ROWS * 0.8
    assert rows["cold, 2 spans: control"] == 2 * ROWS * 0.8
    assert all(each.seconds > 0 for each in result.cells)
    assert all(len(each.by_span) == 2 for cell in result.cells for each in cell.values)


def test_new_readers_are_counted_window_by_window(result):
    def readers(spans: range, split: str) -> list[int]:
        rows = [row for span in spans for row in labelled(1, span, split)]
        return [tf.train.Example.FromString(row).features.feature["reader"].int64_list.value[0] for row in rows]

    chosen, judged = [], []
    for newest in (2, 3):
        for window in (range(newest, newest + 1), range(newest - 1, newest + 1)):
            rows, after = readers(window, "train"), readers(range(newest + 1, newest + 2), "eval")
            fitted = {reader for place, reader in enumerate(rows) if place % 5}
            chosen.append(np.mean([reader not in fitted for reader in rows[::5]]))
            judged.append(np.mean([reader not in rows for reader in after]))
    (found,) = result.held_out_rows
    assert (found.slice, found.last) == ("user without a training row", False)
    assert found.held_out == pytest.approx(np.mean(chosen))
    assert found.evaluation == pytest.approx(np.mean(judged))
    assert 0.05 < found.evaluation < 0.25


def test_what_was_learned_of_readers_is_kept(result):
    assert value(result, "continued, 1 span: control") > value(result, "cold, 1 span: control") + 0.02
    assert value(result, "cold, 2 spans: control") > value(result, "cold, 1 span: control") + 0.02


def test_a_regression_that_goes_on_is_told_in_the_scale_of_its_first_day(result):
    """In that of its newest window, predictions would be three times as far from the mean as they should be."""
    cell = next(each for each in result.cells if each.name == "continued, 1 span: control")
    minutes = next(each for each in cell.values if (each.task, each.slice) == ("minutes", None))
    assert minutes.by_span[-1] > 0


def test_a_teacher_that_knows_helps_and_one_that_does_not_is_replaced(result):
    assert value(result, "cold, 1 span: teacher 0 spans old") > value(result, "cold, 1 span: control")
    by_question = {each.question: each for each in result.differences if (each.task, each.slice) == ("click", None)}
    replacing = by_question[Question.REPLACING]
    assert replacing.mean == pytest.approx(
        value(result, "continued, 1 span: replaced") - value(result, "continued, 1 span: never replaced")
    )
    assert replacing.low < replacing.mean < replacing.high
    cell = next(each for each in result.cells if each.name == "continued, 1 span: replaced")
    frozen = next(each for each in result.cells if each.name == "continued, 1 span: never replaced")
    before, after = (each.values[0].by_span for each in (cell, frozen))
    # Until the third span, what both were trained with was the same.
    assert before[0] == after[0]
    assert before[1] != after[1]


def test_the_same_seeds_give_the_same_study(result, examples):
    again = study.run(replace(PLAN, layout=Layout(1, (1,), LAYOUT.plans[:1])), examples, lambda _: None)
    assert again.judged == [3, 4]
    for name in ("continued, 1 span: control", "cold, 1 span: teacher 0 spans old"):
        assert value(again, name) == pytest.approx(value(result, name), abs=0.01)


def test_the_json_reads_back_and_the_picture_has_every_way(result):
    assert DaysResult.model_validate_json(result.model_dump_json()) == result
    text = "".join(ElementTree.fromstring(plot.days(result)).itertext())
    for expected in ("click: continued, 1 span", "minutes: cold, 2 spans", "never replaced", "AUC"):
        assert expected in text


def test_every_teacher_has_the_columns_that_a_transform_of_its_own_gives(examples, tmp_path):
    both = examples.day(2, 2, [3, 0, 1], str(tmp_path / "both"))
    for teacher in (0, 1):
        alone = examples.day(2, 2, [teacher], str(tmp_path / str(teacher))).data
        ours = both.of(teacher)
        np.testing.assert_allclose(
            ours.training["teacher/click"], alone.training["teacher/click"], rtol=1e-5, atol=1e-6
        )
        for name in ("reader", "match", "label/click", "label/minutes"):
            np.testing.assert_array_equal(ours.training[name], alone.training[name])
        assert ours.training["teacher/click"].std() == pytest.approx(1, abs=1e-3)
        assert ours.vocabularies == alone.vocabularies
    assert both.of(None).training["label/click"].shape == (2 * ROWS,)


def test_who_is_without_a_row_has_none_in_any_span_so_far(examples, tmp_path):
    day = examples.day(3, 1, [0], str(tmp_path / "day"))
    readers = day.data.raw["reader"]
    np.testing.assert_array_equal(day.slices["user without a training row"], readers >= READERS)
    np.testing.assert_array_equal(day.clusters, readers)
    assert set(day.slices) == {"odd", "user without a training row"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"spans": SPANS[:2]}, "expected more than 2 spans, so that the longest window is whole"),
        ({"seeds": 1}, "needs two seeds or more"),
        ({"few": False}, "expected 4 seeds or more, found 3"),
        ({"surface": SURFACE.undistilled()}, "distils nothing"),
    ],
)
def test_a_plan_that_can_show_nothing_is_refused_before_anything_is_trained(change, message, examples):
    with pytest.raises(InputError, match=message):
        study.run(replace(PLAN, **change), examples, lambda _: None)


def test_what_has_no_part_in_a_study_over_spans_is_named():
    pairs = SURFACE.model_copy(update={"unlabelled": object()})
    with pytest.raises(InputError, match="`unlabelled` has no part in a study over spans"):
        study.check(replace(PLAN, surface=pairs))
    content = SURFACE.model_dump(by_alias=True, exclude_defaults=True)
    content["tasks"]["click"]["distil"]["reliability"] = True
    with pytest.raises(InputError, match="`adapter` and `reliability` have no part in a study over spans"):
        study.check(replace(PLAN, surface=Surface.model_validate(content)))


def test_a_column_that_is_not_there_is_named():
    with pytest.raises(InputError, match="--cluster person: the examples' schema has no such column"):
        Examples(folder(), SPANS, labelled, "person")


def test_an_answer_is_what_the_interval_shows(result):
    for each in result.differences:
        assert each.low <= each.mean <= each.high
        if each.answer is Answer.BETTER:
            assert each.low > 0
        elif each.answer is Answer.WORSE:
            assert each.high < 0
        elif each.answer is Answer.ALIKE:
            assert max(-each.low, each.high) <= result.margin
