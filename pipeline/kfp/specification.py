"""Finishes a compiled specification where TFX's compiler has no word for it.

TFX gives every node its component, task and executor.  Added here: names that Kubernetes
takes, run parameters, resources, retries, caching, and what the entry point needs to know.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tfx.components.example_gen.import_example_gen.component import ImportExampleGen
from tfx.components.trainer.component import Trainer
from tfx.dsl.components.base.base_node import BaseNode
from tfx.dsl.components.base.executor_spec import BeamExecutorSpec
from tfx.utils import name_utils

from components.blessing_gate.component import BlessingGate
from components.continuation.component import Continuation
from components.evaluation_report.component import EvaluationReport
from components.evaluator.component import Evaluator
from components.last_served.component import LastServed
from components.run_history.component import RunHistory
from components.run_outcome.component import RunOutcome
from contracts.nodes import of_any_span
from pipeline.kfp.invocation import numbered
from pipeline.kfp.names import executor_label, kubernetes_name
from pipeline.kfp.parameters import PREFIX, RUN_PARAMETERS, placeholder, placeholders_in, run_parameter
from pipeline.kfp.policies import Policy
from pipeline.kfp.spans import SPAN, spans_before
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
      files: Files that its container needs, by path.
      several: Channels of the inputs that have several, of which the compiled form has the first.
    """

    component: BaseNode
    policy: Policy
    files: Mapping[str, str] = field(default_factory=dict)
    several: Mapping[str, Sequence[Any]] = field(default_factory=dict)


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
    used_spans = {each for each in placeholders_in(json.dumps(spec["root"])) if each == SPAN or spans_before(each)}
    for name, task in spec["root"]["dag"]["tasks"].items():
        node = nodes[name]
        definition = spec["components"][task["componentRef"]["name"]]
        executor = spec["deploymentSpec"]["executors"][definition["executorLabel"]]
        _add_artifacts(task, definition, node.several)
        _bind_parameters(task, definition, _asked_of(node) | _spans_of(node, used_spans))
        _apply_policy(task, executor, node, cache_examples)
        _tell_entrypoint(executor["container"], definition, node)
    used = _used(spec)
    spec["root"]["inputDefinitions"] = {"parameters": _root_parameters(used, defaults)}
    job["runtimeConfig"]["parameterValues"] = {name: defaults[name] for name in sorted(used & set(defaults))}
    _share_components(spec)
    _rename(spec, {name: kubernetes_name(name) for name in nodes})


def _used(spec: Spec) -> set[str]:
    """The run parameters that some task takes."""
    tasks = spec["root"]["dag"]["tasks"].values()
    values = [value for task in tasks for value in task.get("inputs", {}).get("parameters", {}).values()]
    return {value["componentInputParameter"] for value in values if "componentInputParameter" in value}


def _root_parameters(used: set[str], defaults: Mapping[str, str | int]) -> Spec:
    parameters: Spec = {}
    known = [*RUN_PARAMETERS, *sorted(used - set(RUN_PARAMETERS), key=spans_before)]
    for name in [each for each in known if each in used]:
        parameter = run_parameter(name)
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
    if isinstance(component, Trainer):
        asked.add("seed")
    if isinstance(component, BlessingGate | EvaluationReport | Evaluator):
        asked.add("gates")
    return asked


def _spans_of(node: Node, used: set[str]) -> set[str]:
    """All spans of the window, for a node that reads several: it says if they do not follow on each other."""
    return used if node.several else set()


def _add_artifacts(task: Spec, definition: Spec, several: Mapping[str, Sequence[Any]]) -> None:
    """Hands the task the second and later channels of an input under keys of their own."""
    for key, channels in several.items():
        for place, channel in list(enumerate(channels))[1:]:
            artifacts = definition["inputDefinitions"]["artifacts"]
            artifacts[numbered(key, place)] = artifacts[key]
            task["inputs"]["artifacts"][numbered(key, place)] = {
                "taskOutputArtifact": {
                    "producerTask": channel.producer_component_id,
                    "outputArtifactKey": channel.output_key,
                }
            }


def _bind_parameters(task: Spec, definition: Spec, asked: set[str]) -> None:
    """Hands the task the run parameters that it is asked for, and those its values refer to."""
    values = task.get("inputs", {}).get("parameters", {})
    named = _names_inside(values)
    for name, value in list(values.items()):
        for parameter in placeholders_in(json.dumps(value)):
            if value == {"runtimeValue": {"constant": placeholder(parameter)}}:
                values[name] = {"componentInputParameter": parameter}
            else:
                asked = asked | {parameter}
        values[name] = _renamed(values[name], named)
    for parameter in sorted(asked):
        kind = {"parameterType": run_parameter(parameter).kind.value}
        key = PREFIX + named.get(parameter, parameter)
        task.setdefault("inputs", {}).setdefault("parameters", {})[key] = {"componentInputParameter": parameter}
        definition.setdefault("inputDefinitions", {}).setdefault("parameters", {})[key] = kind


def _names_inside(values: Spec) -> dict[str, str]:
    """The name inside of a task of the only span that it is about.

    It is the same for all spans, so that a task on a span is, for the backend's cache, what it was in
    the run whose newest span that was.
    """
    spans = [each for each in placeholders_in(json.dumps(values)) if spans_before(each)]
    others = SPAN in placeholders_in(json.dumps(values))
    return {spans[0]: SPAN} if len(spans) == 1 and not others else {}


def _renamed(value: Spec, named: Mapping[str, str]) -> Spec:
    constant = value.get("runtimeValue", {}).get("constant")
    if not isinstance(constant, str):
        return value
    for outside, inside in named.items():
        constant = constant.replace(placeholder(outside), placeholder(inside))
    return {"runtimeValue": {"constant": constant}}


def _apply_policy(task: Spec, executor: Spec, node: Node, cache_examples: bool) -> None:
    policy = node.policy
    outside = isinstance(node.component, Continuation | LastServed | RunHistory | RunOutcome) or (
        isinstance(node.component, ImportExampleGen) and not cache_examples
    )
    task["cachingOptions"] = {"enableCache": True} if policy.cache and not outside else {}
    # A run that did not come to what was asked comes to it by no other attempt.
    if policy.retries and not isinstance(node.component, RunOutcome):
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
    told = ["--artifact_classes", json.dumps(_artifact_classes(node), sort_keys=True)]
    if node.files:
        told += ["--files", json.dumps(dict(node.files), sort_keys=True)]
    container["args"] = [*_with_inputs(container["args"], inputs), *told]
    # TFX's own driver of ExampleGen, which the entry point runs: nobody else would on open-source Kubeflow.
    container.pop("lifecycle", None)


def _with_inputs(args: list[str], inputs: str) -> list[str]:
    """The arguments, with other input definitions."""
    place = args.index(_INPUTS_SPEC) + 1
    return [*args[:place], inputs, *args[place + 1 :]]


def _artifact_classes(node: Node) -> dict[str, dict[str, str]]:
    """Import paths of the artifact classes of all inputs and outputs, by key."""
    inputs, outputs = (
        {key: name_utils.get_full_name(channel.type) for key, channel in channels.items()}
        for channels in (node.component.inputs, node.component.outputs)
    )
    for key, channels in node.several.items():
        inputs.update({numbered(key, place): inputs[key] for place in range(1, len(channels))})
    return {"inputs": inputs, "outputs": outputs}


def _share_components(spec: Spec) -> None:
    """Lets the tasks of older spans refer to the component of the newest one, where theirs is the same.

    What Kubernetes keeps of a workflow is limited to about a megabyte.
    """
    components, executors = spec["components"], spec["deploymentSpec"]["executors"]
    for name, task in spec["root"]["dag"]["tasks"].items():
        shared = of_any_span(name)
        if shared == name or _content(spec, name) != _content(spec, shared):
            continue
        executors.pop(components.pop(name)["executorLabel"])
        task["componentRef"]["name"] = shared


def _content(spec: Spec, name: str) -> tuple[Spec, Spec]:
    """A component but for the name of its executor, and that executor."""
    definition = dict(spec["components"][name])
    return spec["deploymentSpec"]["executors"][definition.pop("executorLabel")], definition


def _rename(spec: Spec, names: Mapping[str, str]) -> None:
    """Gives tasks, components and executors other names, everywhere.

    Raises:
      InputError: Two nodes would have the same name.
    """
    if len(set(names.values())) != len(names):
        raise InputError(f"two nodes have the same name in Kubernetes: {', '.join(sorted(names.values()))}")
    labels = {definition["executorLabel"]: executor_label(name) for name, definition in spec["components"].items()}
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
