"""Names of the columns that Transform writes and the Trainer reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from schema import surface as _names
from schema.features import Feature
from schema.surface import ABSENT_PREFIX, HISTORY_PREFIX, POOL_PREFIX, Surface, Task, soft_label

LABEL_PREFIX = _names.LABEL_PREFIX
GROUP_COLUMN = _names.GROUP_COLUMN
WEIGHT_COLUMN = _names.WEIGHT_COLUMN
TASK_WEIGHT_PREFIX = _names.TASK_WEIGHT_PREFIX
SAMPLING_PREFIX = _names.SAMPLING_PREFIX
SOFT_WEIGHT_PREFIX = _names.SOFT_WEIGHT_PREFIX
# The number of the period that an example belongs to, int64 [examples].
PERIOD_COLUMN = _names.PERIOD_COLUMN
# Of one without a time.
NO_PERIOD = -(2**63)
# Which of the teacher's inputs were filled in an example, float32 [examples, inputs], 1 where one was.
FILLED_COLUMN = _names.TRUST_PREFIX + "filled"
TRAINING_PREFIXES = _names.TRAINING_PREFIXES


@dataclass(frozen=True)
class InputColumn:
    """A column that the model reads, as Transform writes it.

    Attributes:
      shape: Of one example: () for an index, (size,) for numbers, (length,) for a list.
      dtype: `int64` for indices, `float32` for numbers.
    """

    shape: tuple[int, ...]
    dtype: str


def input_columns(surface: Surface) -> dict[str, InputColumn]:
    """The columns that the model reads, by name, in the order of features, crosses and histories."""
    found: dict[str, InputColumn] = {}
    for name, feature in surface.features.items():
        length = (list_length(surface, feature),) if feature.listed else ()
        if feature.embedded:
            found[name] = InputColumn(length, "int64")
        else:
            found[name] = InputColumn(length or (feature.size,), "float32")
        if feature.weights is not None:
            found[POOL_PREFIX + name] = InputColumn(length, "float32")
        if feature.indicator:
            found[ABSENT_PREFIX + name] = InputColumn((1,), "float32")
    found |= {name: InputColumn((), "int64") for name in surface.crosses}
    return found | {name: InputColumn(shape, "float32") for name, shape in history_shapes(surface).items()}


def written_columns(surface: Surface) -> list[str]:
    """Those of `input_columns` that Transform writes: all but histories, which are made before training."""
    made = history_shapes(surface)
    return [name for name in input_columns(surface) if name not in made]


def history_column(feature: str) -> str:
    """The input with the history of a feature's ids, float32 [batch, size + 1]; the last number is 1 where one is."""
    return HISTORY_PREFIX + feature


def dealt_column(feature: str) -> str:
    """The column with the id in whose history a row is, where an experiment deals histories out to other ids."""
    return f"{HISTORY_PREFIX}dealt/{feature}"


def history_shapes(surface: Surface) -> dict[str, tuple[int, ...]]:
    """The columns that `models.histories` makes before training, float32, and the shape of an example's value."""
    offered = surface.teacher_representations
    return {history_column(name): (offered[each.of].size + 1,) for name, each in surface.histories.items()}


def history_sources(surface: Surface) -> list[str]:
    """The columns that histories are made of: ids, periods and what the teacher said; none without histories."""
    if not surface.histories:
        return []
    said = sorted({soft_label(each.of) for each in surface.histories.values()})
    return [PERIOD_COLUMN, *surface.histories, *said]


def serving_columns(surface: Surface) -> list[str]:
    """Those of `input_columns` that what serves reads: all but the bias features', and histories."""
    bias = {prefix + name for name in surface.bias_features for prefix in ("", POOL_PREFIX, ABSENT_PREFIX)}
    return [name for name in written_columns(surface) if name not in bias]


def list_length(surface: Surface, feature: Feature) -> int:
    """The most values of an example that a column with many values keeps."""
    return surface.sequence(feature.sequence).length if feature.sequence is not None else feature.length


def hard_label_column(task: str) -> str:
    """The transformed column with the hard label of `task`; NaN where it is absent."""
    return LABEL_PREFIX + task


def task_weight_column(task: str) -> str:
    """The transformed column with the weights of `task` alone, of a task that has them."""
    return TASK_WEIGHT_PREFIX + task


def task_weight_columns(surface: Surface) -> dict[str, str]:
    """Task name to the column of its own weights, for tasks that have them."""
    return {name: task_weight_column(name) for name, task in surface.tasks.items() if task.weight_column is not None}


def soft_weight_columns(surface: Surface) -> dict[str, str]:
    """Name of each distilled task or non-serving head to the column of its weights, for those that have one."""
    given = surface.distillations().items()
    return {name: SOFT_WEIGHT_PREFIX + name for name, each in given if each.weight_column is not None}


def adapted_columns(surface: Surface) -> dict[str, str]:
    """Task to the column with what its adapter says, for tasks that have one."""
    found = surface.distillations().items()
    return {name: f"{_names.TRUST_PREFIX}adapted/{name}" for name, each in found if each.adapter is not None}


def reliability_columns(surface: Surface) -> dict[str, str]:
    """Task to the column with how reliable the teacher is there, for tasks that ask for it."""
    found = surface.distillations().items()
    return {name: f"{_names.TRUST_PREFIX}reliability/{name}" for name, each in found if each.reliability}


def trust_shapes(surface: Surface) -> dict[str, tuple[int, ...]]:
    """The columns that `models.trust` makes before training, float32, and the shape of an example's value."""
    tasks, adapted = surface.tasks, adapted_columns(surface)
    found: dict[str, tuple[int, ...]] = {
        column: (tasks[name].size,) if tasks[name].classes else () for name, column in adapted.items()
    }
    return found | dict.fromkeys(reliability_columns(surface).values(), ())


def teacher_columns(surface: Surface) -> list[str]:
    """The raw columns that the teacher's inputs are made of, in order."""
    return sorted({each.source or name for name, each in surface.teacher_features.items() if each.reads})


def sampling_columns(surface: Surface) -> dict[str, str]:
    """Task to the column of minus the log of its probability of being kept, for tasks sampled by a column."""
    return {name: SAMPLING_PREFIX + name for name, task in surface.tasks.items() if sampled_by(task)}


def sampled_by(task: Task) -> str:
    """The column with the probability of being kept, of a task that has one; else empty."""
    return (task.sampled.probability if task.sampled is not None else None) or ""


def hard_label_columns(surface: Surface) -> dict[str, str]:
    """Task name to its hard-label column."""
    return {task: hard_label_column(task) for task in surface.tasks}


def soft_label_columns(surface: Surface) -> dict[str, str]:
    """Name of each distilled task or non-serving head to its soft-label column."""
    return {name: soft_label(distillation.teacher_task) for name, distillation in surface.distillations().items()}


def soft_label_sizes(surface: Surface) -> dict[str, int | None]:
    """How many numbers each soft-label column has that some head learns; None for one number that is z-scored."""
    kinds = {each.teacher_task: surface.teacher_tasks[each.teacher_task] for each in surface.distillations().values()}
    return {soft_label(name): task.size if task.classes is not None else None for name, task in kinds.items()}


def representation_columns(surface: Surface) -> dict[str, str]:
    """Name of each layer that learns a layer of the teacher to the column of that."""
    return {name: soft_label(representation.source) for name, representation in surface.representations.items()}


def training_columns(surface: Surface, *, distil: bool) -> list[str]:
    """The columns beside the features that training reads, each once.

    Group and weight are the same with and without distillation: they decide about batches
    and hard losses, which student and control share.
    """
    columns = [*hard_label_columns(surface).values(), *task_weight_columns(surface).values()]
    columns += sampling_columns(surface).values()
    soft = {*soft_label_columns(surface).values(), *representation_columns(surface).values()}
    columns += [*sorted(soft), *soft_weight_columns(surface).values()] if distil else []
    columns += [GROUP_COLUMN] if surface.training.batch_by == "group" else []
    return columns + ([WEIGHT_COLUMN] if surface.weight_column is not None else [])


def split_labels(columns: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Separates the features from the labels, hard and soft, and what else only training reads."""
    labels = {name: column for name, column in columns.items() if name.startswith(TRAINING_PREFIXES)}
    return {name: column for name, column in columns.items() if name not in labels}, labels
