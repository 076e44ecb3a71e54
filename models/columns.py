"""Names of the columns that Transform writes and the Trainer reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schema import surface as _names
from schema.surface import Surface, soft_label

LABEL_PREFIX = _names.LABEL_PREFIX
GROUP_COLUMN = _names.GROUP_COLUMN
WEIGHT_COLUMN = _names.WEIGHT_COLUMN
TRAINING_PREFIXES = _names.TRAINING_PREFIXES


def hard_label_column(task: str) -> str:
    """The transformed column with the hard label of `task`; NaN where it is absent."""
    return LABEL_PREFIX + task


def hard_label_columns(surface: Surface) -> dict[str, str]:
    """Task name to its hard-label column."""
    return {task: hard_label_column(task) for task in surface.tasks}


def soft_label_columns(surface: Surface) -> dict[str, str]:
    """Name of each distilled task or non-serving head to its soft-label column."""
    return {name: soft_label(distillation.teacher_task) for name, distillation in surface.distillations().items()}


def representation_columns(surface: Surface) -> dict[str, str]:
    """Name of each layer that learns a layer of the teacher to the column of that."""
    return {name: soft_label(representation.source) for name, representation in surface.representations.items()}


def training_columns(surface: Surface, *, distil: bool) -> list[str]:
    """The columns beside the features that training reads, each once.

    Group and weight are the same with and without distillation: they decide about batches
    and hard losses, which student and control share.
    """
    columns = list(hard_label_columns(surface).values())
    soft = {*soft_label_columns(surface).values(), *representation_columns(surface).values()}
    columns += sorted(soft) if distil else []
    columns += [GROUP_COLUMN] if surface.training.batch_by == "group" else []
    return columns + ([WEIGHT_COLUMN] if surface.weight_column is not None else [])


def split_labels(columns: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Separates the features from the labels, hard and soft, and what else only training reads."""
    labels = {name: column for name, column in columns.items() if name.startswith(TRAINING_PREFIXES)}
    return {name: column for name, column in columns.items() if name not in labels}, labels
