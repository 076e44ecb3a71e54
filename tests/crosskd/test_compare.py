"""Runs that cannot be compared; two real ones are compared in tests/notebooks."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from contracts.outcome import Exit
from crosskd import compare
from crosskd.main import app
from crosskd.runs import Run
from schema.errors import InputError

RUNS = [Run("monday", "shop", {}), Run("sunday", "shop", {})]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("crosskd.runs.newest_runs", lambda root, count: RUNS)
    return tmp_path


@pytest.mark.parametrize(
    ("which", "found"), [("", "monday"), ("@-0", "monday"), ("@-1", "sunday"), ("@sunday", "sunday")]
)
def test_a_run_is_named_by_its_root_its_place_or_its_id(root, which, found):
    assert compare._find(f"{root}{which}")[1].run_id == found


@pytest.mark.parametrize(
    ("which", "said"),
    [
        ("@-2", r"has 2 run\(s\); expected ROOT@-0 to ROOT@-1"),
        ("@friday", "has no run 'friday'; the newest are monday, sunday"),
        ("/nowhere", "nowhere is no folder"),
    ],
)
def test_a_run_that_is_not_there_is_named(root, which, said):
    with pytest.raises(InputError, match=said):
        compare._find(f"{root}{which}")


def test_a_run_without_a_decision_is_not_compared(root):
    with pytest.raises(InputError, match="the run monday came to no decision, so there is nothing to compare"):
        compare._read(root, RUNS[0])


def test_the_page_has_a_name_that_browsers_open(root):
    done = CliRunner().invoke(app, ["compare", str(root), str(root), "--out", "page.txt"])
    assert done.exit_code == Exit.BAD_INPUT
