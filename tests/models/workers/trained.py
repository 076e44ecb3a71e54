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

# What a case changes, and whether all tables of embeddings are moved by rows.
BY_ROWS = {"model": {"l2": 0.001}, "training": {"optimizer": "adamw", "clip_norm": 1.0, "batch_size": 37}}
WORKERS_CASES: dict[str, tuple[dict[str, Any], bool]] = {
    **{
        name: (CASES[name], False)
        for name in ("mse", "stacked, listwise, learned weights", "adamw, cosine, clipped", "pairs, warm start")
    },
    "by rows, adamw, penalty": (BY_ROWS, True),
    "by rows, adagrad": ({"model": {"l2": 0.001}, "training": {"optimizer": "adagrad", "learning_rate": 0.1}}, True),
    # The last batch, and every one of held-out rows but the first, has fewer rows than workers.
    "a row left over": ({"training": {"batch_size": 319}, "model": {"interactions": ["cross"], "dropout": 0.5}}, False),
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
        found |= {f"{case}/weights/{n:03d}": each.numpy() for n, each in enumerate(ranker.training.variables)}
        found |= {f"{case}/history/{loss}": np.array(values) for loss, values in history.items()}
    np.savez(folder / f"{name}.npz", **found)
    replicas.wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
