"""What the pods need of their cluster: volumes, secrets, a place for temporary files.

It becomes the second document of the pipeline's YAML, which Kubeflow Pipelines 2 reads as
`kfp.kubernetes.KubernetesExecutorConfig` and Vertex does not read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from schema.errors import InputError

_NAME = r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?"
_VOLUME = re.compile(rf"(?P<claim>{_NAME})=(?P<path>/[\w./-]+)")
_ENVIRONMENT = re.compile(r"(?P<variable>[A-Za-z_]\w*)=(?P<value>.+)")
_SECRET = re.compile(rf"(?P<secret>{_NAME}):(?P<key>[\w.-]+)=(?P<variable>[A-Za-z_]\w*)")


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

    def give_environment(self, job: dict[str, Any]) -> None:
        """Writes the variables into the containers of a compiled job, in place: Vertex reads these, too."""
        for executor in job["pipelineSpec"]["deploymentSpec"]["executors"].values():
            if "container" in executor and self.environment:
                executor["container"]["env"] = [
                    {"name": name, "value": value} for name, value in sorted(self.environment.items())
                ]

    def document(self, job: dict[str, Any]) -> dict[str, Any]:
        """The platform specification of a compiled job."""
        executors = job["pipelineSpec"]["deploymentSpec"]["executors"]
        config = self._config()
        containers = [label for label, executor in executors.items() if "container" in executor]
        return {"platforms": {"kubernetes": {"deploymentSpec": {"executors": dict.fromkeys(containers, config)}}}}

    def _config(self) -> dict[str, Any]:
        # Images run with a read-only root; /tmp is where Kubeflow's launcher wants the result.
        config: dict[str, Any] = {"emptyDirMounts": [{"volumeName": "tmp", "mountPath": "/tmp"}]}
        if self.volumes:
            config["pvcMount"] = [{"constant": claim, "mountPath": path} for claim, path in self.volumes]
        if self.secrets:
            config["secretAsEnv"] = [
                {"secretName": secret, "keyToEnv": [{"secretKey": key, "envVar": variable}]}
                for secret, key, variable in self.secrets
            ]
        return config


def read_platform(volumes: Sequence[str], secrets: Sequence[str], environment: Sequence[str] = ()) -> Platform:
    """Reads `CLAIM=/path`, `SECRET:KEY=VARIABLE` and `VARIABLE=value` from the command line.

    Raises:
      InputError: One is not of that form, or two volumes have the same place.
    """
    mounts = [_match(_VOLUME, each, "--volume", "claim=/absolute/path") for each in volumes]
    paths = [each["path"] for each in mounts]
    if len(set(paths)) < len(paths) or "/tmp" in paths:
        raise InputError(f"--volume: expected places of their own, none of them /tmp, found {', '.join(paths)}")
    found = [_match(_SECRET, each, "--secret", "secret-name:key=VARIABLE") for each in secrets]
    given = [_match(_ENVIRONMENT, each, "--env", "VARIABLE=value") for each in environment]
    return Platform(
        volumes=[(each["claim"], each["path"]) for each in mounts],
        secrets=[(each["secret"], each["key"], each["variable"]) for each in found],
        environment={each["variable"]: each["value"] for each in given},
    )


def _match(pattern: re.Pattern[str], text: str, option: str, form: str) -> re.Match[str]:
    found = pattern.fullmatch(text)
    if found is None:
        raise InputError(f"{option}: expected {form}, found {text!r}")
    return found
