"""What a run came to, in forms that runs on other backends can be compared with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow as tf

from contracts.decision import Decision
from contracts.provenance import Provenance
from records import documents
from tests.kubeflow.backend import Backend


def decision_of(backend: Backend) -> Decision:
    return documents.read(str(backend.artifact("blessing-gate", "decision")), Decision)


def earlier_runs_of(backend: Backend) -> list[Decision]:
    folder = backend.artifact("earlier-runs", "earlier_decisions")
    return [documents.read(str(path), Decision) for path in sorted(folder.glob("*"), key=lambda each: int(each.name))]


def page_of(backend: Backend) -> str:
    return (backend.artifact("evaluation-report", "page") / "index.html").read_text()


def span_of(serving: Path) -> str:
    return documents.read(str(pushed(serving)), Provenance).origin.data_span


def pushed(serving: Path) -> Path:
    (version,) = [each for each in serving.iterdir() if each.name.isdigit()]
    return version


def metrics_of(decision: Decision) -> dict[str, float]:
    """Every metric of student and control.  Their intervals differ from run to run: TFMA draws folds anew."""
    found = {}
    for row in decision.metrics:
        for name in ("student", "control"):
            measured = getattr(row, name)
            if measured is not None and measured.value is not None:
                found[f"{row.task} {row.metric} {row.slice} {name}"] = measured.value
    return found


def verdicts_of(decision: Decision) -> list[tuple[str, ...]]:
    gates = [(gate.task, str(gate.slice), gate.kind, gate.verdict, gate.reason) for gate in decision.gates]
    return [*gates, *((check.name, check.verdict) for check in decision.checks)]


def predictions(model: Path, examples: Path) -> dict[str, np.ndarray]:
    """What a SavedModel answers to all examples of the evaluation split."""
    files = sorted(map(str, (examples / "eval").glob("*.gz")))
    records = list(tf.data.TFRecordDataset(files, "GZIP").as_numpy_iterator())
    served = tf.saved_model.load(str(model)).signatures["serving_default"]
    (name,) = served.structured_input_signature[1]
    return {task: scores.numpy() for task, scores in served(**{name: tf.constant(records)}).items()}
