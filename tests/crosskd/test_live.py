from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from crosskd import live
from crosskd.terminal import TERMINAL
from evidence.live import Lift, LiveResult
from schema.errors import InputError

app = typer.Typer(pretty_exceptions_enable=False)
app.command()(live.command)


def _error(*arguments: str) -> str:
    found = CliRunner().invoke(app, [*arguments, "--surface", "radio"]).exception
    assert isinstance(found, InputError)
    return str(found)


def test_every_student_needs_a_control_or_a_run(tmp_path: Path):
    where = ("--world", str(tmp_path), "--out", str(tmp_path / "out"))
    assert "found 1 students and 0 controls" in _error(*where, "--student", "a")
    either = "expected either --student and --control, or --root"
    assert either in _error(*where)
    assert either in _error(*where, "--student", "a", "--control", "b", "--root", "c")


def test_a_folder_that_is_no_world_is_named(tmp_path: Path):
    where = ("--world", str(tmp_path), "--out", str(tmp_path / "out"))
    found = _error(*where, "--student", "a", "--control", "b")
    assert f"{tmp_path / 'radio'}: expected a folder that `crosskd world simulated` wrote" in found


@pytest.mark.parametrize(("pairs", "ending"), [(1, "of one pair they say nothing"), (2, "over people and pairs.")])
def test_the_table_says_what_was_found(monkeypatch: pytest.MonkeyPatch, pairs: int, ending: str):
    monkeypatch.setattr(TERMINAL.out, "width", 160, raising=False)
    lift = Lift(
        metric="discovery",
        control=0.51234,
        mean=0.0213,
        low=0.011,
        high=0.0316,
        p_value=0.0004,
        replicates=[0.0213],
        same_model=(0.001, -0.02, 0.022),
        same_model_held=19,
    )
    result = LiveResult(
        surface="radio",
        slates=1000,
        people=200,
        pairs=[("a", "b")] * pairs,
        confidence=0.95,
        draws=20,
        lifts=[lift],
        seconds=1.0,
    )
    with TERMINAL.out.capture() as captured:
        live.print_result(result)
    text = captured.get()
    for expected in ("0.5123", "+2.13%", "[+1.10%, +3.16%]", "0.0004", "[-2.00%, +2.20%]", "19 of 20", ending):
        assert expected in text
