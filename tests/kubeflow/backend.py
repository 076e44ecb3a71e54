"""Kubeflow backends on one machine: each reads a compiled pipeline, and drives and launches its tasks.

What the kfp SDK has of it (reading, sorting, placeholders, executor output) is the SDK's.
"""

from __future__ import annotations

import json
import shutil
import threading
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from google.protobuf import json_format
from kfp import components
from kfp.local import graph_utils
from kfp.pipeline_spec import pipeline_spec_pb2
from ml_metadata.proto import metadata_store_pb2

from tests.kubeflow import argo, launcher
from tests.kubeflow.containers import Containers
from tests.kubeflow.driver import (
    CONTAINER_EXECUTION,
    IMPORTER_EXECUTION,
    Metadata,
    check_parameter,
    fingerprint,
    provision_outputs,
    title_of,
)
from tests.kubeflow.metadata_service import MetadataService
from tests.kubeflow.object_store import ObjectStore
from tests.kubeflow.uris import check_imported, parse_root

COMPLETE, FAILED, CACHED = (
    metadata_store_pb2.Execution.COMPLETE,
    metadata_store_pb2.Execution.FAILED,
    metadata_store_pb2.Execution.CACHED,
)


@dataclass(frozen=True)
class Task:
    """A task of the pipeline, with its component, its executor, and what its pod gets of the cluster."""

    name: str
    spec: pipeline_spec_pb2.PipelineTaskSpec
    component: pipeline_spec_pb2.ComponentSpec
    executor: dict[str, Any]
    platform: dict[str, Any]


class TaskFailedError(Exception):
    """A container ended with another exit code than 0; the message is the end of its log."""


class Backend(ABC):
    """What the backends have in common.

    Attributes:
      artifacts: Task name and output key to the artifact, as the backend keeps it.
      order: Names of tasks in the order in which they ended.
    """

    def __init__(self, pipeline: Path, folder: Path, parameters: dict[str, Any], containers: Containers):
        specification, *platforms = yaml.safe_load_all(pipeline.read_text())
        self.spec = components.load_component_from_text(yaml.safe_dump(specification)).pipeline_spec
        self._executors = json_format.MessageToDict(self.spec.deployment_spec)["executors"]
        kubernetes = platforms[0]["platforms"]["kubernetes"] if platforms else {"deploymentSpec": {"executors": {}}}
        self._platform = kubernetes["deploymentSpec"]["executors"]
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.parameters = {**_defaults(self.spec), **parameters}
        self.artifacts: dict[tuple[str, str], dict[str, Any]] = {}
        self.order: list[str] = []
        self.containers = containers
        _check_parameters(self.spec, self.parameters)

    def run(self) -> None:
        """Runs all tasks, two at a time where the dependencies allow it.

        Raises:
          TaskFailedError: A task failed; those that depend on it were not started.
        """
        tasks = {name: self.task(name) for name in self.spec.root.dag.tasks}
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

    @abstractmethod
    def run_task(self, task: Task) -> None:
        """Runs one task, and keeps its outputs."""

    def artifact(self, task: str, key: str) -> Path:
        """Where the files of an output are."""
        return self.path(self.artifacts[task, key]["uri"])

    @abstractmethod
    def path(self, uri: str) -> Path:
        """Where the backend keeps what it knows by this URI."""

    def task(self, name: str) -> Task:
        spec = self.spec.root.dag.tasks[name]
        component = self.spec.components[spec.component_ref.name]
        label = component.executor_label
        return Task(name, spec, component, self._executors[label], self._platform.get(label, {}))

    def _is_ready(self, task: Task) -> bool:
        return set(task.spec.dependent_tasks) <= set(self.order)

    def parameter(self, task: Task, name: str) -> Any:
        source = task.spec.inputs.parameters[name]
        if source.WhichOneof("kind") == "component_input_parameter":
            return self.parameters[source.component_input_parameter]
        return json_format.MessageToDict(source.runtime_value.constant)

    def produced(self, task: Task, key: str) -> dict[str, Any]:
        source = task.spec.inputs.artifacts[key].task_output_artifact
        return self.artifacts[source.producer_task, source.output_artifact_key]


@dataclass
class Clock:
    """Time that tests can let pass."""

    skipped: float = 0.0

    def now(self) -> float:
        return time.monotonic() + self.skipped


@dataclass
class Cluster:
    """What an installation of Kubeflow Pipelines has, whoever runs in it.

    Attributes:
      store: The object store of the default pipeline root.
      service: ML Metadata.
      disk: What stands for `/` of the launcher's folders, which are the same paths in every pod.
      default_root: `defaultPipelineRoot` of `kfp-launcher`, or what 2.17.0 has without one (`config/env.go`).
      secrets: Name of a secret, and key in it, to its value.
      publish_logs: PUBLISH_LOGS of the API server; its own manifests say true.
      cache: Executions by fingerprint.
      clock: The time.
    """

    store: ObjectStore
    service: MetadataService
    disk: Path
    default_root: str = "minio://mlpipeline/v2/artifacts"
    secrets: Mapping[tuple[str, str], str] = field(default_factory=dict)
    publish_logs: bool = True
    cache: dict[str, int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    in_use: Counter[str] = field(default_factory=Counter)
    clock: Clock = field(default_factory=Clock)


class OpenSource(Backend):
    """Kubeflow Pipelines 2.17.0: see `driver`, `launcher`, `argo` and `uris`.

    Attributes:
      attempts: How often each task's container was started.
      cached: The tasks for which an earlier task stood in.
    """

    def __init__(
        self,
        pipeline: Path,
        folder: Path,
        parameters: dict[str, Any],
        containers: Containers,
        cluster: Cluster,
        pipeline_root: str | None = None,
    ):
        """After `RootDAG` of `driver/root_dag.go`: the root is the run's, or the installation's, never the file's."""
        super().__init__(pipeline, folder, parameters, containers)
        root = (pipeline_root or cluster.default_root).rstrip("/")
        parse_root(root)
        self.root = f"{root}/{self.spec.pipeline_info.name}/{folder.name}"
        self.cluster = cluster
        self.metadata = Metadata(cluster.service.client())
        self.attempts: dict[str, int] = {}
        self.cached: set[str] = set()

    def path(self, uri: str) -> Path:
        """A copy of what the object store holds."""
        copy = self.folder / "copies" / uri.partition("://")[2]
        if not copy.exists():
            self.cluster.store.download(uri, copy)
        return copy

    def run_task(self, task: Task) -> None:
        if "importer" in task.executor:
            self._keep(task, {next(iter(task.component.output_definitions.artifacts)): self._import(task)})
            return
        executor_input = self.drive(task)
        container = task.executor["container"]
        words = [*container["command"], *container.get("args", [])]
        claims = [each["constant"] for each in task.platform.get("pvcMount", [])]
        key = fingerprint(executor_input, words, container["image"], claims)
        inputs = executor_input["inputs"]["artifacts"]
        execution = self.metadata.create_execution(CONTAINER_EXECUTION, task.name, inputs)
        if task.spec.caching_options.enable_cache and key in self.cluster.cache:
            self._reuse(task, execution, self.cluster.cache[key])
            return
        self._try(task, execution, executor_input)
        self.cluster.cache[key] = execution

    def drive(self, task: Task) -> dict[str, Any]:
        """The ExecutorInput, as a dictionary: `Container` of `driver/container.go`."""
        kinds = task.component.input_definitions.parameters
        definitions = {
            name: json_format.MessageToDict(each) for name, each in task.component.output_definitions.artifacts.items()
        }
        return {
            "inputs": {
                "parameterValues": {
                    name: check_parameter(
                        name,
                        pipeline_spec_pb2.ParameterType.ParameterTypeEnum.Name(kinds[name].parameter_type),
                        self.parameter(task, name),
                    )
                    for name in task.spec.inputs.parameters
                },
                "artifacts": {key: {"artifacts": [self.produced(task, key)]} for key in task.spec.inputs.artifacts},
            },
            "outputs": provision_outputs(self.root, task.name, definitions, publish_logs=self.cluster.publish_logs),
        }

    def _import(self, task: Task) -> int:
        """`Execute` of `component/importer_launcher.go`."""
        importer = task.executor["importer"]
        source = importer["artifactUri"]
        uri = source.get("constant") or self.parameter(task, source["runtimeParameter"])
        kind = title_of(importer["typeSchema"])
        check_imported(uri, kind)
        execution = self.metadata.create_execution(IMPORTER_EXECUTION, task.name, {})
        metadata = importer.get("metadata", {})
        found = None if importer.get("reimport") else self.metadata.find_imported(uri, kind, metadata)
        content = {"uri": uri, "metadata": metadata, "type": importer["typeSchema"]}
        imported = found or self.metadata.record(task.name, content)
        self.metadata.publish(execution, {"result": imported}, COMPLETE)
        return imported

    def _reuse(self, task: Task, execution: int, earlier: int) -> None:
        """`reuseCachedOutputs` of `driver/cache.go`: the same artifacts, by their ids."""
        outputs = self.metadata.outputs(earlier)
        self.metadata.publish(execution, outputs, CACHED)
        self.cached.add(task.name)
        self._keep(task, outputs)

    def _try(self, task: Task, execution: int, executor_input: dict[str, Any]) -> None:
        """Attempts until one succeeds or Argo gives up."""
        policy = json_format.MessageToDict(task.spec.retry_policy) if task.spec.HasField("retry_policy") else None
        clock = self.cluster.clock
        attempts: list[argo.Attempt] = []
        verdict = argo.Verdict(clock.now())
        while verdict.start is not None:
            clock.skipped += max(0.0, verdict.start - clock.now())
            started = clock.now()
            self.attempts[task.name] = len(attempts) + 1
            failure = self._attempt(task, execution, json.loads(json.dumps(executor_input)), len(attempts))
            if failure is None and clock.now() <= verdict.deadline:
                return
            attempts.append(argo.Attempt(started, clock.now()))
            verdict = argo.after(attempts, policy)
        raise TaskFailedError(f"{task.name}: {verdict.message}; the last of {len(attempts)} attempts: {failure}")

    def _attempt(self, task: Task, execution: int, executor_input: dict[str, Any], attempt: int) -> str | None:
        """`Execute` and `executeV2` of `component/launcher_v2.go`; the end of the log if the container fails."""
        environment = self._environment(task, attempt)
        pod = launcher.Pod.of(self.cluster.disk, self.root, self.cluster.store, environment)
        outputs = executor_input["outputs"]
        launcher.name_logs(outputs, attempt)
        outputs["outputFile"] = f"{self.cluster.disk}{outputs['outputFile']}"
        container = task.executor["container"]
        command = launcher.compile_command([*container["command"], *container.get("args", [])], executor_input)
        launcher.place_outputs(pod, outputs)
        log = self.folder / f"{task.name}-{attempt}.log"
        with self._inputs_at_hand(pod, executor_input["inputs"]):
            code = self.containers.run(command, environment, log)
        for each in outputs["artifacts"].get("executor-logs", {}).get("artifacts", []):
            shutil.copyfile(log, pod.path(each["uri"]) or log)
        said = {} if code else launcher.read_output(Path(outputs["outputFile"]))
        recorded = launcher.upload(pod, outputs, said, succeeded=not code)
        kept = {name: self.metadata.record(name, each) for name, each in recorded.items()}
        self.metadata.publish(execution, kept, FAILED if code else COMPLETE)
        shutil.rmtree(Path(outputs["outputFile"]).parent)
        if not code:
            self._keep(task, kept)
            return None
        return f"exit code {code}\n{log.read_text()[-6000:]}"

    @contextmanager
    def _inputs_at_hand(self, pod: launcher.Pod, inputs: dict[str, Any]) -> Iterator[None]:
        """Brings inputs to the disk and takes them away again, unless another pod works with them."""
        uris = [each["uri"] for of_name in inputs["artifacts"].values() for each in of_name["artifacts"]]
        with self.cluster.lock:
            launcher.download(pod, inputs)
            self.cluster.in_use.update(uris)
        yield
        with self.cluster.lock:
            self.cluster.in_use.subtract(uris)
            for path in [pod.path(uri) for uri in uris if not self.cluster.in_use[uri]]:
                shutil.rmtree(path or "", ignore_errors=True)

    def _keep(self, task: Task, outputs: Mapping[str, int]) -> None:
        for key, artifact_id in outputs.items():
            self.artifacts[task.name, key] = self.metadata.runtime_artifact(artifact_id)

    def _environment(self, task: Task, attempt: int) -> dict[str, str]:
        """`addContainerExecutorTemplate` of `compiler/argocompiler/container.go`, and `extendPodSpecPatch`."""
        given = {each["name"]: each["value"] for each in task.executor["container"].get("env", [])}
        for secret in task.platform.get("secretAsEnv", []):
            for each in secret["keyToEnv"]:
                given[each["envVar"]] = self.cluster.secrets[secret["secretName"], each["secretKey"]]
        return {
            **given,
            "CROSSKD_MOUNT_ROOT": str(self.cluster.disk),
            "KFP_RETRY_INDEX": str(attempt),
            "METADATA_GRPC_SERVICE_HOST": "127.0.0.1",
            "METADATA_GRPC_SERVICE_PORT": str(self.cluster.service.port),
        }


def _defaults(spec: pipeline_spec_pb2.PipelineSpec) -> dict[str, Any]:
    parameters = spec.root.input_definitions.parameters
    values = {name: json_format.MessageToDict(each.default_value) for name, each in parameters.items()}
    return {name: value for name, value in values.items() if value is not None}


def _check_parameters(spec: pipeline_spec_pb2.PipelineSpec, values: dict[str, Any]) -> None:
    known = set(spec.root.input_definitions.parameters)
    if known != set(values):
        raise ValueError(f"expected values of {sorted(known)}, found {sorted(values)}")
