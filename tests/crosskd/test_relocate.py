"""A root that was moved or copied names its own files again."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path

import pytest
from ml_metadata.metadata_store import MetadataStore
from ml_metadata.proto import metadata_store_pb2
from typer.testing import CliRunner

from crosskd import rolling_back
from crosskd.launch import only_run_in
from crosskd.main import app
from crosskd.places import METADATA_FILE, expect_here, in_root, recorded_place
from crosskd.relocate import relocate
from crosskd.runs import METADATA_URL_FILE
from pipeline.metadata import connection
from schema.errors import InputError
from tests.crosskd.pushes import keep_metadata, push

OTHER = "/elsewhere/artifacts/Trainer.student/model/7"


def make(root: Path) -> Path:
    """A root with two versions, whose metadata name its schema, its models, and a teacher from elsewhere."""
    push(root, "a"), push(root, "b")
    store = keep_metadata(root, "a", "b")
    kind = store.put_artifact_type(metadata_store_pb2.ArtifactType(name="Schema"))
    schema = metadata_store_pb2.Artifact(type_id=kind, uri=f"{root}/artifacts/ImportSchemaGen/schema/1")
    schema.custom_properties["where"].string_value = str(root)
    teacher = metadata_store_pb2.Artifact(type_id=kind, uri=OTHER)
    store.put_artifacts([schema, teacher])
    runs = store.put_execution_type(metadata_store_pb2.ExecutionType(name="Pusher"))
    pusher = metadata_store_pb2.Execution(type_id=runs)
    pusher.custom_properties["push_destination"].string_value = json.dumps({"base": f"{root}/serving/homepage"})
    pusher.custom_properties["examples"].string_value = f"{root}-of-others/examples"
    store.put_executions([pusher])
    return root


@pytest.fixture(params=["root", "W\u00fcrzel 1"])
def root(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    return make(tmp_path / request.param)


def moved(root: Path) -> Path:
    return Path(shutil.move(root, root.parent / "now" / "here \u00e4"))


def store_of(root: Path) -> MetadataStore:
    return MetadataStore(connection(str(root / METADATA_FILE), read_only=True))


def test_a_root_that_stayed(root: Path) -> None:
    assert recorded_place(root) == root
    expect_here(root)
    assert relocate(root) == (root, 0)


def test_a_moved_root_is_refused_and_the_command_named(root: Path) -> None:
    (root.parent / "now").mkdir()
    there = moved(root)
    message = rf"this root was made at {root}, and moved or copied since.*`crosskd relocate --root {there}`"
    with pytest.raises(InputError, match=message), only_run_in(there):
        pytest.fail("a run begins")
    for command in ("summary", "gate", "report", "rollback"):
        done = CliRunner().invoke(app, [command, "--root", str(there)])
        assert done.exit_code == 2
        assert "crosskd relocate --root" in done.output.replace("\n", " ")


def test_a_copied_root_names_its_own_files(root: Path) -> None:
    copy = Path(shutil.copytree(root, root.parent / "copy \u00e4"))
    before = (root / METADATA_FILE).read_bytes()
    done = CliRunner().invoke(app, ["relocate", "--root", str(copy), "--json"])
    assert json.loads(done.output) == {"root": str(copy), "before": str(root), "changed": 5}
    store = store_of(copy)
    assert {each.uri for each in store.get_artifacts()} == {
        f"{copy}/artifacts/ImportSchemaGen/schema/1",
        f"{copy}/models/a",
        f"{copy}/models/b",
        OTHER,
    }
    (pusher,) = store.get_executions()
    assert json.loads(pusher.custom_properties["push_destination"].string_value) == {"base": f"{copy}/serving/homepage"}
    assert pusher.custom_properties["examples"].string_value == f"{root}-of-others/examples"
    assert (root / METADATA_FILE).read_bytes() == before
    expect_here(copy)
    assert relocate(copy) == (copy, 0)


def test_times_stay(root: Path) -> None:
    copy = Path(shutil.copytree(root, root.parent / "copy"))
    before = {each.id: each.last_update_time_since_epoch for each in store_of(copy).get_executions()}
    relocate(copy)
    assert {each.id: each.last_update_time_since_epoch for each in store_of(copy).get_executions()} == before


def test_a_rollback_in_a_moved_root_marks_the_model(root: Path) -> None:
    (root.parent / "now").mkdir()
    there = moved(root)
    relocate(there)
    rolling_back.roll_back(there, there / "serving/homepage")
    assert len(list((there / "serving/homepage").glob("[0-9]*"))) == 3


def test_an_artifact_of_a_root_lies_where_the_root_lies(tmp_path: Path) -> None:
    assert in_root(tmp_path, OTHER) == f"{tmp_path}/artifacts/Trainer.student/model/7"
    assert in_root(tmp_path, "gs://bucket/model") == "gs://bucket/model"
    assert in_root(tmp_path, "") == ""


@pytest.mark.parametrize("name", [METADATA_FILE, METADATA_URL_FILE])
def test_what_cannot_be_relocated(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mysql://of@a.server/database")
    done = CliRunner().invoke(app, ["relocate", "--root", str(tmp_path)])
    assert done.exit_code == 2
    assert "nothing was changed" in done.output or "put a link" in done.output.replace("\n", " ")


def test_while_another_writes_nothing_is_changed(root: Path) -> None:
    copy = Path(shutil.copytree(root, root.parent / "copy"))
    with sqlite3.connect(copy / METADATA_FILE) as other:
        other.execute("BEGIN IMMEDIATE")
        done = CliRunner().invoke(app, ["relocate", "--root", str(copy)])
        assert done.exit_code == 2
        assert "another process is writing the metadata" in done.output.replace("\n", " ")
        other.rollback()
    assert recorded_place(copy) == root
