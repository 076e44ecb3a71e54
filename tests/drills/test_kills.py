"""Some of the kills of `python -m tests.drills.kills`, and an interrupt in each node."""

from __future__ import annotations

import time
from pathlib import Path

import psutil
import pytest

from tests.drills import killing
from tests.drills.kills import Drill

pytestmark = pytest.mark.slow

NODES = (
    *("ImportSchemaGen", "ImportExampleGen", "RawStatistics", "RawExampleGuard", "TeacherLabeler"),
    *("LabelledStatistics", "LabelledExampleGuard", "Transform", "Trainer.student", "Trainer.control", "LastServed"),
    *("Evaluator", "ServingValidator", "BlessingGate", "Pusher", "EvaluationReport"),
)
INTERRUPTS = ("SIGINT", "SIGTERM")
CODES = {"SIGINT": 130, "SIGTERM": 143}


@pytest.fixture
def drill(tmp_path: Path):
    made = Drill(tmp_path, seed=0)
    yield made
    made.disk.unmount()


@pytest.mark.timeout(1800)
def test_an_interrupt_in_each_node_ends_the_run_and_the_same_command_goes_on(drill: Drill) -> None:
    """Each attempt goes on from the node in which the one before it was interrupted."""
    drill.story.seed = 1
    arguments = drill.arguments("run")
    for number, node in enumerate(NODES):
        way = INTERRUPTS[number % 2]
        done = killing.attempt(arguments, drill.root, drill.disk, (way, node), 0.0)
        assert done.code == CODES[way], (node, done.said[-3000:])
        assert done.ending < 5, node
        assert done.said.count("interrupted. Give the same command again to go on") == 1, (node, done.said)
        assert "failed" not in done.said, (node, done.said)
    done = killing.attempt(arguments, drill.root, drill.disk, None, 0.0)
    assert done.code == 0, done.said
    assert len(list((drill.root / "serving/library").glob("[0-9]*"))) == 1


@pytest.mark.parametrize(
    ("more", "node"),
    [
        (["--runner", "local"], "Trainer.student"),
        (["--", "--direct_running_mode=multi_processing", "--direct_num_workers=2"], "TeacherLabeler"),
    ],
    ids=["the trainer in the main thread", "Beam's worker processes"],
)
def test_an_interrupt_ends_what_is_at_work_elsewhere(drill: Drill, more: list[str], node: str) -> None:
    drill.story.seed = 1
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    done = killing.attempt([*drill.arguments("run"), *more], drill.root, drill.disk, ("SIGTERM", node), 1.0)
    assert (done.code, done.ending < 5) == (143, True), done.said
    time.sleep(0.5)
    assert {child.pid for child in psutil.Process().children(recursive=True)} <= before


def test_rollbacks_that_are_killed(tmp_path: Path) -> None:
    drill = Drill(tmp_path, seed=int(time.time()), stock=6)
    try:
        for _ in range(3):
            drill.round(kills=3)
        drill.load_what_was_seen()
        assert drill.story.loaded == 9
        assert drill.story.rounds == {"rollback": 3}
    finally:
        drill.disk.unmount()
