"""The manifests, rendered by kubectl's kustomize and applied to a real Kubernetes API server.

Left out unless CROSSKD_KUBE_APISERVER and CROSSKD_ETCD name those two programs, as `cluster.py` says
(tried with 1.31.4 and 3.4.23); kubectl must be on the path: `pytest -m kubeflow tests/kubeflow/test_cluster.py`.
"""

from __future__ import annotations

import base64
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from crosskd.main import app
from tests.kubeflow.cluster import Cluster, RefusedError
from tests.kubeflow.test_manifests import FOLDER_OF_THE_PROJECT, OVERLAYS, read

pytestmark = pytest.mark.kubeflow

NAMES = [overlay.name for overlay in OVERLAYS]
COMPILE = (
    *("compile", "--surface", "homepage", "--image", "registry.example/team/crosskd:0.1.0"),
    *("--pipeline-root", "s3://artifacts/crosskd", "--examples", "/data/homepage/{SPAN}", "--teacher", "/data/teacher"),
    *("--serving", "/data/serving/homepage", "--volume", "crosskd-data=/data"),
)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    made = Cluster(tmp_path_factory.mktemp("cluster"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The manifests as one copies them, with the compiled pipeline beside each overlay."""
    copied = tmp_path_factory.mktemp("manifests") / "kubeflow"
    shutil.copytree(FOLDER_OF_THE_PROJECT, copied)
    for name in NAMES:
        done = CliRunner().invoke(app, [*COMPILE, "--out", str(copied / "overlays" / name / "pipeline.yaml.gz")])
        assert done.exit_code == 0, done.output
    return copied


@pytest.fixture(scope="module")
def namespaces(cluster: Cluster, folder: Path) -> dict[str, str]:
    """The namespace of each overlay, in which it was applied."""
    found = {}
    for name in NAMES:
        overlay = folder / "overlays" / name
        found[name] = read(overlay / "kustomization.yaml")["namespace"]
        cluster.kubectl("create", "namespace", found[name])
        said = cluster.kubectl("apply", "--validate=strict", "--kustomize", overlay).splitlines()
        assert len(said) == {"example": 6, "multi-user": 8}[name]
    return found


def daily(cluster: Cluster, namespace: str) -> dict[str, Any]:
    spec = cluster.objects(namespace, "cronjobs")["crosskd-daily"]["spec"]
    return dict(spec["jobTemplate"]["spec"]["template"]["spec"])


def versions(cluster: Cluster, namespace: str) -> dict[tuple[str, str], str]:
    """The version of each of our objects, by kind and name."""
    kinds = ("serviceaccounts", "roles", "rolebindings", "configmaps", "persistentvolumeclaims", "cronjobs")
    return {
        (kind, name): each["metadata"]["resourceVersion"]
        for kind in kinds
        for name, each in cluster.objects(namespace, kind).items()
        if name.startswith("crosskd")
    }


@pytest.mark.parametrize("name", NAMES)
def test_applied_again_nothing_changes(cluster: Cluster, folder: Path, namespaces: dict[str, str], name: str) -> None:
    before = versions(cluster, namespaces[name])
    cluster.kubectl("apply", "--validate=strict", "--kustomize", folder / "overlays" / name)
    assert versions(cluster, namespaces[name]) == before
    assert len(before) == {"example": 6, "multi-user": 8}[name]


@pytest.mark.parametrize("name", NAMES)
def test_the_job_has_the_pipeline_and_the_image_that_the_overlay_names(
    cluster: Cluster, folder: Path, namespaces: dict[str, str], name: str
) -> None:
    namespace, overlay = namespaces[name], folder / "overlays" / name
    pod = daily(cluster, namespace)
    volumes = {each["name"]: each for each in pod["volumes"]}
    made = volumes["pipeline"]["configMap"]["name"]
    assert made.startswith("crosskd-pipeline-")
    kept = cluster.objects(namespace, "configmaps")[made]["binaryData"]["pipeline.yaml.gz"]
    assert base64.b64decode(kept) == (overlay / "pipeline.yaml.gz").read_bytes()
    images = {each["image"] for each in (*pod["containers"], *pod["initContainers"])}
    assert images == {"registry.example/team/crosskd:0.1.0"}
    claim = cluster.objects(namespace, "persistentvolumeclaims")["crosskd-data"]["spec"]
    assert claim["storageClassName"] == "shared"
    assert claim["accessModes"] == ["ReadWriteMany"]


@pytest.mark.parametrize("name", NAMES)
def test_the_account_may_what_launcher_and_argo_need_and_nothing_more(
    cluster: Cluster, namespaces: dict[str, str], name: str
) -> None:
    account = f"{namespaces[name]}:crosskd"
    for verb, resource in (
        *(("patch", "pods"), ("get", "pods//log"), ("get", "configmaps/kfp-launcher")),
        *(("get", "secrets/crosskd-object-store"), ("create", "workflowtaskresults.argoproj.io")),
    ):
        assert cluster.may(account, verb, resource), (verb, resource)
    for verb, resource in (
        *(("get", "secrets/another"), ("list", "secrets"), ("get", "configmaps/another"), ("delete", "pods")),
        *(("create", "pods"), ("create", "cronjobs")),
    ):
        assert not cluster.may(account, verb, resource), (verb, resource)
    assert cluster.may(account, "create", "runs.pipelines.kubeflow.org") is (name == "multi-user")
    assert not cluster.may(account, "delete", "runs.pipelines.kubeflow.org")


def test_with_many_users_the_daily_job_has_its_token_and_namespace(
    cluster: Cluster, namespaces: dict[str, str]
) -> None:
    pod = daily(cluster, namespaces["multi-user"])
    (container,) = pod["containers"]
    assert len(container["volumeMounts"]) == 4
    assert {"KFP_HOST", "NAMESPACE"} <= {each["name"] for each in container["env"]}
    (source,) = {each["name"]: each for each in pod["volumes"]}["kubeflow-token"]["projected"]["sources"]
    token = {"audience": "pipelines.kubeflow.org", "expirationSeconds": 7200, "path": "token"}
    assert source["serviceAccountToken"] == token


def test_the_job_that_prepares_a_volume_is_taken(cluster: Cluster, folder: Path, namespaces: dict[str, str]) -> None:
    for namespace in namespaces.values():
        said = cluster.kubectl("create", "--namespace", namespace, "--filename", folder / "prepare-volume.yaml")
        assert said.startswith("job.batch/crosskd-prepare-volume-")


@pytest.mark.parametrize(
    ("file", "old", "new", "word"),
    [
        ("base/volume-claim.yaml", "accessModes", "accessMode", "accessMode"),
        ("base/daily-run.yaml", "fsGroupChangePolicy: OnRootMismatch", "fsGroupChangePolicy: Sometimes", "Sometimes"),
        ("base/daily-run.yaml", 'schedule: "0 4 * * *"', 'schedule: "0 25 * * *"', "schedule"),
        ("base/role.yaml", "apiGroups: [argoproj.io]", "apiGroup: [argoproj.io]", "apiGroup"),
        ("base/daily-run.yaml", "name: pipeline, mountPath", "name: pipelines, mountPath", "pipelines"),
    ],
)
def test_a_fault_of_the_manifests_is_refused(
    cluster: Cluster, folder: Path, namespaces: dict[str, str], tmp_path: Path, file: str, old: str, new: str, word: str
) -> None:
    assert "example" in namespaces  # which the server must have
    changed = shutil.copytree(folder, tmp_path / "kubeflow") / file
    assert changed.read_text().count(old) == 1
    changed.write_text(changed.read_text().replace(old, new))
    with pytest.raises(RefusedError, match=word):
        cluster.kubectl(
            *("apply", "--dry-run=server", "--validate=strict", "--kustomize"),
            tmp_path / "kubeflow" / "overlays" / "example",
        )
