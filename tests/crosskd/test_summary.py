"""What a summary says of the push, and the exit code that follows from it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from components.model_pusher.destination import Destination
from contracts.candidate_report import CandidateReport, CatalogueCounts
from contracts.decision import Decision
from contracts.held_out import HeldOut, HeldOutRows
from contracts.outcome import Exit
from contracts.provenance import Origin
from crosskd.runs import NodeOfRun, Run
from crosskd.summary import RunSummary, _held_out, _pairs, _push, exit_code, print_summary
from records import documents
from schema.errors import InputError
from tests.components.model_pusher.handmade import cut, publish, write_model


@pytest.fixture
def serving(tmp_path: Path) -> Path:
    write_model(tmp_path / "model", "a")
    publish(Destination(str(tmp_path / "serving/tiny")), tmp_path / "model", Origin(surface="tiny"))
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


def test_of_whom_and_of_what_pairs_are(serving: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = CandidateReport(
        source="examples",
        drawn=70,
        shown=6,
        evaluated=4,
        labelled=0,
        kept=60,
        given_up=0,
        unique_pairs=55,
        unique_users=12,
        unique_items=9,
        users_without_row=5,
        items_without_row=0,
        catalogues={"people": CatalogueCounts(source="people", listed=1200, with_row=1195, drawn=5)},
    )
    documents.write(str(tmp_path / "report"), report)
    outputs = {"candidate_report": [(str(tmp_path / "report"), {})]}
    run = Run("run", "crosskd-tiny", {"CandidateSampler": NodeOfRun("COMPLETE", 1.0, outputs, {})})
    summary = summary_of(run_of(None), serving).model_copy(update={"pairs": _pairs(run)})
    print_summary(summary, as_json=False)
    assert (
        "Pairs never shown: 60, of 12 users (5 without a training row) and 9 items (0 without). The catalogue of "
        "people lists 1,200, of which 1,195 have a training row."
    ) in capsys.readouterr().out
    print_summary(summary, as_json=True)
    assert json.loads(capsys.readouterr().out)["pairs"]["users_without_row"] == 5
    assert _pairs(run_of(None)) is None


def test_rows_that_choose_and_are_of_other_people_than_those_that_judge(
    serving: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    noted = HeldOut(
        rows=(
            HeldOutRows(slice="user without a training row", held_out=0.03, evaluation=0.66, last=False),
            HeldOutRows(slice="item without a training row", held_out=0.0, evaluation=0.1, last=False),
        )
    )
    documents.write(str(tmp_path / "run"), noted)
    outputs = {"model_run": [(str(tmp_path / "run"), {})]}
    run = Run("run", "crosskd-tiny", {"Trainer.control": NodeOfRun("COMPLETE", 1.0, outputs, {})})
    summary = summary_of(run_of(None), serving).model_copy(update={"held_out_rows": _held_out(run)})
    print_summary(summary, as_json=False)
    printed = capsys.readouterr().out
    assert "chosen by rows of which 3% are of a user without a training row; of the evaluation examples 66%" in printed
    assert "of an item" not in printed
    print_summary(summary, as_json=True)
    assert [each["evaluation"] for each in json.loads(capsys.readouterr().out)["held_out_rows"]] == [0.66, 0.1]
    assert _held_out(run_of(None)) == []
    (tmp_path / "run" / HeldOut.FILE).unlink()
    assert _held_out(run) == []  # a training of an older version does not say


def test_a_damaged_note_of_held_out_rows_is_named(tmp_path: Path) -> None:
    (tmp_path / HeldOut.FILE).write_text("{")
    outputs = {"model_run": [(str(tmp_path), {})]}
    run = Run("run", "crosskd-tiny", {"Trainer.control": NodeOfRun("COMPLETE", 1.0, outputs, {})})
    with pytest.raises(InputError, match=r"held_out\.json: not what is known of held-out rows"):
        _held_out(run)
