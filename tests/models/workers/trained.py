"""Trains some cases as one worker of those that `TF_CONFIG` names, or alone, on one thread.

    python -m tests.models.workers.trained FOLDER NAME

FOLDER is one of `tests.evidence.test_one_loop`; the weights of every case go into NAME.npz in it.
It is a process of its own, since TensorFlow joins workers before anything else.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from contracts.roles import ModelRole
from models import tables, trainer
from models.workers.cluster import cluster_of
from models.workers.replicas import ALONE, Workers
from tests.evidence.both_ways import CASES, GRAPH, TEACHER, TRAIN, UNLABELLED, surface_of

_BY_ROWS = {"model": {"l2": 0.001}, "training": {"optimizer": "adamw", "clip_norm": 1.0, "batch_size": 37}}
_ADAGRAD = {"model": {"l2": 0.001}, "training": {"optimizer": "adagrad", "learning_rate": 0.1}}
_LISTWISE = {
    "tasks": {"click": {"distil": {"from": "click", "loss": "listwise", "temperature": 2.0}}},
    "training": {"batch_by": "group", "loss_weights": "uncertainty"},
    "weight_column": "importance",
}
# Batches of 319 and 1 rows, of which workers have more and fewer.
_LEFT_OVER = {"training": {"batch_size": 319}, "model": {"interactions": ["cross"], "dropout": 0.5}}
# What a case changes, and whether all tables of embeddings are moved by rows.
WORKERS_CASES: dict[str, tuple[dict[str, Any], bool]] = {
    "mse": (CASES["mse"], False),
    "listwise, learned weights": (_LISTWISE, False),
    "adamw, cosine, clipped": (CASES["adamw, cosine, clipped"], False),
    "pairs, warm start": (CASES["pairs, warm start"], False),
    "by rows, adamw, penalty": (_BY_ROWS, True),
    "by rows, adagrad": (_ADAGRAD, True),
    "a row left over": (_LEFT_OVER, False),
}


def main(folder: Path, name: str) -> None:
    """Trains all cases."""
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    cluster = cluster_of()
    replicas = ALONE if cluster is None else Workers(cluster)
    files = [str(folder / split / "*") for split in (TRAIN, UNLABELLED)]
    found = {}
    small = tables._SMALL
    for case, (changes, by_rows) in WORKERS_CASES.items():
        tables._SMALL = 0 if by_rows else small
        surface = surface_of(changes)
        ranker, history = trainer.train(
            surface,
            ModelRole.STUDENT,
            str(folder / GRAPH),
            files,
            str(folder / "logs" / name),
            str(folder / TEACHER),
            replicas=replicas,
        )
        found |= {f"{case}/weights/{each.path}": each.numpy() for each in ranker.training.variables}
        found |= {f"{case}/history/{loss}": np.array(values) for loss, values in history.items()}
    np.savez(folder / f"{name}.npz", **found)
    replicas.wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
