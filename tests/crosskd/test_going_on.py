"""What is said of a root while somebody is at work under it, and how long a finished one takes to be read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from contracts import nodes
from contracts.measurements import NodeMeasurement
from contracts.outcome import Exit
from crosskd.launch import in_use, only_run_in
from crosskd.main import app
from crosskd.runs import note_peak_memory
from pipeline.metadata import connection
from tests.crosskd.handmade_run import FINISHED, write_run

BEGUN = {nodes.TEACHER_LABELER: "COMPLETE", nodes.TRANSFORM: "RUNNING"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


def told(root: Path, command: str, *options: str) -> Result:
    return CliRunner().invoke(app, [command, "--root", str(root), *options])


@pytest.mark.parametrize("command", ["summary", "gate", "report"])
def test_beside_a_live_run_it_is_said_that_it_goes_on(root: Path, command: str, capfd: pytest.CaptureFixture) -> None:
    write_run(root, "first", FINISHED)
    write_run(root, "second", BEGUN)
    with only_run_in(root):
        result = told(root, command)
    said = capfd.readouterr().err + result.output
    assert result.exit_code == Exit.GOING_ON == 5
    assert "the newest run (second) is still going on: Transform is running; 1 node(s) are done" in said
    assert "again to go on" not in said


@pytest.mark.parametrize("command", ["summary", "gate", "report"])
def test_once_nobody_is_at_work_the_same_run_has_stopped(
    root: Path, command: str, capfd: pytest.CaptureFixture
) -> None:
    write_run(root, "first", BEGUN)
    result = told(root, command)
    said = capfd.readouterr().err + result.output
    assert result.exit_code == Exit.BAD_INPUT
    assert "(first) came to no decision; it stopped at Transform" in said


def test_before_the_first_node_it_is_the_first_run_that_goes_on(root: Path, capfd: pytest.CaptureFixture) -> None:
    with only_run_in(root):
        result = told(root, "summary", "--json")
    found = json.loads(capfd.readouterr().out or result.stdout)
    assert (result.exit_code, found) == (5, {"going_on": True, "run_id": None, "running": [], "done": 0})


def test_a_finished_run_is_shown_while_the_next_one_begins(root: Path, capfd: pytest.CaptureFixture) -> None:
    write_run(root, "first", FINISHED)
    with only_run_in(root):
        result = told(root, "gate")
    assert result.exit_code == Exit.NOT_BLESSED
    assert "at work here now; this is of the run before (first)" in capfd.readouterr().err + result.output


def test_to_look_is_not_to_take(root: Path) -> None:
    root.mkdir()
    assert not in_use(root)
    with only_run_in(root):
        assert in_use(root)
        assert in_use(root)
    assert not in_use(root)
    with only_run_in(root):
        pass


def test_each_node_has_its_time_and_memory(root: Path, capfd: pytest.CaptureFixture) -> None:
    write_run(root, "first", FINISHED)
    measured = {
        nodes.PUSHER: NodeMeasurement(seconds=1.5, peak_memory=1234),
        nodes.TRANSFORM: NodeMeasurement(seconds=None, peak_memory=None),
    }
    note_peak_memory(connection(str(root / "metadata.sqlite")), measured)
    result = told(root, "summary", "--json")
    found = json.loads(capfd.readouterr().out or result.stdout)["nodes"]
    assert set(found) == set(FINISHED)
    assert (found[nodes.PUSHER]["state"], found[nodes.PUSHER]["peak_memory"]) == ("COMPLETE", 1234)
    assert found[nodes.BLESSING_GATE]["peak_memory"] is None
    assert all(each["seconds"] >= 0 for each in found.values())


@pytest.mark.parametrize("command", ["summary", "gate", "report", "rollback"])
def test_a_finished_run_is_read_without_what_takes_seconds_to_import(root: Path, command: str) -> None:
    write_run(root, "first", FINISHED)
    code = (
        f"import sys; sys.argv = ['crosskd', {command!r}, '--root', {str(root)!r}]\n"
        "from crosskd import start\n"
        "try:\n    start.main()\n"
        "finally:\n    heavy = {'tensorflow', 'tfx', 'apache_beam', 'keras', 'pandas'} & set(sys.modules)\n"
        "    print('heavy:', *sorted(heavy))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, env={**os.environ}, check=False
    )
    assert done.stdout.splitlines()[-1] == "heavy:", done.stderr
    expected = {"summary": 3, "gate": 3, "report": 2, "rollback": 2}  # no page, and nothing was pushed
    assert done.returncode == expected[command], done.stderr
    assert "Traceback" not in done.stderr
