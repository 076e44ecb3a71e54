"""Vocabularies: files that say which of the teacher's values stands for which of the target's."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

import tensorflow as tf
from tfx.dsl.io import fileio

from records.tf_example import FLOAT, INT, STRING
from schema.errors import InputError
from schema.teacher_feature import TeacherFeature

_READERS = {FLOAT: float, INT: int, STRING: str}
_DTYPES = {FLOAT: tf.float32, INT: tf.int64, STRING: tf.string}
_UNKNOWN = -1


def digests(features: Mapping[str, TeacherFeature]) -> str:
    """The SHA-256 of each vocabulary file, by feature, as JSON: part of the cache key.

    Raises:
      InputError: A file cannot be read.
    """
    paths = {name: feature.vocabulary for name, feature in features.items() if feature.vocabulary}
    return json.dumps({name: hashlib.sha256(_content(name, path)).hexdigest() for name, path in sorted(paths.items())})


class Lookup:
    """A vocabulary in a graph.  Keep it as long as the graph: it holds the table."""

    def __init__(self, name: str, feature: TeacherFeature, kind: str) -> None:
        """Reads the file.

        Args:
          name: The teacher's feature.
          feature: It, with a vocabulary.
          kind: `int` or `string`: what the target's column holds.

        Raises:
          InputError: The file cannot be read, or is no vocabulary of these types.
        """
        pairs = _read(name, feature, kind)
        keys = tf.constant(list(pairs), _DTYPES[kind])
        indices = tf.range(len(pairs), dtype=tf.int64)
        self._table = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(keys, indices), _UNKNOWN)
        self._values = tf.constant(list(pairs.values()), _DTYPES[feature.dtype])

    def __call__(self, values: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The teacher's values, and where there are none (there the value is some other)."""
        index = self._table.lookup(values)
        return tf.gather(self._values, tf.maximum(index, 0)), tf.equal(index, _UNKNOWN)


def _read(name: str, feature: TeacherFeature, kind: str) -> dict[int | float | str, int | float | str]:
    path = str(feature.vocabulary)
    pairs: dict[int | float | str, int | float | str] = {}
    for number, line in enumerate(_content(name, path).decode().splitlines(), start=1):
        where = f"{path}: line {number}"
        columns = line.split("\t")
        if len(columns) != 2:
            raise InputError(f"{where}: expected the target's value, a tab and the teacher's value, found {line!r}")
        key = _as(kind, columns[0], f"{where}: the target's column is {kind}")
        if key in pairs:
            raise InputError(f"{where}: expected each of the target's values once, found {columns[0]!r} again")
        pairs[key] = _as(feature.dtype, columns[1], f"{where}: teacher.features.{name} is {feature.dtype}")
    if not pairs:
        raise InputError(f"{path}: teacher.features.{name}.vocabulary: expected at least one line, found none")
    return pairs


def _as(kind: str, text: str, why: str) -> int | float | str:
    try:
        return _READERS[kind](text)
    except ValueError as error:
        raise InputError(f"{why}, found {text!r}") from error


def _content(name: str, path: str) -> bytes:
    if not fileio.exists(path):
        raise InputError(f"{path}: teacher.features.{name}.vocabulary: expected a file, found none")
    with fileio.open(path, "rb") as file:
        return file.read()
