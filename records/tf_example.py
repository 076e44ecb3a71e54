"""What is in a serialized tf.Example, whatever its schema says."""

from __future__ import annotations

from collections.abc import Iterable

import tensorflow as tf
from google.protobuf.message import DecodeError

FLOAT, INT, STRING = "float", "int", "string"
_KIND_OF_LIST = {"float_list": FLOAT, "int64_list": INT, "bytes_list": STRING}


def observe_kinds(records: Iterable[bytes], columns: Iterable[str]) -> dict[str, str]:
    """The kinds of `columns` in `records`, as first seen; columns without a value are left out."""
    wanted, kinds = set(columns), dict[str, str]()
    for record in records:
        example = parse(record)
        if example is None:
            continue
        for name in wanted - set(kinds):
            kind = kind_of(example, name)
            if kind is not None:
                kinds[name] = kind
    return kinds


def parse(record: bytes) -> tf.train.Example | None:
    """The example in a record; None if the bytes are none."""
    try:
        return tf.train.Example.FromString(record)
    except DecodeError:
        return None


def declared_kind(example: tf.train.Example, column: str) -> str | None:
    """The kind of a column, of which an empty list has one as well; TensorFlow refuses a list of another kind."""
    if column not in example.features.feature:
        return None
    which = example.features.feature[column].WhichOneof("kind")
    return _KIND_OF_LIST[which] if which else None


def kind_of(example: tf.train.Example, column: str) -> str | None:
    """The kind of a column with at least one value."""
    return declared_kind(example, column) if values_of(example, column) else None


def values_of(example: tf.train.Example, column: str) -> list[float | bytes]:
    """The values of a column; none if the example lacks it."""
    if column not in example.features.feature:
        return []
    feature = example.features.feature[column]
    which = feature.WhichOneof("kind")
    return list(getattr(feature, which).value) if which else []
