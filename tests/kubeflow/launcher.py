"""Kubeflow's launcher: brings inputs to a container's disk, runs its command, takes its outputs away.

After `component/launcher_v2.go` and `objectstore/object_store.go`, release 2.17.0; each function
says after which of its functions.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2

from tests.kubeflow.driver import EXECUTOR_LOGS
from tests.kubeflow.object_store import ObjectStore
from tests.kubeflow.uris import Bucket, RefusedError, local_path, parse_artifact, parse_root


@dataclass(frozen=True)
class Pod:
    """One attempt at a task, with a disk of its own.

    Attributes:
      disk: What stands for `/` of the launcher's folders.
      root: The run's folder under the pipeline root.
      store: The root's object store, which the launcher reaches by `kfp-launcher`.
      environment: The container's variables, of which the launcher reads some as well.
    """

    disk: Path
    root: Bucket
    store: ObjectStore
    environment: Mapping[str, str]

    @classmethod
    def of(cls, disk: Path, root: str, store: ObjectStore, environment: Mapping[str, str]) -> Pod:
        return cls(disk, parse_root(root), store, environment)

    def path(self, uri: str) -> Path | None:
        local = local_path(uri)
        return None if local is None else self.disk / local.lstrip("/")


def name_logs(outputs: Mapping[str, Any], attempt: int) -> None:
    """`qualifyExecutorLogsForRetry`: each attempt has a log of its own."""
    for each in outputs["artifacts"].get(EXECUTOR_LOGS, {}).get("artifacts", []):
        each["uri"] = f"{each['uri']}-{attempt}"


def place_outputs(pod: Pod, outputs: Mapping[str, Any]) -> None:
    """`prepareOutputFolders`, and the result file where this disk is."""
    for of_name in outputs["artifacts"].values():
        for each in of_name["artifacts"]:
            path = pod.path(each["uri"])
            if path is None:
                raise RefusedError(f"failed to generate local storage path for output artifact: {each['uri']}")
            path.parent.mkdir(parents=True, exist_ok=True)


def download(pod: Pod, inputs: Mapping[str, Any]) -> None:
    """`downloadArtifacts` with `fetchNonDefaultBuckets`: a URI of no known form is left alone."""
    for name, of_name in inputs["artifacts"].items():
        for each in of_name["artifacts"]:
            bucket = parse_artifact(each["uri"])
            target = pod.path(each["uri"])
            if target is None:
                continue
            if each["uri"].startswith(pod.root.prefixed):
                bucket = pod.root
            elif (bucket.scheme, bucket.name) != (pod.root.scheme, pod.root.name):
                _reach(pod, name, each["uri"])
            pod.store.download(f"s3://{bucket.name}/{bucket.key(each['uri'])}", target)


def _reach(pod: Pod, name: str, uri: str) -> None:
    """`OpenBucket` without session information: credentials and endpoint come from the environment alone."""
    variables = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL")
    missing = [each for each in variables if each not in pod.environment]
    if missing or pod.environment["AWS_ENDPOINT_URL"] != pod.store.endpoint:
        raise RefusedError(f"failed to open bucket for output artifact {name!r} with uri {uri!r}: no {missing}")


def compile_command(command: list[str], executor_input: Mapping[str, Any]) -> list[str]:
    """`compileCmdAndArgs` with `getPlaceholders`: text for text, the whole message first; null has no text."""
    replacements = {"{{$}}": json.dumps(executor_input)}
    for name, value in executor_input["inputs"]["parameterValues"].items():
        if value is None:
            raise RefusedError(f"unknown PipelineSpec Value type of {name!r}")
        text = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
        replacements[f"{{{{$.inputs.parameters['{name}']}}}}"] = text
    for placeholder, value in replacements.items():
        command = [command[0], *(word.replace(placeholder, value) for word in command[1:])]
    return command


def read_output(file: Path) -> dict[str, Any]:
    """`getExecutorOutputFile`: no file is an empty output; an unknown field is an error."""
    if not file.exists():
        return {}
    message = json_format.Parse(file.read_text(), pipeline_spec_pb2.ExecutorOutput())
    return dict(json_format.MessageToDict(message))


def upload(pod: Pod, outputs: Mapping[str, Any], said: Mapping[str, Any], *, succeeded: bool) -> dict[str, Any]:
    """`uploadOutputArtifacts` with `mergeRuntimeArtifacts`: what is recorded, by name.

    Of a container that failed, the log alone is.  An output without files is recorded, a log
    without a file is not; URIs lie under the run's root.
    """
    recorded = {}
    for name, of_name in outputs["artifacts"].items():
        if not succeeded and name != EXECUTOR_LOGS:
            continue
        (kept,) = of_name["artifacts"]
        for each in said.get("artifacts", {}).get(name, {}).get("artifacts", [])[:1] if name != EXECUTOR_LOGS else []:
            kept["uri"] = each.get("uri") or kept["uri"]
            kept["metadata"] = {**kept.get("metadata", {}), **each.get("metadata", {})}
        source = pod.path(kept["uri"])
        if source is not None and source.exists():
            pod.store.upload(source, f"s3://{pod.root.name}/{pod.root.key(kept['uri'])}")
        elif name == EXECUTOR_LOGS:
            continue
        recorded[name] = kept
    return recorded
