"""No command lets TensorFlow, which writes to the terminal from C++, be imported before its output goes to a log."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ml_metadata.proto import metadata_store_pb2 as mlmd

from contracts import keys, nodes
from crosskd.runs import METADATA_FILE
from pipeline.spans import EXAMPLES
from tests.crosskd.first_import import Place
from tests.crosskd.handmade_run import FINISHED, write_run
from tests.crosskd.pushes import push
from tests.e2e import library

WITH_TENSORFLOW = (
    *("run", "check", "label", "experiment", "experiment of spans", "curve", "curve of spans", "live", "monitor"),
    *("live of spans", "train-teacher", "init", "import", "world", "compile", "demo", "fingerprint", "rollback"),
    *("store-labels", "join-teachers", "compare", "ab", "days", "tune"),
)
WITHOUT = ("summary", "gate", "gate --suggest", "report", "check of nothing", "relocate", "run of nothing")
_OUTPUTS = {
    nodes.TRANSFORM: (keys.TRANSFORMED_EXAMPLES, keys.TRANSFORM_GRAPH),
    nodes.TEACHER_LABELER: (keys.LABELLED_EXAMPLES,),
    nodes.TEACHER: (keys.IMPORTED,),
}


def finished(root: Path, *, spans: bool = False) -> Path:
    """A root with a run that left what an experiment reads; of a window of spans on demand."""
    root.mkdir()
    outputs: dict[str, tuple[str, ...]] = {**_OUTPUTS, nodes.WINDOW: (EXAMPLES,)} if spans else dict(_OUTPUTS)
    store = write_run(root, "run", {**FINISHED, **dict.fromkeys(outputs, "COMPLETE")})
    for execution in store.get_executions():
        (kind,) = store.get_execution_types_by_id([execution.type_id])
        for key in outputs.get(kind.name, ()):
            folder = root / "artifacts" / kind.name / key
            folder.mkdir(parents=True)
            type_id = store.put_artifact_type(mlmd.ArtifactType(name=key))
            (artifact,) = store.put_artifacts([mlmd.Artifact(type_id=type_id, uri=str(folder))])
            event = mlmd.Event(artifact_id=artifact, execution_id=execution.id, type=mlmd.Event.OUTPUT)
            event.path.steps.add(key=key)
            store.put_events([event])
    assert (root / METADATA_FILE).is_file()
    return root


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Where the output went at the first import, by command."""
    folder = tmp_path_factory.mktemp("clean")
    surface, nothing = library.write_surface(folder / "surface"), folder / "nothing"
    examples = library.write_examples(folder / "examples", sizes=(40, 20))
    teacher = library.write_teacher(folder / "teacher")
    root, of_spans = finished(folder / "root"), finished(folder / "spans", spans=True)
    push(root, "a", "tiny")
    log = folder / "log.csv"
    log.write_text("user,arm,clicks\n1,control,0\n2,student,1\n3,control,1\n4,student,2\n", encoding="utf-8")
    bring = ["--surface", surface, "--examples", examples, "--teacher", teacher]
    study = ["--surface", surface, "--out", folder / "out"]
    live = ["live", "--world", folder, "--surface", "radio", "--out", folder / "out"]
    two = ["--teacher", f"a={teacher}", "--teacher", f"b={teacher}"]
    library.write_examples(folder / "logs" / "span-1", sizes=(20, 10))
    commands = {
        "days": ["days", *study, "--examples", folder / "logs", "--teacher", teacher],
        "run": ["run", *bring, "--root", folder / "new"],
        "run of nothing": ["run", "--surface", surface, "--examples", examples, "--teacher", nothing, "--root", root],
        "check": ["check", *bring],
        "check of nothing": ["check", "--surface", nothing, "--examples", nothing, "--teacher", nothing],
        "label": ["label", *bring, "--root", folder / "new"],
        "experiment": ["experiment", *study, "--root", root],
        "experiment of spans": ["experiment", *study, "--root", of_spans],
        "curve": ["curve", "--over", "data", *study, "--root", root],
        "curve of spans": ["curve", "--over", "data", *study, "--root", of_spans],
        "tune": ["tune", *study, "--root", root],
        "live": [*live, "--student", teacher, "--control", teacher],
        "live of spans": [*live, "--root", of_spans],
        "monitor": ["monitor", "--root", root, "--examples", examples],
        "ab": ["ab", "--log", log, "--unit", "user", "--arm", "arm", "--metric", "clicks"],
        "train-teacher": ["train-teacher", "--surface", surface, "--examples", examples, "--out", folder / "t"],
        "init": ["init", "--examples", examples, "--teacher", teacher, "--out", folder / "drafted"],
        "import": ["import", "--surface", surface, "--examples", examples, "--out", folder / "imported"],
        "world": ["world", "simulated", "--out", folder / "world"],
        "compile": [
            *("compile", "--surface", surface, "--image", "crosskd:1", "--pipeline-root", "s3://bucket/runs"),
            *("--out", folder / "pipeline.yaml"),
        ],
        "demo": ["demo", "--out", folder / "demo"],
        "fingerprint": ["fingerprint", teacher],
        "store-labels": ["store-labels", "--labels", examples, "--key-column", "id", "--out", folder / "stored"],
        "join-teachers": ["join-teachers", *two, "--out", folder / "joined"],
        "compare": ["compare", root, root, "--out", folder / "c.html"],
        "summary": ["summary", "--root", root],
        "gate": ["gate", "--root", root],
        "gate --suggest": ["gate", "--root", root, "--suggest"],
        "report": ["report", "--root", root],
        "rollback": ["rollback", "--root", root],
        "relocate": ["relocate", "--root", root],
    }
    assert set(commands) == {*WITH_TENSORFLOW, *WITHOUT}
    given = json.dumps({name: [str(each) for each in arguments] for name, arguments in commands.items()})
    command = [sys.executable, "-m", "tests.crosskd.first_import"]
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("name", WITH_TENSORFLOW)
def test_output_goes_to_a_log_before_tensorflow_is_imported(places: dict[str, Any], name: str) -> None:
    assert places[name]["place"] == Place.LOG, places[name]["said"]


@pytest.mark.parametrize("name", WITHOUT)
def test_what_needs_no_tensorflow_does_not_import_it(places: dict[str, Any], name: str) -> None:
    assert places[name]["place"] == Place.NOT_IMPORTED
