"""Which columns the labeller reads, and of which type the data hold them.

`surface.yaml` says what the teacher takes; what type the target's column has is seen in
the data, since parsing needs it and a cast may lie between the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from records.tf_example import FLOAT, INT, STRING
from schema.base import TaskKind
from schema.checks import Problems
from schema.errors import InputError
from schema.labels import LabelRule
from schema.surface import DistilledSurface
from schema.teacher_feature import TeacherFeature

_CASTS = {
    FLOAT: (FLOAT, INT),
    INT: (INT, FLOAT, STRING),
    STRING: (STRING, INT, FLOAT),
}


@dataclass(frozen=True)
class HardLabel:
    """The hard label of a task that a teacher task is compared with.

    Attributes:
      task: The surface's task.
      column: Its label's column.
      kind: Its kind.
      teacher_task: The teacher's task it distils.
      rule: How it follows from the column; None for the column itself.
    """

    task: str
    column: str
    kind: TaskKind
    teacher_task: str
    rule: LabelRule | None = None

    @property
    def flag(self) -> bool:
        """Whether the column itself must hold 0 or 1."""
        return self.kind is TaskKind.BINARY and (self.rule is None or self.rule.positive is None)

    @property
    def classes(self) -> tuple[int | str, ...]:
        """The classes of a multiclass task; none of another."""
        return (self.rule.classes if self.rule is not None else None) or ()

    @property
    def column_kind(self) -> str:
        """What the column is taken to hold until the data show it."""
        return STRING if self.rule is not None and self.rule.of_text else FLOAT


def written_apart(surface: DistilledSurface) -> dict[str, int]:
    """What is written beside the numbers of the other tasks: multiclass tasks and representations, with their sizes."""
    tasks = {name: task.size for name, task in surface.teacher.tasks.items() if task.classes is not None}
    return tasks | {name: each.size for name, each in surface.teacher.representations.items()}


def column_of(name: str, feature: TeacherFeature) -> str:
    """The target's column that the teacher's input `name` reads."""
    return feature.source or name


def readers(surface: DistilledSurface) -> dict[str, TeacherFeature]:
    """The teacher's inputs that read a column of the target."""
    return {name: feature for name, feature in surface.teacher.features.items() if feature.reads}


def hard_labels(surface: DistilledSurface) -> tuple[HardLabel, ...]:
    """The tasks with a counterpart at the teacher, in the surface's order."""
    return tuple(
        HardLabel(name, task.label, task.kind, task.distil.teacher_task, task.rule)
        for name, task in surface.tasks.items()
        if task.distil
    )


def needed_columns(surface: DistilledSurface) -> dict[str, str]:
    """The columns to parse, with the type to assume until the data show another.

    Returns:
      Column name to kind: `float`, `int` or `string`.
    """
    columns = {label.column: label.column_kind for label in hard_labels(surface)}
    columns.update({column_of(name, feature): feature.dtype for name, feature in readers(surface).items()})
    return columns


def check_kinds(surface: DistilledSurface, kinds: Mapping[str, str], where: str) -> None:
    """Checks that each column's kind can become what the teacher, or the hard loss, takes.

    Args:
      surface: The surface.
      kinds: Kind by column, for columns seen in the data.
      where: The file they were seen in, for the message.

    Raises:
      InputError: A cast that does not exist is needed; all such columns are named.
    """
    problems = Problems()
    for name, feature in readers(surface).items():
        with problems.noted():
            _check_cast(where, name, feature, kinds.get(column_of(name, feature), feature.dtype))
    for label in hard_labels(surface):
        found = kinds.get(label.column, label.column_kind)
        if (found == STRING) != (label.column_kind == STRING):
            expected = "names of classes" if label.column_kind == STRING else "numbers"
            problems.found.append(
                f"{where}: label {label.column!r} of task {label.task!r}: expected {expected}, found {found}s"
            )
    problems.raise_any()


def _check_cast(where: str, name: str, feature: TeacherFeature, found: str) -> None:
    at = f"{where}: feature {column_of(name, feature)!r}: teacher.features.{name}"
    if feature.vocabulary is not None and found == FLOAT:
        raise InputError(f"{at}.vocabulary: expected a column of ints or strings to look up, the examples hold floats")
    if feature.vocabulary is None and feature.dtype not in _CASTS[found]:
        raise InputError(
            f"{at} takes {feature.dtype}, the examples hold {found}, and there is no cast from {found} to "
            f"{feature.dtype}"
        )
