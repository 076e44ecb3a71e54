"""The metadata and documents of a run, as TFX and our components leave them, without the run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ml_metadata.metadata_store import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd

from contracts import keys, nodes
from contracts.base import Document
from contracts.decision import Decision
from contracts.label_report import LabelReport, SplitReport
from crosskd.runs import METADATA_FILE, RUN_CONTEXT
from pipeline.metadata import connection
from records import documents

PIPELINE = "crosskd-tiny"
FINISHED = {
    nodes.TEACHER_LABELER: "COMPLETE",
    nodes.BLESSING_GATE: "COMPLETE",
    nodes.PUSHER: "COMPLETE",
    nodes.EVALUATION_REPORT: "COMPLETE",
}
_NOTHING = SplitReport(
    read=0,
    labelled=0,
    bad={},
    features={},
    fill_rate=None,
    mean_fill_rate=None,
    tasks={},
    counterparts={},
    sampled=0,
)
_DOCUMENTS: Mapping[str, tuple[str, Document]] = {
    nodes.BLESSING_GATE: (
        keys.DECISION,
        Decision(
            surface="tiny",
            blessed=False,
            first_run=True,
            sentence="Not blessed: test.",
            gates=(),
            checks=(),
            metrics=(),
        ),
    ),
    nodes.TEACHER_LABELER: (
        keys.LABEL_REPORT,
        LabelReport(
            surface="tiny",
            teacher="",
            teacher_fingerprint="",
            signature="",
            splits={},
            overall=_NOTHING,
            seconds=1.0,
            examples_per_second=0.0,
        ),
    ),
}


def write_run(root: Path, run_id: str, states: Mapping[str, str]) -> MetadataStore:
    """Adds a run to a root's metadata, with the documents of the nodes that are complete.

    Args:
      root: The root.
      run_id: Its id.
      states: The state of each node that was begun.
    """
    store = MetadataStore(connection(str(root / METADATA_FILE)))
    run, pipeline = _context(store, RUN_CONTEXT, run_id), _context(store, "pipeline", PIPELINE)
    for node, state in states.items():
        kind = store.put_execution_type(mlmd.ExecutionType(name=node))
        execution = mlmd.Execution(type_id=kind, last_known_state=mlmd.Execution.State.Value(state))
        artifacts = [_artifact(store, root, run_id, node)] if state == "COMPLETE" and node in _DOCUMENTS else []
        of_node = _context(store, "node", f"{PIPELINE}.{node}")
        store.put_execution(execution, artifacts, [run, pipeline, of_node])
    return store


def _artifact(store: MetadataStore, root: Path, run_id: str, node: str) -> tuple[mlmd.Artifact, mlmd.Event]:
    key, document = _DOCUMENTS[node]
    uri = str(root / "artifacts" / run_id / node)
    documents.write(uri, document)
    kind = store.put_artifact_type(mlmd.ArtifactType(name=key))
    event = mlmd.Event(type=mlmd.Event.OUTPUT)
    event.path.steps.add(key=key)
    return mlmd.Artifact(type_id=kind, uri=uri), event


def _context(store: MetadataStore, kind: str, name: str) -> mlmd.Context:
    type_id = store.put_context_type(mlmd.ContextType(name=kind))
    if store.get_context_by_type_and_name(kind, name) is None:
        store.put_contexts([mlmd.Context(type_id=type_id, name=name)])
    return store.get_context_by_type_and_name(kind, name)
