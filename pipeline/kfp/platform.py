"""What the pods need of their cluster: volumes, secrets, places, bounds, folders for temporary files.

It becomes the second document of the pipeline's YAML, which Kubeflow Pipelines 2 reads as
`kfp.kubernetes.KubernetesExecutorConfig` and Vertex does not read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.kfp.policies import SECRET, Policies, Policy, RunPolicy, Toleration
from schema.errors import InputError

_NAME = r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?"
_VOLUME = re.compile(rf"(?P<claim>{_NAME})=(?P<path>/[\w./-]+)")
_ENVIRONMENT = re.compile(r"(?P<variable>[A-Za-z_]\w*)=(?P<value>.+)")
_DEFAULT = Policies()


@dataclass(frozen=True)
class Platform:
    """What pods get.

    Attributes:
      volumes: PersistentVolumeClaims to where they are mounted.
      secrets: Secret, key in it, and the environment variable that holds it.
      environment: Values by the environment variable that holds them.
    """

    volumes: Sequence[tuple[str, str]] = ()
    secrets: Sequence[tuple[str, str, str]] = ()
    environment: Mapping[str, str] = field(default_factory=dict)

    def give_environment(self, job: dict[str, Any], policies: Policies = _DEFAULT) -> None:
        """Writes the variables into the containers of a compiled job, in place: Vertex reads these, too.

        Args:
          job: The job.
          policies: What else the variables of single nodes are.
        """
        containers = _containers(job)
        for label, policy in policies.of_executors(containers).items():
            variables = {**self.environment, **policy.environment}
            if variables:
                containers[label]["env"] = [{"name": name, "value": value} for name, value in sorted(variables.items())]

    def document(self, job: dict[str, Any], policies: Policies = _DEFAULT) -> dict[str, Any]:
        """The platform specification of a compiled job.

        Args:
          job: The job.
          policies: How its nodes are placed and bounded.
        """
        of_label = policies.of_executors(_containers(job))
        executors = {label: self._config(policy) for label, policy in of_label.items()}
        kubernetes: dict[str, Any] = {"deploymentSpec": {"executors": executors}}
        bounds = _bounds(policies.run)
        if bounds:
            kubernetes["pipelineConfig"] = bounds
        return {"platforms": {"kubernetes": kubernetes}}

    def _config(self, policy: Policy) -> dict[str, Any]:
        secrets = [*self.secrets, *(_secret(SECRET.fullmatch(each)) for each in policy.secrets)]
        found = {
            "emptyDirMounts": _empty_folders(policy),
            "pvcMount": [{"constant": claim, "mountPath": path} for claim, path in self.volumes],
            "secretAsEnv": [
                {"secretName": secret, "keyToEnv": [{"secretKey": key, "envVar": variable}]}
                for secret, key, variable in secrets
            ],
            "nodeSelector": {"labels": dict(policy.node_selector)} if policy.node_selector else {},
            "tolerations": [_toleration(each) for each in policy.tolerations],
            "podMetadata": _without_none(labels=dict(policy.labels), annotations=dict(policy.annotations)),
            "activeDeadlineSeconds": _seconds(policy.deadline_hours),
        }
        return _without_none(**found)


def _containers(job: dict[str, Any]) -> dict[str, dict[str, Any]]:
    executors = job["pipelineSpec"]["deploymentSpec"]["executors"]
    return {label: executor["container"] for label, executor in executors.items() if "container" in executor}


def _empty_folders(policy: Policy) -> list[dict[str, Any]]:
    # Images run with a read-only root; /tmp is where Kubeflow's launcher wants the result.
    folders = [
        _without_none(volumeName="tmp", mountPath="/tmp", sizeLimit=_bytes(policy.temporary_storage)),
    ]
    if policy.shared_memory is not None:
        # Kubeflow 2.17 reads no `enabledSharedMemory`; this is what it stands for.
        folders.append(
            _without_none(
                volumeName="shm", mountPath="/dev/shm", medium="Memory", sizeLimit=_bytes(policy.shared_memory)
            )
        )
    return folders


def _toleration(toleration: Toleration) -> dict[str, Any]:
    found = {
        "key": toleration.key,
        "operator": toleration.operator,
        "value": toleration.value,
        "effect": toleration.effect,
    }
    seconds = {} if toleration.seconds is None else {"tolerationSeconds": toleration.seconds}
    return {**_without_none(**found), **seconds}


def _bounds(run: RunPolicy) -> dict[str, int]:
    """`pipelineConfig`, with the names that the specification itself gives its fields."""
    return _without_none(
        active_deadline_seconds=_seconds(run.deadline_hours),
        resource_ttl_on_completion=_seconds(run.keep_hours),
        resource_ttl_on_success=_seconds(run.keep_hours_after_success),
        resource_ttl_on_failure=_seconds(run.keep_hours_after_failure),
    )


def _without_none(**found: Any) -> dict[str, Any]:
    """What says something."""
    return {name: value for name, value in found.items() if value not in (None, "", [], {})}


def _seconds(hours: float | None) -> int | None:
    return None if hours is None else max(1, round(hours * 3600))


def _bytes(gigabytes: float | None) -> str | None:
    return None if gigabytes is None else str(round(gigabytes * 1e9))


def _secret(found: re.Match[str] | None) -> tuple[str, str, str]:
    assert found is not None  # The policies checked it.
    return found["secret"], found["key"], found["variable"]


def read_platform(volumes: Sequence[str], secrets: Sequence[str], environment: Sequence[str] = ()) -> Platform:
    """Reads `CLAIM=/path`, `SECRET:KEY=VARIABLE` and `VARIABLE=value` from the command line.

    Raises:
      InputError: One is not of that form, or two volumes have the same place.
    """
    mounts = [_match(_VOLUME, each, "--volume", "claim=/absolute/path") for each in volumes]
    paths = [each["path"] for each in mounts]
    if len(set(paths)) < len(paths) or "/tmp" in paths:
        raise InputError(f"--volume: expected places of their own, none of them /tmp, found {', '.join(paths)}")
    found = [_match(SECRET, each, "--secret", "secret-name:key=VARIABLE") for each in secrets]
    given = [_match(_ENVIRONMENT, each, "--env", "VARIABLE=value") for each in environment]
    return Platform(
        volumes=[(each["claim"], each["path"]) for each in mounts],
        secrets=[_secret(each) for each in found],
        environment={each["variable"]: each["value"] for each in given},
    )


def _match(pattern: re.Pattern[str], text: str, option: str, form: str) -> re.Match[str]:
    found = pattern.fullmatch(text)
    if found is None:
        raise InputError(f"{option}: expected {form}, found {text!r}")
    return found
