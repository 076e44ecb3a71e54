"""RawStatistics finds what TFX's StatisticsGen finds."""

from __future__ import annotations

from pathlib import Path

import pytest
from tfx.components.statistics_gen import executor as usual
from tfx.components.statistics_gen.stats_artifact_utils import load_statistics
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.types import standard_artifacts

from components.raw_statistics.executor import Executor
from pipeline.beam_options import beam_args
from schema.errors import InputError
from tests.components.teacher_labeler import conftest as tiny

SHARDS = [[tiny.make_example(x=float(10 * shard + row), word=f"w{row % 3}") for row in range(10)] for shard in range(4)]
PROCESSES = ["--direct_running_mode=multi_processing", "--direct_num_workers=2"]


def statistics_of(kind: type[usual.Executor], folder: Path, engine: list[str]) -> standard_artifacts.ExampleStatistics:
    examples = tiny.write_examples(folder / "examples", {"train": SHARDS})
    for file in sorted((folder / "examples").glob("*-damaged/*")):
        file.rename(folder / "examples" / "Split-train" / file.name)
    statistics = standard_artifacts.ExampleStatistics()
    statistics.uri = str(folder / "statistics")
    context = BaseBeamExecutor.Context(beam_pipeline_args=beam_args(engine), tmp_dir=str(folder / "tmp"))
    kind(context).Do({"examples": [examples]}, {"statistics": [statistics]}, {"exclude_splits": "[]"})
    return statistics


def test_statistics_are_those_of_statistics_gen(tmp_path):
    expected, found = (
        load_statistics(statistics_of(kind, tmp_path / kind.__module__, []), "train").proto()
        for kind in (usual.Executor, Executor)
    )
    assert found.datasets[0].num_examples == 40
    assert found == expected


@pytest.mark.slow
def test_they_are_computed_in_worker_processes(tmp_path):
    """Without ProcessRunner they fail: a worker cannot import TFDV before TFX."""
    found = load_statistics(statistics_of(Executor, tmp_path, PROCESSES), "train").proto()
    assert found.datasets[0].num_examples == 40


def test_a_truncated_file_is_an_error(tmp_path):
    damaged = tmp_path / "examples" / "Split-damaged"
    damaged.mkdir(parents=True)
    (damaged / "z.gz").write_bytes(b"\x1f\x8b")
    with pytest.raises(InputError, match=r"z\.gz"):
        statistics_of(Executor, tmp_path, [])
