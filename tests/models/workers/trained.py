"""Trains some cases as one worker of those that `TF_CONFIG` names, or alone, on one thread.

    python -m tests.models.workers.trained FOLDER NAME

FOLDER is one of `tests.evidence.test_one_loop`; the weights of every case go into NAME.npz in it.
It is a process of its own, since TensorFlow joins workers before anything else.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from contracts.roles import ModelRole
from models import inputs, tables, trainer
from models.continuing import Start, read_start
from models.ranker import Ranker
from models.workers.cluster import cluster_of
from models.workers.replicas import ALONE, Replicas, Workers
from tests.evidence.both_ways import CASES, GRAPH, TEACHER, TRAIN, UNLABELLED, surface_of
from tests.models.test_continuing import handed, point

_BY_ROWS = {"model": {"l2": 0.001}, "training": {"optimizer": "adamw", "clip_norm": 1.0, "batch_size": 37}}
_ADAGRAD = {"model": {"l2": 0.001}, "training": {"optimizer": "adagrad", "learning_rate": 0.1}}
_LISTWISE = {
    "tasks": {"click": {"distil": {"from": "click", "loss": "listwise", "temperature": 2.0}}},
    "training": {"batch_by": "group", "loss_weights": "uncertainty"},
    "weight_column": "importance",
}
# Batches of 319 and 1 rows, of which workers have more and fewer.
_LEFT_OVER = {"training": {"batch_size": 319}, "model": {"interactions": ["cross"], "dropout": 0.5}}
_GOES_ON = {"training": {"continue_from": "served", "continue_optimizer": True}}


@dataclass(frozen=True)
class Case:
    """A training.

    Attributes:
      changes: What it changes of the surface.
      by_rows: Whether all tables of embeddings are moved by rows.
      streamed: Whether the rows are read from files in each epoch.
      goes_on: Whether a second training goes on from what the first one left.
    """

    changes: dict[str, Any]
    by_rows: bool = False
    streamed: bool = False
    goes_on: bool = False


WORKERS_CASES = {
    "mse": Case(CASES["mse"]),
    "listwise, learned weights": Case(_LISTWISE),
    "adamw, cosine, clipped": Case(CASES["adamw, cosine, clipped"]),
    "pairs, warm start": Case(CASES["pairs, warm start"]),
    "by rows, adamw, penalty": Case(_BY_ROWS, by_rows=True),
    "by rows, adagrad": Case(_ADAGRAD, by_rows=True),
    "a row left over": Case(_LEFT_OVER),
    "streamed, with pairs": Case(CASES["pairs, warm start"], streamed=True),
    "going on": Case(_GOES_ON, goes_on=True),
}


def main(folder: Path, name: str) -> None:
    """Trains all cases."""
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    cluster = cluster_of()
    replicas = ALONE if cluster is None else Workers(cluster)
    # The chief alone writes, where all may read.
    logs = folder / "logs" / ("alone" if cluster is None else "together")
    found = {}
    for place, (title, case) in enumerate(WORKERS_CASES.items()):
        ranker, history = _trained(case, folder, logs / str(place), replicas, folder / f"handed-{name}")
        found |= {f"{title}/weights/{each.path}": each.numpy() for each in ranker.training.variables}
        found |= {f"{title}/history/{loss}": np.array(values) for loss, values in history.items()}
    np.savez(folder / f"{name}.npz", **found)
    replicas.wait()


def _trained(
    case: Case, folder: Path, logs: Path, replicas: Replicas, handed_over: Path
) -> tuple[Ranker, dict[str, list[float]]]:
    train = partial(
        trainer.train,
        surface_of(case.changes),
        ModelRole.STUDENT,
        str(folder / GRAPH),
        [str(folder / split / "*") for split in (TRAIN, UNLABELLED)],
        teacher=str(folder / TEACHER),
        replicas=replicas,
    )
    rows, memory = tables._SMALL, inputs.MEMORY_LIMIT
    tables._SMALL, inputs.MEMORY_LIMIT = (0 if case.by_rows else rows), (0 if case.streamed else memory)
    try:
        if not case.goes_on:
            return train(log_dir=str(logs))
        train(log_dir=str(logs / "first"), start=Start(point(version=None), None))
        replicas.wait()
        start = read_start(handed(handed_over, logs / "first"), ModelRole.STUDENT)
        return train(log_dir=str(logs / "second"), start=start)
    finally:
        tables._SMALL, inputs.MEMORY_LIMIT = rows, memory


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
