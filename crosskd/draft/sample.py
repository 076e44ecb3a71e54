"""Reads a sample of the examples, and what TensorFlow Data Validation infers from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import tensorflow as tf
import tfx  # noqa: F401  tensorflow_data_validation cannot be imported before it
from tensorflow_data_validation import StatsOptions, infer_schema
from tensorflow_data_validation.statistics.stats_impl import generate_statistics_in_memory
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx_bsl.coders import example_coder

from records.examples import files_of
from records.record_files import first_records
from schema.errors import InputError
from schema.surface import SOFT_LABEL_PREFIX, TRAIN_SPLIT


@dataclass(frozen=True)
class SampledColumn:
    """What the sample says of one column.

    Attributes:
      name: Its name.
      type: `INT`, `FLOAT` or `BYTES`.
      required: Whether every example has it.
      size: Values per example; None where that varies.
      distinct: Different values in the sample.
      rows: Examples in the sample that have it.
      lowest: Least value; None for `BYTES`.
      highest: Greatest value; None for `BYTES`.
      median: Middle value; None for `BYTES`.
    """

    name: str
    type: str
    required: bool
    size: int | None
    distinct: int
    rows: int
    lowest: float | None = None
    highest: float | None = None
    median: float | None = None

    @property
    def is_flag(self) -> bool:
        """Whether it is 0 or 1."""
        return self.type == "INT" and self.size == 1 and (self.lowest, self.highest) == (0, 1)

    @property
    def is_number(self) -> bool:
        return self.type in ("INT", "FLOAT")


@dataclass(frozen=True)
class ExampleSample:
    """The first examples of the training split; `columns` by name, `schema` as TFDV infers it."""

    rows: int
    columns: Mapping[str, SampledColumn]
    schema: schema_pb2.Schema


def read_sample(examples: Path, rows: int) -> ExampleSample:
    """Reads up to `rows` examples of ``<examples>/train``.

    Soft labels of an earlier run are left out.

    Raises:
      InputError: There are no examples, or a record is none.
    """
    folder = examples / TRAIN_SPLIT
    files = files_of(folder)
    batch = _decode(folder, files, rows)
    statistics = generate_statistics_in_memory(batch, StatsOptions())
    # No string domains: a value that this sample lacks is no anomaly.
    schema = infer_schema(statistics, infer_feature_shape=True, max_string_domain_size=0)
    columns = {feature.name: _column(feature, batch.column(feature.name)) for feature in schema.feature}
    return ExampleSample(batch.num_rows, columns, schema)


def _decode(folder: Path, files: list[str], rows: int) -> pa.RecordBatch:
    try:
        records = first_records(files, rows)
    except tf.errors.OpError as error:
        raise InputError(f"{folder}: expected gzipped TFRecords: {error.message}") from error
    if not records:
        raise InputError(f"{folder}: expected examples, found {len(files)} file(s) without a single record")
    try:
        batch = example_coder.ExamplesToRecordBatchDecoder().DecodeBatch(records)
    except ValueError as error:
        raise InputError(f"{folder}: expected records that are tf.Examples: {error}") from error
    return batch.drop_columns([name for name in batch.schema.names if name.startswith(SOFT_LABEL_PREFIX)])


def _column(feature: schema_pb2.Feature, values: pa.Array) -> SampledColumn:
    kind = schema_pb2.FeatureType.Name(feature.type)
    flat: Any = pa.compute.list_flatten(values)
    found = SampledColumn(
        name=feature.name,
        type=kind,
        required=feature.presence.min_fraction == 1,
        size=_size(feature),
        distinct=pa.compute.count_distinct(flat).as_py(),
        rows=len(values) - values.null_count,
    )
    if not found.is_number:
        return found
    numbers = flat.to_numpy(zero_copy_only=False)
    lowest, median, highest = (float(each) for each in np.quantile(numbers, (0, 0.5, 1)))
    return SampledColumn(**{**vars(found), "lowest": lowest, "median": median, "highest": highest})


def _size(feature: schema_pb2.Feature) -> int | None:
    if feature.HasField("shape"):
        return int(np.prod([dimension.size for dimension in feature.shape.dim], dtype=int))
    low, high = feature.value_count.min, feature.value_count.max
    return high if low == high and high else None
