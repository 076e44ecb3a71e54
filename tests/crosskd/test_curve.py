from __future__ import annotations

import pytest

from contracts.held_out import HeldOutRows
from crosskd.curve import _numbers, print_result
from crosskd.terminal import TERMINAL
from evidence.curve import CurveResult, Point
from evidence.levels import Over
from evidence.result import Difference
from evidence.verdicts import Effect
from schema.errors import InputError


def test_levels_are_numbers():
    assert _numbers("0,.5") == [0.0, 0.5]
    with pytest.raises(InputError, match="expected numbers with commas between"):
        _numbers("none")


def test_the_table_shows_all_points(monkeypatch: pytest.MonkeyPatch):
    known = Point(
        level=0.5,
        rows=1200,
        task="click",
        metric="auc",
        distilled=True,
        control=0.7,
        student=0.72,
        difference=Difference(arm="control", mean=0.02, low=0.01, high=0.03, p_value=0.001, replicates=[0.02]),
        placebo=Difference(arm="shuffled", mean=0.04, low=0.03, high=0.05, p_value=0.001, replicates=[0.04]),
        verdict=Effect.KNOWLEDGE,
    )
    unknown = {"control": None, "student": None, "difference": None, "placebo": None, "verdict": None}
    result = CurveResult(
        surface="tiny",
        over=Over.DATA,
        seeds=3,
        settings=["as configured"],
        confidence=0.95,
        verdicts=2,
        points=[known, known.model_copy(update={"task": "stay", **unknown})],
        held_out_rows=[
            HeldOutRows(slice="user without a training row", held_out=0.03, evaluation=0.66, last=False),
            HeldOutRows(slice="item without a training row", held_out=0.0, evaluation=0.1, last=False),
        ],
        seconds=1.0,
    )
    monkeypatch.setattr(TERMINAL.out, "width", 160, raising=False)
    with TERMINAL.out.capture() as captured:
        print_result(result, ["a sentence [with brackets]"])
    text = captured.get()
    for expected in ("1,200", "0.7200", "+0.0200 [+0.0100, +0.0300]", "+0.0400 [+0.0300, +0.0500]", "knowledge"):
        assert expected in text
    assert "undefined" in text
    assert "- a sentence [with brackets]" in text
    assert "- Epochs and settings were chosen by rows of which 3% are of a user without a training row;" in text
    assert "of an item" not in text
    assert result.model_dump(mode="json")["held_out_rows"][0]["evaluation"] == 0.66
