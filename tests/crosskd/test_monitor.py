"""`crosskd monitor` on a pushed root: quiet days, days on which something broke, and what is kept of them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from typer.testing import CliRunner, Result

from components.model_pusher.destination import Destination
from contracts.outcome import Exit
from contracts.provenance import Provenance
from contracts.watch import Promise
from crosskd import run as run_command
from crosskd.main import app
from crosskd.watching import Watcher, choose_spans, served_version
from evidence.watch.scoring import WatchedModel, measure, score_examples
from records import documents
from schema.errors import InputError
from tests.e2e import library

pytestmark = pytest.mark.slow

ROWS = 1500
Change = Callable[[tf.train.Example, np.random.Generator], None]


def write_span(folder: Path, day: int, change: Change | None = None, rows: int = ROWS) -> Path:
    """A later day of the library, in which something may be broken."""
    rng = np.random.default_rng(1000 + day)
    folder.mkdir(parents=True)
    with tf.io.TFRecordWriter(str(folder / "part-0.gz"), options="GZIP") as writer:
        for each in library._examples(rng, rows, None, 0.0):
            if change is not None:
                change(each, rng)
            writer.write(each.SerializeToString())
    return folder


def crime_by_chance(each: tf.train.Example, rng: np.random.Generator) -> None:
    """In one slice, what is borrowed has nothing to do with what is known."""
    features = each.features.feature
    if list(features["genre"].bytes_list.value) == [b"crime"]:
        features["was_borrowed"].int64_list.value[:] = [int(rng.random() < 0.42)]


def without_match(each: tf.train.Example, rng: np.random.Generator) -> None:
    """A feature filled with its default."""
    each.features.feature["match"].float_list.value[:] = [0.0]


def borrowed_more(each: tf.train.Example, rng: np.random.Generator) -> None:
    """People borrow more, whatever is predicted."""
    label = each.features.feature["was_borrowed"].int64_list.value
    label[:] = [int(label[0] or rng.random() < 0.35)]


class Case:
    """A root with a push, and later days."""

    def __init__(self, folder: Path):
        self.folder, self.root = folder, folder / "root"
        surface = library.write_surface(folder / "surface", surface=library.SURFACE)
        # A gate's evaluation data are many, so that what it promises is known.
        examples = library.write_examples(folder / "examples", sizes=(1500, 4000))
        run_command.run(str(surface), examples, library.write_teacher(folder / "teacher"), self.root)
        self.quiet = [write_span(folder / "quiet" / f"day-{day}", day) for day in range(1, 6)]

    def monitor(self, *arguments: object) -> Result:
        return CliRunner().invoke(app, ["monitor", "--root", str(self.root), *map(str, arguments)])

    def told(self, *arguments: object) -> dict:
        return json.loads(self.monitor(*arguments, "--json").stdout)

    def forget(self) -> None:
        shutil.rmtree(self.root / "monitor" / "library" / "spans", ignore_errors=True)

    @property
    def promise(self) -> Promise:
        (folder,) = (self.root / "monitor/library/pushes").iterdir()
        return documents.read(str(folder), Promise)

    def broken(self, change: Change, days: range = range(6, 9)) -> list[Path]:
        folder = self.folder / change.__name__
        return [
            each if each.is_dir() else write_span(each, int(each.name[4:]), change)
            for each in (folder / f"day-{day}" for day in days)
        ]


@pytest.fixture(scope="module")
def case(tmp_path_factory) -> Case:
    return Case(tmp_path_factory.mktemp("watched"))


def test_quiet_days_are_quiet(case):
    done = case.monitor("--examples", *case.quiet)
    assert done.exit_code == Exit.OK, done.output
    assert "quiet" in done.output and "in 5 span(s)" in done.output
    found = case.told("--examples", *case.quiet)
    assert [each["span"] for each in found["spans"]] == [f"day-{day}" for day in range(1, 6)]
    assert all(each["rows"] == ROWS for each in found["spans"])
    text = Path(found["page"]).read_text(encoding="utf-8")
    assert "Quiet up to day-5" in text and "genre=crime" in text and "prediction/borrowed" in text


def test_a_promise_is_what_the_same_scoring_finds_on_the_data_of_the_gate(case):
    """The gate's Evaluator (TFMA, a jackknife) and the monitor's own scoring come to the same numbers."""
    served = served_version(case.root, None)
    watcher = Watcher(case.root, served, lambda line: None)
    promised = {(each.task, each.metric, each.slice): each for each in watcher.promise().metrics}
    assert {("borrowed", "auc", ""), ("borrowed", "auc", "genre=crime"), ("borrowed", "calibration", "")} <= set(
        promised
    )
    model = WatchedModel(served.folder, watcher.surface, watcher._schema())
    again = measure(watcher.surface, score_examples(model, case.folder / "examples" / "eval"))
    compared = 0
    for each in again:
        known = promised.get((each.task, each.metric, each.slice))
        if known is not None and each.value is not None:
            assert each.value == pytest.approx(known.value, abs=2e-4), each
            assert each.error == pytest.approx(known.error, rel=0.6), each
            assert each.examples == known.examples
            compared += 1
    assert compared >= 6


def test_a_repetition_looks_at_nothing_again(case):
    case.told("--examples", *case.quiet)
    files = {file: file.stat().st_mtime_ns for file in case.root.rglob("span.json")}
    case.monitor("--examples", *case.quiet)
    assert {file: file.stat().st_mtime_ns for file in case.root.rglob("span.json")} == files
    one = case.told("--examples", case.quiet[0])
    assert len(one["spans"]) == 5  # what was watched before counts


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (crime_by_chance, ("borrowed", "auc", "genre=crime")),
        (without_match, ("match", "jensen_shannon", "")),
        (without_match, ("prediction/borrowed", "jensen_shannon", "")),
        (without_match, ("borrowed", "auc", "")),
        (borrowed_more, ("borrowed", "calibration", "")),
    ],
    ids=["one slice worse", "a feature filled with defaults", "its predictions", "its metric", "a calibration shift"],
)
def test_a_regression_is_named_with_the_day_and_the_version(case, change, expected):
    case.forget()
    spans = [*case.quiet, *case.broken(change)]
    done = case.monitor("--examples", *spans)
    assert done.exit_code == Exit.ALERT == 6, done.output
    found = case.told("--examples", *spans)
    named = {(each["subject"], each["measure"], each["slice"]): each for each in found["alerts"]}
    assert expected in named
    alert = named[expected]
    assert (alert["began"], alert["raised"]) == ("day-6", "day-6")
    assert alert["version"] == found["version"]
    assert alert["sentence"] in done.output
    assert "alert(s), up to day-8" in Path(found["page"]).read_text(encoding="utf-8")


def test_one_worse_slice_is_told_from_the_others(case):
    case.forget()
    found = case.told("--examples", *case.quiet, *case.broken(crime_by_chance))
    worst = found["alerts"][0]
    assert (worst["subject"], worst["slice"]) == ("borrowed", "genre=crime")
    assert worst["found"] == pytest.approx(0.5, abs=0.06)


def test_young_spans_wait(case):
    case.forget()
    found = case.told("--examples", case.folder / "quiet" / "day-{SPAN}", "--maturity", 2)
    assert found["immature"] == ["4", "5"]
    assert [each["span"] for each in found["spans"]] == ["1", "2", "3"]
    case.forget()
    done = case.monitor("--examples", case.quiet[0], "--maturity", 1)
    assert done.exit_code == Exit.OK and "no span to look at yet" in done.output
    assert "labels may still be arriving: day-1" in done.output


def test_labels_that_arrive_late_are_looked_at_again(case, tmp_path):
    case.forget()
    span = write_span(tmp_path / "day-1", 1)
    first = case.told("--examples", span)["spans"][0]
    shutil.rmtree(span)
    write_span(span, 2)
    second = case.told("--examples", span)["spans"]
    assert len(second) == 1 and second[0]["metrics"] != first["metrics"]


def test_another_push_begins_anew_and_keeps_what_was_seen(case):
    case.forget()
    spans = [*case.quiet, *case.broken(crime_by_chance)]
    before = case.told("--examples", *spans)
    serving = Destination(str(case.root / "serving/library"))
    with serving.locked():
        pushed = serving.publish(
            serving.path(before["version"]),
            lambda version: documents.read(serving.path(before["version"]), Provenance).model_copy(
                update={"version": version}
            ),
        )
    try:
        done = case.monitor("--examples", *spans, write_span(case.folder / "later" / "day-20", 20))
        assert done.exit_code == Exit.OK, done.output
        found = case.told("--examples", *spans)
        assert found["version"] == pushed.version > before["version"]
        assert [each["span"] for each in found["spans"]] == ["day-20"]
        assert [each["version"] for each in found["earlier"]] == [before["version"]] * 8
    finally:
        shutil.rmtree(serving.path(pushed.version))


def test_spans_as_a_pattern_leave_out_what_was_trained_on(case):
    served = served_version(case.root, "library")
    trained = served.provenance.model_copy(
        update={"origin": served.provenance.origin.model_copy(update={"data_span": "1:2"})}
    )
    chosen = choose_spans([case.folder / "quiet" / "day-{SPAN}"], replace(served, provenance=trained), 0)
    assert chosen.trained == ("1", "2")
    assert [each.name for each in chosen.spans][:3] == ["3", "4", "5"]


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda folder: folder.mkdir(), "found no file"),
        (lambda folder: write_span(folder, 1, rows=0), "found files without a single one"),
        (lambda folder: None, "no such file or folder"),
    ],
    ids=["an empty folder", "no examples", "not there"],
)
def test_a_span_that_cannot_be_looked_at_is_said(case, tmp_path, break_it, message):
    span = tmp_path / "day-1"
    break_it(span)
    case.forget()
    done = case.monitor("--examples", span)
    assert done.exit_code == Exit.BAD_INPUT and message in done.output, done.output


def test_columns_that_are_missing_are_said(case, tmp_path):
    def without(each: tf.train.Example, rng: np.random.Generator) -> None:
        del each.features.feature["match"]

    case.forget()
    done = case.monitor("--examples", write_span(tmp_path / "day-1", 1, without))
    assert done.exit_code == Exit.BAD_INPUT and "match" in done.output, done.output


def test_what_is_no_root_or_has_two_spans_of_one_name_is_said(case, tmp_path):
    done = CliRunner().invoke(app, ["monitor", "--root", str(tmp_path / "none"), "--examples", str(tmp_path)])
    assert done.exit_code == Exit.BAD_INPUT and "no such folder" in done.output
    (tmp_path / "root").mkdir()
    with pytest.raises(InputError, match="nothing was pushed here yet"):
        served_version(tmp_path / "root", None)
    with pytest.raises(InputError, match="expected one of the surfaces that were pushed here: library"):
        served_version(case.root, "homepage")
    twice = case.monitor("--examples", case.quiet[0], case.quiet[0])
    assert twice.exit_code == Exit.BAD_INPUT and "two named 'day-1'" in twice.output
