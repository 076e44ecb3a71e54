"""What stands on the page, section by section, as values."""

from __future__ import annotations

import dataclasses
import re

import pytest

from components.evaluation_report import (
    calibration,
    drift,
    gates,
    history,
    labels,
    page,
    slices,
    tasks,
    training,
)
from components.evaluation_report.contents import compose
from components.evaluation_report.page import render
from components.evaluation_report.sources import Sources
from contracts.decision import Measurement, Verdict
from contracts.held_out import HeldOut, HeldOutRows
from contracts.label_report import LabelReport
from tests.components.evaluation_report import handmade
from tests.components.evaluation_report.reading import table, text, texts


def test_the_decision_stands_first_word_for_word():
    sources = handmade.sources()
    page = compose(sources)
    assert page.blessed
    assert page.sentence == sources.decision.sentence
    assert page.when == "2026-03-03 04:30 UTC"
    facts = {fact.name: (fact.value, fact.detail) for fact in page.facts}
    assert facts["Gates passed"] == ("4 of 5", "0 failed, 1 not judged")
    # Click by .0123 and minutes by .05, each with an interval of .01 on either side.
    assert facts["Tasks better than the control"] == ("2 of 2", "beyond the 95% interval; 0 worse")
    assert facts["Labelled by the teacher"] == ("99.8%", "0% of the teacher's inputs are filled")
    assert facts["p99 latency"] == (
        "1.01 times",
        "the control's (0.7 ms and 0.69 ms); at most 1.25 times is allowed",
    )


def test_the_version_stands_at_the_top():
    assert "crosskd 9.8 run report" in render(compose(handmade.sources(version="9.8")))


def test_a_task_shows_every_model_with_its_interval():
    section = tasks.section(handmade.sources())
    assert section.models == ("student", "control", "teacher", "last blessed")
    assert texts(table(section, "task-click")) == [
        ["student", "0.7000", "[0.6900, 0.7100]", "", ""],
        ["control", "0.6877", "[0.6777, 0.6977]", "+0.0123", "[+0.0023, +0.0223]"],
        ["last blessed", "0.6877", "[0.6777, 0.6977]", "+0.0123", "[+0.0023, +0.0223]"],
        ["teacher", "0.6550", "[0.6050, 0.7050]", "", ""],
    ]
    (click, minutes) = section.figures
    assert click.note.startswith("AUC of 1,000 labelled examples, 100 of them positive.")
    assert "student: 0.7000 [0.6900, 0.7100]" in click.svg
    assert "at least 0.6 is asked" in click.svg
    assert [row[0] for row in texts(minutes.table)] == ["student", "control", "last blessed"]


def without_the_teachers_interval(**changes):
    content = handmade.labels().model_dump()
    for split in content["splits"].values():
        for end in ("lower", "upper"):
            del split["counterparts"]["click"][end]
    return handmade.sources(labels=LabelReport.model_validate(content), **changes)


def test_a_teacher_without_an_interval_has_none_and_the_page_says_why():
    """Label reports of older versions have no intervals, and those of surfaces with a group neither."""
    section = tasks.section(without_the_teachers_interval())
    assert texts(table(section, "task-click"))[3] == ["teacher", "0.6550", "", "", ""]
    assert "The teacher is run as it is. Where it has no interval, the label report has none." in section.notes
    grouped = handmade.two_tasks().model_copy(update={"group": "request"})
    notes = tasks.section(without_the_teachers_interval(surface=grouped)).notes
    assert "The teacher is run as it is. It has no interval: rows of one request depend on each other." in notes
    assert "The teacher is run as it is." in tasks.section(handmade.sources()).notes


def test_an_evaluation_that_cannot_be_read_is_said_to_be_missing():
    section = tasks.section(handmade.sources(against_last="it was cut short", labels=None))
    assert section.models == ("student", "control")
    assert "There is no evaluation against the last blessed model: it was cut short" in section.notes
    assert texts(table(section, "task-click"))[0][1] == "0.7000"


def test_gates_are_listed_with_what_failed_first():
    failing = handmade.sources(student=0.55)
    found = gates.section(failing).tables[0].rows
    kinds = [row[1].kind for row in found]
    assert kinds == ["fail", "not_judged", "pass", "pass", "pass"]
    assert [text(cell) for cell in found[0][:6]] == ["click auc", "fail", "", "≥ 0.6000", "0.5500", "[0.5400, 0.5600]"]
    change = next(row for row in found if row[2].text == "control")
    assert (change[3].text, change[4].text, change[4].value) == ("≥ +0.0000", "+0.0123", pytest.approx(0.0123))
    assert not compose(failing).blessed


def test_new_releases_come_before_other_slices():
    section = slices.section(handmade.sources())
    found = texts(table(section, "slices"))
    assert [row[0] for row in found[::2]] == ["overall", "new_release=1", "shelf=0", "shelf=1", "shelf=2"]
    assert found[2][:8] == ["new_release=1", "click", "90", "100", "0.7000", "0.6500", "-0.0500", "[-0.0600, -0.0400]"]
    # The shelves were only evaluated for click.
    assert found[5][:6] == ["shelf=0", "minutes", "0", "", "", ""]
    click = section.figures[0]
    assert click.note == "AUC, 5 slices with the overall one. Worse, beyond the interval: new_release=1; shelf=1."


def of_many_slices(count: int) -> Sources:
    found = handmade.Found
    many = {(("shelf", n),): {"click": found(0.7, 0.6, examples=100 + n)} for n in range(count)}
    many |= {handmade.OVERALL: {"click": found(0.7, 0.6), "minutes": found(0.3, 0.2)}}
    control = handmade.evaluation(handmade.two_tasks(), (handmade.BoundKind.CONTROL,), many)
    return handmade.sources(against_control=control, against_last="nothing")


def test_of_many_slices_the_largest_are_drawn_and_all_are_listed():
    section = slices.section(of_many_slices(40))
    drawn = [row[0] for row in texts(section.figures[0].table)]
    assert len(drawn) == slices.MOST_DRAWN
    assert set(drawn) == {"overall", *(f"shelf={n}" for n in range(17, 40))}
    assert len(section.tables[0].rows) == 2 * 41
    assert section.notes == ("The plots show the 23 largest of 40 slices.",)


def test_however_many_slices_there_are_the_page_stays_small():
    sources = of_many_slices(2000)
    assert len(render(compose(sources)).encode()) < 3_000_000
    section = slices.section(sources)
    assert len(section.tables[0].rows) == slices.MOST_LISTED
    assert section.notes[1] == "The table holds the 749 largest of 2,000 slices."


def test_calibration_by_bin():
    section = calibration.section(handmade.sources())
    assert section.models == ("student",)
    assert section.notes == ("There is no curve of minutes.",)
    assert texts(table(section, "calibration-click")) == [
        ["student", "400", "0.1000", "0.0800", "[0.0572, 0.1108]"],
        ["student", "400", "0.3000", "0.3500", "[0.3049, 0.3980]"],
    ]


def test_wilsons_interval_by_hand():
    # Newcombe (1998), table I: 15 of 148 lies in [.0624, .1605].
    assert calibration.wilson(15 / 148, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)


def test_soft_labels_beside_hard_ones():
    section = labels.section(handmade.sources())
    assert section.lead == "The teacher labelled 998 of 1,000 examples. 2 were set aside as dead letters."
    assert texts(table(section, "fill-rates")) == [["z<1>", "50.0%", "500", "500"], ["x", "0.0%", "0", "1,000"]]
    # Logits -3.2, -2.6, -2, -1.4 and 0 as probabilities; then the positive rate.
    assert texts(table(section, "labels-click")) == [
        ["soft labels", "5%, 25%, 50%, 75%, 95%", "0.0392", "0.0691", "0.1192", "0.1978", "0.5000"],
        ["hard labels", "mean", "", "", "0.1500", "", ""],
    ]
    assert texts(table(section, "agreement"))[0] == [
        *("click", "train", "auc", "0.6550", "1,000", "0.1500", "-2.0000", "0.1192", "0.8000")
    ]
    assert labels.section(handmade.sources(labels=None)).notes == ("There is no label report.",)


def test_drift_is_told_in_standard_deviations():
    section = drift.section(handmade.sources())
    rows = texts(table(section, "drift"))
    # The mean moves by .1 each day; the standard deviation is .8.
    assert [row[6] for row in rows] == ["", "+0.125", "+0.125"]
    assert "moved by +0.125 standard deviations" in section.figures[0].note
    assert section.notes == ()
    new_teacher = handmade.labels().model_copy(update={"teacher_fingerprint": "another"})
    reports = [(None, handmade.labels()), (None, new_teacher)]
    assert "The teacher changed" in drift.section(handmade.sources(label_reports=reports)).notes[0]
    assert drift.section(handmade.sources(runs=1)).figures == ()


def test_losses_and_the_epoch_that_is_kept():
    section = training.section(handmade.sources())
    assert [figure.title for figure in section.figures] == ["Hard loss", "Soft loss", "click: serving head"]
    hard, soft, _ = section.figures
    assert "student: epoch 2 is kept, loss 0.9000" in hard.svg
    assert "control: epoch 3 is kept, loss 0.9700" in hard.svg
    assert "student: epoch 2 is kept, loss 0.6000" in soft.svg
    assert texts(hard.table)[1] == ["2", "0.8000", "0.9000", "0.9000", "1.0000"]
    assert training.section(handmade.sources(histories={})).notes == ("There are no losses to show.",)
    assert section.notes == ()


@pytest.mark.parametrize(("evaluation", "notes"), [(0.66, 1), (0.2, 0)])
def test_rows_that_choose_and_are_of_other_people_than_those_that_judge(evaluation, notes):
    rows = HeldOutRows(slice="user without a training row", held_out=0.03, evaluation=evaluation, last=False)
    found = training.section(handmade.sources(held_out=HeldOut(rows=(rows,)))).notes
    assert found == (rows.sentence,) * notes


def test_every_run_is_in_the_history_the_newest_first():
    section = history.section(handmade.sources())
    rows = texts(table(section, "history"))
    assert [row[:5] for row in rows] == [
        ["3", "2026-03-03 04:30 UTC", "blessed", "0.7000", "0.3000"],
        ["2", "2026-03-02 04:30 UTC", "not blessed", "0.5900", "0.3000"],
        ["1", "2026-03-01 04:30 UTC", "blessed", "0.6900", "0.3000"],
    ]
    assert section.lead.startswith("3 runs, 2 of them blessed")
    assert "run 2, 2026-03-02 04:30 UTC, student: 0.5900" in section.figures[0].svg
    mark = r'fill="([^"]*)" stroke="([^"]*)"[^>]*><title>run (\d), [^<]* student:'
    marks = re.findall(mark, section.figures[0].svg)
    full, hollow = "var(--student)", "var(--card)"
    assert marks == [(full, full, "1"), (hollow, full, "2"), (full, full, "3")]
    assert history.section(handmade.sources(runs=1)).figures == ()


def test_numbers_keep_their_full_value():
    cell = page.number(-0.123456789, signed=True)
    assert (cell.text, cell.value) == ("\N{MINUS SIGN}0.1235", -0.123456789)
    assert page.number(None).text == "undefined"
    assert page.measured(None) is page.NOTHING
    assert page.verdict(Verdict.NOT_JUDGED).text == "not judged"
    assert page.in_words(Measurement(value=None)) == "undefined"


def test_the_page_is_small_and_whole():
    html = render(compose(handmade.sources()))
    assert len(html) < 1_000_000
    assert "<script src" not in html
    assert '<link rel="stylesheet"' not in html
    # What comes from data is text, never markup.
    assert "z&lt;1&gt;" in html
    assert "/a&lt;b&gt;/teacher" in html
    assert "<1>" not in html


def test_a_page_without_anything_but_the_decision():
    bare = dataclasses.replace(
        handmade.sources(),
        against_last="gone",
        against_control="gone",
        labels=None,
        serving=None,
        histories={},
        curves={},
        label_reports=[],
        facts={},
    )
    assert bare.decision.sentence in render(compose(bare)).replace("&#39;", "'")


def test_one_run_is_said_to_be_one_draw_and_a_weak_teacher_is_named():
    sources = handmade.sources()
    caution = compose(sources).caution
    assert caution.startswith("One run is one draw")
    assert "crosskd experiment --surface tiny --root ROOT" in caution
    assert "worse" not in caution
    strong = handmade.sources(student=0.75)  # its control is at .7377, above the teacher's interval
    assert compose(strong).caution.endswith(
        "The teacher is worse than the control on click: there its labels may do harm."
    )
    assert any(note.startswith("click: the teacher is worse") for note in tasks.section(strong).notes)


def test_a_first_run_is_not_held_against_a_model_that_is_not_there():
    found = handmade.sources(runs=1)
    first = dataclasses.replace(found, decision=found.decision.model_copy(update={"first_run": True}))
    fact = next(fact for fact in compose(first).facts if fact.name == "Gates passed")
    assert (fact.value, fact.detail) == ("3 of 4", "0 failed, 1 not judged; no baseline yet for 1 more")


def test_a_mean_logit_is_also_read_as_a_probability():
    found = texts(table(labels.section(handmade.sources()), "agreement"))
    assert found[0][6:8] == ["-2.0000", "0.1192"]
