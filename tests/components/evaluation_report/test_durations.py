"""What the page says of each node's time, rows and memory."""

from __future__ import annotations

from components.evaluation_report import (
    durations,
)
from tests.components.evaluation_report import handmade
from tests.components.evaluation_report.reading import table, texts


def test_each_node_has_its_duration_rows_and_memory():
    section = durations.section(handmade.sources())
    assert texts(table(section, "durations")) == [
        ["ImportExampleGen", "cached", "2,000", "", ""],
        ["TeacherLabeler", "4.0", "1,000", "250", "700"],
        ["Transform", "20.0", "1,000", "50", "900"],
        # 1,000 training rows in each of the three epochs.
        ["Trainer.student", "6.0", "3,000", "500", "800"],
        ["Evaluator", "10.0", "1,000", "100", "850"],
        ["Pusher", "0.5", "", "", "850"],
        ["all of them", "40.5", "", "", "900"],
    ]
    assert "EvaluationReport" in section.lead


def test_rows_of_older_spans_are_not_guessed():
    section = durations.section(handmade.sources(facts={"data span": "3:7"}))
    found = {row[0]: row[2] for row in texts(table(section, "durations"))}
    assert (found["Transform"], found["Trainer.student"], found["TeacherLabeler"]) == ("", "", "1,000")
    assert "older spans" in section.notes[-1]


def test_where_no_node_was_measured_the_page_says_why_and_what_labelling_took():
    section = durations.section(handmade.sources(measurements="Each node has a container."))
    assert section.tables == ()
    assert section.notes == (
        "Each node has a container.",
        "TeacherLabeler itself measured 1.0 s for 1,000 rows, 1,000 per second.",
    )
