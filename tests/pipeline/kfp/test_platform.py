import pytest
from google.protobuf import json_format
from kfp.kubernetes import kubernetes_executor_config_pb2
from kfp.pipeline_spec import pipeline_spec_pb2

from pipeline.kfp.platform import read_platform
from pipeline.kfp.policies import Policies
from schema.errors import InputError

JOB = {
    "pipelineSpec": {"deploymentSpec": {"executors": {"exec-a": {"container": {}}, "exec-teacher": {"importer": {}}}}}
}


def test_every_container_gets_volumes_secrets_and_a_place_for_temporary_files():
    platform = read_platform(["data=/data"], ["store:access-key=AWS_ACCESS_KEY_ID"])
    (executor, config), *others = platform.document(JOB)["platforms"]["kubernetes"]["deploymentSpec"][
        "executors"
    ].items()
    assert (executor, others) == ("exec-a", [])
    parsed = json_format.ParseDict(config, kubernetes_executor_config_pb2.KubernetesExecutorConfig())
    assert [(each.constant, each.mount_path) for each in parsed.pvc_mount] == [("data", "/data")]
    (secret,) = parsed.secret_as_env
    assert (secret.secret_name, secret.key_to_env[0].secret_key, secret.key_to_env[0].env_var) == (
        "store",
        "access-key",
        "AWS_ACCESS_KEY_ID",
    )
    assert [(each.volume_name, each.mount_path) for each in parsed.empty_dir_mounts] == [("tmp", "/tmp")]


def test_variables_become_the_containers_own():
    job = {"pipelineSpec": {"deploymentSpec": {"executors": {"exec-a": {"container": {"image": "i"}}}}}}
    read_platform([], [], ["AWS_ENDPOINT_URL=http://store:9000?a=b"]).give_environment(job)
    container = job["pipelineSpec"]["deploymentSpec"]["executors"]["exec-a"]["container"]
    assert container["env"] == [{"name": "AWS_ENDPOINT_URL", "value": "http://store:9000?a=b"}]
    with pytest.raises(InputError, match="--env: expected VARIABLE=value, found 'A'"):
        read_platform([], [], ["A"])


@pytest.mark.parametrize(
    ("volumes", "secrets", "message"),
    [
        (["data"], [], "--volume: expected claim=/absolute/path, found 'data'"),
        (["Data=/data"], [], "--volume: expected claim=/absolute/path"),
        (["a=/data", "b=/data"], [], "expected places of their own"),
        (["a=/tmp"], [], "none of them /tmp"),
        ([], ["store=KEY"], "--secret: expected secret-name:key=VARIABLE, found 'store=KEY'"),
    ],
)
def test_what_no_cluster_would_take(volumes, secrets, message):
    with pytest.raises(InputError, match=message):
        read_platform(volumes, secrets)


POLICIES = Policies.model_validate(
    {
        "run": {
            "deadline_hours": 12,
            "keep_hours": 24,
            "keep_hours_after_success": 1.5,
            "keep_hours_after_failure": 72,
        },
        "default": {"labels": {"team": "ranking"}, "environment": {"LEVEL": "1", "ALL": "x"}},
        "nodes": {
            "Trainer.student": {
                "node_selector": {"cloud.example/pool": "gpu"},
                "tolerations": [
                    {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"},
                    {"key": "spot", "value": "true", "effect": "NoExecute", "seconds": 0},
                ],
                "temporary_storage": 50,
                "shared_memory": 2.5,
                "deadline_hours": 6,
                "labels": {"team": "ranking", "job": "train"},
                "annotations": {"example.com/scrape": "true"},
                "environment": {"LEVEL": "2"},
                "secrets": ["tokens:hub=HUB_TOKEN"],
            }
        },
    }
)


@pytest.fixture
def job():
    executors = {f"exec-{name}": {"container": {}} for name in ("trainer-student", "transform")}
    return {"pipelineSpec": {"deploymentSpec": {"executors": executors}}}


def test_a_node_is_placed_and_bounded_by_its_policy(job):
    platform = read_platform(["data=/data"], ["store:key=KEY"])
    found = platform.document(job, POLICIES)["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    student, transform = (
        json_format.ParseDict(found[f"exec-{name}"], kubernetes_executor_config_pb2.KubernetesExecutorConfig())
        for name in ("trainer-student", "transform")
    )
    assert dict(student.node_selector.labels) == {"cloud.example/pool": "gpu"}
    gpu, spot = student.tolerations
    assert (gpu.key, gpu.operator, gpu.value, gpu.effect) == ("nvidia.com/gpu", "Exists", "", "NoSchedule")
    assert not gpu.HasField("toleration_seconds")
    assert (spot.operator, spot.value, spot.HasField("toleration_seconds"), spot.toleration_seconds) == (
        *("Equal", "true", True, 0),
    )
    tmp, shm = student.empty_dir_mounts
    assert (tmp.mount_path, tmp.medium, tmp.size_limit) == ("/tmp", "", str(50 * 10**9))
    assert (shm.mount_path, shm.medium, shm.size_limit) == ("/dev/shm", "Memory", str(2_500_000_000))
    assert student.active_deadline_seconds == 6 * 3600
    assert dict(student.pod_metadata.labels) == {"team": "ranking", "job": "train"}
    assert dict(student.pod_metadata.annotations) == {"example.com/scrape": "true"}
    assert [each.secret_name for each in student.secret_as_env] == ["store", "tokens"]
    assert dict(transform.pod_metadata.labels) == {"team": "ranking"}
    assert [each.mount_path for each in transform.empty_dir_mounts] == ["/tmp"]
    assert not transform.tolerations
    assert transform.active_deadline_seconds == 0


def test_a_node_has_the_variables_of_all_and_its_own(job):
    read_platform([], [], ["ALL=y", "ONE=1"]).give_environment(job, POLICIES)
    executors = job["pipelineSpec"]["deploymentSpec"]["executors"]
    variables = {
        name: {each["name"]: each["value"] for each in executor["container"]["env"]}
        for name, executor in executors.items()
    }
    assert variables == {
        "exec-trainer-student": {"ALL": "y", "ONE": "1", "LEVEL": "2"},
        "exec-transform": {"ALL": "x", "ONE": "1", "LEVEL": "1"},
    }


def test_the_run_is_bounded(job):
    kubernetes = read_platform([], []).document(job, POLICIES)["platforms"]["kubernetes"]
    config = json_format.ParseDict(kubernetes, pipeline_spec_pb2.SinglePlatformSpec()).pipelineConfig
    assert config.active_deadline_seconds == 12 * 3600
    assert config.resource_ttl_on_completion == 24 * 3600
    assert config.resource_ttl_on_success == 5400
    assert config.resource_ttl_on_failure == 72 * 3600
    assert "pipelineConfig" not in read_platform([], []).document(job)["platforms"]["kubernetes"]
