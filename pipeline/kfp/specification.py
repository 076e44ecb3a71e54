"""Finishes a compiled specification where TFX's compiler has no word for it.

TFX gives every node its component, task and executor.  Added here: names that Kubernetes
takes, run parameters, resources, retries, caching, and what the entry point needs to know.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tfx import v1 as tfx
from tfx.dsl.components.base.base_node import BaseNode
from tfx.dsl.components.base.executor_spec import BeamExecutorSpec
from tfx.utils import name_utils

from components.blessing_gate.component import BlessingGate
from components.evaluation_report.component import EvaluationReport
from components.last_served.component import LastServed
from pipeline.kfp.overrides import Evaluates
from pipeline.kfp.parameters import PREFIX, RUN_PARAMETERS, placeholder, placeholders_in
from pipeline.kfp.policies import Policy
from schema.errors import InputError

Spec = dict[str, Any]

_INPUTS_SPEC = "--json_serialized_inputs_spec_args"

# Argo counts this from the start of the first attempt and makes it the deadline of every later
# one, so it covers all attempts of the longest node, not the waiting between two of them.
_SECONDS_FOR_ALL_ATTEMPTS = 7 * 24 * 3600


@dataclass(frozen=True)
class Node:
    """What is known of a node beside its compiled form.

    Attributes:
      component: The TFX node.
      policy: How it is run.
      evaluates: For an Evaluator, what its configuration is derived from.
      files: Files that its container needs, by path.
    """

    component: BaseNode
    policy: Policy
    evaluates: Evaluates | None = None
    files: Mapping[str, str] = field(default_factory=dict)


def finish(job: Spec, nodes: Mapping[str, Node], defaults: Mapping[str, str | int], *, cache_examples: bool) -> None:
    """Finishes a PipelineJob in place.

    Args:
      job: As TFX's runner gives it.
      nodes: The nodes, by id.
      defaults: Values of run parameters; a parameter without one is required.
      cache_examples: Whether the examples' folder says which span is in it.  Otherwise other
        examples may come to lie there, and nobody but the node itself would notice.
    """
    spec = job["pipelineSpec"]
    for name, task in spec["root"]["dag"]["tasks"].items():
        node = nodes[name]
        definition = spec["components"][task["componentRef"]["name"]]
        executor = spec["deploymentSpec"]["executors"][definition["executorLabel"]]
        _bind_parameters(task, definition, _asked_of(node))
        _apply_policy(task, executor, node, cache_examples)
        _tell_entrypoint(executor["container"], definition, node)
    used = _used(spec)
    spec["root"]["inputDefinitions"] = {"parameters": _root_parameters(used, defaults)}
    job["runtimeConfig"]["parameterValues"] = {name: defaults[name] for name in sorted(used & set(defaults))}
    _rename(spec, {name: kubernetes_name(name) for name in nodes})


def _used(spec: Spec) -> set[str]:
    """The run parameters that some task takes."""
    tasks = spec["root"]["dag"]["tasks"].values()
    values = [value for task in tasks for value in task.get("inputs", {}).get("parameters", {}).values()]
    return {value["componentInputParameter"] for value in values if "componentInputParameter" in value}


def _root_parameters(used: set[str], defaults: Mapping[str, str | int]) -> Spec:
    parameters: Spec = {}
    for name, parameter in RUN_PARAMETERS.items():
        if name not in used:
            continue
        parameters[name] = {"parameterType": parameter.kind.value, "description": parameter.description}
        if name in defaults:
            parameters[name].update({"defaultValue": defaults[name], "isOptional": True})
    return parameters


def _asked_of(node: Node) -> set[str]:
    """Run parameters that change the node by more than a text in its execution properties."""
    component = node.component
    asked = set()
    if isinstance(component.executor_spec, BeamExecutorSpec):
        asked.add("beam_args")
    if isinstance(component, tfx.components.Trainer):
        asked.add("seed")
    if isinstance(component, BlessingGate | EvaluationReport | tfx.components.Evaluator):
        asked.add("gates")
    return asked


def _bind_parameters(task: Spec, definition: Spec, asked: set[str]) -> None:
    """Hands the task the run parameters that it is asked for, and those its values refer to."""
    values = task.get("inputs", {}).get("parameters", {})
    for name, value in list(values.items()):
        text = json.dumps(value)
        for parameter in placeholders_in(text):
            if value == {"runtimeValue": {"constant": placeholder(parameter)}}:
                values[name] = {"componentInputParameter": parameter}
            else:
                asked = asked | {parameter}
    for parameter in sorted(asked):
        kind = {"parameterType": RUN_PARAMETERS[parameter].kind.value}
        task.setdefault("inputs", {}).setdefault("parameters", {})[PREFIX + parameter] = {
            "componentInputParameter": parameter
        }
        definition.setdefault("inputDefinitions", {}).setdefault("parameters", {})[PREFIX + parameter] = kind


def _apply_policy(task: Spec, executor: Spec, node: Node, cache_examples: bool) -> None:
    policy = node.policy
    outside = isinstance(node.component, LastServed) or (
        isinstance(node.component, tfx.components.ImportExampleGen) and not cache_examples
    )
    task["cachingOptions"] = {"enableCache": True} if policy.cache and not outside else {}
    if policy.retries:
        task["retryPolicy"] = {
            "maxRetryCount": policy.retries,
            "backoffDuration": "30s",
            "backoffFactor": 2.0,
            "backoffMaxDuration": f"{_SECONDS_FOR_ALL_ATTEMPTS}s",
        }
    resources: Spec = {
        "cpuLimit": policy.cpu,
        "cpuRequest": policy.cpu,
        "memoryLimit": policy.memory,
        "memoryRequest": policy.memory,
    }
    if policy.accelerator is not None:
        resources["accelerator"] = {"type": policy.accelerator.type, "count": str(policy.accelerator.count)}
    executor["container"]["resources"] = resources


def _tell_entrypoint(container: Spec, definition: Spec, node: Node) -> None:
    """Adds the arguments of `pipeline.kfp.entrypoint`, and says to both what inputs there are now."""
    inputs = json.dumps(definition.get("inputDefinitions", {}), sort_keys=True)
    told = ["--artifact_classes", json.dumps(_artifact_classes(node.component), sort_keys=True)]
    if node.evaluates is not None:
        told += ["--evaluates", node.evaluates.model_dump_json(by_alias=True)]
    if node.files:
        told += ["--files", json.dumps(dict(node.files), sort_keys=True)]
    container["args"] = [*_with_inputs(container["args"], inputs), *told]
    # TFX's own driver of ExampleGen, which the entry point runs: nobody else would on open-source Kubeflow.
    container.pop("lifecycle", None)


def _with_inputs(args: list[str], inputs: str) -> list[str]:
    """The arguments, with other input definitions."""
    place = args.index(_INPUTS_SPEC) + 1
    return [*args[:place], inputs, *args[place + 1 :]]


def _artifact_classes(component: BaseNode) -> dict[str, dict[str, str]]:
    """Import paths of the artifact classes of all inputs and outputs, by key."""
    return {
        "inputs": {key: name_utils.get_full_name(channel.type) for key, channel in component.inputs.items()},
        "outputs": {key: name_utils.get_full_name(channel.type) for key, channel in component.outputs.items()},
    }


def kubernetes_name(name: str) -> str:
    """A node's name as Kubernetes and Argo take names: lower case, digits and dashes."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name)
    return re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")


def _rename(spec: Spec, names: Mapping[str, str]) -> None:
    """Gives tasks, components and executors other names, everywhere.

    Raises:
      InputError: Two nodes would have the same name.
    """
    if len(set(names.values())) != len(names):
        raise InputError(f"two nodes have the same name in Kubernetes: {', '.join(sorted(names.values()))}")
    labels = {spec["components"][name]["executorLabel"]: f"exec-{new}" for name, new in names.items() if new != "root"}
    spec["deploymentSpec"]["executors"] = {
        labels[label]: executor for label, executor in spec["deploymentSpec"]["executors"].items()
    }
    spec["components"] = {f"comp-{names[name]}": each for name, each in spec["components"].items()}
    for definition in spec["components"].values():
        definition["executorLabel"] = labels[definition["executorLabel"]]
    tasks = spec["root"]["dag"]["tasks"]
    for task in tasks.values():
        task["componentRef"]["name"] = f"comp-{names[task['componentRef']['name']]}"
        task["taskInfo"]["name"] = names[task["taskInfo"]["name"]]
        for source in task.get("inputs", {}).get("artifacts", {}).values():
            produced = source["taskOutputArtifact"]
            produced["producerTask"] = names[produced["producerTask"]]
        if "dependentTasks" in task:
            task["dependentTasks"] = sorted(names[each] for each in task["dependentTasks"])
    spec["root"]["dag"]["tasks"] = {names[name]: task for name, task in tasks.items()}
