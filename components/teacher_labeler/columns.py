"""Which columns the labeller reads, of which type the data hold them, and what is wrong with a record.

`surface.yaml` says what the teacher takes; what type the target's column has is seen in
the data, since parsing needs it and a cast may lie between the two.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import tensorflow as tf
from google.protobuf.message import DecodeError

from components.teacher_labeler.signature import nearest
from schema.errors import InputError
from schema.surface import Surface, TaskKind
from schema.teacher import Teacher
from schema.teacher_feature import TeacherFeature

FLOAT, INT, STRING = "float", "int", "string"
_KIND_OF_LIST = {"float_list": FLOAT, "int64_list": INT, "bytes_list": STRING}
_CASTS = {
    FLOAT: (FLOAT, INT),
    INT: (INT, FLOAT, STRING),
    STRING: (STRING, INT, FLOAT),
}


class Reason(StrEnum):
    """Why a record became a dead letter."""

    UNPARSABLE = "unparsable"
    WRONG_TYPE = "wrong_type"
    WRONG_SIZE = "wrong_size"
    MISSING_FEATURE = "missing_feature"
    UNCASTABLE = "uncastable"
    BAD_LABEL = "bad_label"
    TEACHER_FAILED = "teacher_failed"
    NON_FINITE = "non_finite"


@dataclass(frozen=True)
class Fault:
    """What is wrong with one record.

    Attributes:
      reason: The kind of fault.
      column: The column (or teacher task) at fault, empty when it is the record itself.
      detail: A sentence for the reader of the dead letters.
    """

    reason: Reason
    column: str
    detail: str


@dataclass(frozen=True)
class HardLabel:
    """The hard label of a task that a teacher task is compared with.

    Attributes:
      task: The surface's task.
      column: Its label's column.
      kind: Its kind.
      teacher_task: The teacher's task it distils.
    """

    task: str
    column: str
    kind: TaskKind
    teacher_task: str


def teacher_of(surface: Surface) -> Teacher:
    """The teacher section of `surface`.

    Raises:
      InputError: There is none.
    """
    if surface.teacher is None:
        raise InputError(f"surface {surface.name!r}: expected a `teacher:` section, found none; nothing to label with")
    return surface.teacher


def column_of(name: str, feature: TeacherFeature) -> str:
    """The target's column that the teacher's input `name` reads."""
    return feature.source or name


def readers(surface: Surface) -> dict[str, TeacherFeature]:
    """The teacher's inputs that read a column of the target."""
    return {name: feature for name, feature in teacher_of(surface).features.items() if feature.reads}


def hard_labels(surface: Surface) -> tuple[HardLabel, ...]:
    """The tasks with a counterpart at the teacher, in the surface's order."""
    return tuple(
        HardLabel(name, task.label, task.kind, task.distil.teacher_task)
        for name, task in surface.tasks.items()
        if task.distil
    )


def needed_columns(surface: Surface) -> dict[str, str]:
    """The columns to parse, with the type to assume until the data show another.

    Returns:
      Column name to kind: `float`, `int` or `string`.
    """
    columns = {label.column: FLOAT for label in hard_labels(surface)}
    columns.update({column_of(name, feature): feature.dtype for name, feature in readers(surface).items()})
    return columns


def observe_kinds(records: Iterable[bytes], columns: Iterable[str]) -> dict[str, str]:
    """The kinds of `columns` in `records`, as first seen; columns without a value are left out."""
    wanted, kinds = set(columns), dict[str, str]()
    for record in records:
        example = _parse(record)
        if example is None:
            continue
        for name in wanted - set(kinds):
            kind = _kind(example, name)
            if kind is not None:
                kinds[name] = kind
    return kinds


def check_kinds(surface: Surface, kinds: Mapping[str, str], where: str) -> None:
    """Checks that each column's kind can become what the teacher, or the hard loss, takes.

    Args:
      surface: The surface.
      kinds: Kind by column, for columns seen in the data.
      where: The file they were seen in, for the message.

    Raises:
      InputError: A cast that does not exist is needed.
    """
    for name, feature in readers(surface).items():
        column = column_of(name, feature)
        found = kinds.get(column, feature.dtype)
        if feature.vocabulary is not None:
            _check_key(f"{where}: feature {column!r}: teacher.features.{name}.vocabulary", found)
        elif feature.dtype not in _CASTS[found]:
            raise InputError(
                f"{where}: feature {column!r}: teacher.features.{name} takes {feature.dtype}, the examples hold "
                f"{found}, and there is no cast from {found} to {feature.dtype}"
            )
    for label in hard_labels(surface):
        if kinds.get(label.column, FLOAT) == STRING:
            raise InputError(f"{where}: label {label.column!r} of task {label.task!r}: expected numbers, found strings")


def _check_key(where: str, found: str) -> None:
    if found == FLOAT:
        raise InputError(f"{where}: expected a column of ints or strings to look up, the examples hold floats")


def find_fault(record: bytes, surface: Surface, kinds: Mapping[str, str]) -> Fault | None:
    """What in `record` itself keeps it from being labelled, or None.

    Args:
      record: A serialized tf.Example, or what should be one.
      surface: The surface.
      kinds: The kind of every needed column.
    """
    example = _parse(record)
    if example is None:
        return Fault(Reason.UNPARSABLE, "", f"not a tf.Example ({len(record)} bytes)")
    for column, expected in kinds.items():
        found = _kind(example, column)
        if found not in (None, expected):
            return Fault(Reason.WRONG_TYPE, column, f"feature {column!r}: expected {expected}, found {found}")
    return _find_value_fault(example, surface)


def _find_value_fault(example: tf.train.Example, surface: Surface) -> Fault | None:
    for name, feature in readers(surface).items():
        fault = _find_feature_fault(example, name, feature)
        if fault:
            return fault
    for label in hard_labels(surface):
        values = _values(example, label.column)
        if len(values) > 1:
            return Fault(Reason.WRONG_SIZE, label.column, f"label {label.column!r}: {len(values)} values, expected 1")
        if label.kind is TaskKind.BINARY and any(value not in (0, 1) and value == value for value in values):
            detail = f"label {label.column!r} of binary task {label.task!r}: expected 0 or 1, found {values[0]!r}"
            return Fault(Reason.BAD_LABEL, label.column, detail)
    return None


def _find_feature_fault(example: tf.train.Example, name: str, feature: TeacherFeature) -> Fault | None:
    column = column_of(name, feature)
    values = _values(example, column)
    if feature.variable and not values:
        return None
    if not values and feature.default is None:
        columns = example.features.feature.keys()
        detail = f"feature {column!r} is required and absent{nearest(column, columns)}"
        return Fault(Reason.MISSING_FEATURE, column, detail)
    if values and len(values) != feature.size and not feature.variable:
        detail = f"feature {column!r}: {len(values)} values, expected {feature.size}"
        return Fault(Reason.WRONG_SIZE, column, detail)
    if feature.vocabulary is None and not all(_castable(value, feature.dtype) for value in values):
        return Fault(Reason.UNCASTABLE, column, f"feature {column!r}: {values[:4]} is not {feature.dtype}")
    return None


def _castable(value: float | bytes, dtype: str) -> bool:
    if dtype == STRING:
        return isinstance(value, int | bytes)
    if dtype == FLOAT and not isinstance(value, bytes):
        return True
    try:
        number = float(value)
    except ValueError:
        return False
    return dtype == FLOAT or number.is_integer()


def _parse(record: bytes) -> tf.train.Example | None:
    try:
        return tf.train.Example.FromString(record)
    except DecodeError:
        return None


def _kind(example: tf.train.Example, column: str) -> str | None:
    """The kind of a column with at least one value."""
    if column not in example.features.feature:
        return None
    which = example.features.feature[column].WhichOneof("kind")
    return _KIND_OF_LIST[which] if which and _values(example, column) else None


def _values(example: tf.train.Example, column: str) -> list[float | bytes]:
    if column not in example.features.feature:
        return []
    feature = example.features.feature[column]
    which = feature.WhichOneof("kind")
    return list(getattr(feature, which).value) if which else []
