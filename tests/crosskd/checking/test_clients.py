"""A surface that would break the clients of what serves is refused before anything is trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from components.model_pusher.destination import Destination
from components.serving_validator.clients import clients_check
from components.serving_validator.graph import read_graph
from components.serving_validator.requirements import requirements_of
from contracts.decision import Verdict
from contracts.provenance import Origin
from contracts.rollback_intent import RollbackIntent
from crosskd.checking.clients import check_clients
from crosskd.checking.findings import CheckReport, Severity
from crosskd.checking.inspection import RunInputs, inspect_inputs
from models.export import promised_signature
from records.saved_model import FORMAT_SERVING
from records.served import read_served
from schema.loader import load_surface
from tests.components.model_pusher.handmade import cut, publish
from tests.components.serving_validator.columns import write_reader
from tests.e2e import library

REQUIRED: dict[str, Any] = {
    "reader": tf.io.FixedLenFeature([], tf.string),
    "book": tf.io.FixedLenFeature([], tf.int64),
    "match": tf.io.FixedLenFeature([], tf.float32),
}
SPEC: dict[str, Any] = {**REQUIRED, "genre": tf.io.VarLenFeature(tf.string), "pages": tf.io.VarLenFeature(tf.int64)}
TASKS = {"borrowed": "binary", "liked": "binary"}


def push(root: Path, spec: dict[str, Any], *outputs: str, kinds: dict[str, str] | None = None) -> int:
    """Pushes a model to a root, as a run does; the version."""
    artifact = root / "models" / "-".join((*spec, *outputs))
    model = Path(write_reader(artifact / FORMAT_SERVING, spec, *outputs))
    origin = Origin(surface="library", task_kinds=kinds or dict.fromkeys(outputs, "binary"))
    return publish(Destination(str(root / "serving" / "library")), model, origin, artifact=str(artifact)).version


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


def surface(folder: Path, word: str = "") -> Path:
    """A new folder with the library's surface, and a word more of serving."""
    text = library.SURFACE
    assert "serving: {" in text
    place = folder / f"surface-{len(list(folder.glob('surface-*')))}"
    return library.write_surface(place, surface=text.replace("serving: {", f"serving: {{{word}", 1))


def found(folder: Path, root: Path, word: str = "") -> CheckReport:
    report = CheckReport(surface="library")
    check_clients(load_surface(surface(folder, word)), root, report)
    return report


def test_before_the_first_push_there_is_nobody_to_break(tmp_path: Path, root: Path) -> None:
    report = found(tmp_path, root)
    assert (report.findings, report.serves) == ([], None)


def test_clients_that_can_go_on_are_compared_with_what_serves(tmp_path: Path, root: Path) -> None:
    version = push(root, SPEC, *TASKS)
    report = found(tmp_path, root)
    assert (report.findings, report.serves) == ([], version)


@pytest.mark.parametrize(
    ("spec", "kinds", "sentence", "declared"),
    [
        (SPEC, {**TASKS, "returned": "binary"}, "the output returned goes away", "outputs: [returned]"),
        (
            SPEC,
            {**TASKS, "liked": "regression"},
            "the output liked changes its kind from regression to binary",
            "outputs: [liked]",
        ),
        (
            {name: each for name, each in SPEC.items() if name != "reader"},
            TASKS,
            "the input reader becomes required",
            "inputs: [reader]",
        ),
        (
            {**SPEC, "book": tf.io.FixedLenFeature([], tf.string)},
            TASKS,
            "the input book changes from string to int64",
            "inputs: [book]",
        ),
        (
            {**SPEC, "pages": tf.io.VarLenFeature(tf.float32)},
            TASKS,
            "the input pages changes from float32 to int64",
            "inputs: [pages]",
        ),
    ],
    ids=["a task less", "another kind", "a feature more", "another type", "another type of a default"],
)
def test_what_breaks_clients_is_said_as_the_serving_check_says_it(
    tmp_path: Path, root: Path, spec: dict[str, Any], kinds: dict[str, str], sentence: str, declared: str
) -> None:
    version = push(root, spec, *kinds, kinds=kinds)
    (problem,) = found(tmp_path, root).of(Severity.PROBLEM)
    word = f"breaking_change: {{version: {version}, {declared}}}"
    assert problem == (
        f"Clients of version {version}, which serves, would break: {sentence}. When all of them are ready, say so in "
        f"surface.yaml, for this change alone: serving: {{{word}}}."
    )
    student = read_graph(write_reader(tmp_path / "student", SPEC, *TASKS))
    served = read_served(str(root / "serving" / "library" / str(version)), version, kinds)
    after_training = clients_check(student, served, requirements_of(load_surface(surface(tmp_path)).surface))
    assert (after_training.verdict, after_training.sentence) == (Verdict.FAIL, problem)
    assert found(tmp_path, root, f"{word}, ").findings == []


def test_the_newest_version_counts_and_another_copy_of_it_where_it_is_damaged(tmp_path: Path, root: Path) -> None:
    push(root, SPEC, *TASKS, "returned")
    newest = push(root, SPEC, *TASKS)
    assert (found(tmp_path, root).findings, found(tmp_path, root).serves) == ([], newest)
    last = push(root, SPEC, *TASKS, "renewed")
    cut(root / "serving" / "library" / str(last), 100)
    (problem,) = found(tmp_path, root).of(Severity.PROBLEM)
    assert f"Clients of version {last}, which serves, would break: the output renewed goes away." in problem


def test_a_rollback_that_is_not_complete_changes_what_serves_first(tmp_path: Path, root: Path) -> None:
    push(root, SPEC, *TASKS, "returned")
    (root / "serving" / "library" / RollbackIntent.FILE).write_text("{}", encoding="utf-8")
    assert found(tmp_path, root).findings == []


def test_it_is_one_of_all_problems_of_a_check(tmp_path: Path, root: Path) -> None:
    push(root, SPEC, *TASKS, "returned")
    given = RunInputs(str(surface(tmp_path)), tmp_path / "none", tmp_path / "teacher", root=root)
    said = inspect_inputs(given).of(Severity.PROBLEM)
    assert len(said) == 3
    assert sum("would break: the output returned goes away" in each for each in said) == 1
    without_root = inspect_inputs(RunInputs(given.surface, given.examples, given.teacher)).of(Severity.PROBLEM)
    assert [each for each in said if each not in without_root] == [each for each in said if "would break" in each]


def test_the_models_of_these_tests_are_what_the_surface_promises(tmp_path: Path) -> None:
    loaded = load_surface(surface(tmp_path))
    promised = promised_signature(loaded.surface, SPEC)
    model = read_served(write_reader(tmp_path / "model", SPEC, *TASKS), 1, TASKS)
    assert (promised.outputs, promised.columns, promised.kinds) == (model.outputs, model.columns, model.kinds)
