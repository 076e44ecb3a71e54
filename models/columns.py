"""Names of the columns that Transform writes and the Trainer reads."""

from __future__ import annotations

from schema.surface import Surface, soft_label

LABEL_PREFIX = "label/"


def hard_label_column(task: str) -> str:
    """The transformed column with the hard label of `task`; NaN where it is absent."""
    return LABEL_PREFIX + task


def hard_label_columns(surface: Surface) -> dict[str, str]:
    """Task name to its hard-label column."""
    return {task: hard_label_column(task) for task in surface.tasks}


def soft_label_columns(surface: Surface) -> dict[str, str]:
    """Name of each distilled task or non-serving head to its soft-label column."""
    return {name: soft_label(distillation.teacher_task) for name, distillation in surface.distillations().items()}
