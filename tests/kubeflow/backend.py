"""A Kubeflow backend on one machine: reads a compiled pipeline, and drives and launches its tasks.

Written after the driver and launcher of Kubeflow Pipelines 2 (`backend/src/v2`); what the kfp
SDK has of it (reading, sorting, placeholders, executor output) is the SDK's.
"""

from __future__ import annotations

import json
import random
import shutil
import threading
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from kfp import components
from kfp.local import executor_output_utils, graph_utils, placeholder_utils
from kfp.pipeline_spec import pipeline_spec_pb2

from tests.kubeflow.containers import Containers
from tests.kubeflow.object_store import ObjectStore

# What the open-source driver says of an artifact's type: nothing, an empty schema, or a generic title.
GENERIC_TYPES = ({}, {"instanceSchema": ""}, {"schemaTitle": "system.Artifact"}, {"schemaTitle": "system.Model"})


@dataclass(frozen=True)
class Task:
    """A task of the pipeline, with its component and its executor."""

    name: str
    spec: pipeline_spec_pb2.PipelineTaskSpec
    component: pipeline_spec_pb2.ComponentSpec
    executor: dict[str, Any]


class TaskFailedError(Exception):
    """A container ended with another exit code than 0; the message is the end of its log."""


class Backend(ABC):
    """What the backends have in common.

    Attributes:
      artifacts: Task name and output key to the artifact, as the backend keeps it.
      order: Names of tasks in the order in which they ended.
    """

    def __init__(self, pipeline: Path, folder: Path, parameters: dict[str, Any], containers: Containers):
        loaded = components.load_component_from_file(str(pipeline))
        self.spec = loaded.pipeline_spec
        self.folder = folder
        self.parameters = {**_defaults(self.spec), **parameters}
        self.artifacts: dict[tuple[str, str], dict[str, Any]] = {}
        self.order: list[str] = []
        self._containers = containers
        _check_parameters(self.spec, self.parameters)

    def run(self) -> None:
        """Runs all tasks, two at a time where the dependencies allow it.

        Raises:
          TaskFailedError: A task failed; those that depend on it were not started.
        """
        tasks = {name: self._task(name) for name in self.spec.root.dag.tasks}
        waiting = list(reversed(graph_utils.topological_sort_tasks(self.spec.root.dag.tasks)))
        running: dict[Future[None], str] = {}
        with ThreadPoolExecutor(2) as pool:
            while waiting or running:
                for name in [each for each in waiting if self._is_ready(tasks[each])][: 2 - len(running)]:
                    waiting.remove(name)
                    running[pool.submit(self.run_task, tasks[name])] = name
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for each in done:
                    each.result()
                    self.order.append(running.pop(each))

    def run_task(self, task: Task) -> None:
        if "importer" in task.executor:
            self._import(task)
        else:
            self._launch(task, self._drive(task))

    def artifact(self, task: str, key: str) -> Path:
        """Where the files of an output are."""
        return self.path(self.artifacts[task, key]["uri"])

    @abstractmethod
    def path(self, uri: str) -> Path:
        """Where the backend keeps what it knows by this URI."""

    def _task(self, name: str) -> Task:
        spec = self.spec.root.dag.tasks[name]
        component = self.spec.components[spec.component_ref.name]
        executors = json_format.MessageToDict(self.spec.deployment_spec)["executors"]
        return Task(name, spec, component, executors[component.executor_label])

    def _is_ready(self, task: Task) -> bool:
        return set(task.spec.dependent_tasks) <= set(self.order)

    def _import(self, task: Task) -> None:
        importer = task.executor["importer"]
        (key,) = task.component.output_definitions.artifacts
        source = importer["artifactUri"]
        uri = source.get("constant") or self._parameter(task, source["runtimeParameter"])
        self.artifacts[task.name, key] = {"uri": uri, "metadata": importer.get("metadata", {})}

    def _drive(self, task: Task) -> dict[str, Any]:
        """The ExecutorInput, as a dictionary."""
        return {
            "inputs": {
                "parameterValues": {name: self._parameter(task, name) for name in task.spec.inputs.parameters},
                "artifacts": {key: {"artifacts": [self._input(task, key)]} for key in task.spec.inputs.artifacts},
            },
            "outputs": {
                "outputFile": self._output_file(task),
                "artifacts": {
                    key: {"artifacts": [self._output(task, key)]} for key in task.component.output_definitions.artifacts
                },
            },
        }

    def _parameter(self, task: Task, name: str) -> Any:
        source = task.spec.inputs.parameters[name]
        if source.WhichOneof("kind") == "component_input_parameter":
            return self.parameters[source.component_input_parameter]
        return json_format.MessageToDict(source.runtime_value.constant)

    def _produced(self, task: Task, key: str) -> dict[str, Any]:
        source = task.spec.inputs.artifacts[key].task_output_artifact
        return self.artifacts[source.producer_task, source.output_artifact_key]

    def _launch(self, task: Task, executor_input: dict[str, Any]) -> None:
        work = self.folder / "tasks" / task.name
        work.mkdir(parents=True, exist_ok=True)
        container = task.executor["container"]
        command = self._substitute([*container["command"], *container["args"]], executor_input)
        with self._carried(executor_input) as environment:
            code = self._containers.run(command, environment, work / "log")
        if code:
            raise TaskFailedError(f"{task.name}: exit code {code}\n{(work / 'log').read_text()[-6000:]}")
        written = executor_output_utils.load_executor_output(executor_input["outputs"]["outputFile"])
        self._take(task, executor_input, json_format.MessageToDict(written))

    def _take(self, task: Task, executor_input: dict[str, Any], output: dict[str, Any]) -> None:
        """Merges what the container says of its outputs with what it was given, and keeps it."""
        for key, artifacts in executor_input["outputs"]["artifacts"].items():
            (kept,) = artifacts["artifacts"]
            for said in output.get("artifacts", {}).get(key, {}).get("artifacts", [])[:1]:
                kept["uri"] = said.get("uri") or kept["uri"]
                kept["metadata"] = {**kept.get("metadata", {}), **said.get("metadata", {})}
            self.artifacts[task.name, key] = kept

    @abstractmethod
    def _output_file(self, task: Task) -> str: ...

    @abstractmethod
    def _input(self, task: Task, key: str) -> dict[str, Any]: ...

    @abstractmethod
    def _output(self, task: Task, key: str) -> dict[str, Any]: ...

    @abstractmethod
    def _substitute(self, command: list[str], executor_input: dict[str, Any]) -> list[str]: ...

    @abstractmethod
    @contextmanager
    def _carried(self, executor_input: dict[str, Any]) -> Iterator[dict[str, str]]:
        """Brings inputs to where the container finds them, and what it leaves to where the backend keeps it.

        Yields the container's environment.
        """


class Vertex(Backend):
    """Artifacts have schemas and resource names, and URIs that every container reads."""

    def path(self, uri: str) -> Path:
        return Path(uri)

    def _output_file(self, task: Task) -> str:
        return str(self.folder / "root" / task.name / "executor_output.json")

    def _input(self, task: Task, key: str) -> dict[str, Any]:
        kind = task.component.input_definitions.artifacts[key].artifact_type
        produced = self._produced(task, key)
        return {**produced, "name": _resource_name(produced["uri"]), "type": json_format.MessageToDict(kind)}

    def _output(self, task: Task, key: str) -> dict[str, Any]:
        uri = str(self.folder / "root" / task.name / key)
        kind = task.component.output_definitions.artifacts[key].artifact_type
        return {"name": _resource_name(uri), "uri": uri, "type": json_format.MessageToDict(kind), "metadata": {}}

    def _substitute(self, command: list[str], executor_input: dict[str, Any]) -> list[str]:
        return placeholder_utils.replace_placeholders(command, executor_input, "job", "task", "root", "1")

    @contextmanager
    def _carried(self, executor_input: dict[str, Any]) -> Iterator[dict[str, str]]:
        yield {}


class OpenSource(Backend):
    """No schemas, no names to rely on, and a launcher that carries files to and from an object store."""

    root = "s3://mlpipeline/v2/artifacts"

    def __init__(
        self, pipeline: Path, folder: Path, parameters: dict[str, Any], containers: Containers, store: ObjectStore
    ):
        super().__init__(pipeline, folder, parameters, containers)
        self.store = store
        self._lock = threading.Lock()
        self._in_use: Counter[str] = Counter()

    def path(self, uri: str) -> Path:
        """A copy of what the object store holds."""
        copy = self.folder / "copies" / uri.partition("://")[2]
        if not copy.exists():
            self.store.download(uri, copy)
        return copy

    def _output_file(self, task: Task) -> str:
        return str(self.folder / "tasks" / task.name / "kfp_outputs" / "output_metadata.json")

    def _input(self, task: Task, key: str) -> dict[str, Any]:
        kind = GENERIC_TYPES[sorted(task.spec.inputs.artifacts).index(key) % len(GENERIC_TYPES)]
        return {**self._produced(task, key), "name": key, "type": dict(kind)}

    def _output(self, task: Task, key: str) -> dict[str, Any]:
        salt = f"{random.getrandbits(64):016x}"
        uri = f"{self.root}/{self.spec.pipeline_info.name}/{task.name}/{salt}/{key}"
        return {"uri": uri, "type": {"schemaTitle": "system.Artifact"}, "metadata": {}}

    def _substitute(self, command: list[str], executor_input: dict[str, Any]) -> list[str]:
        """As the launcher does: text for text, the whole message first."""
        values = executor_input["inputs"]["parameterValues"]
        replacements = {"{{$}}": json.dumps(executor_input)}
        replacements.update({f"{{{{$.inputs.parameters['{name}']}}}}": str(value) for name, value in values.items()})
        for placeholder, value in replacements.items():
            command = [word.replace(placeholder, value) for word in command]
        return command

    @contextmanager
    def _carried(self, executor_input: dict[str, Any]) -> Iterator[dict[str, str]]:
        """As the launcher does.  A container's disk holds what it was given, and nothing of other tasks."""
        inputs, outputs = (_uris(executor_input[side]["artifacts"]) for side in ("inputs", "outputs"))
        with self._lock:
            for uri in inputs:
                self._in_use[uri] += 1
                if self._in_use[uri] == 1:
                    self.store.download(uri, self._mounted(uri))
        for uri in outputs:
            self._mounted(uri).parent.mkdir(parents=True, exist_ok=True)
        yield {"CROSSKD_MOUNT_ROOT": str(self.folder / "mount")}
        for uri in outputs:
            self.store.upload(self._mounted(uri), uri)
            shutil.rmtree(self._mounted(uri), ignore_errors=True)
        with self._lock:
            for uri in inputs:
                self._in_use[uri] -= 1
                if not self._in_use[uri]:
                    shutil.rmtree(self._mounted(uri), ignore_errors=True)

    def _mounted(self, uri: str) -> Path:
        scheme, _, rest = uri.partition("://")
        return self.folder / "mount" / scheme / rest


def _uris(artifacts: dict[str, Any]) -> list[str]:
    """URIs in an object store; the launcher leaves others, such as paths on a volume, alone."""
    uris = [each["artifacts"][0]["uri"] for each in artifacts.values()]
    return sorted({uri for uri in uris if "://" in uri})


def _resource_name(uri: str) -> str:
    return f"projects/1/locations/here/metadataStores/default/artifacts/{abs(hash(uri))}"


def _defaults(spec: pipeline_spec_pb2.PipelineSpec) -> dict[str, Any]:
    parameters = spec.root.input_definitions.parameters
    values = {name: json_format.MessageToDict(each.default_value) for name, each in parameters.items()}
    return {name: value for name, value in values.items() if value is not None}


def _check_parameters(spec: pipeline_spec_pb2.PipelineSpec, values: dict[str, Any]) -> None:
    known = set(spec.root.input_definitions.parameters)
    if known != set(values):
        raise ValueError(f"expected values of {sorted(known)}, found {sorted(values)}")
