"""Runs a compiled pipeline through a real driver and a real launcher of Kubeflow Pipelines 2.

The API server's part is played here: it starts the root's driver, and for each task the driver
and then, as Argo would, the container that the driver's patch describes.  Nothing is cached.
The launcher works in folders of the root file system (/s3 and the like), as in a pod.
"""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf import json_format

from tests.kubeflow.backend import Backend, Task, TaskFailedError
from tests.kubeflow.containers import Containers
from tests.kubeflow.driver import Metadata
from tests.kubeflow.forked_python import ForkedPython
from tests.kubeflow.kubernetes_api import KubernetesApi
from tests.kubeflow.metadata_service import MetadataService
from tests.kubeflow.object_store import ObjectStore

PROJECT = Path(__file__).parent.parent.parent
DRIVER_VARIABLE = "CROSSKD_KFP_DRIVER"
LAUNCHER_VARIABLE = "CROSSKD_KFP_LAUNCHER"


@dataclass(frozen=True)
class Parts:
    """What the environment gives, and what the parts talk to."""

    driver: Path
    launcher: Path
    service: MetadataService
    store: ObjectStore
    api: KubernetesApi
    secrets: dict[str, dict[str, str]]
    python: ForkedPython


class RealParts(Backend):
    """Driver and launcher are theirs.

    Attributes:
      pods: What the driver says of each task's pod, by the task's name.
    """

    def __init__(self, pipeline: Path, folder: Path, parameters: dict[str, Any], parts: Parts, pipeline_root: str):
        super().__init__(pipeline, folder, parameters, Containers.__new__(Containers))
        self._parts = parts
        self._metadata = Metadata(parts.service.client())
        self._run_id = folder.name
        self.pods: dict[str, dict[str, Any]] = {}
        runtime = {"parameterValues": self.parameters, "gcsOutputDirectory": pipeline_root}
        self._dag = self._drive(
            "root",
            *("--type", "ROOT_DAG", "--component", json_format.MessageToJson(self.spec.root)),
            *("--runtime_config", json.dumps(runtime)),
        )["execution_id"]

    def path(self, uri: str) -> Path:
        copy = self.folder / "copies" / uri.partition("://")[2]
        if not copy.exists():
            self._parts.store.download(uri, copy)
        return copy

    def run_task(self, task: Task) -> None:
        found = self._drive(
            task.name,
            *("--type", "CONTAINER", "--dag_execution_id", self._dag, "--task_name", task.name),
            *("--component", json_format.MessageToJson(task.component), "--task", json_format.MessageToJson(task.spec)),
            *("--container", json.dumps(task.executor["container"]), "--kubernetes_config", json.dumps(task.platform)),
            *("--iteration_index", "-1", "--run_name", self._run_id, "--run_display_name", self._run_id),
        )
        self.pods[task.name] = json.loads(found["pod_spec_patch"])
        container = self.pods[task.name]["containers"][0]
        words = [str(self._parts.launcher), *container["command"][1:], *container["args"]]
        pod = {"KFP_POD_NAME": task.name, "KFP_POD_UID": task.name}
        for name, value in pod.items():
            words = [word.replace(f"$({name})", value) for word in words]
        environment = {**pod, "KFP_RETRY_INDEX": "0", **self._variables(container.get("env", []))}
        self._start(f"{task.name}.launcher", words, environment)
        self._take(task)

    def _drive(self, name: str, *arguments: str) -> dict[str, str]:
        """Starts the driver as `addContainerDriverTemplate` and `addDAGDriverTemplate` of the Argo compiler do."""
        outputs = {each: self.folder / f"{name}.{each}" for each in ("execution_id", "pod_spec_patch", "condition")}
        paths = {**outputs, "cached_decision": self.folder / f"{name}.cached", "iteration_count": self.folder / "count"}
        words = [str(self._parts.driver), "--pipeline_name", self.spec.pipeline_info.name, "--run_id", self._run_id]
        words += [
            "--http_proxy",
            "",
            "--https_proxy",
            "",
            "--no_proxy",
            "",
            "--cache_disabled",
            "--publish_logs",
            "true",
        ]
        words += ["--mlmd_server_address", "127.0.0.1", "--mlmd_server_port", str(self._parts.service.port)]
        words += [word for each, path in paths.items() for word in (f"--{each}_path", str(path))]
        self._start(f"{name}.driver", [*words, *arguments], {})
        return {each: path.read_text() for each, path in outputs.items() if path.exists()}

    def _start(self, name: str, words: list[str], environment: dict[str, str]) -> None:
        log = self.folder / f"{name}.log"
        variables = {
            "PATH": f"{self._parts.python.folder}:{os.environ['PATH']}",
            "HOME": str(self.folder),
            "METADATA_GRPC_SERVICE_HOST": "127.0.0.1",
            "METADATA_GRPC_SERVICE_PORT": str(self._parts.service.port),
            **self._parts.api.environment,
            **environment,
        }
        with log.open("w") as file:
            code = subprocess.run(words, env=variables, cwd=PROJECT, stdout=file, stderr=file, check=False).returncode
        if code:
            raise TaskFailedError(f"{name}: exit code {code}\n{log.read_text()[-6000:]}")

    def _variables(self, env: list[dict[str, Any]]) -> dict[str, str]:
        found = {}
        for each in env:
            reference = each.get("valueFrom", {}).get("secretKeyRef")
            found[each["name"]] = (
                self._parts.secrets[reference["name"]][reference["key"]] if reference else each.get("value", "")
            )
        return found

    def _take(self, task: Task) -> None:
        """Reads from ML Metadata what the launcher has published."""
        executions = [
            each
            for each in self._metadata.store.get_executions()
            if each.custom_properties["task_name"].string_value == task.name
        ]
        for key, artifact_id in self._metadata.outputs(max(each.id for each in executions)).items():
            self.artifacts[task.name, key] = self._metadata.runtime_artifact(artifact_id)
