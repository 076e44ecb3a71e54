"""Vertex's way to run a compiled pipeline, on one machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from google.protobuf import json_format
from kfp.local import executor_output_utils, placeholder_utils

from tests.kubeflow.backend import Backend, Task, TaskFailedError


class Vertex(Backend):
    """Artifacts have schemas and resource names, and URIs that every container reads."""

    def path(self, uri: str) -> Path:
        return Path(uri)

    def run_task(self, task: Task) -> None:
        work = self.folder / "tasks" / task.name
        work.mkdir(parents=True, exist_ok=True)
        executor_input = self.drive(task)
        code = self.containers.run(self.command(task, executor_input), {}, work / "log")
        if code:
            raise TaskFailedError(f"{task.name}: exit code {code}\n{(work / 'log').read_text()[-6000:]}")
        written = executor_output_utils.load_executor_output(executor_input["outputs"]["outputFile"])
        said = json_format.MessageToDict(written).get("artifacts", {})
        for key, of_key in executor_input["outputs"]["artifacts"].items():
            (kept,) = of_key["artifacts"]
            for each in said.get(key, {}).get("artifacts", [])[:1]:
                kept.update(uri=each.get("uri") or kept["uri"], metadata=each.get("metadata", {}))
            self.artifacts[task.name, key] = kept

    def drive(self, task: Task) -> dict[str, Any]:
        """The ExecutorInput, as a dictionary."""
        outputs = task.component.output_definitions.artifacts
        return {
            "inputs": {
                "parameterValues": {name: self.parameter(task, name) for name in task.spec.inputs.parameters},
                "artifacts": {key: {"artifacts": [self._input(task, key)]} for key in task.spec.inputs.artifacts},
            },
            "outputs": {
                "outputFile": str(self.folder / "root" / task.name / "executor_output.json"),
                "artifacts": {key: {"artifacts": [self._output(task, key)]} for key in outputs},
            },
        }

    def command(self, task: Task, executor_input: dict[str, Any]) -> list[str]:
        container = task.executor["container"]
        words = [*container["command"], *container["args"]]
        return list(placeholder_utils.replace_placeholders(words, executor_input, "job", "task", "root", "1"))

    def _input(self, task: Task, key: str) -> dict[str, Any]:
        kind = task.component.input_definitions.artifacts[key].artifact_type
        produced = self.produced(task, key)
        return {**produced, "name": _resource_name(produced["uri"]), "type": json_format.MessageToDict(kind)}

    def _output(self, task: Task, key: str) -> dict[str, Any]:
        uri = str(self.folder / "root" / task.name / key)
        kind = task.component.output_definitions.artifacts[key].artifact_type
        return {"name": _resource_name(uri), "uri": uri, "type": json_format.MessageToDict(kind), "metadata": {}}


def _resource_name(uri: str) -> str:
    return f"projects/1/locations/here/metadataStores/default/artifacts/{abs(hash(uri))}"
