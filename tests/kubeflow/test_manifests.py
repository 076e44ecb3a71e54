import kubernetes_validate
import pytest
import yaml

from tests.kubeflow.scripts import FOLDER

KUBERNETES = "1.31"
BASE, OVERLAY = FOLDER / "base", FOLDER / "overlays" / "example"
# Not of Kubernetes' own API: kustomize reads it.
KUSTOMIZATION = "kustomization.yaml"


def read(path):
    return yaml.safe_load(path.read_text())


def manifests():
    return sorted(path for folder in (BASE, OVERLAY) for path in folder.glob("*.yaml") if path.name != KUSTOMIZATION)


def resource(name):
    return read(BASE / f"{name}.yaml")


def pod():
    return resource("daily-run")["spec"]["jobTemplate"]["spec"]["template"]["spec"]


@pytest.mark.parametrize("path", manifests(), ids=lambda path: path.name)
def test_kubernetes_takes_every_manifest(path):
    kubernetes_validate.validate(read(path), KUBERNETES, strict=True)


def test_the_schemas_notice_a_wrong_word():
    claim = resource("volume-claim")
    claim["spec"]["accessMode"] = claim["spec"].pop("accessModes")
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(claim, KUBERNETES, strict=True)


def test_kustomize_is_told_of_every_file():
    listed = {name: read(folder / KUSTOMIZATION) for name, folder in (("base", BASE), ("overlay", OVERLAY))}
    assert set(listed["base"]["resources"]) == {path.name for path in BASE.glob("*.yaml")} - {KUSTOMIZATION}
    overlay = listed["overlay"]
    assert (OVERLAY / overlay["resources"][0]).resolve() == BASE
    named = {*overlay["resources"][1:], *(patch["path"] for patch in overlay["patches"])}
    assert named == {path.name for path in OVERLAY.glob("*.yaml")} - {KUSTOMIZATION}


def test_names_that_must_agree():
    account = resource("service-account")["metadata"]["name"]
    assert pod()["serviceAccountName"] == account
    assert resource("role-binding")["subjects"] == [{"kind": "ServiceAccount", "name": account}]
    assert resource("role-binding")["roleRef"]["name"] == resource("role")["metadata"]["name"]
    overlay = read(OVERLAY / KUSTOMIZATION)
    assert pod()["volumes"][0]["configMap"]["name"] == overlay["configMapGenerator"][0]["name"]
    assert pod()["containers"][0]["image"] == overlay["images"][0]["name"]
    assert read(OVERLAY / "storage-class.yaml")["metadata"] == resource("volume-claim")["metadata"]
    providers = yaml.safe_load(read(OVERLAY / "launcher.yaml")["data"]["providers"])
    secret = providers["s3"]["default"]["credentials"]["secretRef"]["secretName"]
    assert secret in resource("role")["rules"][3]["resourceNames"]


def test_the_daily_job_runs_as_the_image_does():
    container = pod()["containers"][0]
    assert pod()["securityContext"]["runAsUser"] == 10001
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert {"name": "tmp", "mountPath": "/tmp"} in container["volumeMounts"]
