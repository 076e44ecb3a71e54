import pytest
from google.protobuf import json_format
from kfp.kubernetes import kubernetes_executor_config_pb2

from pipeline.kfp.platform import read_platform
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
