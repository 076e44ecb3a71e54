"""Reads what runs left in ML Metadata."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ml_metadata.metadata_store import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd

from contracts import keys, nodes, properties
from contracts.measurements import NodeMeasurement
from contracts.roles import ModelRole
from crosskd.places import METADATA_FILE, expect_here
from pipeline.metadata import checked_url, connection
from schema.errors import InputError

# Names the database server, for a root whose metadata a server keeps.
METADATA_URL_FILE = "metadata.url"
RUN_CONTEXT = "pipeline_run"
_PIPELINE_CONTEXT = "pipeline"
_NODE_CONTEXT = "node"
# What a component made, and what a resolver found.
_DONE = ("COMPLETE", "CACHED")
_OUTPUTS = (mlmd.Event.OUTPUT, mlmd.Event.INTERNAL_OUTPUT)


@dataclass(frozen=True)
class NodeOfRun:
    """One node of a run.

    Attributes:
      state: The state of its execution: `COMPLETE`, `CACHED`, `FAILED`, ...
      seconds: How long it ran.
      peak_memory: Most memory that the run held meanwhile, in bytes; None where it was not measured.
      outputs: Output key to the artifacts' URIs and custom properties.
      settings: What the component was given, by the keys of its spec.
    """

    state: str
    seconds: float
    outputs: Mapping[str, list[tuple[str, dict[str, Any]]]]
    settings: Mapping[str, Any]
    peak_memory: int | None = None


@dataclass(frozen=True)
class Run:
    """One run of a pipeline; `nodes` by node id."""

    run_id: str
    pipeline: str
    nodes: Mapping[str, NodeOfRun]

    def unfinished(self) -> list[str]:
        """The nodes that were begun and did not come to their end."""
        return sorted(name for name, node in self.nodes.items() if node.state not in _DONE)

    def output(self, node: str, key: str) -> tuple[str, dict[str, Any]] | None:
        """URI and custom properties of a node's output; None if the node did not get there."""
        artifacts = self.nodes[node].outputs.get(key, []) if node in self.nodes else []
        return artifacts[0] if artifacts else None


def evaluation_of(run: Run, baseline: ModelRole) -> str | None:
    """Where a run's evaluation beside `baseline` lies; None if the run did not get there.

    In runs of older releases each comparison had an Evaluator of its own.
    """
    key = keys.CONTROL_EVALUATION if baseline is ModelRole.CONTROL else keys.EVALUATION
    found = run.output(nodes.EVALUATOR, key) or run.output(f"{nodes.EVALUATOR}.{baseline}", keys.EVALUATION)
    return found[0] if found else None


def newest_run(root: Path) -> Run:
    """The run that started last under `root`; one that was to label and nothing else does not count.

    Raises:
      InputError: There is none.
    """
    return newest_runs(root, 1)[0]


def newest_runs(root: Path, count: int) -> list[Run]:
    """Up to `count` runs under `root`, the one that started last first, as for `newest_run`.

    Raises:
      InputError: There is none.
    """
    store = MetadataStore(connection(metadata_of(root), read_only=True))
    contexts = [
        context
        for context in store.get_contexts_by_type(RUN_CONTEXT)
        if not context.custom_properties[properties.LABELLING_ALONE].int_value
    ]
    if not contexts:
        raise InputError(f"{root}: no run has started here yet. Start one with `crosskd run`.")
    newest = sorted(contexts, key=lambda context: context.id, reverse=True)
    return [_run(store, context) for context in newest[:count]]


def _run(store: MetadataStore, context: mlmd.Context) -> Run:
    executions = store.get_executions_by_context(context.id)
    nodes = {_context_name(store, execution, _NODE_CONTEXT): _node(store, execution) for execution in executions}
    pipeline = _context_name(store, executions[0], _PIPELINE_CONTEXT) if executions else ""
    named = {name.removeprefix(f"{pipeline}."): node for name, node in nodes.items()}
    peaks = json.loads(context.custom_properties[properties.PEAK_MEMORY].string_value or "{}")
    measured = {name: replace(node, peak_memory=peaks.get(name)) for name, node in named.items()}
    return Run(context.name, pipeline, measured)


def note_peak_memory(config: mlmd.ConnectionConfig, measured: Mapping[str, NodeMeasurement]) -> None:
    """Notes how much memory the nodes of the run that ended last held; those from the cache held none of it.

    Args:
      config: Reaches the metadata.
      measured: What was measured, by node.
    """
    peaks = {name: node.peak_memory for name, node in measured.items() if node.peak_memory is not None}
    store = MetadataStore(config)
    newest = max(store.get_contexts_by_type(RUN_CONTEXT), key=lambda context: context.id)
    newest.custom_properties[properties.PEAK_MEMORY].string_value = json.dumps(peaks)
    store.put_contexts([newest])


def mark_labelling_alone(root: Path, run: Run) -> None:
    """Notes that a run labelled and was to do nothing else, so that it is not taken for one that was cut short."""
    store = MetadataStore(connection(metadata_of(root)))
    context = store.get_context_by_type_and_name(RUN_CONTEXT, run.run_id)
    assert context is not None  # `run` was read from there
    context.custom_properties[properties.LABELLING_ALONE].int_value = 1
    store.put_contexts([context])


def remember_server(root: Path, url: str) -> None:
    """Has a server keep the metadata of a root, which remembers it for all commands.

    Args:
      root: The root.
      url: The server's; see `pipeline.metadata`.

    Raises:
      InputError: It is no URL of a database, or the root has metadata in a file.
    """
    checked_url(url)
    if (root / METADATA_FILE).is_file():
        raise InputError(f"--metadata: {root} keeps its metadata in {METADATA_FILE} already; choose another --root")
    root.mkdir(parents=True, exist_ok=True)
    (root / METADATA_URL_FILE).write_text(f"{url}\n")


def metadata_for(root: Path) -> str:
    """Where a run keeps its metadata: with the server that the root remembers, or in a file."""
    return metadata_of(root) if (root / METADATA_URL_FILE).is_file() else str(root / METADATA_FILE)


def metadata_of(root: Path) -> str:
    """Where the metadata of a root are: a file in it, or the server that it names.

    Raises:
      InputError: There are none.
    """
    if (root / METADATA_URL_FILE).is_file():
        return (root / METADATA_URL_FILE).read_text().strip()
    expect_here(root)
    if (root / METADATA_FILE).is_dir():
        raise InputError(f"{root / METADATA_FILE}: expected the file with the metadata, found a folder. Move it away.")
    if not (root / METADATA_FILE).is_file():
        raise InputError(
            f"{root}: expected the root of a run (with {METADATA_FILE} in it). Start one with `crosskd run`."
        )
    return str(root / METADATA_FILE)


def _context_name(store: MetadataStore, execution: mlmd.Execution, kind: str) -> str:
    names = [context.name for context in store.get_contexts_by_execution(execution.id) if context.type == kind]
    return names[0] if names else ""


def _node(store: MetadataStore, execution: mlmd.Execution) -> NodeOfRun:
    events = [e for e in store.get_events_by_execution_ids([execution.id]) if e.type in _OUTPUTS]
    artifacts = {artifact.id: artifact for artifact in store.get_artifacts_by_id([e.artifact_id for e in events])}
    outputs: dict[str, list[tuple[str, dict[str, Any]]]] = {}
    for event in events:
        artifact = artifacts[event.artifact_id]
        outputs.setdefault(event.path.steps[0].key, []).append((artifact.uri, _properties(artifact)))
    took = (execution.last_update_time_since_epoch - execution.create_time_since_epoch) / 1000
    return NodeOfRun(mlmd.Execution.State.Name(execution.last_known_state), took, outputs, _properties(execution))


def _properties(owner: mlmd.Artifact | mlmd.Execution) -> dict[str, Any]:
    return {name: getattr(value, str(value.WhichOneof("value"))) for name, value in owner.custom_properties.items()}
