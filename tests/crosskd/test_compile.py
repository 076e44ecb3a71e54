import base64
import gzip
import json

import pytest
import yaml
from typer.testing import CliRunner

from crosskd.main import app
from records.fingerprint import fingerprint
from tests.e2e import library

IMAGE = "registry.example/crosskd:1"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("compile")
    library.write_surface(made / "surface")
    library.write_teacher(made / "teacher")
    return made


@pytest.fixture
def crosskd_compile(folder):
    def run(*arguments: str, code: int = 0) -> str:
        given = {"--surface": str(folder / "surface"), "--image": IMAGE, "--pipeline-root": "gs://bucket/root"}
        words = [word for option, value in given.items() if option not in arguments for word in (option, value)]
        done = CliRunner().invoke(app, ["compile", *words, *arguments])
        assert done.exit_code == code, done.output
        return " ".join(done.output.split())

    return run


def test_the_yaml_holds_the_pipeline_and_what_its_pods_need(folder, crosskd_compile, tmp_path):
    out = tmp_path / "made" / "pipeline.yaml"
    said = crosskd_compile(
        *("--out", str(out), "--teacher", str(folder / "teacher"), "--volume", "crosskd-data=/data"),
        *("--beam-args", "--direct_num_workers=2", "--examples", "/data/{SPAN}"),
    )
    specification, platform = yaml.safe_load_all(out.read_text())
    parameters = specification["root"]["inputDefinitions"]["parameters"]
    assert parameters["teacher_fingerprint"]["defaultValue"] == fingerprint(str(folder / "teacher"))
    assert parameters["beam_args"]["defaultValue"].startswith("--runner=FnApiRunner ")
    assert parameters["beam_args"]["defaultValue"].endswith(" --direct_num_workers=2")
    executors = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert executors["exec-transform"]["pvcMount"] == [{"constant": "crosskd-data", "mountPath": "/data"}]
    containers = {name for name, each in specification["deploymentSpec"]["executors"].items() if "container" in each}
    assert set(executors) == containers
    assert "parameters that a run must give: span, serving" in said
    assert list(out.parent.iterdir()) == [out]


def test_a_pipeline_for_a_config_map_stays_far_under_what_kubectl_takes(crosskd_compile, tmp_path):
    """`kubectl apply` keeps the whole object in an annotation of at most 262,144 bytes."""
    out = tmp_path / "pipeline.yaml.gz"
    crosskd_compile("--out", str(out), "--surface", "homepage", "--volume", "crosskd-data=/data")
    config_map = json.dumps({"binaryData": {out.name: base64.b64encode(out.read_bytes()).decode()}})
    assert len(config_map) < 262_144 / 8
    first = out.read_bytes()
    crosskd_compile("--out", str(out), "--surface", "homepage", "--volume", "crosskd-data=/data")
    assert out.read_bytes() == first
    assert len(list(yaml.safe_load_all(gzip.decompress(first)))) == 2


def test_what_was_written_as_json(crosskd_compile, tmp_path):
    out = tmp_path / "job.json"
    said = crosskd_compile("--out", str(out), "--serving", "gs://bucket/serving", "--json")
    job = json.loads(out.read_text())
    assert json.loads(said[said.index("{") :]) == {
        "out": str(out),
        "tasks": len(job["pipelineSpec"]["root"]["dag"]["tasks"]),
        "required_parameters": ["examples", "teacher", "teacher_fingerprint"],
    }


def test_json_is_the_job_that_vertex_takes(crosskd_compile, tmp_path):
    crosskd_compile("--out", str(tmp_path / "job.json"), "--serving", "gs://bucket/serving", "--seed", "5")
    job = json.loads((tmp_path / "job.json").read_text())
    assert job["runtimeConfig"]["gcsOutputDirectory"] == "gs://bucket/root"
    assert job["runtimeConfig"]["parameterValues"]["serving"] == "gs://bucket/serving"
    assert job["runtimeConfig"]["parameterValues"]["seed"] == 5
    assert job["pipelineSpec"]["pipelineInfo"]["name"] == "crosskd-library"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--out", "pipeline.txt"],
            "expected a name ending in .yaml or .yaml.gz (Kubeflow Pipelines), or in .json (Vertex)",
        ),
        (["--out", "p.yaml", "--image", "crosskd"], "--image: expected registry/name:tag"),
        (["--out", "p.yaml", "--pipeline-root", "/data"], "--pipeline-root: expected a bucket"),
        (["--out", "p.json", "--pipeline-root", "s3://bucket/x"], "Vertex keeps artifacts in gs:// only"),
        (["--out", "p.yaml", "--surface", "video"], "expected a `teacher:` section, found none"),
        (["--out", "p.yaml", "--volume", "data"], "--volume: expected claim=/absolute/path"),
        (["--out", "p.yaml", "--policies", "nowhere.yaml"], "nowhere.yaml: expected a YAML file of policies"),
        (["--out", "p.yaml", "--gates", "nowhere.yaml"], "expected a YAML file of gates by task"),
        (["--out", "p.yaml", "--span", "7"], "--span: expected {SPAN} in --examples"),
    ],
)
def test_what_cannot_be_right_writes_nothing(crosskd_compile, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert message in crosskd_compile(*arguments, code=2)
    assert not list(tmp_path.glob("p*[lnt]"))
