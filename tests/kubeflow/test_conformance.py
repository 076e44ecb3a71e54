"""The compiled pipeline, run as Kubeflow's backends run it, comes to what the local runner comes to."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import yaml

from contracts.decision import Decision
from crosskd.runs import newest_run
from evaluation import results as evaluation
from pipeline.kubeflow.compiler import Request, compile_job
from pipeline.kubeflow.parameters import Defaults
from pipeline.kubeflow.policies import Policies
from pipeline.runners import DEFAULT_BEAM_ARGS
from records import documents
from records.fingerprint import fingerprint
from schema.loader import load_surface
from tests.e2e import library
from tests.kubeflow.backend import GENERIC_TYPES, Backend, OpenSource, TaskFailedError, Vertex
from tests.kubeflow.containers import Containers
from tests.kubeflow.object_store import ObjectStore

SECONDS = 1200
# The first test of each backend runs the whole pipeline, and on a busy machine that takes its time.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(2 * SECONDS)]

TFX_ENTRY_POINT = "tfx.orchestration.kubeflow.v2.container.kubeflow_v2_run_executor"
TFX_OPTIONS = ("--executor_class_path", "--json_serialized_invocation_args", "--json_serialized_inputs_spec_args")


@dataclass(frozen=True)
class World:
    """The library's folders, and the pipeline compiled for them."""

    folder: Path

    @property
    def pipeline(self) -> Path:
        return self.folder / "pipeline.yaml"


@pytest.fixture(scope="module")
def containers():
    running = Containers()
    yield running
    running.close()


@pytest.fixture(scope="module")
def store():
    running = ObjectStore("mlpipeline")
    yield running
    running.close()


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> World:
    made = World(tmp_path_factory.mktemp("conformance"))
    surface = load_surface(library.write_surface(made.folder / "surface"))
    examples = library.write_examples(made.folder / "examples" / "1").parent / "{SPAN}"
    teacher = str(library.write_teacher(made.folder / "teacher"))
    defaults = Defaults(
        examples=str(examples),
        span="1",
        teacher=teacher,
        teacher_fingerprint=fingerprint(teacher),
        serving=None,
        seed=surface.surface.training.seed,
        gates="",
        beam_args=" ".join(DEFAULT_BEAM_ARGS),
    )
    job = compile_job(
        Request(surface.surface, surface.schema_path.read_text(), "crosskd:1", OpenSource.root, defaults, Policies())
    )
    made.pipeline.write_text(yaml.safe_dump(job["pipelineSpec"]))
    return made


@pytest.fixture(scope="module")
def local(world) -> Path:
    """The root of a run by the local runner."""
    root = world.folder / "local"
    options = {"surface": "surface", "examples": "examples/1", "teacher": "teacher", "root": "local"}
    words = [word for name, place in options.items() for word in (f"--{name}", str(world.folder / place))]
    crosskd = "from crosskd.main import app; app()"
    done = subprocess.run(
        [sys.executable, "-c", crosskd, "run", *words], capture_output=True, text=True, timeout=SECONDS
    )
    assert done.returncode == 0, done.stderr
    return root


@pytest.fixture(scope="module")
def vertex(world, containers) -> Backend:
    backend = Vertex(world.pipeline, world.folder / "vertex", serving_at(world, "vertex"), containers)
    backend.run()
    return backend


@pytest.fixture(scope="module")
def open_source(world, containers, store) -> Backend:
    folder = world.folder / "open_source"
    backend = OpenSource(world.pipeline, folder, serving_at(world, "open_source"), containers, store)
    backend.run()
    return backend


def serving_at(world: World, name: str) -> dict[str, str]:
    return {"serving": str(world.folder / name / "serving")}


def decision_of(backend: Backend) -> Decision:
    return documents.read(str(backend.artifact("blessing-gate", "decision")), Decision)


def pushed(serving: Path) -> Path:
    (version,) = [each for each in serving.iterdir() if each.name.isdigit()]
    return version


def metrics_of(decision: Decision) -> dict[str, float]:
    """Every metric of student and control.  Their intervals differ from run to run: TFMA draws folds anew."""
    found = {}
    for row in decision.metrics:
        for name in ("student", "control"):
            measured = getattr(row, name)
            if measured is not None and measured.value is not None:
                found[f"{row.task} {row.metric} {row.slice} {name}"] = measured.value
    return found


def verdicts_of(decision: Decision) -> list[tuple[str, ...]]:
    gates = [(gate.task, str(gate.slice), gate.kind, gate.verdict, gate.reason) for gate in decision.gates]
    return [*gates, *((check.name, check.verdict) for check in decision.checks)]


def predictions(model: Path, examples: Path) -> dict[str, np.ndarray]:
    """What a SavedModel answers to all examples of the evaluation split."""
    files = sorted(map(str, (examples / "eval").glob("*.gz")))
    records = list(tf.data.TFRecordDataset(files, "GZIP").as_numpy_iterator())
    served = tf.saved_model.load(str(model)).signatures["serving_default"]
    (name,) = served.structured_input_signature[1]
    return {task: scores.numpy() for task, scores in served(**{name: tf.constant(records)}).items()}


@pytest.mark.parametrize("name", ["vertex", "open_source"])
def test_it_comes_to_the_local_runners_model_decision_and_metrics(name, local, world, request):
    backend = request.getfixturevalue(name)
    run = newest_run(local)
    expected, found = documents.read(run.output("BlessingGate", "decision")[0], Decision), decision_of(backend)
    assert (found.blessed, found.first_run, found.sentence) == (True, True, expected.sentence)
    assert verdicts_of(found) == verdicts_of(expected)
    assert metrics_of(found) == pytest.approx(metrics_of(expected), abs=1e-5)
    examples = world.folder / "examples" / "1"
    ours = predictions(pushed(backend.folder / "serving"), examples)
    theirs = predictions(pushed(local / "serving" / "library"), examples)
    assert set(ours) == set(theirs) == {"borrowed", "liked"}
    for task, scores in ours.items():
        np.testing.assert_allclose(scores, theirs[task], atol=1e-5)


def test_the_object_store_holds_nested_folders_and_no_marker(open_source, store):
    keys = store.keys(open_source.artifacts["trainer-student", "model"]["uri"])
    inside = {key.partition("/model/")[2] for key in keys}
    assert {"Format-Serving/saved_model.pb", "Format-Serving/variables/variables.index"} <= inside
    assert not [key for key in store.keys(OpenSource.root) if key.endswith("/")]


def test_tasks_end_after_those_they_depend_on(open_source):
    ended = {name: place for place, name in enumerate(open_source.order)}
    tasks = open_source.spec.root.dag.tasks
    assert set(ended) == set(tasks)
    assert all(ended[before] < ended[name] for name in tasks for before in tasks[name].dependent_tasks)


def test_a_command_by_itself_does_what_the_forked_one_does(world, vertex, tmp_path):
    """The conformance runs fork their processes from one that has imported TFX; this one starts from nothing."""
    task = vertex._task("import-schema-gen")
    executor_input = vertex._drive(task)
    (schema,) = executor_input["outputs"]["artifacts"]["schema"]["artifacts"]
    schema["uri"] = str(tmp_path / "schema")
    executor_input["outputs"]["outputFile"] = str(tmp_path / "output.json")
    container = task.executor["container"]
    command = vertex._substitute([*container["command"], *container["args"]], executor_input)
    subprocess.run([sys.executable, *command[1:]], check=True, capture_output=True, timeout=300)
    assert (tmp_path / "schema" / "schema.pbtxt").read_text() == (
        vertex.artifact("import-schema-gen", "schema") / "schema.pbtxt"
    ).read_text()
    assert (tmp_path / "output.json").is_file()


def test_the_next_candidate_is_compared_with_what_serves(world, open_source, containers, store):
    """The control stands for the next day's student; the student of this run is what serves."""
    parameters = serving_at(world, "open_source")
    again = OpenSource(world.pipeline, world.folder / "again", parameters, containers, store)
    again.artifacts = dict(open_source.artifacts)
    again.artifacts["trainer-student", "model"] = open_source.artifacts["trainer-control", "model"]
    for name in ("last-blessed", "evaluator-last-blessed"):
        again.run_task(again._task(name))
    serving = pushed(Path(parameters["serving"]))
    assert again.artifacts["last-blessed", "model"]["metadata"]["served_version"] == int(serving.name)
    found = evaluation.read(str(again.artifact("evaluator-last-blessed", "evaluation")))
    assert found.has_baseline
    first = evaluation.read(str(open_source.artifact("evaluator-last-blessed", "evaluation")))
    assert not first.has_baseline


@pytest.mark.parametrize("kind", GENERIC_TYPES, ids=str)
def test_tfx_own_entry_point_fails_where_a_backend_hands_over_no_class(world, containers, store, tmp_path, kind):
    """Red without ours: the first node that has an input ends before its executor starts."""
    backend = OpenSource(world.pipeline, tmp_path, serving_at(world, "none"), containers, store)
    backend.artifacts["import-example-gen", "examples"] = {"uri": str(tmp_path), "metadata": {"split_names": "[]"}}
    task = backend._task("raw-statistics")
    _use_tfx_entry_point(task.executor["container"])
    executor_input = backend._drive(task)
    executor_input["inputs"]["artifacts"]["examples"]["artifacts"][0]["type"] = dict(kind)
    # The older drivers give outputs their schemas, so that the input alone is what is wrong.
    executor_input["outputs"]["artifacts"]["statistics"]["artifacts"][0]["type"] = {
        "schemaTitle": "tfx.ExampleStatistics"
    }
    with pytest.raises(TaskFailedError, match=r"_retrieve_class_path|_parse_raw_artifact|import_class_by_path"):
        backend._launch(task, executor_input)


def _use_tfx_entry_point(container: dict) -> None:
    args = container["args"]
    pairs = [(name, args[place + 1]) for place, name in enumerate(args) if name in TFX_OPTIONS]
    container["command"] = ["python", "-m", TFX_ENTRY_POINT]
    container["args"] = [word for pair in pairs for word in pair]
