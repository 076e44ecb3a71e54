from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

import schema
from contracts.held_out import HeldOutRows
from crosskd import live
from crosskd.terminal import TERMINAL
from evidence.frontier import EqualDiscovery, FrontierPoint, FrontierResult
from evidence.live import Lift, LiveResult
from evidence.pairs import TrainedPairs
from evidence.sessions_result import Choice, SessionLift, SessionsResult
from schema.errors import InputError
from tests.evidence.rankers import write_pair
from worlds.records import ORIGIN_FILE
from worlds.simulated import Sizes

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


def test_the_frontier_is_told_with_what_is_out_of_range(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(TERMINAL.out, "width", 200, raising=False)
    sums = {"discovery": 0.5, "engagement": 12.0, "student_discovery": 0.75, "student_engagement": 11.5}
    lift = EqualDiscovery(value=0.62, mean=0.031, low=0.01, high=0.052, p_value=0.001, replicates=[0.031])
    points = [
        FrontierPoint(value=1.0, **sums, lift=lift, same_model_held=19, same_model=20),
        FrontierPoint(value=4.0, **sums, lift=None, same_model_held=0, same_model=0),
    ]
    result = FrontierResult(
        surface="homepage",
        over="discovery=0:4",
        slates=1000,
        people=200,
        pairs=[("a", "b")],
        confidence=0.95,
        draws=20,
        points=points,
        seconds=1.0,
    )
    with TERMINAL.out.capture() as captured:
        live.print_frontier(result)
    text = captured.get()
    for expected in ("discovery=0:4", "0.5000, 12.0000", "0.62", "+3.10%", "[+1.00%, +5.20%]", "19 of 20"):
        assert expected in text
    assert text.count("not in its range") == 1


def test_sessions_are_told_with_what_was_chosen(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(TERMINAL.out, "width", 200, raising=False)
    lift = SessionLift(
        metric="minutes_per_session",
        control=61.5,
        student=63.1,
        mean=0.026,
        low=-0.004,
        high=0.056,
        p_value=0.02,
        replicates=[0.026],
        same_model=(0.001, -0.02, 0.022),
        same_model_held=19,
    )
    choice = Choice(
        over="discovery=0:4",
        values=[0.0, 2.0, 4.0],
        people=250,
        students=[2.0],
        controls=[4.0],
        student_minutes=[60.0, 62.0, 61.0],
        control_minutes=[58.0, 59.0, 60.0],
    )
    result = SessionsResult(
        surface="homepage",
        visitors="embedded",
        people=250,
        days=14,
        sessions=934.6,
        pairs=[("a", "b")],
        confidence=0.95,
        draws=20,
        choice=choice,
        lifts=[lift],
        seconds=1.0,
    )
    with TERMINAL.out.capture() as captured:
        live.print_sessions(result)
    text = " ".join(captured.get().split())
    for expected in ("minutes_per_session", "61.5000", "63.1000", "+2.60%", "[-0.40%, +5.60%]", "19 of 20"):
        assert expected in text
    assert "the students took 2." in text
    assert "the controls took 4 (1 at an edge of the range: give a wider one)." in text
    assert "250 people (embedded), 14 days, 935 sessions of a control." in text


STRANGERS = HeldOutRows(slice="user without a training row", held_out=0.03, evaluation=0.66, last=False)
CAUTION = "Epochs and settings were chosen by rows of which 3% are of a user without a training row; of the evaluation"


def _live(world: Path, out: Path, *pairs: str) -> dict:
    given = ["--world", str(world), "--surface", "homepage", "--out", str(out), "--slates", "100", "--aa", "1", *pairs]
    found = CliRunner().invoke(app, given)
    assert found.exit_code == 0, found.exception
    return {"text": " ".join(found.stdout.split()), **json.loads((out / live.RESULT_FILE).read_text())}


def test_pairs_that_are_trained_bring_what_is_known_of_the_rows_that_chose(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    pair = write_pair(tmp_path / "pair")
    monkeypatch.setattr(live, "_trained", lambda *_: TrainedPairs([pair], [STRANGERS]))
    trained = _live(world, tmp_path / "trained", "--root", "a-run")
    assert trained["held_out_rows"] == [STRANGERS.model_dump()]
    assert CAUTION in trained["text"]
    given = _live(world, tmp_path / "given", "--student", pair.student, "--control", pair.control)
    assert given["held_out_rows"] == []
    assert "Epochs and settings" not in given["text"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--sessions", "--over", "discovery=0:4"], "expected --sessions or --over, found both"),
        (["--choose", "discovery=0:4"], "--choose is for people who browse: give --sessions, too"),
        (["--visitors", "own:people"], "--visitors is for people who browse: give --sessions, too"),
    ],
)
def test_options_that_do_not_go_together_are_refused(tmp_path: Path, given: list[str], message: str):
    where = ("--world", str(tmp_path), "--out", str(tmp_path / "out"), "--root", "c")
    assert message in _error(*where, *given)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of the simulated world's, of a few people."""
    folder = tmp_path_factory.mktemp("world")
    sizes = Sizes(people=40, music_people=30, videos=20, music_items=30)
    shutil.copytree(Path(schema.__path__[0]) / "homepage", folder / "homepage")
    origin = {"world": "simulated", "sizes": asdict(sizes), "seed": 0}
    (folder / "homepage" / ORIGIN_FILE).write_text(json.dumps(origin), encoding="utf-8")
    return folder


def test_a_range_is_refused_before_anything_is_trained(world: Path, tmp_path: Path):
    where = ("--world", str(world), "--out", str(tmp_path / "out"), "--root", str(tmp_path / "none"))
    found = CliRunner().invoke(app, [*where, "--surface", "homepage", "--over", "minutes=0:4"]).exception
    assert isinstance(found, InputError)
    assert "expected a name that the score reads, click, discovery, trail_engagement" in str(found)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--choose", "minutes=0:4"], "--choose minutes=0:4: expected a name that the score reads"),
        (["--people", "10"], "expected 20 people or more, found 10; give more --people"),
        (["--days", "2"], "expected more than 3 --days"),
        (["--visitors", "no_such_package:people"], "no module 'no_such_package' is to be found"),
    ],
)
def test_sessions_are_refused_before_anything_is_trained(world: Path, tmp_path: Path, more: list[str], message: str):
    where = ["--world", str(world), "--out", str(tmp_path / "out"), "--root", str(tmp_path / "none"), "--sessions"]
    found = CliRunner().invoke(app, [*where, "--surface", "homepage", *more]).exception
    assert isinstance(found, InputError)
    assert message in str(found)


@pytest.mark.parametrize(
    ("more", "result", "files"),
    [
        ([], LiveResult, ("live.json", "live.svg")),
        (["--over", "discovery=0:4"], FrontierResult, ("frontier.json", "frontier.svg")),
        (["--sessions", "--choose", "discovery=0:4"], SessionsResult, ("sessions.json", "sessions.svg")),
        (
            ["--sessions", "--days", "5", "--visitors", "tests.evidence.foreign:Punctual"],
            SessionsResult,
            ("sessions.json", "sessions.svg"),
        ),
    ],
    ids=["lifts", "a frontier", "sessions", "sessions of foreign people"],
)
def test_what_was_found_is_written_and_told_to_programs(
    world: Path,
    tmp_path: Path,
    more: list[str],
    result: type[LiveResult | FrontierResult | SessionsResult],
    files: tuple[str, str],
):
    pair = write_pair(tmp_path)
    arguments = ["--world", str(world), "--surface", "homepage", "--out", str(tmp_path / "out"), "--slates", "100"]
    given = ["--student", pair.student, "--control", pair.control, "--aa", "2", "--json"]
    done = CliRunner().invoke(app, [*arguments, *given, *more])
    assert done.exception is None, done.output
    written, picture = (tmp_path / "out" / each for each in files)
    assert result.model_validate_json(done.stdout) == result.model_validate_json(written.read_text(encoding="utf-8"))
    assert picture.read_text(encoding="utf-8").startswith("<svg")
