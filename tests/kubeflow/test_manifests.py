import inspect
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import kubernetes_validate
import pytest
import yaml
from kfp import client

from tests.kubeflow.scripts import FOLDER

KUBERNETES = "1.31"
FOLDER_OF_THE_PROJECT = FOLDER
BASE = FOLDER / "base"
OVERLAYS = sorted(path.parent for path in FOLDER.glob("overlays/*/kustomization.yaml"))
MULTI_USER = FOLDER / "overlays" / "multi-user"
IMAGE_USER = 10001
# Not of Kubernetes' own API: kustomize reads it.
KUSTOMIZATION = "kustomization.yaml"


def read(path):
    return yaml.safe_load(path.read_text())


def manifests():
    return sorted(path for path in FOLDER.rglob("*.yaml") if path.name != KUSTOMIZATION)


def merged(base, patch):
    """A strategic merge patch, as far as these manifests use one: objects by key, lists of named things by name."""
    if isinstance(patch, dict):
        return {**base, **{key: merged(base[key], value) if key in base else value for key, value in patch.items()}}
    if isinstance(patch, list) and patch and "name" in patch[0]:
        named = {each["name"]: each for each in base}
        changed = {each["name"]: merged(named.get(each["name"], {}), each) for each in patch}
        return list({**named, **changed}.values())
    return patch


def resource(name):
    return read(BASE / f"{name}.yaml")


def pod():
    return resource("daily-run")["spec"]["jobTemplate"]["spec"]["template"]["spec"]


@pytest.mark.parametrize("path", manifests(), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_kubernetes_takes_every_manifest(path):
    content = read(path)
    if path.name == "token.yaml":
        # A patch leaves out what it does not change.
        content = merged(resource("daily-run"), content)
    kubernetes_validate.validate(content, KUBERNETES, strict=True)


def test_the_schemas_notice_a_wrong_word():
    claim = resource("volume-claim")
    claim["spec"]["accessMode"] = claim["spec"].pop("accessModes")
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(claim, KUBERNETES, strict=True)


@pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda path: path.name)
def test_kustomize_is_told_of_every_file(overlay):
    base, own = read(BASE / KUSTOMIZATION), read(overlay / KUSTOMIZATION)
    assert set(base["resources"]) == {path.name for path in BASE.glob("*.yaml")} - {KUSTOMIZATION}
    assert (overlay / own["resources"][0]).resolve() == BASE
    named = {*own["resources"][1:], *(patch["path"] for patch in own["patches"])}
    assert named == {path.name for path in overlay.glob("*.yaml")} - {KUSTOMIZATION}


@pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda path: path.name)
def test_names_that_must_agree(overlay):
    account = resource("service-account")["metadata"]["name"]
    assert pod()["serviceAccountName"] == account
    assert resource("role-binding")["subjects"] == [{"kind": "ServiceAccount", "name": account}]
    assert resource("role-binding")["roleRef"]["name"] == resource("role")["metadata"]["name"]
    own = read(overlay / KUSTOMIZATION)
    volumes = {each["name"]: each for each in pod()["volumes"]}
    assert volumes["pipeline"]["configMap"]["name"] == own["configMapGenerator"][0]["name"]
    assert own["configMapGenerator"][0]["files"] == ["pipeline.yaml.gz"]
    assert {each["image"] for each in (*pod()["containers"], *pod()["initContainers"])} == {own["images"][0]["name"]}
    assert read(overlay / "storage-class.yaml")["metadata"] == resource("volume-claim")["metadata"]
    secrets = {
        each["valueFrom"]["secretKeyRef"]["name"] for each in pod()["containers"][0]["env"] if "valueFrom" in each
    }
    assert secrets <= set(resource("role")["rules"][3]["resourceNames"])


def test_nothing_of_the_namespace_is_replaced():
    """Every pipeline of a namespace reads the ConfigMap kfp-launcher, and Kubeflow makes it."""
    made = {(each["kind"], each["metadata"].get("name", "")) for each in map(read, manifests())}
    assert all(name.startswith("crosskd") or kind == "Job" for kind, name in made)
    generated = {each["name"] for overlay in OVERLAYS for each in read(overlay / KUSTOMIZATION)["configMapGenerator"]}
    assert generated == {"crosskd-pipeline"}


def test_the_daily_job_runs_as_the_image_does():
    container = pod()["containers"][0]
    assert pod()["securityContext"]["runAsUser"] == IMAGE_USER
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert {"name": "tmp", "mountPath": "/tmp"} in container["volumeMounts"]


def test_the_daily_job_sees_the_teacher_and_makes_the_volume_writable_for_the_images_user():
    claim = resource("volume-claim")["metadata"]["name"]
    volumes = {each["name"]: each for each in pod()["volumes"]}
    assert volumes["data"]["persistentVolumeClaim"]["claimName"] == claim
    assert {"name": "data", "mountPath": "/data", "readOnly": True} in pod()["containers"][0]["volumeMounts"]
    assert pod()["securityContext"]["fsGroup"] == pod()["securityContext"]["runAsGroup"] == IMAGE_USER
    (prepare,) = read(FOLDER / "prepare-volume.yaml")["spec"]["template"]["spec"]["containers"]
    assert prepare["command"] == ["chown", f"{IMAGE_USER}:{IMAGE_USER}", "/data"]


def run_in_pod(container, root, **environment):
    """Runs a container's script with its volume under `root`; `crosskd` prints what it was given."""
    (root / "bin").mkdir(exist_ok=True)
    (root / "bin" / "crosskd").write_text('#!/bin/sh\nfor each in "$@"; do echo "$each"; done\n')
    (root / "bin" / "crosskd").chmod(0o755)
    (script,) = container["args"]
    return subprocess.run(
        [*container["command"], script.replace("/data", f"{root}/data")],
        env={"PATH": f"{root}/bin:/usr/bin:/bin", "KFP_HOST": "http://host", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(("environment", "options"), [({}, []), ({"NAMESPACE": "team"}, ["--namespace", "team"])])
def test_the_daily_job_gives_the_command_of_the_documentation(tmp_path, environment, options):
    said = run_in_pod(pod()["containers"][0], tmp_path, **environment).stdout.splitlines()
    yesterday = datetime.now(UTC) - timedelta(days=1)
    assert said == [
        *("submit", "/pipeline/pipeline.yaml.gz", "--host", "http://host", "--service-account", "crosskd"),
        *options,
        *("--parameter", f"span={yesterday:%Y%m%d}"),
    ]


def test_a_volume_that_is_not_writable_stops_the_daily_job_and_says_so(tmp_path):
    (tmp_path / "data").mkdir()
    (init,) = pod()["initContainers"]
    assert run_in_pod(init, tmp_path).returncode == 0
    assert [each.name for each in (tmp_path / "data").iterdir()] == ["serving"]
    (tmp_path / "data" / "serving").rmdir()
    (tmp_path / "data").rmdir()
    (tmp_path / "data").write_text("as a folder that cannot be written to")
    stopped = run_in_pod(init, tmp_path)
    assert (stopped.returncode, "is not writable for user 10001" in stopped.stderr) == (1, True)


def test_with_many_users_the_token_lies_where_the_client_looks_for_it():
    patched = merged(resource("daily-run"), read(MULTI_USER / "token.yaml"))
    spec = patched["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    (source,) = {each["name"]: each for each in spec["volumes"]}["kubeflow-token"]["projected"]["sources"]
    assert source["serviceAccountToken"]["audience"] == "pipelines.kubeflow.org"
    (mount,) = [each for each in spec["containers"][0]["volumeMounts"] if each["name"] == "kubeflow-token"]
    assert f"{mount['mountPath']}/{source['serviceAccountToken']['path']}" == client.KF_PIPELINES_SA_TOKEN_PATH
    assert len(spec["containers"][0]["volumeMounts"]) == 4
    verbs = {each: rule["verbs"] for rule in read(MULTI_USER / "api-role.yaml")["rules"] for each in rule["resources"]}
    assert {"create", "list"} <= set(verbs["pipelines"]) & set(verbs["experiments"])
    assert "create" in verbs["runs"]


MUTATIONS = {
    "the volume is root's": ("base/daily-run.yaml", "fsGroup: 10001", "fsGroup: 0", "sees_the_teacher"),
    "the daily job cannot read the teacher": (
        "base/daily-run.yaml",
        "- {name: data, mountPath: /data, readOnly: true}",
        "- {name: tmp, mountPath: /data}",
        "sees_the_teacher",
    ),
    "an overlay replaces the namespace's launcher": (
        "overlays/example/storage-class.yaml",
        "kind: PersistentVolumeClaim\nmetadata:\n  name: crosskd-data",
        "kind: ConfigMap\nmetadata:\n  name: kfp-launcher",
        "nothing_of_the_namespace",
    ),
    "the token is for another audience": (
        "overlays/multi-user/token.yaml",
        "audience: pipelines.kubeflow.org",
        "audience: kubernetes",
        "with_many_users",
    ),
    "the daily job gives no namespace": (
        "base/daily-run.yaml",
        '${NAMESPACE:+--namespace "$NAMESPACE"} ',
        "",
        "gives_the_command",
    ),
}


@pytest.mark.parametrize("fault", MUTATIONS)
def test_a_fault_of_the_manifests_is_caught(fault, tmp_path, monkeypatch):
    """Each brings back what a real cluster would not have run with, and turns a test of this file red."""
    name, old, new, red = MUTATIONS[fault]
    changed = shutil.copytree(FOLDER, tmp_path / "kubeflow") / name
    assert changed.read_text().count(old) == 1
    changed.write_text(changed.read_text().replace(old, new))
    module = sys.modules[__name__]
    for place in ("FOLDER", "BASE", "MULTI_USER"):
        was = getattr(module, place)
        monkeypatch.setattr(module, place, tmp_path / "kubeflow" / was.relative_to(FOLDER_OF_THE_PROJECT))
    (check,) = [each for key, each in vars(module).items() if key.startswith("test_") and red in key]
    given = {"tmp_path": tmp_path, "environment": {"NAMESPACE": "team"}, "options": ["--namespace", "team"]}
    with pytest.raises(AssertionError):
        check(**{key: value for key, value in given.items() if key in inspect.signature(check).parameters})
