from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.labels import measuring, page
from benchmarks.labels.measuring import Spent, Way, measure, ratio
from schema.errors import InputError

SPREAD = {"median": 0.9, "least": 0.85, "greatest": 0.95}
FIGURES: dict[str, Any] = {
    "cores": 2,
    "examples": 1000,
    "rounds": 3,
    "teacher_parameters": 5385858,
    "teacher_inputs": 32,
    "teacher_inputs_absent": 12,
    "examples_per_second": {way: {"wall": 12345, "cpu": 6789} for way in page._WAYS},
    **{f"ratio_to_{name}": 0.9 for name in page._RATIOS},
    **{f"ratio_to_{name}_spread": SPREAD for name in page._RATIOS},
    **{f"ratio_to_{name}_cpu": 0.8 for name in page._RATIOS},
    "peak_mib": {"200000": 1000, "2000000": 1050},
    "ratio_of_peak_memory": 1.05,
}
MARKS = "# Page\n<!-- measured: ratios -->\nold\n<!-- end of ratios -->\nrest\n"


def test_tables_are_written_between_the_marks(tmp_path: Path) -> None:
    path, measured = tmp_path / "page.md", tmp_path / "figures.json"
    path.write_text(MARKS)
    measured.write_text(json.dumps(FIGURES))

    page.main(measured, path)
    once = path.read_text()
    page.main(measured, path)

    assert path.read_text() == once
    assert once.startswith(
        "# Page\n<!-- measured: ratios -->\n1,000 examples, 3 rounds, 2 cores; a teacher of 5,385,858"
    )
    assert once.endswith("<!-- end of ratios -->\nrest\n")
    assert "old" not in once
    assert "| TeacherLabeler to the limit | **0.90** | 0.85 to 0.95 | 0.80 | at least 0.8 |" in once
    assert "| TFX's BulkInferrer | 12,345 | 6,789 |" in once
    assert "| peak memory at 2,000,000 examples to that at 200,000 | **1.05** |  |  | at most 1.1 |" in once


def test_a_page_without_marks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected the marks <!-- measured: ratios -->"):
        page.replace("# Page", "ratios", "")


def test_the_start_is_taken_off_and_ratios_are_within_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    took = iter([Spent(2.0, 4.0), Spent(1.0, 1.0), Spent(6.0, 11.0), Spent(4.0, 8.0), Spent(1.0, 1.0), Spent(3.0, 6.0)])
    monkeypatch.setattr(measuring, "_spent", lambda run: next(took))
    nothing: Any = print
    ways = {"plain": Way(nothing, 100), "slow": Way(nothing, 60, nothing, 10)}

    rates = measure(ways, 2, lambda line: None)

    assert rates == {
        "plain": {"wall": [50.0, 25.0], "cpu": [25.0, 12.5]},
        "slow": {"wall": [10.0, 25.0], "cpu": [5.0, 10.0]},
    }
    assert ratio(rates, "plain", "slow", "wall") == {"median": 3.0, "least": 1.0, "greatest": 5.0}
