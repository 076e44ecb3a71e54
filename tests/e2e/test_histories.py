"""Histories through the whole pipeline: a window of days, checked as it serves, and an experiment on it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from benchmarks.histories.surface import write
from contracts import keys, nodes
from contracts.outcome import Exit
from contracts.serving_report import ServingReport
from crosskd import experiment
from crosskd import run as run_command
from crosskd.runs import Run, newest_run
from crosskd.train_teacher import train
from evidence.result import ExperimentResult
from records import documents
from schema.loader import SURFACE_FILE
from tests.e2e import library
from worlds.days import DaySizes, write_days

pytestmark = pytest.mark.slow

SIZES = DaySizes(600, 150, 100, 300, 200, 80, 40, 40, 30, 4, (8,), 2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three days, a teacher, and a surface with histories whose gates and latencies stop nothing."""
    folder = tmp_path_factory.mktemp("histories")
    write_days(folder / "world", SIZES, 3, seed=0, progress=lambda _: None)
    write(folder / "world" / "homepage", 8, 1, folder / "surface")
    file = folder / "surface" / SURFACE_FILE
    content = yaml.safe_load(file.read_text()) | yaml.safe_load(library.SERVING)
    for task in content["tasks"].values():
        task.pop("gates", None)
        task["ungated"] = "of a few rows"
    file.write_text(yaml.safe_dump(content, sort_keys=False))
    train(folder / "world" / "video", folder / "world" / "video" / "span-1", folder / "teacher")
    return folder


@pytest.fixture(scope="module")
def finished(folder: Path) -> Run:
    examples = folder / "world" / "homepage"
    found = run_command.run(str(folder / "surface"), examples, folder / "teacher", folder / "run", length=2)
    assert found is Exit.OK
    return newest_run(folder / "run")


def test_what_serves_passes_every_check_and_is_as_large_as_the_control(finished: Run) -> None:
    found = finished.output(nodes.SERVING_VALIDATOR, keys.SERVING_REPORT)
    assert found is not None
    report = documents.read(found[0], ServingReport)
    assert report.blessed, report.sentence
    student, control = (report.models[name].megabytes for name in ("student", "control"))
    assert student == pytest.approx(control, abs=0.01)


def test_an_experiment_on_the_run_compares_histories_with_none_and_with_others(
    folder: Path, finished: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    experiment.command(
        str(folder / "surface"),
        [folder / "run"],
        folder / "experiment",
        seeds=2,
        tuning=1,
        widen=0,
        few=True,
        technique=["without=histories={}"],
        references=False,
        as_json=True,
    )
    result = ExperimentResult.model_validate(json.loads(capsys.readouterr().out))
    compared = {(each.candidate, each.difference.arm) for each in result.comparisons}
    assert compared == {("without", "student"), ("student", "dealt_out"), ("student", "own_history")}
    assert {arm.name for arm in result.arms} >= {"control", "student", "without", "dealt_out", "own_history"}
    assert "without/control" not in {arm.name for arm in result.arms}  # the control has no histories in any case
