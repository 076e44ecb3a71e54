"""The command: its table, its JSON, its page, its exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from contracts.outcome import Exit
from crosskd.main import app
from tests.docs.pages import DOCS, blocks, crosskd_calls
from tests.evidence.ab.logs import people, write_log


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["ab", *map(str, arguments)], env={"COLUMNS": "200"})


@pytest.fixture
def log(tmp_path: Path) -> Path:
    frame = people(800, lift=0.3, warm_up=3)
    return write_log(frame, tmp_path / "logs" / "log.parquet")


USUAL = ("--unit", "user", "--metric", "minutes", "--metric", "length=minutes/plays", "--date", "day")


def test_a_readout_as_text_json_and_page(log: Path, tmp_path: Path):
    page = tmp_path / "ab.html"
    done = run("--log", log, *USUAL, "--start", "2026-03-02", "--slice", "country", "--page", page)
    assert done.exit_code == Exit.OK, done.output
    assert "sample ratio as expected" in done.output
    assert "better" in done.output and "length" in done.output and "country=de" in done.output
    text = page.read_text(encoding="utf-8")
    assert "length" in text and "country=fr" in text and "2026-03-07" in text and "http" not in text.split("<body>")[0]
    told = json.loads(run("--log", log, *USUAL, "--start", "2026-03-02", "--json").stdout)
    assert [each["metric"] for each in told["lifts"]] == ["minutes", "length"]
    assert told["lifts"][0]["reduction"] > 0.05
    assert told["sample_ratio"]["sound"]


def test_files_after_one_log_are_more_of_it(tmp_path: Path):
    frame = people(400, lift=0.3)
    halves = [write_log(frame.iloc[part::2], tmp_path / f"{part}.csv") for part in range(2)]
    both = json.loads(run("--log", *halves, *USUAL, "--json").stdout)
    assert both["rows"] == len(frame)


def test_a_metric_that_is_worse_and_a_ratio_that_is_off_have_exit_codes(log: Path, tmp_path: Path):
    worse = run("--log", log, *USUAL, "--lower-is-better", "minutes")
    assert worse.exit_code == Exit.ALERT == 6 and "WORSE" in worse.output
    off = run("--log", log, *USUAL, "--share", "control=9", "--share", "student=1")
    assert off.exit_code == Exit.UNSOUND == 7 and "SAMPLE RATIO OFF" in off.output


def test_a_plan(log: Path):
    done = run("--plan", "--log", log, *USUAL, "--lift", "0.05")
    assert done.exit_code == Exit.OK, done.output
    assert "to find a lift of 5.00%" in done.output
    told = json.loads(
        run("--plan", "--log", log, *USUAL, "--lift", "0.05", "--share", "a=9", "--share", "b=1", "--json").stdout
    )
    assert [each["metric"] for each in told["metrics"]] == ["minutes", "length"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--unit", "user"), "has these columns of numbers: plays, minutes, skips"),
        (
            ("--unit", "usr", "--metric", "minutes"),
            "expected the column 'usr', found no such column; did you mean 'user'?",
        ),
        ((*USUAL, "--control", "old"), "--control old: expected one of the arms"),
        (("--unit", "user", "--metric", "minutes", "--start", "2026-03-02"), "--start: expected --date as well"),
        ((*USUAL, "--page", "page.pdf"), "--page page.pdf: expected a name ending in .html"),
        ((*USUAL, "--plan", "--share", "a=1"), "with --plan, expected two arms, found 1"),
    ],
    ids=["no metric", "no such unit", "no such control", "no date", "no page", "one arm in a plan"],
)
def test_wrong_input_is_said(log: Path, arguments: tuple[str, ...], message: str):
    done = run("--log", log, *arguments)
    assert done.exit_code == Exit.BAD_INPUT
    assert message in done.output


def test_a_log_that_is_not_there(tmp_path: Path):
    done = run("--log", tmp_path / "none.parquet", *USUAL)
    assert done.exit_code == Exit.BAD_INPUT and "no such file or folder" in done.output


def test_the_commands_of_the_documentation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """They run as they are written, where logs lie as they say."""
    frame = people(800, lift=0.1, warm_up=3).assign(
        impressions=lambda each: each["plays"] + 1, clicks=lambda each: each["skips"]
    )
    for part in range(2):
        write_log(frame.iloc[part::2], tmp_path / "my/experiment" / f"{part}.parquet")
    write_log(people(4000, days=10).assign(impressions=1.0, clicks=1.0), tmp_path / "my/history/log.csv")
    monkeypatch.chdir(tmp_path)
    marked = [each for each in blocks(DOCS / "operations.md") if "test_the_commands_of_the_documentation" in each.mark]
    calls = [call for block in marked for call in crosskd_calls(block)]
    assert [call[0] for call in calls] == ["ab"] * 3
    for call in calls:
        done = run(*call[1:])
        assert done.exit_code == Exit.OK, done.output
    assert (tmp_path / "ab.html").is_file()
