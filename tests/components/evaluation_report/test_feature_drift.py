"""What the page says of how features moved since the last run."""

from __future__ import annotations

from components.evaluation_report import (
    feature_drift,
)
from components.evaluation_report.sources import Shift, ShiftEnd
from tests.components.evaluation_report import handmade
from tests.components.evaluation_report.reading import table, texts


def test_features_stand_beside_those_of_the_last_run():
    section = feature_drift.section(handmade.sources())
    assert texts(table(section, "feature-drift")) == [
        ["fresh (new)", "", "", "0.0%", "", "", "", "12"],
        ["old (gone)", "", "50.0%", "", "1", "", "", ""],
        ["age", "0.2500", "0.0%", "12.5%", "-30", "1,234,567", "", ""],
    ]
    no_texts = feature_drift.section(handmade.sources(shifts=handmade.MOVED[1:]))
    assert [len(row) for row in texts(table(no_texts, "feature-drift"))] == [6, 6]
    many = [Shift(str(number), 0.1, ShiftEnd(0.0, 1.0, None), ShiftEnd(0.0, 1.0, None)) for number in range(250)]
    section = feature_drift.section(handmade.sources(shifts=many))
    assert len(table(section, "feature-drift").rows) == feature_drift.MOST_LISTED
    assert "200 of 250 features" in section.notes[-1]


def test_why_features_are_not_compared_stands_in_their_section():
    section = feature_drift.section(handmade.sources(shifts="There is no run before this one to compare with."))
    assert (section.tables, section.notes) == ((), ("There is no run before this one to compare with.",))
