import copy
import gzip
import json

import kfp
import pytest
import yaml
from typer.testing import CliRunner

from crosskd.main import app
from records.fingerprint import fingerprint
from tests.crosskd.test_main import crosskd
from tests.kubeflow.api_server import ApiServer

SPECIFICATION = {
    "pipelineInfo": {"name": "crosskd-library"},
    "defaultPipelineRoot": "s3://artifacts/crosskd",
    "root": {
        "inputDefinitions": {
            "parameters": {
                "span": {"parameterType": "STRING"},
                "seed": {"parameterType": "NUMBER_INTEGER", "defaultValue": 0},
                "gates": {"parameterType": "STRING", "defaultValue": ""},
                "teacher": {"parameterType": "STRING", "defaultValue": "/teacher"},
                "teacher_fingerprint": {"parameterType": "STRING", "defaultValue": "abc"},
            }
        }
    },
}


@pytest.fixture
def server():
    running = ApiServer()
    yield running
    running.close()


@pytest.fixture
def pipeline(tmp_path):
    path = tmp_path / "pipeline.yaml"
    path.write_text(yaml.safe_dump_all([SPECIFICATION, {"platforms": {}}]))
    return path


@pytest.fixture
def submit(server, pipeline):
    def run(*arguments: str, code: int = 0) -> str:
        done = CliRunner().invoke(app, ["submit", str(pipeline), "--host", server.host, *arguments])
        assert done.exit_code == code, done.output
        return " ".join(done.output.split())

    return run


def test_a_pipeline_is_uploaded_and_run_with_its_parameters(server, submit, pipeline):
    said = submit("--parameter", "span=20261125", "--parameter", "seed=7", "--service-account", "crosskd")
    assert server.uploads[-1] == pipeline.read_bytes()
    (run,) = server.runs
    assert run["runtime_config"]["parameters"] == {"span": "20261125", "seed": 7}
    assert run["pipeline_version_reference"] == {
        "pipeline_id": "pipeline-1",
        "pipeline_version_id": server.versions[-1]["pipeline_version_id"],
    }
    assert (run["experiment_id"], run["service_account"]) == ("experiment-1", "crosskd")
    assert "run run-1" in said


def test_the_ids_as_json(server, pipeline):
    done = crosskd("submit", pipeline, "--host", server.host, "--parameter", "span=1", "--json")
    assert json.loads(done.stdout) == {
        "pipeline_id": "pipeline-1",
        "version_id": server.versions[-1]["pipeline_version_id"],
        "run_id": f"run-{len(server.runs)}",
    }


def test_the_run_has_the_pipeline_root(server, submit):
    submit("--parameter", "span=1")
    submit("--parameter", "span=1", "--pipeline-root", "minio://elsewhere/crosskd")
    submit("--parameter", "span=1", "--cron", "0 0 4 * * *")
    assert [run["runtime_config"]["pipeline_root"] for run in server.runs] == [
        "s3://artifacts/crosskd",
        "minio://elsewhere/crosskd",
    ]
    assert server.recurring_runs[0]["runtime_config"]["pipeline_root"] == "s3://artifacts/crosskd"


def test_the_same_content_is_uploaded_once(server, submit, pipeline):
    submit("--parameter", "span=1")
    uploaded = len(server.uploads)
    submit("--parameter", "span=2")
    assert (len(server.uploads), len(server.runs), len(server.experiments)) == (uploaded, 2, 1)
    versions = [run["pipeline_version_reference"]["pipeline_version_id"] for run in server.runs]
    assert versions[0] == versions[1]
    pipeline.write_text(pipeline.read_text() + "\n# changed\n")
    submit("--parameter", "span=3")
    assert len(server.uploads) == uploaded + 1
    assert len(server.pipelines) == 1


def test_a_schedule_makes_a_recurring_run(server, submit):
    submit("--parameter", "span=[[ScheduledTime.20060102]]", "--cron", "0 0 4 * * *")
    (recurring,) = server.recurring_runs
    assert recurring["trigger"] == {"cron_schedule": {"cron": "0 0 4 * * *"}}
    assert recurring["runtime_config"]["parameters"]["span"] == "[[ScheduledTime.20060102]]"
    assert (recurring["mode"], recurring["max_concurrency"], recurring["no_catchup"]) == ("ENABLE", 1, True)
    assert not server.runs


def test_another_teacher_brings_its_fingerprint(server, submit, tmp_path):
    (tmp_path / "teacher").mkdir()
    (tmp_path / "teacher" / "saved_model.pb").write_bytes(b"model")
    submit("--parameter", "span=1", "--parameter", f"teacher={tmp_path / 'teacher'}")
    parameters = server.runs[0]["runtime_config"]["parameters"]
    assert parameters["teacher_fingerprint"] == fingerprint(str(tmp_path / "teacher"))


def test_the_fingerprint_is_that_of_the_teacher_as_it_is_now(server, pipeline, tmp_path):
    """As the CronJob submits: the pipeline names a teacher, and its pod can read it."""
    teacher = tmp_path / "teacher"
    teacher.mkdir()
    specification = copy.deepcopy(SPECIFICATION)
    parameters = specification["root"]["inputDefinitions"]["parameters"]
    parameters["teacher"]["defaultValue"] = str(teacher)
    del parameters["teacher_fingerprint"]["defaultValue"]
    pipeline.write_text(yaml.safe_dump_all([specification, {"platforms": {}}]))
    for content in (b"model", b"a newer model"):
        (teacher / "saved_model.pb").write_bytes(content)
        done = CliRunner().invoke(app, ["submit", str(pipeline), "--host", server.host, "--parameter", "span=1"])
        assert done.exit_code == 0, done.output
        assert server.runs[-1]["runtime_config"]["parameters"]["teacher_fingerprint"] == fingerprint(str(teacher))
    teacher.rename(tmp_path / "gone")
    done = CliRunner().invoke(app, ["submit", str(pipeline), "--host", server.host, "--parameter", "span=1"])
    assert done.exit_code == 2
    assert "kubectl create job --from=cronjob/crosskd-daily" in " ".join(done.output.split())


def test_the_compiled_fingerprint_stands_where_the_teacher_cannot_be_read(server, submit):
    submit("--parameter", "span=1")
    assert "teacher_fingerprint" not in server.runs[0]["runtime_config"]["parameters"]


def test_gates_are_checked_and_travel_as_json(server, submit, tmp_path):
    gates = tmp_path / "gates.yaml"
    gates.write_text("click: [{metric: auc, at_least: 0.6}]")
    submit("--parameter", "span=1", "--gates", str(gates), "--surface", "homepage")
    parameters = server.runs[0]["runtime_config"]["parameters"]
    assert parameters["gates"] == '{"click": [{"metric": "auc", "at_least": 0.6}]}'
    gates.write_text("clicks: []")
    said = submit("--parameter", "span=1", "--gates", str(gates), "--surface", "homepage", code=2)
    assert "expected one of the tasks click, trail_engagement, discovery, score, found 'clicks'" in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the pipeline needs values of span"),
        (["--parameter", "spam=1"], "expected name=value of one of gates, seed, span, "),
        (["--parameter", "span"], "expected name=value of one of gates, seed, span, "),
        (["--parameter", "span=1", "--parameter", "seed=x"], "expected a whole number, found 'x'"),
        (["--parameter", "span=1", "--parameter", "teacher=gs://bucket/teacher"], "the fingerprint is not known"),
        (["--parameter", "span=1", "--cron", "0 4 * * *"], "--cron: expected six fields"),
        (["--parameter", "span=1", "--gates", "gates.yaml"], "give --surface, too"),
        (["--parameter", "span=1", "--pipeline-root", "/data"], "--pipeline-root: expected a bucket"),
    ],
)
def test_what_the_pipeline_would_not_take_is_not_sent(server, submit, arguments, message):
    assert message in submit(*arguments, code=2)
    assert not server.uploads
    assert not server.runs


def test_a_server_that_fails_is_named(server, submit):
    server.broken = True
    said = submit("--parameter", "span=1", code=2)
    assert f"--host {server.host}: expected the API of Kubeflow Pipelines 2" in said


def test_an_installation_with_many_users_gets_token_and_namespace(pipeline, tmp_path, monkeypatch):
    # The client remembers a namespace, and finds one in a pod: neither is to be found here.
    for place in ("_LOCAL_KFP_CONTEXT", "_NAMESPACE_PATH"):
        monkeypatch.setattr(kfp.Client, place, str(tmp_path / "nowhere" / place))
    many = ApiServer(token="of the service account")
    arguments = ["submit", str(pipeline), "--host", many.host, "--parameter", "span=1"]
    assert CliRunner().invoke(app, [*arguments, "--namespace", "team"]).exit_code == 2
    (tmp_path / "token").write_text("of the service account")
    monkeypatch.setenv("KF_PIPELINES_SA_TOKEN_PATH", str(tmp_path / "token"))
    assert "an experiment needs a namespace" in CliRunner().invoke(app, arguments).output
    for _ in range(2):
        done = CliRunner().invoke(app, [*arguments, "--namespace", "team"])
        assert done.exit_code == 0, done.output
    assert [each["namespace"] for each in (*many.experiments, *many.pipelines)] == ["team", "team"]
    assert len(many.runs) == 2
    many.close()


def test_a_compressed_pipeline_is_the_same_version(server, submit, pipeline):
    submit("--parameter", "span=1")
    uploaded = len(server.uploads)
    compressed = pipeline.with_suffix(".yaml.gz")
    compressed.write_bytes(gzip.compress(pipeline.read_bytes()))
    done = CliRunner().invoke(app, ["submit", str(compressed), "--host", server.host, "--parameter", "span=1"])
    assert done.exit_code == 0, done.output
    assert (len(server.uploads), len(server.runs)) == (uploaded, 2)
    compressed.write_bytes(b"not compressed")
    done = CliRunner().invoke(app, ["submit", str(compressed), "--host", server.host])
    assert (done.exit_code, "expected the YAML that" in done.output) == (2, True)


def test_a_file_that_is_no_pipeline(server, submit, pipeline):
    pipeline.write_text("a: 1\n")
    assert "expected a pipeline specification, found no `pipelineInfo`" in submit(code=2)
