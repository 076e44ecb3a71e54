"""`crosskd submit --vertex`: Google's own client against a server that reads the published protos."""

import json
from dataclasses import replace

import pytest
from google.oauth2 import service_account
from typer.testing import CliRunner

from crosskd.main import app
from pipeline.kfp.compiler import CompileRequest, compile_job
from pipeline.kfp.parameters import Defaults
from pipeline.kfp.policies import Policies
from schema.loader import load_surface
from tests.e2e import library
from tests.kubeflow.vertex_api import ACCOUNT, LOCATION, PROJECT, InvalidArgumentError, VertexApi, check

DEFAULTS = Defaults(
    examples="gs://data/library/{SPAN}",
    span=None,
    teacher="gs://data/teacher",
    teacher_fingerprint="abc",
    serving="gs://data/serving",
    seed=3,
    gates="",
    beam_args="--runner=FnApiRunner",
)


@pytest.fixture(scope="module")
def request_(tmp_path_factory) -> CompileRequest:
    loaded = load_surface(library.write_surface(tmp_path_factory.mktemp("vertex") / "surface"))
    schema = loaded.schema_path.read_text()
    return CompileRequest(loaded.surface, schema, "registry/crosskd:1", "gs://root/crosskd", DEFAULTS, Policies(), 2)


@pytest.fixture(scope="module")
def job(request_):
    return compile_job(request_)


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    started = VertexApi(tmp_path_factory.mktemp("api"))
    yield started
    started.close()


@pytest.fixture
def api(running, monkeypatch):
    running.jobs.clear()
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(running.key_file))
    # It would ask Google itself where the account may be used from.
    monkeypatch.setattr(service_account.Credentials, "_is_regional_access_boundary_lookup_required", lambda _: False)
    return running


@pytest.fixture
def submit(api, job, tmp_path):
    path = tmp_path / "job.json"
    path.write_text(json.dumps(job))

    def run(*arguments: str, code: int = 0, file=path) -> str:
        place = ["--vertex", "--host", api.host, "--project", PROJECT, "--location", LOCATION]
        done = CliRunner().invoke(app, ["submit", str(file), *place, *arguments])
        assert done.exit_code == code, done.output
        return " ".join(done.output.split())

    return run


def test_a_run_is_started_with_its_parameters(api, submit):
    said = submit("--parameter", "span=20261125", "--parameter", "seed=7", "--service-account", ACCOUNT)
    ((job_id, job),) = api.jobs.items()
    values = job["runtimeConfig"]["parameterValues"]
    assert (values["span"], values["span_minus_1"], values["seed"]) == ("20261125", "20261124", 7)
    assert job["runtimeConfig"]["gcsOutputDirectory"] == "gs://root/crosskd"
    assert job["serviceAccount"] == ACCOUNT
    assert f"job projects/{PROJECT}/locations/{LOCATION}/pipelineJobs/{job_id}" in said


def test_the_root_of_one_run(api, submit):
    submit("--parameter", "span=20261125", "--pipeline-root", "gs://root/elsewhere")
    (job,) = api.jobs.values()
    assert job["runtimeConfig"]["gcsOutputDirectory"] == "gs://root/elsewhere"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the pipeline needs values of span"),
        (["--parameter", "span=monday"], "expected a day (20260131 or 2026-01-31), or a whole number"),
        (["--parameter", "span=2", "--pipeline-root", "s3://a/b"], "Vertex keeps artifacts in gs:// only"),
        (["--parameter", "span=2", "--cron", "0 0 4 * * *"], "a schedule there knows no day before"),
        (["--parameter", "span=2", "--project", "other"], "Vertex, project other"),
    ],
)
def test_what_is_refused(submit, arguments, message):
    assert message in submit(*arguments, code=2)


def test_a_place_is_needed(submit):
    assert "--vertex: expected --location, too" in submit("--location", "", "--parameter", "span=2", code=2)


def test_without_credentials_it_says_so(api, submit, monkeypatch, tmp_path):
    (tmp_path / "none.json").write_text("{}")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    assert f"Vertex, project {PROJECT}, {LOCATION}: " in submit("--parameter", "span=2", code=2)


def test_what_kubeflow_reads_is_no_job(submit, job, tmp_path):
    path = tmp_path / "pipeline.yaml"
    path.write_text(json.dumps(job["pipelineSpec"]))
    assert "expected the PipelineJob" in submit("--parameter", "span=2", code=2, file=path)


def complete(job, **values):
    given = {**job["runtimeConfig"]["parameterValues"], "span": "2", "span_minus_1": "1", **values}
    return {**job, "runtimeConfig": {**job["runtimeConfig"], "parameterValues": given}}


@pytest.mark.parametrize("window", [1, 3])
@pytest.mark.parametrize("pairs", [False, True])
def test_the_published_specification_takes_every_shape_of_the_pipeline(request_, window, pairs, tmp_path):
    changed = replace(request_, window=window, defaults=replace(DEFAULTS, span="5"))
    if pairs:
        text = library.SURFACE + library.PAIRS
        folder = library.write_surface(tmp_path / "pairs", surface=text, schema=library.SCHEMA_WITH_PAIRS)
        candidates = {"candidates": "gs://data/candidates", "candidates_fingerprint": "of-them"}
        changed = replace(
            changed, surface=load_surface(folder).surface, defaults=replace(changed.defaults, **candidates)
        )
    check(compile_job(changed))


BREAKS = {
    "a field that the specification does not know": lambda job: job["pipelineSpec"].update(colour="red"),
    "a deployment that it does not know": lambda job: job["pipelineSpec"]["deploymentSpec"]["executors"][
        "exec-transform"
    ]["container"].update(nice=5),
    "an input that nobody makes": lambda job: job["pipelineSpec"]["root"]["dag"]["tasks"].pop("teacher"),
    "a task that does not wait for its input": lambda job: job["pipelineSpec"]["root"]["dag"]["tasks"]["transform"][
        "dependentTasks"
    ].remove("teacher-labeler"),
    "an input that the component does not have": lambda job: job["pipelineSpec"]["components"]["comp-transform"][
        "inputDefinitions"
    ]["artifacts"].pop("examples--1"),
    "a value of another type": lambda job: job["runtimeConfig"]["parameterValues"].update(seed="seven"),
}


@pytest.mark.parametrize("fault", BREAKS)
def test_the_server_is_strict(job, fault):
    broken = json.loads(json.dumps(complete(job)))
    check(broken)
    BREAKS[fault](broken)
    with pytest.raises(InvalidArgumentError):
        check(broken)
