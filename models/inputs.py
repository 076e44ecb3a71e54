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

from models.batching import split
from models.columns import GROUP_COLUMN
from models.dense import lists
from models.epochs import InMemory, Streamed, expect_unlabelled
from models.feature_columns import PADDING
from models.store import Store, load
from records.examples import files_of
from records.record_files import files_in_order, records_of
from schema.errors import InputError
from schema.training import Training

_READ_BATCH = 4096
MEMORY_LIMIT = 4 * 2**30


@dataclass(frozen=True)
class UnlabelledPairs:
    """Unlabelled examples to train on beside the labelled ones.

    Attributes:
      store: The examples.
      per_row: How many are drawn for each labelled example of a batch.
    """

    store: Store
    per_row: int


def transformed(
    labelled: Store,
    training: Training,
    *,
    unlabelled: UnlabelledPairs | None = None,
    memory_limit: int | None = None,
) -> InMemory | Streamed:
    """What a training reads of Transform's output.

    The same records are held out in every arm: those of `models.batching.parts`.  The order of
    the rest depends on the seed and the epoch alone.  Rows are kept in
    memory if they fit, and else read from their store anew in every epoch.

    Unlabelled examples come after a batch's labelled ones, which are the same as without.

    Args:
      labelled: The examples.
      training: Gives seed, batches and the part that is held out.
      unlabelled: More examples for the training batches.
      memory_limit: Bytes that may be kept in memory; `MEMORY_LIMIT` by default.

    Returns:
      Batches of (features, labels) dicts; labels are the columns `label/*` and
      `teacher/*`, float32 [batch], and those of group and weight where the store has them.

    Raises:
      InputError: Batches are by group, and the records do not fit in memory; or there are no
        unlabelled examples where some are asked for.
    """
    stores = [labelled, *([unlabelled.store] if unlabelled else [])]
    per_row = unlabelled.per_row if unlabelled else 0
    if unlabelled:
        expect_unlabelled(unlabelled.store.rows, per_row)
    rows = sum(store.rows for store in stores)
    memory_limit = MEMORY_LIMIT if memory_limit is None else memory_limit
    if rows * labelled.row_bytes > memory_limit:
        if training.batch_by == "group":
            raise InputError(
                f"batches by group need all rows in memory: {rows:,} rows of {labelled.row_bytes} bytes are more than "
                f"the {memory_limit:,} bytes that may be used; expected `batch_by: rows` under training"
            )
        return Streamed(labelled, training, unlabelled.store if unlabelled else None, per_row)
    return InMemory(
        labelled.columns([GROUP_COLUMN]) if training.batch_by == "group" else {},
        *split(labelled.rows, training),
        training,
        per_row=per_row,
        packed=load(stores),
    )


def transformed_columns(
    patterns: Sequence[str], spec: Mapping[str, Any], names: Sequence[str]
) -> dict[str, np.ndarray]:
    """Some columns of Transform's output, whole, in the order of `records.record_files.files_in_order`."""
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
    files = files_of(folder)
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


def raw_lists(folder: Path, schema: schema_pb2.Schema, lengths: Mapping[str, int]) -> dict[str, np.ndarray]:
    """Raw columns with many values of all examples in a folder, cut and padded.

    Args:
      folder: Holds gzipped TFRecords of tf.Example.
      schema: Their TFDV schema.
      lengths: The columns to read, and how many values of each are kept.

    Returns:
      Per column an array [examples, length]: ids with -1 and numbers with NaN where there is no value.
    """
    if not lengths:
        return {}
    spec = schema_utils.schema_as_feature_spec(schema).feature_spec
    wanted = {name: spec[name] for name in lengths}
    batches = _records(files_of(folder)).batch(_READ_BATCH)
    return _concatenate(batches.map(lambda batch: padded(tf.io.parse_example(batch, wanted), lengths)))


def padded(columns: Mapping[str, Any], lengths: Mapping[str, int]) -> dict[str, tf.Tensor]:
    """Columns of which those with many values are cut and padded, as `raw_lists` says."""
    return {name: _padded(column, lengths[name]) if name in lengths else column for name, column in columns.items()}


def _padded(column: Any, length: int) -> tf.Tensor:
    found = lists(column, length)
    return found.padded(found.values, math.nan if column.dtype.is_floating else PADDING)


def _records(patterns: Sequence[str]) -> tf.data.Dataset:
    return records_of(files_in_order(patterns))


def dense(column: Any) -> tf.Tensor:
    """A parsed column made dense, one value for each example: absent numbers are NaN, absent strings empty."""
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
