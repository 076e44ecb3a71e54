from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from benchmarks import pipeline
from contracts import keys, nodes
from contracts.roles import ModelRole
from crosskd.runs import NodeOfRun, Run
from schema.loader import load_surface
from tests.schema.homepage import SHIPPED


def nodes_of(**taken: float) -> dict[str, dict[str, dict[str, float]]]:
    return {"nodes": {name: {"seconds": each} for name, each in taken.items()}}


def test_slopes_are_of_a_million_rows_between_the_smallest_and_the_largest():
    found = {
        20_000: nodes_of(Transform=20.0, Pusher=1.0),
        50_000: nodes_of(Transform=0.0),
        220_000: nodes_of(Transform=30.0),
    }
    assert pipeline.slopes(found) == {"Transform": 50.0}
    assert pipeline.slopes({20_000: nodes_of(Transform=20.0)}) == {}


def test_steps_are_those_of_all_epochs_that_ran(tmp_path: Path):
    (tmp_path / "history.json").write_text(json.dumps({"hard_loss": [3.0, 2.0, 1.0]}))
    run = Run(
        "run",
        "p",
        {nodes.trainer(ModelRole.STUDENT): NodeOfRun("COMPLETE", 1.0, {keys.MODEL_RUN: [(str(tmp_path), {})]}, {})},
    )
    assert pipeline._steps(run, ModelRole.STUDENT, of_a_turn=265) == 3 * 53
    with pytest.raises(SystemExit, match="no history"):
        pipeline._steps(Run("run", "p", {}), ModelRole.STUDENT, of_a_turn=265)


def test_a_run_that_fails_is_no_figure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    command = tmp_path / "crosskd"
    command.write_text("#!/bin/sh\necho 'error: no such teacher' >&2\nexit 2\n")
    command.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    with pytest.raises(SystemExit, match="failed with 2:\nerror: no such teacher"):
        pipeline._run(tmp_path, tmp_path, tmp_path)


def test_the_epochs_are_written_into_the_surface_and_nothing_else(tmp_path: Path):
    target = tmp_path / "homepage"
    shutil.copytree(SHIPPED / "homepage", target)
    before = load_surface(target).surface
    pipeline._train_for(2, target)
    assert before.training.epochs != 2
    training = before.training.model_copy(update={"epochs": 2})
    assert load_surface(target).surface == before.model_copy(update={"training": training})
