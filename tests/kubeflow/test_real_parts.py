"""The compiled pipeline through a real driver and a real launcher of Kubeflow Pipelines 2.

Left out unless CROSSKD_KFP_DRIVER and CROSSKD_KFP_LAUNCHER name those two programs, built from
the sources of a release (tried with 2.17.0).  It writes to /s3 and to the place of a pod's service
account, so it needs root and a machine that is no pod: `pytest -m kubeflow tests/kubeflow`.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from contracts.decision import Decision
from contracts.provenance import Provenance
from pipeline.beam_options import DEFAULT_BEAM_ARGS
from pipeline.kfp.compiler import CompileRequest, compile_job
from pipeline.kfp.parameters import Defaults
from pipeline.kfp.platform import read_platform
from pipeline.kfp.policies import Policies
from records import documents
from records.fingerprint import fingerprint
from schema.loader import load_surface
from tests.e2e import library
from tests.kubeflow.backend import TaskFailedError
from tests.kubeflow.containers import Containers
from tests.kubeflow.forked_python import ForkedPython
from tests.kubeflow.kubernetes_api import KubernetesApi
from tests.kubeflow.metadata_service import MetadataService
from tests.kubeflow.object_store import ACCESS, ObjectStore
from tests.kubeflow.real_parts import DRIVER_VARIABLE, LAUNCHER_VARIABLE, Parts, RealParts

pytestmark = [pytest.mark.kubeflow, pytest.mark.timeout(3600)]

ROOT = "s3://mlpipeline/v2/artifacts"
POLICIES = Policies.model_validate(
    {
        "nodes": {
            "TeacherLabeler": {
                "accelerator": {"type": "nvidia.com/gpu"},
                "node_selector": {"pool": "gpu"},
                "tolerations": [
                    {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"},
                    {"key": "spot", "value": "true", "effect": "NoExecute", "seconds": 60},
                ],
                "temporary_storage": 50,
                "shared_memory": 2,
                "deadline_hours": 6,
                "environment": {"LEVEL": "2"},
                "secrets": ["store:access=ALSO"],
            }
        }
    }
)
SECRETS = {"store": {"access": ACCESS["aws_access_key_id"], "secret": ACCESS["aws_secret_access_key"]}}


def providers(endpoint: str) -> str:
    """`providers` of the ConfigMap kfp-launcher."""
    reference = {"secretName": "store", "accessKeyKey": "access", "secretKeyKey": "secret"}
    default = {"endpoint": endpoint, "region": "us-east-1", "disableSSL": True, "forcePathStyle": True}
    return yaml.safe_dump({"s3": {"default": {**default, "credentials": {"fromEnv": False, "secretRef": reference}}}})


@pytest.fixture(scope="module")
def parts(tmp_path_factory) -> Iterator[Parts]:
    folder = tmp_path_factory.mktemp("parts")
    store = ObjectStore("mlpipeline", "elsewhere")
    service = MetadataService(folder / "mlmd.db")
    api = KubernetesApi(folder, {"kfp-launcher": {"providers": providers(store.endpoint)}}, SECRETS)
    driver, launcher = (Path(os.environ[each]) for each in (DRIVER_VARIABLE, LAUNCHER_VARIABLE))
    containers = Containers()
    python = ForkedPython(folder, containers)
    yield Parts(driver, launcher, service, store, api, SECRETS, python)
    python.close()
    containers.close()
    api.close()
    service.close()
    store.close()
    shutil.rmtree("/s3")


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    library.write_surface(folder / "surface", surface=library.SURFACE)
    for span in ("1", "2"):
        library.write_examples(folder / "examples" / span, seed=int(span), sizes=(700, 400))
    library.write_teacher(folder / "teacher")
    return folder


def compiled(world: Path, endpoint: str, **places: str) -> Path:
    surface = load_surface(world / "surface")
    defaults = Defaults(
        examples=f"{world}/examples/{{SPAN}}",
        span="2",
        teacher=str(world / "teacher"),
        teacher_fingerprint=fingerprint(str(world / "teacher")),
        serving=str(world / "serving"),
        seed=surface.surface.training.seed,
        gates="",
        beam_args=" ".join(DEFAULT_BEAM_ARGS),
    )
    schema = surface.schema_path.read_text()
    request = CompileRequest(surface.surface, schema, "crosskd:1", ROOT, defaults, POLICIES, window=2)
    job = compile_job(replace(request, defaults=replace(defaults, **places)))
    secrets = ["store:access=AWS_ACCESS_KEY_ID", "store:secret=AWS_SECRET_ACCESS_KEY"]
    platform = read_platform([], secrets, [f"AWS_ENDPOINT_URL={endpoint}"])
    platform.give_environment(job, POLICIES)
    path = world / "pipeline.yaml"
    path.write_text(yaml.safe_dump_all([job["pipelineSpec"], platform.document(job, POLICIES)]))
    return path


def test_every_node_runs_and_the_student_is_pushed(parts, world):
    """With teacher, examples and serving in another bucket than the root's."""
    parts.store.upload(world / "teacher", "s3://elsewhere/teacher")
    parts.store.upload(world / "examples", "s3://elsewhere/examples")
    pipeline = compiled(
        world,
        parts.store.endpoint,
        examples="s3://elsewhere/examples/{SPAN}",
        teacher="s3://elsewhere/teacher",
        serving="s3://elsewhere/serving",
    )
    backend = RealParts(pipeline, world / "buckets", {}, parts, ROOT)
    backend.run()
    assert documents.read(str(backend.artifact("blessing-gate", "decision")), Decision).blessed
    served = {key.rpartition("/")[2] for key in parts.store.keys("s3://elsewhere/serving")}
    assert {"saved_model.pb", "provenance.json"} <= served
    assert {key for _, key in backend.artifacts} >= {"executor-logs", "pushed_model", "report"}
    provenance = [key for key in parts.store.keys("s3://elsewhere/serving") if key.endswith("provenance.json")]
    (version,) = [key.split("/")[1] for key in provenance]
    origin = documents.read(str(backend.path(f"s3://elsewhere/serving/{version}")), Provenance).origin
    assert origin.data_span == "1:2"

    for name in ("teacher-labeler", "teacher-labeler-before-1"):
        check_pod(backend.pods[name])


def check_pod(pod: dict[str, Any]) -> None:
    """What the driver hands to Argo of a policy."""
    assert pod["nodeSelector"] == {"pool": "gpu"}
    assert pod["tolerations"] == [
        {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"},
        {"key": "spot", "operator": "Equal", "value": "true", "effect": "NoExecute", "tolerationSeconds": 60},
    ]
    assert pod["activeDeadlineSeconds"] == 6 * 3600
    folders = {each["name"]: each["emptyDir"] for each in pod["volumes"]}
    assert folders == {"tmp": {"sizeLimit": "50G"}, "shm": {"medium": "Memory", "sizeLimit": "2G"}}
    (container,) = pod["containers"]
    assert {each["name"]: each["mountPath"] for each in container["volumeMounts"]} == {"tmp": "/tmp", "shm": "/dev/shm"}
    assert container["resources"]["limits"] == {"cpu": "2", "memory": "8G", "nvidia.com/gpu": "1"}
    assert container["resources"]["requests"] == {"cpu": "2", "memory": "8G"}
    variables = {each["name"]: each.get("value") or each["valueFrom"]["secretKeyRef"] for each in container["env"]}
    assert variables["LEVEL"] == "2"
    assert variables["ALSO"] == {"name": "store", "key": "access"}


def test_a_teacher_of_a_volume_is_brought(parts, world):
    backend = RealParts(compiled(world, parts.store.endpoint), world / "volume", {}, parts, ROOT)
    backend.run_task(backend.task("teacher"))
    assert fingerprint(str(backend.artifact("teacher", "model"))) == fingerprint(str(world / "teacher"))


def test_bad_input_ends_with_its_sentence(parts, world):
    pipeline = compiled(world, parts.store.endpoint, teacher_fingerprint="of another teacher")
    backend = RealParts(pipeline, world / "bad", {}, parts, ROOT)
    with pytest.raises(TaskFailedError, match="expected the fingerprint of another teacher"):
        backend.run_task(backend.task("teacher"))
