"""The compiled pipeline, run as Kubeflow's backends run it, comes to what the local runner comes to."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from evaluation import results as evaluation
from pipeline.beam_options import DEFAULT_BEAM_ARGS
from pipeline.kfp.compiler import CompileRequest
from pipeline.kfp.parameters import Defaults
from pipeline.kfp.policies import Policies
from records.fingerprint import fingerprint
from schema.loader import load_surface
from tests.e2e import library
from tests.kubeflow.backend import Cluster, OpenSource, TaskFailedError
from tests.kubeflow.comparison import (
    decision_of,
    earlier_runs_of,
    metrics_of,
    page_of,
    pushed,
)
from tests.kubeflow.conforming import (
    ELSEWHERE,
    ROOT,
    ROWS,
    SECRETS,
    WINDOW,
    World,
    check_against_local,
    run_open_source,
)
from tests.kubeflow.containers import Containers
from tests.kubeflow.image import ROOT_VARIABLE, InImage
from tests.kubeflow.metadata_service import MetadataService
from tests.kubeflow.object_store import ObjectStore
from tests.kubeflow.vertex import Vertex

SECONDS = 1200


# The first test of each backend runs the whole pipeline, and on a busy machine that takes its time.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(2 * SECONDS)]


TFX_ENTRY_POINT = "tfx.orchestration.kubeflow.v2.container.kubeflow_v2_run_executor"
TFX_OPTIONS = ("--executor_class_path", "--json_serialized_invocation_args", "--json_serialized_inputs_spec_args")


@pytest.fixture(scope="module")
def containers():
    running = Containers()
    yield running
    running.close()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    store = ObjectStore("mlpipeline", "elsewhere")
    folder = tmp_path_factory.mktemp("cluster")
    service = MetadataService(folder / "mlmd.db")
    yield Cluster(store, service, folder / "disk", secrets=SECRETS)
    service.close()
    store.close()


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> World:
    folder = tmp_path_factory.mktemp("conformance")
    text = library.SURFACE + library.PAIRS
    surface = load_surface(library.write_surface(folder / "surface", surface=text, schema=library.SCHEMA_WITH_PAIRS))
    for span in WINDOW:
        library.write_examples(folder / "examples" / span, seed=int(span), sizes=ROWS)
    library.write_candidates(folder / "candidates", rows=ROWS[0])
    teacher = str(library.write_teacher(folder / "teacher"))
    defaults = Defaults(
        examples=None,
        span=WINDOW[-1],
        teacher=None,
        teacher_fingerprint=fingerprint(teacher),
        serving=None,
        seed=surface.surface.training.seed,
        gates="",
        beam_args=" ".join(DEFAULT_BEAM_ARGS),
        candidates=None,
        candidates_fingerprint=fingerprint(str(folder / "candidates")),
    )
    schema = surface.schema_path.read_text()
    request = CompileRequest(surface.surface, schema, "crosskd:1", ROOT, defaults, Policies(), window=len(WINDOW))
    return World(folder, request)


@pytest.fixture(scope="module")
def running_locally(containers, world) -> Iterator[Future[int]]:
    """A run by the local runner, which goes on beside that of the first backend."""
    places = {
        "surface": "surface",
        "examples": "examples/{SPAN}",
        "teacher": "teacher",
        "candidates": "candidates",
        "root": "local",
    }
    words = [word for name, place in places.items() for word in (f"--{name}", str(world.folder / place))]
    command = ["python", "-m", "tests.kubeflow.local_run", "run", *words, "--window", str(len(WINDOW))]
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(containers.run, command, {}, world.folder / "local.log")


@pytest.fixture(scope="module")
def local(world, running_locally) -> Path:
    """The root of the run by the local runner."""
    assert running_locally.result(SECONDS) == 0, (world.folder / "local.log").read_text()
    return world.folder / "local"


@pytest.fixture(scope="module")
def vertex(containers, world, running_locally) -> Vertex:
    pipeline = world.compile(
        "vertex",
        examples=str(world.folder / "examples" / "{SPAN}"),
        teacher=str(world.teacher),
        serving=str(world.folder / "vertex" / "serving"),
        candidates=str(world.folder / "candidates"),
    )
    backend = Vertex(pipeline, world.folder / "vertex", {}, containers)
    backend.run()
    return backend


@pytest.fixture(scope="module")
def in_buckets(world, cluster) -> Path:
    """The pipeline for examples, teacher and serving in another bucket than the root's."""
    cluster.store.upload(world.teacher, f"{ELSEWHERE}/teacher")
    for name in ("examples", "candidates"):
        cluster.store.upload(world.folder / name, f"{ELSEWHERE}/{name}")
    return world.compile(
        "buckets",
        cluster.store.endpoint,
        examples=f"{ELSEWHERE}/examples/{{SPAN}}",
        teacher="minio://elsewhere/teacher",
        serving=f"{ELSEWHERE}/serving",
        candidates=f"{ELSEWHERE}/candidates",
    )


@pytest.fixture(scope="module")
def open_source(world, containers, cluster, in_buckets) -> OpenSource:
    return run_open_source(world, cluster, containers, in_buckets, "open_source")


@pytest.fixture(scope="module")
def again(world, containers, cluster, in_buckets, open_source) -> OpenSource:
    """The same run once more."""
    return run_open_source(world, cluster, containers, in_buckets, "again")


@pytest.fixture(scope="module")
def refused(world, containers, cluster, in_buckets, again) -> OpenSource:
    """A run whose gates no student passes; it ends as one that failed."""
    gates = json.dumps({"borrowed": [{"metric": "auc", "at_least": 0.999}]})
    backend = OpenSource(in_buckets, world.folder / "refused", {"gates": gates}, containers, cluster, ROOT)
    said = r"(?s)outcome: failed; the last of 1 attempts: exit code 3\n.*Not blessed: "
    with pytest.raises(TaskFailedError, match=said):
        backend.run()
    return backend


@pytest.fixture
def served(cluster, open_source, tmp_path) -> Path:
    """What the model server would see, on this disk."""
    cluster.store.download(f"{ELSEWHERE}/serving", tmp_path / "serving")
    return tmp_path / "serving"


def test_vertex_comes_to_the_local_runners_model_decision_and_metrics(vertex, local, world):
    check_against_local(vertex, world.folder / "vertex" / "serving", local, world)


def test_open_source_comes_to_the_local_runners_model_decision_and_metrics(local, world, open_source, served):
    check_against_local(open_source, served, local, world)


@pytest.mark.image
def test_the_built_image_comes_to_the_local_runners_model_decision_and_metrics(
    world, cluster, in_buckets, local, tmp_path
):
    """Every node in a container of the image, and nothing from the cache."""
    containers = InImage(Path(os.environ[ROOT_VARIABLE]), world.folder.parent)
    serving = f"{ELSEWHERE}/image"
    ran = run_open_source(world, replace(cluster, cache={}), containers, in_buckets, "image", serving=serving)
    cluster.store.download(serving, tmp_path / "serving")
    check_against_local(ran, tmp_path / "serving", local, world)


def test_the_object_store_holds_nested_folders_and_no_marker(open_source, cluster):
    keys = cluster.store.keys(open_source.artifacts["trainer-student", "model"]["uri"])
    inside = {key.partition("/model/")[2] for key in keys}
    assert {"Format-Serving/saved_model.pb", "Format-Serving/variables/variables.index"} <= inside
    assert not [key for uri in (ROOT, ELSEWHERE) for key in cluster.store.keys(uri) if key.endswith("/")]


def test_every_container_got_a_log_that_it_did_not_ask_for(open_source, cluster):
    logs = {task: each["uri"] for (task, key), each in open_source.artifacts.items() if key == "executor-logs"}
    assert set(logs) == set(open_source.spec.root.dag.tasks)
    assert all(uri.endswith("/executor-logs-0") and cluster.store.keys(uri) for uri in logs.values())
    assert set(open_source.attempts.values()) == {1}


def test_tasks_end_after_those_they_depend_on(open_source):
    ended = {name: place for place, name in enumerate(open_source.order)}
    tasks = open_source.spec.root.dag.tasks
    assert set(ended) == set(tasks)
    assert all(ended[before] < ended[name] for name in tasks for before in tasks[name].dependent_tasks)


def test_a_repetition_runs_what_looks_outside_and_what_reads_it_and_pushes_nothing(again, open_source, served):
    ran = set(again.spec.root.dag.tasks) - again.cached
    assert ran == {
        *("last-blessed", "evaluator", "serving-validator", "blessing-gate", "pusher"),
        *("earlier-runs", "evaluation-report", "outcome"),
    }
    assert decision_of(again).blessed
    assert pushed(served).name == str(open_source.artifacts["pusher", "pushed_model"]["metadata"]["pushed_version"])
    assert again.artifacts["pusher", "pushed_model"]["metadata"]["copied"] == 0


def test_a_student_that_is_not_blessed_is_not_pushed(refused, served):
    assert {"trainer-student", "trainer-control", "teacher-labeler", "transform"} <= refused.cached
    decision = decision_of(refused)
    assert not decision.blessed
    assert refused.artifacts["pusher", "pushed_model"]["metadata"]["pushed"] == 0
    assert refused.artifacts["pusher", "pushed_model"]["metadata"]["sentence"] == decision.sentence
    pushed(served)


def test_a_student_that_is_not_blessed_is_told_of_by_the_run_that_then_fails(refused):
    """The report is there before the run ends; and the run fails by that node alone."""
    assert set(refused.spec.root.dag.tasks) - {name for name, _ in refused.artifacts} == {"outcome"}
    assert page_of(refused)


def test_the_report_tells_of_earlier_runs(open_source, again, refused):
    """A repetition is the same run; one with other gates is another."""
    assert [len(earlier_runs_of(each)) for each in (open_source, again, refused)] == [0, 0, 1]
    (earlier,) = earlier_runs_of(refused)
    first = decision_of(open_source)
    assert (earlier.blessed, earlier.sentence, earlier.checks) == (True, first.sentence, first.checks)
    assert metrics_of(earlier) == metrics_of(first)
    assert "2 runs, 1 of them blessed" in page_of(refused)
    assert "This is the first run" in page_of(again)


def test_the_report_tells_what_changed_since_the_last_run_and_what_cannot_be_known_there(again, refused):
    assert "There is no run before this one to compare with." in page_of(again)
    page = page_of(refused)
    changed = page.partition('id="table-changes"')[2].partition("</table>")[0]
    keys = re.findall(r'scope="row"><code>(.*?)</code>', changed)
    assert "tasks.borrowed.gates.0.at_least" in keys
    assert {key.partition(".gates.")[0] for key in keys} == {"tasks.borrowed"}
    assert "The last run had the same examples." in page
    assert "each node in a container of its own" in page
    assert re.search(r"TeacherLabeler itself measured [\d.,]+ s for [\d,]+ rows", page)


def test_the_next_day_finds_the_labels_of_this_one(world, containers, cluster, in_buckets, open_source):
    """Its second newest span is the newest of this run: each node of it comes from the cache."""
    backend = OpenSource(
        in_buckets, world.folder / "tomorrow", {"span": "3", "span_minus_1": "2"}, containers, cluster, ROOT
    )
    of_span = [name for name in backend.spec.root.dag.tasks if name.endswith("-before-1")]
    first = {name: backend.task(name) for name in ("import-schema-gen", "teacher", *of_span)}
    first.pop("labelled-example-guard-before-1")  # Its span had one before it, and has none today.
    done = set()
    while first.keys() - done:
        for name in [each for each in first if set(first[each].spec.dependent_tasks) <= done and each not in done]:
            backend.run_task(first[name])
            done.add(name)
    assert backend.cached == set(first)
    labels = "teacher-labeler-before-1", "labelled_examples"
    assert backend.artifacts[labels]["uri"] == open_source.artifacts["teacher-labeler", "labelled_examples"]["uri"]


def test_spans_that_do_not_follow_on_each_other_are_bad_input(world, containers, cluster, in_buckets, open_source):
    backend = OpenSource(
        in_buckets, world.folder / "hole", {"span": "2", "span_minus_1": "0"}, containers, cluster, ROOT
    )
    backend.artifacts = dict(open_source.artifacts)
    with pytest.raises(TaskFailedError, match="'span_minus_1': expected '1', which is 1 before '2', found '0'"):
        backend.run_task(backend.task("transform"))


def test_a_command_by_itself_does_what_the_forked_one_does(world, vertex, tmp_path):
    """The conformance runs fork their processes from one that has imported TFX; this one starts from nothing."""
    task = vertex.task("import-schema-gen")
    executor_input = vertex.drive(task)
    (schema,) = executor_input["outputs"]["artifacts"]["schema"]["artifacts"]
    schema["uri"] = str(tmp_path / "schema")
    executor_input["outputs"]["outputFile"] = str(tmp_path / "output.json")
    command = vertex.command(task, executor_input)
    subprocess.run([sys.executable, *command[1:]], check=True, capture_output=True, timeout=300)
    assert (tmp_path / "schema" / "schema.pbtxt").read_text() == (
        vertex.artifact("import-schema-gen", "schema") / "schema.pbtxt"
    ).read_text()
    assert (tmp_path / "output.json").is_file()


def test_the_next_candidate_is_compared_with_what_serves(world, open_source, containers, cluster, in_buckets, served):
    """Student and control of the next day are this one's, changed about; the student of this run is what serves."""
    following = OpenSource(in_buckets, world.folder / "following", {}, containers, cluster, ROOT)
    following.artifacts = dict(open_source.artifacts)
    for role, other in (("student", "control"), ("control", "student")):
        following.artifacts[f"trainer-{role}", "model"] = open_source.artifacts[f"trainer-{other}", "model"]
    for name in ("last-blessed", "evaluator"):
        following.run_task(following.task(name))
    version = following.artifacts["last-blessed", "model"]["metadata"]["served_version"]
    assert version == int(pushed(served).name)
    found = evaluation.read(str(following.artifact("evaluator", "evaluation")))
    assert found.has_baseline
    first = evaluation.read(str(open_source.artifact("evaluator", "evaluation")))
    assert not first.has_baseline


def test_tfx_own_entry_point_fails_where_a_backend_hands_over_no_class(world, containers, cluster, in_buckets):
    """Red without ours: the first node that has an input ends before its executor starts."""
    backend = OpenSource(
        in_buckets, world.folder / "theirs", {}, containers, replace(cluster, publish_logs=False), ROOT
    )
    for name in ("import-example-gen", "raw-statistics"):
        task = backend.task(name)
        if name == "raw-statistics":
            _use_tfx_entry_point(task.executor["container"])
            with pytest.raises(TaskFailedError, match=r"_retrieve_class_path|_parse_raw_artifact|import_class_by_path"):
                backend.run_task(task)
        else:
            backend.run_task(task)


def _use_tfx_entry_point(container: dict) -> None:
    args = container["args"]
    pairs = [(name, args[place + 1]) for place, name in enumerate(args) if name in TFX_OPTIONS]
    container["command"] = ["python", "-m", TFX_ENTRY_POINT]
    container["args"] = [word for pair in pairs for word in pair]
