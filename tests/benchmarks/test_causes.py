from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks import causes

_OUTSIDE = "run (tfx_runner.py:9);run_via_runner_api (fn_runner.py:1);_run_executor (launcher.py:3)"
_TRANSFORM = f"thread (1): MainThread;{_OUTSIDE};Do (components/transform/executor.py:5)"
LINES = [
    f"{_TRANSFORM};func_graph_from_py_func (func_graph.py:8) 3",
    f"{_TRANSFORM};apply (apache_beam/pipeline.py:8);_find_and_load (importlib:2) 1",
    f"{_TRANSFORM};run (apache_beam/pipeline.py:9);run_via_runner_api (fn_runner.py:1);x (y.py:1) 2",
    "thread (1): MainThread;inspect_inputs (inspection.py:54);_find_and_load (importlib:2) 3",
    "thread (1): MainThread;main (start.py:13) 1",
    "thread (2): interrupts;_watch (interrupts.py:137) 40",
]
FOUND = {
    "Transform": {"tracing graphs": 0.3, "running Beam's pipelines": 0.2, "importing": 0.1},
    "the check of the inputs": {"importing": 0.3},
    causes.ELSEWHERE: {causes.REST: 0.1},
}


def test_samples_of_the_main_thread_are_counted_by_node_and_cause():
    found = causes.shares(LINES)
    assert list(found) == list(FOUND)
    for node, shares in FOUND.items():
        assert found[node] == pytest.approx(shares)


def test_the_shares_are_printed(tmp_path: Path):
    (tmp_path / "samples").write_text("\n".join(LINES))
    app = causes.typer.Typer()
    app.command()(causes.main)
    said = CliRunner().invoke(app, [str(tmp_path / "samples")])
    assert said.exit_code == 0
    assert "Transform: 60.0% (tracing graphs 30.0%, running Beam's pipelines 20.0%, importing 10.0%)" in said.output
