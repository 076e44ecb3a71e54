"""Kubeflow's driver: what a task gets, where its outputs go, and whether an earlier task's stand in.

After release 2.17.0, `backend/src/v2`; each function says after which of its functions.
Metadata lie in the real ML Metadata, so that numbers come back as its database returns them.
"""

from __future__ import annotations

import hashlib
import json
import threading
import uuid
from collections.abc import Mapping
from typing import Any

import ml_metadata as mlmd
import yaml
from google.protobuf import json_format, struct_pb2
from ml_metadata.proto import metadata_store_pb2 as pb

from tests.kubeflow.uris import RefusedError, local_path

CONTAINER_EXECUTION = "system.ContainerExecution"
IMPORTER_EXECUTION = "system.ImporterExecution"
EXECUTOR_LOGS = "executor-logs"


def provision_outputs(root: str, task: str, definitions: Mapping[str, Any], *, publish_logs: bool) -> dict[str, Any]:
    """`provisionOutputs` of `driver/driver.go`.

    Args:
      root: The run's own folder under the pipeline root.
      task: Name of the task.
      definitions: Output artifacts of the component, as dictionaries.
      publish_logs: PUBLISH_LOGS of the API server, which its own manifests set to true.
    """
    artifacts = dict(definitions)
    if publish_logs:
        artifacts[EXECUTOR_LOGS] = {"artifactType": {"schemaTitle": "system.Artifact"}}
    task_root = f"{root.rstrip('/')}/{task}/{uuid.uuid4()}"
    local = local_path(task_root)
    return {
        "artifacts": {
            name: {
                "artifacts": [
                    {
                        "name": name,
                        "uri": f"{task_root}/{name}",
                        "type": each["artifactType"],
                        "metadata": each.get("metadata", {}),
                    }
                ]
            }
            for name, each in artifacts.items()
        },
        "outputFile": f"{local}/output_metadata.json" if local else "/tmp/kfp_outputs/output_metadata.json",
    }


def check_parameter(name: str, kind: str, value: Any) -> Any:
    """`handleParamTypeValidationAndConversion` of `driver/resolve.go`."""
    if kind == "STRING":
        return value if isinstance(value, str) else _text(value)
    expected = {"NUMBER_INTEGER": (int, float), "NUMBER_DOUBLE": (int, float), "BOOLEAN": (bool,)}
    if kind in expected and (not isinstance(value, expected[kind]) or (isinstance(value, bool) and kind != "BOOLEAN")):
        raise RefusedError(f"input parameter {name!r} type mismatch: expect {kind}, got {type(value).__name__}")
    return value


def fingerprint(executor_input: Mapping[str, Any], command: list[str], image: str, claims: list[str]) -> str:
    """`GenerateCacheKey` and `GenerateFingerPrint` of `cacheutils/cache.go`: inputs count by their ids, not by URI."""
    inputs, outputs = executor_input["inputs"], executor_input["outputs"]
    key = {
        "inputArtifactNames": {
            name: [each["name"] for each in of_name["artifacts"]] for name, of_name in inputs["artifacts"].items()
        },
        "inputParameterValues": inputs["parameterValues"],
        "outputArtifactsSpec": {
            name: {key: value for key, value in of_name["artifacts"][0].items() if key != "uri"}
            for name, of_name in outputs["artifacts"].items()
        },
        "containerSpec": {"image": image, "cmdArgs": command, "pvcNames": sorted(set(claims))},
    }
    return hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()


class Metadata:
    """What driver and launcher keep: `metadata/client.go` and `metadata/converter.go`."""

    def __init__(self, store: mlmd.MetadataStore) -> None:
        self.store = store
        self._lock = threading.Lock()

    def create_execution(self, kind: str, task: str, inputs: Mapping[str, Any]) -> int:
        """`CreateExecution`; an input's name must be its id, as `GenerateExecutionConfig` reads it."""
        events = [
            _event(name, int(each["name"]), pb.Event.INPUT)
            for name, of_name in inputs.items()
            for each in of_name["artifacts"]
        ]
        execution = pb.Execution(last_known_state=pb.Execution.RUNNING)
        execution.custom_properties["task_name"].string_value = task
        with self._lock:
            execution.type_id = self.store.put_execution_type(pb.ExecutionType(name=kind))
            (execution_id,) = self.store.put_executions([execution])
            for event in events:
                event.execution_id = execution_id
            self.store.put_events(events)
        return int(execution_id)

    def record(self, name: str, artifact: Mapping[str, Any]) -> int:
        """`getArtifactSchema`, `toMLMDArtifact` and `RecordArtifact`: the artifact's id."""
        kept = pb.Artifact(uri=artifact["uri"], state=pb.Artifact.LIVE)
        for key, value in artifact.get("metadata", {}).items():
            _set(kept.custom_properties[key], value)
        if "display_name" not in kept.custom_properties:
            kept.custom_properties["display_name"].string_value = name
        if "store_session_info" not in kept.custom_properties:
            kept.custom_properties["store_session_info"].string_value = '{"Provider":"s3","Params":{"fromEnv":"true"}}'
        with self._lock:
            kept.type_id = self.store.put_artifact_type(pb.ArtifactType(name=title_of(artifact["type"])))
            (artifact_id,) = self.store.put_artifacts([kept])
        return int(artifact_id)

    def publish(self, execution_id: int, outputs: Mapping[str, int], state: int) -> None:
        """`PublishExecution`: outputs by name, as events of the execution."""
        with self._lock:
            (execution,) = self.store.get_executions_by_id([execution_id])
            execution.last_known_state = state
            self.store.put_executions([execution])
            events = [_event(name, artifact_id, pb.Event.OUTPUT) for name, artifact_id in outputs.items()]
            for event in events:
                event.execution_id = execution_id
            self.store.put_events(events)

    def outputs(self, execution_id: int) -> dict[str, int]:
        """`GetOutputArtifactsByExecutionId`: ids by name."""
        events = self.store.get_events_by_execution_ids([execution_id])
        return {each.path.steps[0].key: each.artifact_id for each in events if each.type == pb.Event.OUTPUT}

    def runtime_artifact(self, artifact_id: int) -> dict[str, Any]:
        """`toRuntimeArtifact`: the name is the id, there is no type, and every number is a double."""
        (kept,) = self.store.get_artifacts_by_id([artifact_id])
        metadata = {key: _get(value) for key, value in kept.custom_properties.items()}
        return {"name": str(artifact_id), "uri": kept.uri, "metadata": metadata}

    def find_imported(self, uri: str, title: str, metadata: Mapping[str, Any]) -> int | None:
        """`FindMatchedArtifact`: an artifact that was imported alike before."""
        for each in self.store.get_artifacts_by_uri(uri):
            found = self.runtime_artifact(each.id)["metadata"]
            if each.type == title and all(found.get(key) == value for key, value in metadata.items()):
                return int(each.id)
        return None


def title_of(kind: Mapping[str, Any]) -> str:
    """`getArtifactSchema` and `SchemaToArtifactType`: the title of a schema, which must be there."""
    if "schemaTitle" in kind:
        return str(kind["schemaTitle"])
    if "instanceSchema" not in kind:
        raise RefusedError(f"failed to determine schema: unknown type in ArtifactTypeSchema {dict(kind)}")
    title = (yaml.safe_load(kind["instanceSchema"]) or {}).get("title")
    if not title:
        raise RefusedError("No title specified")
    return str(title)


def _event(name: str, artifact_id: int, kind: int) -> pb.Event:
    event = pb.Event(artifact_id=artifact_id, type=kind)
    event.path.steps.add().key = name
    return event


def _set(target: pb.Value, value: Any) -> None:
    """`StructValueToMLMDValue`; null is not supported there either."""
    match value:
        case bool():
            target.int_value = int(value)
        case str():
            target.string_value = value
        case int() | float():
            target.double_value = value
        case list() | dict():
            wrapped = {"list" if isinstance(value, list) else "struct": value}
            target.struct_value.CopyFrom(json_format.ParseDict(wrapped, struct_pb2.Struct()))
        case _:
            raise RefusedError(f"unknown/unsupported value type {type(value).__name__}")


def _get(value: pb.Value) -> Any:
    match value.WhichOneof("value"):
        case "string_value":
            return value.string_value
        case "double_value":
            return value.double_value
        case "int_value":
            return float(value.int_value)
        case _:
            return json_format.MessageToDict(value.struct_value)


def _text(value: Any) -> str:
    """`PbValueToText` of `metadata/converter.go`."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else json.dumps(value)
