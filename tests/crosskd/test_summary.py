"""What a summary says of the push, and the exit code that follows from it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from components.model_pusher.destination import Destination
from contracts.decision import Decision
from contracts.outcome import Exit
from contracts.provenance import Origin, Provenance
from crosskd.runs import NodeOfRun, Run
from crosskd.summary import RunSummary, _push, exit_code, print_summary
from tests.components.model_pusher.handmade import cut, write_model


@pytest.fixture
def serving(tmp_path: Path) -> Path:
    write_model(tmp_path / "model", "a")
    to = Destination(str(tmp_path / "serving/tiny"))
    origin = Origin(surface="tiny")

    def describe(version: int) -> Provenance:
        return Provenance(version=version, pushed_at="", model="", model_fingerprint="", decision="", origin=origin)

    with to.locked():
        to.publish(str(tmp_path / "model"), describe)
    return tmp_path / "serving/tiny"


def run_of(state: str | None, **said: object) -> Run:
    """A run whose pusher came to this; None for one that did not get there."""
    node = NodeOfRun(state=state or "", seconds=1.0, outputs={"pushed_model": [("uri", said)]}, settings={})
    return Run("run", "crosskd-tiny", {"Pusher": node} if state else {})


def summary_of(run: Run, serving: Path, *, blessed: bool = True) -> RunSummary:
    decision = Decision(
        surface="tiny",
        blessed=blessed,
        first_run=False,
        sentence="Blessed." if blessed else "Not blessed.",
        gates=(),
        checks=(),
        metrics=(),
    )
    return RunSummary(
        surface="tiny",
        run_id="run",
        root="root",
        teacher={},
        decision=decision,
        push=_push(run, serving, blessed),
        label_report="",
        report=None,
        nodes={},
    )


def newest(serving: Path) -> Path:
    return serving / str(Destination(str(serving)).versions()[-1])


def test_pushed(serving: Path) -> None:
    for state, copied, words in (("COMPLETE", 1, "Pushed to"), ("CACHED", 1, "Unchanged: already pushed to")):
        run = run_of(state, pushed=1, copied=copied, pushed_destination=str(newest(serving)))
        summary = summary_of(run, serving)
        assert exit_code(summary) == Exit.OK
        assert summary.push.sentence == f"{words} {newest(serving)}"
        assert (summary.push.serves, summary.push.damage) == (int(newest(serving).name), None)


@pytest.mark.parametrize(
    ("run", "sentence"),
    [
        (
            run_of("COMPLETE", pushed=0, sentence="Not pushed: version 7 has the same content."),
            "Blessed, and not pushed: version 7 has the same content.",
        ),
        (
            run_of("FAILED"),
            "Blessed, and not pushed: the run ended before. Give the same `crosskd run` again to push it.",
        ),
        (
            run_of(None),
            "Blessed, and not pushed: the run ended before. Give the same `crosskd run` again to push it.",
        ),
    ],
    ids=["refused", "failed", "did not get there"],
)
def test_blessed_and_not_pushed(serving: Path, run: Run, sentence: str) -> None:
    summary = summary_of(run, serving)
    assert exit_code(summary) == Exit.NOT_PUSHED == 4
    assert summary.push.sentence == sentence


def test_not_blessed(serving: Path) -> None:
    summary = summary_of(run_of("COMPLETE", pushed=0, sentence="Not blessed."), serving, blessed=False)
    assert exit_code(summary) == Exit.NOT_BLESSED
    assert summary.push.sentence == "Nothing was pushed."


def test_a_damaged_version_that_serves_is_named(serving: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cut(newest(serving))
    summary = summary_of(run_of("CACHED", pushed=1, copied=1, pushed_destination=str(newest(serving))), serving)
    damage = summary.push.damage or ""
    assert damage.startswith(
        f"{newest(serving)}, which serves, is damaged: variables/variables.data-00000-of-00001 has"
    )
    assert "The next push repairs it" in damage
    print_summary(summary, as_json=True)
    assert "is damaged" in capsys.readouterr().out


def test_a_version_that_is_gone_is_not_pushed(serving: Path) -> None:
    where = newest(serving)
    shutil.rmtree(where)
    summary = summary_of(run_of("CACHED", pushed=1, copied=1, pushed_destination=str(where)), serving)
    assert exit_code(summary) == Exit.NOT_PUSHED
    assert summary.push.sentence == (
        f"Pushed to {where}, which is gone. Give the same `crosskd run` again to push it anew."
    )
    assert summary.push.serves is None
