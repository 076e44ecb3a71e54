"""Soft labels that are stored once: the key that is kept of each record, and a teacher that looks the labels up.

Labels that are stored once and shared by many students are what arXiv:2408.14678 does.  The
store is a SavedModel, and so works wherever a teacher does: with dead letters for examples
that it does not know, fingerprint, cache, spans and engines.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tfx.dsl.io import fileio

from components.teacher_labeler.joining import SIGNATURE
from records.encoding import NumberField, NumberLayout, encode_strings
from records.examples import among
from records.shards import cause, read_batches
from records.tf_example import FLOAT, INT, STRING, observe_kinds
from schema.errors import InputError
from schema.surface import SOFT_LABEL_PREFIX, soft_label

_BATCH = 4096
_HASHES = 2**63 - 1  # strings are looked up by their 64-bit fingerprint
_KEY_DTYPES = {INT: tf.int64, STRING: tf.string}


class KeyReader:
    """Reads the key of records.

    Args:
      column: The key's column: one int or one string in every record.
      path: The records' file, for messages.
    """

    def __init__(self, column: str, path: str) -> None:
        self._column = column
        self._where = f"{path}: key_column {column!r}"

    def __call__(self, records: list[bytes]) -> list[bytes]:
        """A serialized tf.Example with nothing but the key, for each of the records.

        Raises:
          InputError: A record does not have exactly one key, or keys are of different types.
        """
        if not records:
            return []
        kind = observe_kinds(records, [self._column]).get(self._column, FLOAT)
        if kind == FLOAT:
            raise InputError(f"{self._where}: expected an int or a string in every example, found floats or nothing")
        keys = self._parse(records, kind)
        if kind == STRING:
            return encode_strings(self._column, keys.numpy())
        return NumberLayout([NumberField(self._column, kind)]).encode([keys.numpy()])

    def _parse(self, records: list[bytes], kind: str) -> tf.Tensor:
        try:
            parsed = tf.io.parse_example(records, {self._column: tf.io.RaggedFeature(_KEY_DTYPES[kind])})[self._column]
        except tf.errors.InvalidArgumentError as error:
            raise InputError(f"{self._where}: expected {kind} in every example, found another type") from error
        if not tf.reduce_all(tf.equal(parsed.row_lengths(), 1)):
            raise InputError(f"{self._where}: expected one value in every example, found none or several")
        return parsed.to_tensor()


@dataclass(frozen=True)
class StoredLabels:
    """What was stored.

    Attributes:
      examples: How many keys there are.
      key_kind: `int` or `string`.
      outputs: Width of each output: the teacher's tasks, and its representations.
    """

    examples: int
    key_kind: str
    outputs: dict[str, int]


def store_labels(labels: Sequence[str], key_column: str, out: str) -> StoredLabels:
    """Writes a SavedModel that answers a key with the soft labels stored for it, and NaN for an unknown key.

    Its signature `serving_default` has the input `key_column`, [batch], and an output, [batch,
    size], for each soft label.  It holds 8 bytes for each key and 4 for each number in memory.

    Args:
      labels: Folders of gzipped TFRecords of tf.Examples with key and soft labels
        (``teacher/<task>``); what else the examples hold is left out.
      key_column: Column that tells examples apart, one int or string in each.
      out: Where the SavedModel goes; must not exist.

    Raises:
      InputError: There are no such files, an example lacks the key or a soft label, two
        examples of one key have different labels, or `out` exists.
    """
    if fileio.exists(out):
        raise InputError(f"{out}: already exists; choose another path, or remove it to store again")
    paths = [path for folder in labels for path in _files(folder)]
    kind, sizes = _contents(paths[0], key_column)
    keys, columns = _read(paths, key_column, kind, sizes)
    keys, columns = _sorted_once(keys, columns, key_column)
    store = _Store(keys, columns)
    key = tf.TensorSpec([None], _KEY_DTYPES[kind], name=key_column)
    tf.saved_model.save(store, out, signatures={SIGNATURE: store.look_up.get_concrete_function(key)})
    return StoredLabels(len(keys), kind, sizes)


class _Store(tf.Module):
    """Columns in the order of their keys, which are found by bisection."""

    def __init__(self, keys: NDArray[np.int64], columns: Mapping[str, NDArray[np.float32]]) -> None:
        super().__init__()
        self._keys = tf.Variable(keys, trainable=False)
        self._columns = {name: tf.Variable(column, trainable=False) for name, column in columns.items()}

    @tf.function(autograph=False)
    def look_up(self, keys: tf.Tensor) -> dict[str, tf.Tensor]:
        wanted = _hashed(keys)
        places = tf.searchsorted(self._keys, wanted, out_type=tf.int64)
        places = tf.minimum(places, tf.size(self._keys, tf.int64) - 1)
        known = tf.equal(tf.gather(self._keys, places), wanted)[:, tf.newaxis]
        return {
            name: tf.where(known, tf.gather(column, places), np.float32("nan"))
            for name, column in self._columns.items()
        }


def _hashed(keys: tf.Tensor) -> tf.Tensor:
    return tf.strings.to_hash_bucket_fast(keys, _HASHES) if keys.dtype == tf.string else keys


def _files(folder: str) -> list[str]:
    paths = sorted(each for at, _, names in fileio.walk(folder) for each in among(f"{at!s}/{name!s}" for name in names))
    if not paths:
        raise InputError(f"{folder}: expected labelled examples in gzipped TFRecords (*.gz), found none")
    return paths


def _contents(path: str, key_column: str) -> tuple[str, dict[str, int]]:
    """The kind of the key and the size of each soft label, by the file's first example."""
    first = next(iter(read_batches(path, 1)), None)
    if first is None:
        raise InputError(f"{path}: expected labelled examples, found none")
    kind = observe_kinds(first, [key_column]).get(key_column, FLOAT)
    if kind == FLOAT:
        raise InputError(f"{path}: key column {key_column!r}: expected an int or a string, found floats or nothing")
    features = tf.train.Example.FromString(first[0]).features.feature
    sizes = {
        name.removeprefix(SOFT_LABEL_PREFIX): len(feature.float_list.value)
        for name, feature in sorted(features.items())
        if name.startswith(SOFT_LABEL_PREFIX)
    }
    if not sizes:
        raise InputError(
            f"{path}: expected soft labels ({SOFT_LABEL_PREFIX}<task>), found {', '.join(sorted(features))}"
        )
    return kind, sizes


def _read(
    paths: Sequence[str], key_column: str, kind: str, sizes: Mapping[str, int]
) -> tuple[NDArray[np.int64], dict[str, NDArray[np.float32]]]:
    spec = {key_column: tf.io.FixedLenFeature([], _KEY_DTYPES[kind])}
    spec |= {soft_label(name): tf.io.FixedLenFeature([size], tf.float32) for name, size in sizes.items()}
    parts = list(_parsed(paths, spec))
    keys = np.concatenate([_hashed(part[key_column]).numpy() for part in parts])
    return keys, {name: np.concatenate([part[soft_label(name)].numpy() for part in parts]) for name in sizes}


def _parsed(paths: Sequence[str], spec: Mapping[str, tf.io.FixedLenFeature]) -> Iterator[dict[str, tf.Tensor]]:
    for path in paths:
        for batch in read_batches(path, _BATCH):
            try:
                yield tf.io.parse_example(batch, spec)
            except tf.errors.InvalidArgumentError as error:
                expected = ", ".join(f"{name} [{feature.dtype.name}]" for name, feature in spec.items())
                raise InputError(f"{path}: expected {expected} in every example ({cause(error)})") from error


def _sorted_once(
    keys: NDArray[np.int64], columns: Mapping[str, NDArray[np.float32]], key_column: str
) -> tuple[NDArray[np.int64], dict[str, NDArray[np.float32]]]:
    """In the order of keys; an example that is there twice, as in spans that overlap, is kept once."""
    unique, first, of_key = np.unique(keys, return_index=True, return_inverse=True)
    for name, column in columns.items():
        differing = (column != column[first][of_key]).any(axis=1)
        if differing.any():
            raise InputError(
                f"key column {key_column!r}: expected it to tell examples apart; {int(differing.sum()):,} of "
                f"{len(keys):,} examples have the key of another one, and another {soft_label(name)}"
            )
    return unique, {name: column[first] for name, column in columns.items()}
