"""Checks of what real clusters showed; `test_mutations` shows what each of them notices."""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path

import pytest
from google.protobuf import json_format
from typer.testing import CliRunner

from crosskd.main import app
from pipeline.kfp import invocation
from pipeline.kfp.policies import Policies
from records.fingerprint import fingerprint
from tests.kubeflow import argo
from tests.kubeflow.api_server import ApiServer
from tests.kubeflow.backend import TaskFailedError
from tests.kubeflow.driver import Metadata
from tests.kubeflow.kit import DAY, ROOT, Dying, Kit


def first_node_runs(kit: Kit) -> None:
    """The first container node, on a default installation, which adds an output."""
    backend = kit.backend(kit.compile())
    backend.run_task(backend.task("import-schema-gen"))
    assert set(backend.artifacts) == {("import-schema-gen", "schema"), ("import-schema-gen", "executor-logs")}


def teacher_comes_from_a_volume(kit: Kit) -> None:
    _bring_teacher(kit, teacher=str(kit.world / "teacher"))


def teacher_comes_from_another_bucket(kit: Kit) -> None:
    """With an endpoint, and with the empty objects that TensorFlow leaves for folders."""
    for scheme in ("s3", "minio"):
        _bring_teacher(kit, teacher=f"{scheme}://elsewhere/teacher")


def _bring_teacher(kit: Kit, teacher: str) -> None:
    backend = kit.backend(kit.compile(teacher=teacher))
    backend.run_task(backend.task("teacher"))
    (found,) = [each for (_, key), each in backend.artifacts.items() if key != "executor-logs"]
    kit.cluster.store.download(found["uri"], kit.folder / "as-the-labeller-gets-it")
    assert fingerprint(str(kit.folder / "as-the-labeller-gets-it")) == fingerprint(str(kit.world / "teacher"))


def examples_come_from_a_bucket(kit: Kit) -> None:
    backend = kit.backend(kit.compile(examples="s3://elsewhere/examples/{SPAN}"))
    backend.run_task(backend.task("import-example-gen"))
    uri = backend.artifacts["import-example-gen", "examples"]["uri"]
    assert {key.partition("/examples/")[2].partition("/")[0] for key in kit.cluster.store.keys(uri)} == {
        "Split-train",
        "Split-eval",
    }


def submit_finds_the_fingerprint(kit: Kit) -> None:
    """The documented command, for a teacher that the pipeline names and that was out of reach when it was compiled."""
    pipeline = kit.compile(teacher_fingerprint=None)
    (run,) = _submit(pipeline)
    assert run["runtime_config"]["parameters"]["teacher_fingerprint"] == fingerprint(str(kit.world / "teacher"))


def run_has_the_pipeline_root(kit: Kit) -> None:
    kit.request = replace(kit.request, pipeline_root="s3://other-root/team")
    pipeline = kit.compile()
    (run,) = _submit(pipeline)
    backend = kit.backend(pipeline, root=run["runtime_config"].get("pipeline_root"))
    backend.run_task(backend.task("import-schema-gen"))
    assert backend.artifacts["import-schema-gen", "schema"]["uri"].startswith("s3://other-root/team/crosskd-library/")


def _submit(pipeline: Path) -> list[dict]:
    server = ApiServer()
    try:
        done = CliRunner().invoke(app, ["submit", str(pipeline), "--host", server.host])
        assert done.exit_code == 0, done.output
        return server.runs
    finally:
        server.close()


def submit_serves_many_users(kit: Kit) -> None:
    """The second time, too, when the pipeline is there already: in the namespace, with the token of the pod."""
    many, token = ApiServer(token="of the service account"), kit.folder / "token"
    token.write_text("of the service account")
    words = ["submit", str(kit.compile()), "--host", many.host, "--namespace", "team"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KF_PIPELINES_SA_TOKEN_PATH", str(token))
        codes = [CliRunner().invoke(app, words).exit_code for _ in range(2)]
    many.close()
    assert (codes, len(many.pipelines), len(many.runs)) == ([0, 0], 1, 2)


def long_node_is_tried_again(kit: Kit) -> None:
    """A node that dies after 11 minutes, and again after 11 hours, has a third attempt with days to go."""
    policies = Policies.model_validate({"default": {"retries": 2}})
    kit.request = replace(kit.request, policies=policies)
    backend = kit.backend(kit.compile())
    clock = backend.cluster.clock
    backend.containers = Dying(kit.containers, clock, deaths=1, seconds=11 * 60)
    backend.run_task(backend.task("import-schema-gen"))
    assert backend.attempts["import-schema-gen"] == 2
    policy = json_format.MessageToDict(backend.task("trainer-student").spec.retry_policy)
    verdict = argo.after([argo.Attempt(0, 660), argo.Attempt(700, 700 + 11 * 3600)], policy)
    assert verdict.start is not None
    assert verdict.deadline - verdict.start > 2 * DAY


def bad_input_is_not_tried_again(kit: Kit) -> None:
    """The executor is started once; the attempt after it ends at once, in the same words."""
    backend = kit.backend(kit.compile(teacher_fingerprint="of another teacher"))
    with pytest.raises(TaskFailedError, match=r"Not tried again: teacher .* the fingerprint of another teacher"):
        backend.run_task(backend.task("teacher"))
    logs = [log.read_text() for log in sorted(backend.folder.glob("teacher-*.log"))]
    assert ["Not tried again" in log for log in logs] == [False, True, True]


def identities_come_back_whole(kit: Kit) -> None:
    """Through the real ML Metadata and its SQLite, as a property that another node reads."""
    metadata = Metadata(kit.cluster.service.client())
    for number in range(200):
        identity = invocation.identity(f"s3://bucket/{number}")
        artifact = {"uri": "s3://bucket/b", "type": {"schemaTitle": "tfx.ModelBlessing"}, "metadata": {"of": identity}}
        kept = metadata.runtime_artifact(metadata.record("blessing", artifact))
        assert int(kept["metadata"]["of"]) == identity


def pipeline_fits_a_config_map(kit: Kit) -> None:
    out = kit.folder / "pipeline.yaml.gz"
    words = ["--surface", "homepage", "--image", "r/crosskd:1", "--pipeline-root", ROOT, "--volume", "data=/data"]
    done = CliRunner().invoke(app, ["compile", *words, "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert len(base64.b64encode(out.read_bytes())) < 262_144 / 8
