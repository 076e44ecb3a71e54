"""What the sets of ratings have in common: tasks, gates, files, the source's evaluation split.

In all of them the tasks are ``like`` (binary) and ``rating`` (regression), which the teacher
has as well, and one binary task that it has not and that is not distilled.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from schema.base import TaskKind
from schema.errors import InputError
from schema.metrics import main_metric
from schema.surface import EVAL_SPLIT, TRAIN_SPLIT
from worlds.records import Columns, ExampleColumn

LIKE = "like"
RATING = "rating"
SOURCE = "source"
TARGET = "target"
# The ratings of the source that its teacher is not trained on, to know how good it is.
SOURCE_EVAL_SHARE = 0.1
LOWEST, HIGHEST = 1, 5
# Sets that are split by time train on the first 80% of the target's rows.
TRAIN_SHARE = 0.8
SECONDS_PER_DAY = 86_400
# Slices of the evaluation rows whose person, or item, no training row has.
NEWCOMERS = {name: {"features": {name: 1}} for name in ("new_user", "new_item")}

_UNGATED = "the reference teacher is trained here and never pushed by the pipeline"
# The gates were set before anything was trained: no worse than a model without any skill, and no
# loss over .02, about the standard error of an AUC on the few thousand rows of these sets.
_TOLERANCE = -0.02
_MIN_POSITIVES = 30


@dataclass(frozen=True)
class RatingsShape:
    """The model and the training of one surface, as ``surface.yaml`` has them."""

    model: Mapping[str, Any]
    training: Mapping[str, Any]


# Chosen beforehand and not tuned: small, regularised, stopped early.
SOURCE_SHAPE = RatingsShape(
    {"trunk": [256, 128], "tower": [32], "dropout": 0.2, "l2": 1e-6}, {"epochs": 6, "batch_size": 1024}
)
# Rows are in the order of time and the evaluation is later, of many new people: so are the rows that choose the epoch.
SMALL_SHAPE = RatingsShape(
    {"trunk": [64, 32], "tower": [16], "dropout": 0.2, "l2": 1e-5}, {"epochs": 20, "hold_out": "last"}
)


def source_surface(
    name: str, features: Mapping[str, Any], shape: RatingsShape, sequences: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """What the source's ``surface.yaml`` says."""
    return {
        "name": name,
        **_inputs(features, sequences),
        "tasks": {
            LIKE: {"kind": "binary", "label": LIKE, "ungated": _UNGATED},
            RATING: {"kind": "regression", "label": RATING, "ungated": _UNGATED},
        },
        "model": dict(shape.model),
        "training": dict(shape.training),
    }


def target_surface(
    name: str,
    features: Mapping[str, Any],
    own_task: str,
    teacher: Mapping[str, Any],
    shape: RatingsShape,
    slices: Mapping[str, Any] | None = None,
    unlabelled: Mapping[str, Any] | None = None,
    sequences: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """What the target's ``surface.yaml`` says; `own_task` is the one that is not distilled."""
    content = {
        "name": name,
        **_inputs(features, sequences),
        "tasks": {
            LIKE: {"kind": "binary", "label": LIKE, "distil": {"from": LIKE}, "gates": _gates(TaskKind.BINARY)},
            RATING: {
                "kind": "regression",
                "label": RATING,
                "distil": {"from": RATING},
                "gates": _gates(TaskKind.REGRESSION),
            },
            own_task: {"kind": "binary", "label": own_task, "gates": _gates(TaskKind.BINARY)},
        },
        "teacher": dict(teacher),
    }
    if slices:
        content["slices"] = dict(slices)
    if unlabelled:
        content["unlabelled"] = dict(unlabelled)
    return content | {"model": dict(shape.model), "training": dict(shape.training)}


def _inputs(features: Mapping[str, Any], sequences: Mapping[str, Any] | None) -> dict[str, Any]:
    return {"features": dict(features)} | ({"sequences": dict(sequences)} if sequences else {})


def split_source(columns: Columns, rng: np.random.Generator) -> dict[str, Columns]:
    """Sets a random tenth of the source's rows aside for evaluation."""
    rows = len(next(iter(columns.values())).values)
    aside = np.zeros(rows, dtype=np.bool_)
    aside[rng.choice(rows, size=max(1, round(SOURCE_EVAL_SHARE * rows)), replace=False)] = True
    return {TRAIN_SPLIT: select(columns, ~aside), EVAL_SPLIT: select(columns, aside)}


def select(columns: Columns, rows: NDArray[np.bool_]) -> Columns:
    """The rows of `columns` where `rows` is true."""
    return {
        name: ExampleColumn(
            column.values[rows],
            None if column.present is None else column.present[rows],
            None if column.counts is None else column.counts[rows],
        )
        for name, column in columns.items()
    }


def integers(values: pd.Series) -> ExampleColumn:
    """A column of whole numbers, or of 0 and 1."""
    return ExampleColumn(values.to_numpy().astype(np.int64))


def floats(values: pd.Series) -> ExampleColumn:
    """A column of numbers in single precision."""
    return ExampleColumn(values.to_numpy().astype(np.float32))


def texts(values: pd.Series) -> ExampleColumn:
    """A column of text."""
    return ExampleColumn(values.to_numpy().astype(np.str_))


def _gates(kind: TaskKind) -> list[dict[str, Any]]:
    metric = main_metric(kind)
    gate = {
        "metric": metric.name,
        "at_least": metric.no_skill,
        "vs_last_blessed": {"at_least": _TOLERANCE},
        "vs_control": {"at_least": _TOLERANCE},
    }
    return [gate | ({"min_positives": _MIN_POSITIVES} if kind is TaskKind.BINARY else {})]


def check_ratings(path: Path, values: NDArray[Any]) -> None:
    """Raises an InputError naming the first of `values` that is no whole number from 1 to 5."""
    allowed = np.isin(values, np.arange(LOWEST, HIGHEST + 1))
    if not allowed.all():
        row = int(np.flatnonzero(~allowed)[0])
        raise InputError(
            f"{path}: expected ratings that are whole numbers from {LOWEST} to {HIGHEST}; "
            f"found {values[row]}. Check that this is the right file."
        )


def read_bytes(path: Path, what: str) -> bytes:
    """The content of a file that the user named.

    Raises:
      InputError: It cannot be read; the message says `what` was expected there.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: expected {what}; it cannot be read ({error.strerror}). Check the path.") from error


def fingerprint(*contents: bytes) -> str:
    """SHA-256 over the files a data set was made from."""
    digest = hashlib.sha256()
    for content in contents:
        digest.update(content)
    return digest.hexdigest()
