"""What is wrong with a record that cannot be labelled."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import tensorflow as tf

from components.teacher_labeler.columns import column_of, hard_labels, readers
from records.tf_example import FLOAT, STRING, declared_kind, parse, values_of
from schema.base import TaskKind
from schema.checks import nearest
from schema.surface import DistilledSurface
from schema.teacher_feature import TeacherFeature


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


def find_fault(record: bytes, surface: DistilledSurface, kinds: Mapping[str, str]) -> Fault | None:
    """What in `record` itself keeps it from being labelled, or None.

    Args:
      record: A serialized tf.Example, or what should be one.
      surface: The surface.
      kinds: The kind of every needed column.
    """
    example = parse(record)
    if example is None:
        return Fault(Reason.UNPARSABLE, "", f"not a tf.Example ({len(record)} bytes)")
    for column, expected in kinds.items():
        found = declared_kind(example, column)
        if found not in (None, expected):
            return Fault(Reason.WRONG_TYPE, column, f"feature {column!r}: expected {expected}, found {found}")
    return _find_value_fault(example, surface)


def unreadable(records: Sequence[bytes], surface: DistilledSurface, kinds: Mapping[str, str]) -> list[int]:
    """Which records spoil the whole batch that they are parsed in; cheaper than to find out why.

    What else is wrong with a record, the graph finds out for all records of a batch at once.

    Args:
      records: Serialized tf.Examples, or what should be some.
      surface: The surface.
      kinds: The kind of every needed column.

    Returns:
      Their rows.
    """
    casts = ((name, each) for name, each in readers(surface).items() if each.dtype != STRING and not each.vocabulary)
    texts = [(name, each) for name, each in casts if kinds[column_of(name, each)] == STRING]
    return [row for row, record in enumerate(records) if _cannot_be_read(record, kinds, texts)]


def _cannot_be_read(record: bytes, kinds: Mapping[str, str], texts: Sequence[tuple[str, TeacherFeature]]) -> bool:
    example = parse(record)
    if example is None or any(declared_kind(example, name) not in (None, kind) for name, kind in kinds.items()):
        return True
    return any(_find_feature_fault(example, name, each) for name, each in texts)


def _find_value_fault(example: tf.train.Example, surface: DistilledSurface) -> Fault | None:
    for name, feature in readers(surface).items():
        fault = _find_feature_fault(example, name, feature)
        if fault:
            return fault
    for label in hard_labels(surface):
        values = values_of(example, label.column)
        if len(values) > 1:
            return Fault(Reason.WRONG_SIZE, label.column, f"label {label.column!r}: {len(values)} values, expected 1")
        if label.flag and any(value not in (0, 1) and value == value for value in values):
            detail = f"label {label.column!r} of binary task {label.task!r}: expected 0 or 1, found {values[0]!r}"
            return Fault(Reason.BAD_LABEL, label.column, detail)
        if label.kind is TaskKind.MULTICLASS and not all(_is_class(value, label.classes) for value in values):
            known = ", ".join(map(str, label.classes))
            detail = f"label {label.column!r} of multiclass task {label.task!r}: expected one of {known}, found "
            return Fault(Reason.BAD_LABEL, label.column, detail + repr(values[0]))
    return None


def _is_class(value: float | bytes, classes: Sequence[int | str]) -> bool:
    """As the graph has it: an absent number, or an empty text, is no label."""
    if isinstance(value, bytes):
        return not value or value in [str(each).encode() for each in classes]
    return value != value or value in classes


def _find_feature_fault(example: tf.train.Example, name: str, feature: TeacherFeature) -> Fault | None:
    column = column_of(name, feature)
    values = values_of(example, column)
    if feature.variable and not values:
        return None
    if not values and feature.default is None:
        near = _nearest(column, tuple(sorted(example.features.feature)))
        detail = f"feature {column!r} is required and absent{near}"
        return Fault(Reason.MISSING_FEATURE, column, detail)
    if values and len(values) != feature.size and not feature.variable:
        detail = f"feature {column!r}: {len(values)} values, expected {feature.size}"
        return Fault(Reason.WRONG_SIZE, column, detail)
    if feature.vocabulary is None and not all(_castable(value, feature.dtype) for value in values):
        return Fault(Reason.UNCASTABLE, column, f"feature {column!r}: {values[:4]} is not {feature.dtype}")
    return None


# Thousands of records may lack the same column, and likeness is costly to find.
_nearest = functools.lru_cache(maxsize=128)(nearest)


def _castable(value: float | bytes, dtype: str) -> bool:
    if isinstance(value, bytes):
        return dtype == STRING or _is_number(value, dtype)
    if dtype == STRING:
        return isinstance(value, int)
    return dtype == FLOAT or float(value).is_integer()


@functools.lru_cache(maxsize=4096)
def _is_number(text: bytes, dtype: str) -> bool:
    """What the adaptation's own cast says: Python reads numbers that TensorFlow does not, and the other way round."""
    try:
        tf.strings.to_number([text], tf.float64 if dtype == FLOAT else tf.int64)
    except (tf.errors.InvalidArgumentError, UnicodeDecodeError):  # text that is not UTF-8 is in the message
        return False
    return True
