"""A million examples on a Flink cluster that loses a task manager: complete, and the same as without it."""

from __future__ import annotations

import gzip
import hashlib
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tfx.types import Artifact

from tests.components.teacher_labeler import conftest as tiny
from tests.flink.cluster import Cluster, running, wait_until

pytestmark = [pytest.mark.flink, pytest.mark.slow]

SHARDS = 40
ROWS = 1_000_000
KILLED_AFTER = SHARDS // 2
_LABELS_WITHIN = 900  # seconds


@pytest.fixture(scope="module")
def examples(tmp_path_factory) -> Artifact:
    rows = ROWS // SHARDS
    shards = (
        [tiny.make_example(x=_spread(shard * rows + row), clicked=row % 2) for row in range(rows)]
        for shard in range(SHARDS)
    )
    return tiny.write_examples(tmp_path_factory.mktemp("examples"), {"train": Shards(shards)})


def _spread(place: int) -> float:
    """A number of -2 up to 2, of its own for each place, and all over in any few of them: no probability."""
    return 4 * (place * 7_919 % ROWS) / ROWS - 2


class Shards:
    """Shards that are made one after the other, but whose number is known."""

    def __init__(self, shards: Iterator[list[bytes]]):
        self._shards = shards

    def __iter__(self) -> Iterator[list[bytes]]:
        return self._shards

    def __len__(self) -> int:
        return SHARDS


@pytest.fixture(scope="module")
def teacher(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("teacher")
    return tiny.save_teacher(folder, lambda module, x: {"click": module.scale * x}, {"x": tiny.floats()})


@pytest.fixture
def cluster(tmp_path) -> Iterator[Cluster]:
    with running(tmp_path / "cluster") as made:
        yield made


class Saboteur(threading.Thread):
    """Kills a task manager when half of the shards are labelled."""

    def __init__(self, cluster: Cluster, staging: Path):
        super().__init__(daemon=True)
        self.cluster = cluster
        self.staging = staging
        self.labelled = 0
        self.at_work = 0
        self.job = ""

    def run(self) -> None:
        # A shard that is being written counts, too; there are two of them.
        wait_until(lambda: self._files() >= KILLED_AFTER + 2, "half of the shards", _LABELS_WITHIN)
        self.labelled, self.at_work, self.job = (
            self._files() - 2,
            self.cluster.task_managers_at_work(),
            self.cluster.job_state(),
        )
        self.cluster.kill("task-manager-1")

    def _files(self) -> int:
        return len(list(self.staging.glob("[0-9]*.gz")))


def digests(labelled: tiny.Labelled) -> dict[str, str]:
    """Of each labelled shard, unpacked, by its name: records and their order."""
    files = sorted((Path(labelled.examples[0].uri) / "Split-train").iterdir())
    return {file.name: hashlib.sha256(gzip.decompress(file.read_bytes())).hexdigest() for file in files}


def test_a_million_examples_outlive_a_task_manager(cluster, examples, teacher, tmp_path, capsys):
    on_flink = tiny.Labeler(tmp_path / "flink", cluster.beam_args)
    saboteur = Saboteur(cluster, tmp_path / "flink" / "run-1" / "labelled_examples" / ".staging")
    saboteur.start()
    surface = tiny.make_surface()
    flink = on_flink.run(examples, teacher, surface)
    saboteur.join()
    memory = tiny.Labeler(tmp_path / "memory").run(examples, teacher, surface)
    assert (saboteur.at_work, saboteur.job) == (2, "RUNNING")
    assert cluster.overview()["taskmanagers"] == 1
    assert flink.report.overall.labelled == memory.report.overall.labelled == ROWS
    assert len(digests(flink)) == SHARDS
    assert digests(flink) == digests(memory)
    assert cluster.log_lines("job-manager", "Job ", "switched from state RESTARTING to RUNNING")
    with capsys.disabled():
        print(f"\nkilled with {saboteur.labelled} of {SHARDS} shards labelled; all {SHARDS} equal afterwards")
        for line in cluster.log_lines("job-manager", "Job ", "switched from state"):
            print(line)
