"""`crosskd train-teacher` on examples in spans."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from contracts.outcome import Exit
from crosskd.main import app
from worlds.days import DaySizes, write_days

SIZES = DaySizes(300, 120, 60, 20, 10, 30, 15, 30, 20, 4, (8,), 1)


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_days(tmp_path_factory.mktemp("world"), SIZES, 2, seed=0, progress=lambda _: None)[-1]


def train(video: Path, *arguments: object) -> Result:
    given = ["train-teacher", "--surface", video, "--examples", video, *arguments]
    return CliRunner().invoke(app, [str(each) for each in given])


def test_a_teacher_as_of_each_span_has_seen_that_and_those_before(video: Path, tmp_path: Path):
    done = train(video, "--out", tmp_path, "--span", "0:1", "--each-span", "--json")
    assert done.exit_code == Exit.OK, done.output
    found = json.loads(done.stdout)
    assert [(each["span"], each["rows"]) for each in found] == [(0, 300), (1, 420)]
    assert [each["path"] for each in found] == [str(tmp_path / f"span-{span}") for span in (0, 1)]
    assert all((tmp_path / f"span-{span}" / "saved_model.pb").is_file() for span in (0, 1))
    assert {each["examples"] for each in found[1]["eval"] if each["task"] == "click"} == {60}


def test_all_spans_are_trained_on_unless_some_are_asked_for(video: Path, tmp_path: Path):
    done = train(video, "--out", tmp_path / "all", "--json")
    assert json.loads(done.stdout)["rows"] == 300 + 2 * 120
    done = train(video, "--out", tmp_path / "two", "--span", "1:2", "--json")
    assert json.loads(done.stdout)["rows"] == 2 * 120


def test_spans_that_are_not_there_are_named(video: Path, tmp_path: Path):
    done = train(video, "--out", tmp_path / "t", "--span", "1:4")
    assert done.exit_code == Exit.BAD_INPUT
    assert "found none for 3, 4" in " ".join(done.output.split())
    done = train(video, "--out", tmp_path / "t", "--span", "1:2", "--examples", video / "span-1")
    assert done.exit_code == Exit.BAD_INPUT
    assert "expected examples in spans" in done.output
