"""`crosskd prune`: what goes, what stays, and that nothing half removed is left."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
from ml_metadata.metadata_store import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd
from typer.testing import CliRunner

from contracts.outcome import Exit
from contracts.provenance import Origin, Provenance, TrainingLeft
from contracts.rollback_intent import RollbackIntent
from crosskd import prune as module
from crosskd.main import app
from crosskd.prune import prune
from crosskd.runs import METADATA_FILE, RUN_CONTEXT
from pipeline.metadata import connection
from records import documents
from records.training_states import leave
from schema.errors import InputError
from tests.components.continuation.states import write_state

Outputs = Mapping[str, tuple[str, list[int]]]


class Root:
    """A root in which runs are written by hand: each labels a span, trains on two, and is pushed."""

    def __init__(self, folder: Path):
        self.folder = folder / "root"
        self.serving = self.folder / "serving" / "library"
        self.serving.mkdir(parents=True)
        self._store = MetadataStore(connection(str(self.folder / METADATA_FILE)))

    def run(self, day: int, *, pushed: bool = True) -> None:
        labels = [number for number in (10 * (day - 1) + 1, 10 * day + 1) if number > 10]
        made: Outputs = {
            "ImportSchemaGen": ("schema", [1]),
            "TeacherLabeler": ("labelled_examples", labels[-1:]),
            "Window": ("examples", labels),
            "Transform": ("transformed_examples", [10 * day + 4]),
            "Trainer.student": ("model", [10 * day + 2]),
            "BlessingGate": ("decision", [10 * day + 3]),
        }
        self._record(f"run-{day}", made)
        if pushed:
            runs = {
                role: write_state(self.folder / "left" / f"{day}-{role}", role, f"span/{day}")
                for role in ("student", "control")
            }
            left = TrainingLeft(digest=leave(str(self.serving), runs), data=f"span/{day}")
            self.version(100 + day, model=str(self.path("Trainer.student", "model", 10 * day + 2)), training=left)

    def version(self, version: int, **more: object) -> None:
        given = {"model": "", "model_fingerprint": "", "training": None, **more}
        provenance = Provenance(version=version, pushed_at="", decision="", origin=Origin(surface="library"), **given)
        documents.write(str(self.serving / str(version)), provenance)

    def path(self, node: str, output: str, number: int) -> Path:
        return self.folder / "artifacts" / node / output / str(number)

    def numbers(self, node: str, output: str) -> list[int]:
        return sorted(int(each.name) for each in self.path(node, output, 0).parent.iterdir())

    def versions(self) -> list[int]:
        return sorted(int(each.name) for each in self.serving.glob("[0-9]*"))

    def states(self) -> int:
        return len(list((self.serving / ".training").iterdir()))

    def label_alone(self, number: int) -> None:
        self._write("TeacherLabeler", "labelled_examples", number)

    def _write(self, node: str, output: str, number: int) -> Path:
        folder = self.path(node, output, number)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "file").write_bytes(b"x" * 1000)
        return folder

    def _record(self, run_id: str, outputs: Outputs) -> None:
        kind = self._store.put_artifact_type(mlmd.ArtifactType(name="Any"))
        contexts = [self._context(RUN_CONTEXT, run_id), self._context("pipeline", "crosskd-library")]
        for node, (key, numbers) in outputs.items():
            own = node if node != "Window" else "TeacherLabeler"
            output = key if node != "Window" else "labelled_examples"
            folders = [self._write(own, output, number) for number in numbers]
            # Of several artifacts of an output each has a folder of its own in that of the execution.
            uris = [f"{each}/{part}" if node == "Transform" else str(each) for each in folders for part in (0, 1)]
            made = [mlmd.Artifact(type_id=kind, uri=uri) for uri in dict.fromkeys(uris)]
            execution = mlmd.Execution(
                type_id=self._store.put_execution_type(mlmd.ExecutionType(name=node)),
                last_known_state=mlmd.Execution.COMPLETE,
            )
            event = mlmd.Event(type=mlmd.Event.OUTPUT if node != "Window" else mlmd.Event.INTERNAL_OUTPUT)
            event.path.steps.add(key=key)
            of_node = self._context("node", f"crosskd-library.{node}")
            self._store.put_execution(execution, [(each, event) for each in made], [*contexts, of_node])

    def _context(self, kind: str, name: str) -> mlmd.Context:
        type_id = self._store.put_context_type(mlmd.ContextType(name=kind))
        if self._store.get_context_by_type_and_name(kind, name) is None:
            self._store.put_contexts([mlmd.Context(type_id=type_id, name=name)])
        return self._store.get_context_by_type_and_name(kind, name)


@pytest.fixture
def root(tmp_path) -> Root:
    made = Root(tmp_path)
    for day in range(1, 7):
        made.run(day)
    return made


def test_the_newest_runs_versions_and_states_stay_with_all_that_they_read(root):
    root.label_alone(71)  # a span that no run has trained on yet
    found = prune(root.folder, 2, remove=True)
    assert root.versions() == [105, 106]
    assert root.states() == 2
    # Run 5 trained on the labels of spans 4 and 5.
    assert root.numbers("TeacherLabeler", "labelled_examples") == [41, 51, 61, 71]
    assert root.numbers("Trainer.student", "model") == [52, 62]
    assert root.numbers("Transform", "transformed_examples") == [54, 64]
    assert root.numbers("ImportSchemaGen", "schema") == [1]
    assert root.numbers("BlessingGate", "decision") == [13, 23, 33, 43, 53, 63]  # reports show them
    assert (len(found.versions), len(found.states), len(found.artifacts)) == (4, 4, 11)
    assert found.bytes >= 11 * 1000
    again = prune(root.folder, 2, remove=True)
    assert again.versions == again.states == again.artifacts == []


def test_a_dry_run_removes_nothing_and_says_the_same(root):
    told = CliRunner().invoke(app, ["prune", "--root", str(root.folder), "--keep", "3", "--dry-run", "--json"])
    assert told.exit_code == Exit.OK, told.output
    found = json.loads(told.stdout)
    assert not found["removed"]
    assert [Path(each).name for each in found["versions"]] == ["101", "102", "103"]
    assert all(Path(each).is_dir() for each in (*found["versions"], *found["states"], *found["artifacts"]))
    done = CliRunner().invoke(app, ["prune", "--root", str(root.folder), "--keep", "3"])
    assert done.output.startswith(
        f"removed: {len(found['artifacts'])} artifacts, 3 versions, 3 states to continue from; "
    )
    assert not any(Path(each).exists() for each in (*found["versions"], *found["states"], *found["artifacts"]))


def test_the_run_that_made_a_version_stays_however_many_came_after_it_in_vain(root):
    for day in range(7, 12):
        root.run(day, pushed=False)
    prune(root.folder, 2, remove=True)
    assert root.versions() == [105, 106]
    assert root.numbers("Trainer.student", "model") == [52, 62, 102, 112]
    assert root.numbers("TeacherLabeler", "labelled_examples") == [41, 51, 61, 91, 101, 111]


def test_what_a_rollback_would_bring_back_stays(root):
    """Version 106 was rolled back: 105 serves again as 107, and before it was 104."""
    root.version(
        107, restores=105, rollback_of=106, training=documents.read(str(root.serving / "105"), Provenance).training
    )
    prune(root.folder, 2, remove=True)
    assert root.versions() == [104, 105, 106, 107]


def test_a_rollback_that_was_stopped_is_completed_first(root):
    documents.write(
        str(root.serving),
        RollbackIntent(rollback_of=106, restores=105, source=105, rejects="", decided_at=""),
    )
    with pytest.raises(InputError, match="a rollback was stopped on its way"):
        prune(root.folder, 2, remove=True)
    assert len(root.versions()) == 6


def test_a_version_of_which_nothing_is_known_stops_it(root):
    shutil.rmtree(root.serving / "106" / "assets.extra")
    with pytest.raises(InputError, match="found one without provenance"):
        prune(root.folder, 2, remove=True)
    assert len(root.versions()) == 6


def test_what_was_half_removed_is_no_artifact_and_goes_next_time(root, monkeypatch):
    def killed(folder: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module.shutil, "rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            prune(root.folder, 2, remove=True)
    assert root.versions() == [102, 103, 104, 105, 106]
    assert [each.name for each in root.serving.glob(".expired-*")] == [".expired-101"]
    prune(root.folder, 2, remove=True)
    assert list(root.folder.rglob(".expired-*")) == []
    assert root.versions() == [105, 106]


def test_one_alone_cannot_be_rolled_back_from(root):
    told = CliRunner().invoke(app, ["prune", "--root", str(root.folder), "--keep", "1"])
    assert told.exit_code == 2
