"""Beam jobs on Beam's engines; Flink has a folder of its own, `tests/flink`."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from pipeline.beam_options import beam_args
from tests.components.teacher_labeler import conftest as tiny
from tests.pipeline import whole_runs

THREADS = ["--direct_running_mode=multi_threading", "--direct_num_workers=2"]
PROCESSES = ["--direct_running_mode=multi_processing", "--direct_num_workers=2"]
SHARDS = [[tiny.make_example(x=float(10 * shard + row), clicked=row % 2) for row in range(10)] for shard in range(4)]


def test_worker_processes_need_another_runner_and_threads_do_not():
    assert beam_args(PROCESSES)[0] == "--runner=pipeline.workers.ProcessRunner"
    assert beam_args(["--direct_running_mode", "multi_processing"])[0] == "--runner=pipeline.workers.ProcessRunner"
    assert beam_args(THREADS)[0] == "--runner=FnApiRunner"
    assert beam_args(["--runner=FlinkRunner", *PROCESSES]) == ["--runner=FlinkRunner", *PROCESSES]


@pytest.fixture(scope="module")
def teacher(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("teacher")
    return tiny.save_teacher(folder, lambda module, x: {"click": module.scale * x}, {"x": tiny.floats()})


def labelled(folder: Path, teacher: Path, engine: list[str]) -> dict[str, bytes]:
    """The files that the labeller leaves, by name, as they are once unpacked."""
    examples = tiny.write_examples(folder / "examples", {"train": SHARDS})
    done = tiny.Labeler(folder / "runs", beam_args(engine)).run(examples, teacher, tiny.make_surface())
    assert done.report.overall.labelled == 40
    files = sorted((Path(done.examples[0].uri) / "Split-train").iterdir())
    return {file.name: gzip.decompress(file.read_bytes()) for file in files}


@pytest.mark.slow
@pytest.mark.parametrize("engine", [THREADS, PROCESSES], ids=["threads", "processes"])
def test_the_labeller_gives_the_same_records(engine, teacher, tmp_path):
    in_memory = labelled(tmp_path / "memory", teacher, [])
    assert len(in_memory) == len(SHARDS)
    assert labelled(tmp_path / "engine", teacher, engine) == in_memory


@pytest.mark.slow
@pytest.mark.flink
def test_a_whole_run_comes_to_the_same_in_worker_processes(tmp_path):
    """It takes five minutes, and so stands beside those of Flink, in `make test-flink`."""
    inputs = whole_runs.write_inputs(tmp_path)
    for root, engine in (("memory", []), ("processes", PROCESSES)):
        assert whole_runs.run(inputs, tmp_path / root, engine)["push"]["pushed"]
    whole_runs.assert_same_run(tmp_path / "processes", tmp_path / "memory")
