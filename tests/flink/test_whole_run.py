"""The whole pipeline on a Flink cluster that loses a task manager in Transform, and one in the Evaluator."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from contracts import nodes
from tests.flink.cluster import Cluster, running, wait_until
from tests.pipeline import whole_runs
from tests.pipeline.whole_runs import Inputs

pytestmark = [pytest.mark.flink, pytest.mark.slow]

# What a task is named after in which Transform writes rows (it has looked at all before), and in which models score.
IN_TRANSFORM, IN_EVALUATOR = "EncodeAndWrite[TransformIndex", "{ScoreInSlices, BesideThe"
_STAGE_WITHIN, _SEEN_WITHIN = 1200, 60  # seconds
_BOTH_AT_WORK = 2


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running(tmp_path_factory.mktemp("flink") / "cluster") as made:
        yield made


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    return whole_runs.write_inputs(tmp_path_factory.mktemp("inputs"))


@pytest.fixture(scope="module")
def in_memory(inputs: Inputs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("memory") / "root"
    whole_runs.run(inputs, root, [])
    return root


class Saboteur(threading.Thread):
    """Kills a task manager when both are at work on a stage, and starts another one in its place."""

    def __init__(self, cluster: Cluster, stage: str, victim: int, successor: int):
        super().__init__(daemon=True)
        self.cluster, self.stage, self.victim, self.successor = cluster, stage, victim, successor
        self.job = ""
        self.at_work = 0
        self.seen: list[str] = []

    def run(self) -> None:
        wait_until(self._has_come, f"both task managers at {self.stage}", _STAGE_WITHIN)
        self.at_work = self.cluster.task_managers_at_work()
        self.cluster.kill(f"task-manager-{self.victim}")
        self._watch()
        self.cluster.start_task_manager(self.successor)

    def _has_come(self) -> bool:
        self.job = self.cluster.job_at(self.stage)
        return bool(self.job) and self.cluster.task_managers_at_work() == _BOTH_AT_WORK

    def _watch(self) -> None:
        """Notes the job's states until it ends."""
        while not self.seen or self.seen[-1] not in ("FINISHED", "FAILED", "CANCELED", ""):
            state = self.cluster.state_of(self.job)
            if [state] != self.seen[-1:]:
                self.seen.append(state)
            time.sleep(0.2)


@dataclass(frozen=True)
class Outlived:
    """A run that went on: its summary, and what it lost."""

    root: Path
    summary: dict[str, Any]
    saboteur: Saboteur


@pytest.fixture(scope="module")
def on_flink(in_memory: Path, cluster: Cluster, inputs: Inputs, tmp_path_factory: pytest.TempPathFactory) -> Outlived:
    """The same run as in memory, on the cluster."""
    saboteur = Saboteur(cluster, IN_TRANSFORM, victim=1, successor=3)
    return sabotaged(cluster, saboteur, inputs, tmp_path_factory.mktemp("on-flink") / "root")


def sabotaged(cluster: Cluster, saboteur: Saboteur, inputs: Inputs, root: Path) -> Outlived:
    """A run on the cluster; the job that lost a task manager began again, and ended well."""
    saboteur.start()
    summary = whole_runs.run(inputs, root, cluster.beam_args)
    saboteur.join(_SEEN_WITHIN)
    assert saboteur.at_work == _BOTH_AT_WORK
    assert saboteur.seen[-1] == "FINISHED"
    assert cluster.log_lines("job-manager", saboteur.job, "switched from state RESTARTING to RUNNING")
    return Outlived(root, summary, saboteur)


def test_a_run_outlives_a_task_manager_in_transform(in_memory, on_flink, capsys):
    assert on_flink.summary["push"]["pushed"]
    whole_runs.assert_same_run(on_flink.root, in_memory)
    tell(capsys, on_flink)


def test_the_evaluator_outlives_a_task_manager(on_flink, cluster, inputs, capsys):
    before = whole_runs.decision_in(on_flink.root)
    wait_until(lambda: cluster.overview().get("taskmanagers") == _BOTH_AT_WORK, "two task managers")
    again = sabotaged(cluster, Saboteur(cluster, IN_EVALUATOR, victim=2, successor=4), raised(inputs), on_flink.root)
    executed = {name for name, node in again.summary["nodes"].items() if node["state"] == "COMPLETE"}
    assert nodes.EVALUATOR in executed
    assert not executed & {nodes.EXAMPLE_GEN, nodes.CANDIDATE_SAMPLER, nodes.TEACHER_LABELER}
    after = whole_runs.decision_in(on_flink.root)
    whole_runs.assert_same_metrics(after, before, whole_runs.AFTER_TRAINING)
    assert after.blessed
    tell(capsys, again)


def raised(inputs: Inputs) -> Inputs:
    """The same inputs with another bound: models of the same labelled examples are trained and evaluated anew."""
    file = inputs.surface / "surface.yaml"
    text = file.read_text()
    file.write_text(text.replace("{metric: auc, at_least: 0.6,", "{metric: auc, at_least: 0.61,"))
    assert file.read_text() != text
    return inputs


def tell(capsys: pytest.CaptureFixture[str], outlived: Outlived) -> None:
    """What happened, for people."""
    with capsys.disabled():
        print(f"\nkilled at {outlived.saboteur.stage}; the job was {', '.join(outlived.saboteur.seen)}")
        for name, node in outlived.summary["nodes"].items():
            print(f"{name:24} {node['state']:10} {node['seconds']:.0f} s")
