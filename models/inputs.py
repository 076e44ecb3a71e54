"""Reads examples: transformed ones for the Trainer, raw ones for the reference teacher."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_transform.tf_metadata import schema_utils

from models.batching import group_rows, shuffled, with_draws
from models.columns import GROUP_COLUMN, TRAINING_PREFIXES
from models.packing import Packed
from schema.errors import InputError

COMPRESSION = "GZIP"
_SHUFFLE_BUFFER = 100_000
_READ_BATCH = 4096
# Rows that are gathered from memory at once.
_BLOCK = 4096
MEMORY_LIMIT = 4 * 2**30


@dataclass(frozen=True)
class Unlabelled:
    """Unlabelled examples to train on beside the labelled ones.

    Attributes:
      patterns: File patterns of gzipped TFRecords.
      rows: Number of records.
      per_row: How many are drawn for each labelled example of a batch.
    """

    patterns: Sequence[str]
    rows: int
    per_row: int


def transformed(
    patterns: Sequence[str],
    spec: Mapping[str, Any],
    *,
    rows: int,
    batch_size: int,
    validation_fraction: float,
    seed: int,
    unlabelled: Unlabelled | None = None,
    memory_limit: int = MEMORY_LIMIT,
) -> tuple[tf.data.Dataset, tf.data.Dataset]:
    """Training and validation batches from Transform's output.

    Every k-th record is held out (k = 1 / validation_fraction), the same ones in every
    arm.  The order of the rest depends on `seed` and the epoch alone.  Records are read
    once and kept in memory if they fit, and else read and parsed again in every epoch.

    Unlabelled examples come after a batch's labelled ones, which are the same as without.

    Args:
      patterns: File patterns of gzipped TFRecords.
      spec: Transform's feature spec, all fixed-length.
      rows: Number of records; reading any other number of them is an error.
      batch_size: Examples per batch.
      validation_fraction: Part of the records that is held out.
      seed: Seed of the shuffle.
      unlabelled: More examples for the training batches.
      memory_limit: Bytes that may be kept in memory.

    Returns:
      Two datasets of (features, labels) dicts; labels are the columns `label/*` and
      `teacher/*`, float32 [batch], and those of group and weight where `spec` has them.
      With a group, groups are shuffled and not rows.

    Raises:
      InputError: There is a group, and the records do not fit in memory.
    """
    every = held_out_every(validation_fraction)
    total = rows + (unlabelled.rows if unlabelled else 0)
    if total * _row_bytes(spec) > memory_limit:
        if GROUP_COLUMN in spec:
            raise InputError(
                f"batches by group need all rows in memory: {total:,} rows of {_row_bytes(spec)} bytes are more than "
                f"the {memory_limit:,} bytes that may be used; expected `batch_by: rows` under training"
            )
        return _streamed(patterns, spec, rows, batch_size, every, seed, unlabelled)
    columns = transformed_columns(patterns, spec, list(spec))
    held_out = np.arange(rows) % every == 0
    fitted, per_row = np.flatnonzero(~held_out), 0
    if unlabelled:
        columns = stacked(columns, transformed_columns(unlabelled.patterns, spec, list(spec)))
        per_row = unlabelled.per_row
    return (
        in_memory(columns, fitted, batch_size, seed, unlabelled=np.arange(rows, total), per_row=per_row),
        in_memory(columns, np.flatnonzero(held_out), _READ_BATCH, None),
    )


def _streamed(
    patterns: Sequence[str],
    spec: Mapping[str, Any],
    rows: int,
    batch_size: int,
    every: int,
    seed: int,
    unlabelled: Unlabelled | None,
) -> tuple[tf.data.Dataset, tf.data.Dataset]:
    held_out = math.ceil(rows / every)
    records = _records(patterns)
    # In blocks: a call into a function for every single record takes longer than the training step.
    blocks = records.batch(every * _READ_BATCH)
    kept = blocks.map(lambda block: tf.boolean_mask(block, tf.range(tf.size(block)) % every != 0))
    training = _shuffled(kept.unbatch(), seed).batch(batch_size)
    if unlabelled:
        more = _shuffled(_records(unlabelled.patterns), seed).repeat().batch(batch_size * unlabelled.per_row)
        per_row = unlabelled.per_row
        training = tf.data.Dataset.zip((training, more)).map(
            lambda batch, extra: tf.concat([batch, extra[: per_row * tf.size(batch)]], axis=0)
        )
    validation = records.shard(every, 0).batch(_READ_BATCH)
    return (
        _parsed(training, spec, math.ceil((rows - held_out) / batch_size)),
        _parsed(validation, spec, math.ceil(held_out / _READ_BATCH)),
    )


def _shuffled(records: tf.data.Dataset, seed: int) -> tf.data.Dataset:
    return records.shuffle(_SHUFFLE_BUFFER, seed=seed, reshuffle_each_iteration=True)


def count(patterns: Sequence[str]) -> int:
    """Number of records in gzipped TFRecords."""
    sizes = _records(patterns).batch(_READ_BATCH).map(lambda batch: tf.size(batch, tf.int64))
    return int(sizes.reduce(tf.constant(0, tf.int64), lambda total, size: total + size))


def stacked(columns: Mapping[str, np.ndarray], more: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The rows of `columns`, then the rows of `more`, of the same columns."""
    return {name: np.concatenate([column, more[name]]) for name, column in columns.items()}


def _row_bytes(spec: Mapping[str, Any]) -> int:
    return sum(math.prod(column.shape) * column.dtype.size for column in spec.values())


def held_out_every(validation_fraction: float) -> int:
    """The k of "every k-th record is held out for validation"."""
    return max(2, round(1 / validation_fraction))


def transformed_columns(
    patterns: Sequence[str], spec: Mapping[str, Any], names: Sequence[str]
) -> dict[str, np.ndarray]:
    """Some columns of Transform's output, whole, in file order."""
    wanted = {name: spec[name] for name in names}
    batches = _records(patterns).batch(_READ_BATCH).map(lambda batch: tf.io.parse_example(batch, wanted))
    return _concatenate(batches)


def raw_columns(folder: Path, schema: schema_pb2.Schema, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Raw columns of all examples in a folder; absent numbers are NaN.

    Args:
      folder: Holds gzipped TFRecords of tf.Example.
      schema: Their TFDV schema.
      names: The columns to read.

    Returns:
      Per column an array [examples] or [examples, size].

    Raises:
      InputError: There are no files, or no examples in them.
    """
    files = sorted(str(path) for path in folder.glob("*.gz"))
    if not files:
        raise InputError(f"{folder}: expected gzipped TFRecords (*.gz), found none")
    spec = schema_utils.schema_as_feature_spec(schema).feature_spec
    wanted = {name: spec[name] for name in names}
    batches = (
        _records(files)
        .batch(_READ_BATCH)
        .map(
            lambda batch: {name: dense(column) for name, column in tf.io.parse_example(batch, wanted).items()},
            num_parallel_calls=tf.data.AUTOTUNE,
        )
    )
    columns = _concatenate(batches)
    if not columns:
        raise InputError(f"{folder}: the files hold no examples")
    return columns


def in_memory(
    columns: Mapping[str, np.ndarray],
    rows: np.ndarray,
    batch_size: int,
    seed: int | None,
    *,
    unlabelled: np.ndarray | None = None,
    per_row: int = 0,
) -> tf.data.Dataset:
    """Batches of (features, labels) gathered from columns held in memory.

    Args:
      columns: Arrays with the examples on the first axis.
      rows: Indices of the examples to use.
      batch_size: Examples per batch.
      seed: Seed of the shuffle, of groups if there is a group's column; None keeps the order.
      unlabelled: Indices of further examples, of which each batch draws some at random,
        with replacement, after its own.
      per_row: How many for each of a batch's own; 0 draws none.
    """
    packed, count = Packed(columns), math.ceil(len(rows) / batch_size)
    if seed is None:
        orders = tf.data.Dataset.from_tensors(rows)
    elif GROUP_COLUMN in columns:
        orders = group_rows(columns[GROUP_COLUMN], rows).orders(seed)
    else:
        orders = shuffled(rows, seed)
    if unlabelled is not None and per_row:
        orders = with_draws(orders, batch_size, count, unlabelled, per_row, seed)
        batch_size *= 1 + per_row
    # A call into a function for each batch takes longer than slicing the columns of several.
    together = math.ceil(_BLOCK / batch_size)
    blocks = orders.rebatch(batch_size * together)
    batches = blocks.map(lambda block: split_labels(packed.gather(block))).rebatch(batch_size)
    counted = batches.apply(tf.data.experimental.assert_cardinality(count))
    # There is nothing to tune, and tuning takes a tenth of a small model's time.
    untuned = tf.data.Options()
    untuned.autotune.enabled = False
    return counted.prefetch(together).with_options(untuned)


def split_labels(columns: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Separates the features from the labels, hard and soft, and what else only training reads."""
    labels = {name: column for name, column in columns.items() if name.startswith(TRAINING_PREFIXES)}
    return {name: column for name, column in columns.items() if name not in labels}, labels


def _records(patterns: Sequence[str]) -> tf.data.Dataset:
    files = sorted(name for pattern in patterns for name in tf.io.gfile.glob(pattern))
    return tf.data.TFRecordDataset(files, compression_type=COMPRESSION)


def _parsed(batches: tf.data.Dataset, spec: Mapping[str, Any], count: int) -> tf.data.Dataset:
    parsed = batches.map(
        lambda batch: split_labels(tf.io.parse_example(batch, dict(spec))),
        num_parallel_calls=tf.data.AUTOTUNE,
        deterministic=True,
    )
    return parsed.apply(tf.data.experimental.assert_cardinality(count)).prefetch(tf.data.AUTOTUNE)


def dense(column: Any) -> tf.Tensor:
    """A parsed column without sparsity, one value an example: absent numbers are NaN, absent strings empty."""
    if not isinstance(column, tf.SparseTensor):
        return column
    absent = "" if column.dtype == tf.string else float("nan")
    values = column.values if column.dtype == tf.string else tf.cast(column.values, tf.float32)
    rows = tf.SparseTensor(column.indices, values, column.dense_shape)
    dense = tf.sparse.to_dense(rows, default_value=absent)
    # A batch in which no example has the value is zero columns wide.
    padded = tf.pad(dense, [[0, 0], [0, 1]], constant_values=absent)
    return padded[:, 0]


def _concatenate(batches: tf.data.Dataset) -> dict[str, np.ndarray]:
    parts = list(batches.as_numpy_iterator())
    return {name: np.concatenate([part[name] for part in parts]) for name in (parts[0] if parts else ())}
