"""Trains every technique as the Trainer does and as an experiment does, on one thread.

    python -m tests.evidence.both_ways FOLDER

FOLDER holds what `test_one_loop` puts there; one file of weights and losses a technique
and way is written into it.  It is a process of its own since TensorFlow's threads are
set before anything runs.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from contracts.history import SELECTION_LOSS
from contracts.roles import ModelRole
from evidence import data
from evidence.data import RunData
from evidence.fitting import Fitter
from evidence.paths import RunPaths
from models import trainer
from schema.surface import Surface
from tests.models.all_kinds import surface_in
from tests.models.conftest import SURFACE

GRAPH, TRAIN, UNLABELLED, EVAL, TEACHER = "graph", "Split-train", "Split-unlabelled", "Split-eval", "teacher"
# Where the surface with every kind of feature is trained.
KINDS = "kinds"

# What a case changes in the surface; `control` trains it without distillation.
CASES: dict[str, dict[str, Any]] = {
    "mse": {"tasks": {"minutes": {"distil": {"from": "stay", "weight": 0.5}}}},
    "control": {"control": True, "model": {"l2": 0.001}},
    "kl and bce, scheduled": {
        "tasks": {"click": {"distil": {"from": "click", "loss": "kl", "temperature": 2.0}}},
        "stay": {"loss": "bce", "temperature": 3.0, "schedule": {"from": 0.0, "steps": 12}},
        "training": {"early_stopping": {"by": "sum"}, "seed": 7},
    },
    "shared, pairwise in groups": {
        "tasks": {"click": {"distil": {"from": "click", "head": "shared", "weight": 0.01}}},
        "stay": {"loss": "pairwise"},
        "training": {"batch_by": "group"},
    },
    "stacked, listwise, learned weights": {
        "tasks": {"click": {"distil": {"from": "click", "head": "stacked", "loss": "listwise", "temperature": 2.0}}},
        "training": {"batch_by": "group", "loss_weights": "uncertainty"},
        "weight_column": "importance",
    },
    "mmoe, represented": {
        "tasks": {"click": {"distil": {"from": "click", "loss": "huber"}}},
        "representations": {"trunk": {"from": "layer", "weight": 0.5}, "minutes": {"from": "layer"}},
        "model": {"trunk_kind": "mmoe", "experts": 2, "l2": 0.001},
    },
    "ple, stacked, impatient": {
        "tasks": {"click": {"distil": {"from": "click", "head": "stacked"}}},
        "model": {"trunk_kind": "ple", "trunk": [8, 6], "experts": 2},
        "training": {"epochs": 12, "learning_rate": 0.1, "early_stopping": {"patience": 2}},
    },
    "pairs, warm start": {"unlabelled": {"per_row": 2}, "warm_start": {"user": {}}},
    "pairs in groups, ranked, represented, learned weights": {
        "stay": {"loss": "pairwise"},
        "representations": {"trunk": {"from": "layer"}},
        "training": {"batch_by": "group", "loss_weights": "uncertainty"},
        "weight_column": "importance",
        "unlabelled": {"per_row": 3},
    },
    "adamw, cosine, clipped": {
        "training": {
            "optimizer": "adamw",
            "weight_decay": 0.1,
            "warm_up_steps": 5,
            "learning_rate_decay": {"by": "cosine"},
            "clip_norm": 1.0,
        },
    },
    "in bfloat16": {
        "training": {"mixed_precision": "bfloat16", "device": "cpu"},
        "model": {"interactions": ["cross"], "layer_norm": True},
    },
    "control of adamw": {"control": True, "training": {"optimizer": "adamw", "clip_norm": 1.0}},
    "adagrad, exponential": {
        "training": {
            "optimizer": "adagrad",
            "learning_rate": 0.1,
            "learning_rate_decay": {"by": "exponential", "factor": 0.5, "steps": 20},
        },
    },
    "trusted by examples": {
        "tasks": {
            "click": {
                "distil": {
                    "from": "click",
                    "adapter": {"weight": 0.5},
                    "reliability": True,
                    "weight_column": "importance",
                    "trunk_gradient": 0.5,
                }
            }
        },
        "stay": {"trunk_gradient": 0.3},
        "training": {"seed": 3},
        "trust": {"folds": 3, "known": ["user"]},
    },
    "trusted, stacked, with pairs": {
        "tasks": {
            "click": {"distil": {"from": "click", "head": "stacked", "reliability": True, "trunk_gradient": 0.0}},
            "minutes": {"distil": {"from": "stay", "adapter": {}}},
        },
        "unlabelled": {"per_row": 2},
        "trust": {"folds": 3},
    },
    "remembered, with pairs": {
        "histories": {"user": {"of": "layer", "decay": 0.8}},
        "period": {"column": "day"},
        "unlabelled": {"per_row": 2},
    },
    "control of pairs": {"control": True, "unlabelled": {"per_row": 2}, "warm_start": {"user": {}}},
}


# The same, of the surface with every kind of feature: so many weights fit 300 rows within an epoch.
_SLOW = {"learning_rate": 0.003}
KINDS_CASES: dict[str, dict[str, Any]] = {
    "every kind of feature": {"training": _SLOW},
    "control of every kind": {"training": _SLOW, "control": True},
    "every kind, with pairs": {
        "training": _SLOW,
        "unlabelled": {"per_row": 2, "user": ["user"], "item": ["item"]},
    },
    "mmoe over every kind, warm start": {
        "training": {"learning_rate": 0.001},
        "model": {"trunk_kind": "mmoe", "experts": 2},
        "warm_start": {"item": {"from": "user"}},
    },
    "interactions, bias, losses": {
        "training": _SLOW,
        "tasks": {"click": {"bias": ["price", "hour"], "label_smoothing": 0.1, "positive_weight": 2.0}},
        "model": {"interactions": ["cross", "dot", "fm"], "cross_rank": 3, "layer_norm": True, "activation": "gelu"},
    },
}


def surface_of(case: dict[str, Any], surface: Surface = SURFACE) -> Surface:
    """A surface with a case's changes."""
    content = surface.model_dump(mode="json", by_alias=True)
    for task, change in case.get("tasks", {}).items():
        content["tasks"][task] |= change
    if "stay" in case:
        content["non_serving_heads"]["stay"] |= case["stay"]
    content["training"] |= {"learning_rate": 0.02, "epochs": 4, **case.get("training", {})}
    content["model"] |= case.get("model", {})
    whole = ("representations", "weight_column", "unlabelled", "warm_start", "histories", "period", "trust")
    return Surface.model_validate(content | {key: case[key] for key in whole if key in case})


def _by_the_trainer(surface: Surface, case: dict[str, Any], folder: Path) -> dict[str, np.ndarray]:
    arm = ModelRole.CONTROL if case.get("control") else ModelRole.STUDENT
    files = [str(folder / split / "*") for split in (TRAIN, UNLABELLED)]
    ranker, history = trainer.train(
        surface, arm, str(folder / GRAPH), files, str(folder / "logs"), str(folder / TEACHER)
    )
    losses = history[SELECTION_LOSS]
    return _written([variable.numpy() for variable in ranker.training.variables], min(losses), np.argmin(losses) + 1)


def _by_the_experiment(
    surface: Surface, case: dict[str, Any], loaded: RunData, fitter: Fitter
) -> dict[str, np.ndarray]:
    unlabelled = loaded.unlabelled if "unlabelled" in case and not case.get("control") else None
    fitted = fitter.fit(surface, loaded.training, distil=not case.get("control"), unlabelled=unlabelled)
    return _written(fitted.weights, fitted.selection_loss, fitted.epoch)


def _written(weights: list[np.ndarray], selection_loss: float, epoch: int) -> dict[str, np.ndarray]:
    named = {f"weights/{number:03d}": each for number, each in enumerate(weights)}
    return {**named, "selection_loss": np.float64(selection_loss), "epoch": np.int64(epoch)}


def main(folder: Path) -> None:
    """Trains all cases both ways."""
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    _both_ways(folder, SURFACE, CASES)
    _both_ways(folder / KINDS, surface_in(folder / KINDS / "surface"), KINDS_CASES)


def _both_ways(folder: Path, surface: Surface, cases: dict[str, dict[str, Any]]) -> None:
    """The experiment fits one case after the other, as its arms are."""
    paths = RunPaths(
        "run",
        transform_graph=str(folder / GRAPH),
        train=(str(folder / TRAIN),),
        labelled_eval=str(folder / EVAL),
        unlabelled=(str(folder / UNLABELLED),),
        teacher=str(folder / TEACHER),
    )
    surfaces = [surface_of(case, surface) for case in cases.values()]
    loaded = data.load(surface, paths, techniques=surfaces)
    fitter = Fitter(loaded)
    for number, (case, changed) in enumerate(zip(cases.values(), surfaces, strict=True)):
        np.savez(folder / f"{number}-trainer.npz", **_by_the_trainer(changed, case, folder))
        np.savez(folder / f"{number}-experiment.npz", **_by_the_experiment(changed, case, loaded, fitter))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
