"""Reads a sample of the examples, and what TensorFlow Data Validation infers from it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import tensorflow as tf
import tfx  # noqa: F401  tensorflow_data_validation cannot be imported before it
from numpy.typing import NDArray
from tensorflow_data_validation import StatsOptions, infer_schema
from tensorflow_data_validation.statistics.stats_impl import generate_statistics_in_memory
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx_bsl.coders import example_coder

from crosskd.draft import names
from records.arrow_columns import example_batch, natural_kind
from records.examples import files_of
from records.record_files import first_records
from records.table_files import DataFile, Format, holds_tables, is_uri, splits_of, uri_of
from records.tables import Columns, read, tables, unreadable
from records.tf_example import FLOAT, INT
from schema.errors import InputError
from schema.surface import SOFT_LABEL_PREFIX, TRAIN_SPLIT

_NUMBER = re.compile(rb"\s*[-+]?\d+([.,]\d+)?\s*")
_DATE = re.compile(rb"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}.*)?")
_LOOKED_AT = 1000
FROM_TIMES = "points in time, as seconds since 1970 (UTC)"
FROM_FLOATS = "whole numbers, which are stored as real ones"


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
      longest: Most values in an example.
      note: What it was before it was an example's, where that says something; else empty.
      reads_as: What its text reads as, `numbers` or `dates`; empty for any other.
      stands_together: Whether the examples of each value follow each other.
      starts_again: Whether it goes up by one from example to example, and starts again from its least value.
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
    longest: int = 1
    note: str = ""
    reads_as: str = ""
    stands_together: bool = False
    starts_again: bool = False

    @property
    def is_flag(self) -> bool:
        """Whether it is 0 or 1."""
        both = (self.lowest, self.highest) == (0, 1) and self.distinct == len((0, 1))
        return self.is_number and self.size == 1 and both

    @property
    def is_number(self) -> bool:
        return self.type in ("INT", "FLOAT")


@dataclass(frozen=True)
class ExampleSample:
    """The first examples of the training split.

    Attributes:
      rows: How many they are.
      columns: What is known of each column.
      schema: As TFDV infers it.
      batch: The examples, a list of values in each row and column.
      nested: Columns of a table that tf.Example has no place for, with their types.
      empty: Columns without a single value.
      divided: Whether they lie in `train/` and `eval/`.
    """

    rows: int
    columns: Mapping[str, SampledColumn]
    schema: schema_pb2.Schema
    batch: pa.RecordBatch
    nested: Mapping[str, str] = field(default_factory=dict)
    empty: tuple[str, ...] = ()
    divided: bool = True

    def numbers(self, name: str) -> NDArray[np.float64]:
        """The first value of each example, NaN where there is none; of text, a number for each different one."""
        lists = self.batch.column(name)
        there = pc.greater(pc.fill_null(pc.list_value_length(lists), 0), 0)
        values = pc.list_element(lists.filter(there), 0)
        if pa.types.is_large_binary(values.type) or pa.types.is_binary(values.type):
            values = values.dictionary_encode().indices
        found = np.full(len(lists), np.nan)
        found[there.to_numpy(zero_copy_only=False)] = values.cast(pa.float64()).to_numpy()
        return found


def read_sample(examples: Path, rows: int) -> ExampleSample:
    """Reads up to `rows` examples of ``<examples>/train``, or of examples that are not divided yet.

    Soft labels of an earlier run are left out.

    Raises:
      InputError: There are no examples, or a record is none.
    """
    nested: dict[str, str] = {}
    notes: dict[str, str] = {}
    divided = True
    if is_uri(examples) or holds_tables(examples):
        splits = splits_of(examples)
        divided = "" not in splits
        batch = _lying(examples, splits.get(TRAIN_SPLIT, splits.get("", [])), rows, nested, notes)
    else:
        folder = examples / TRAIN_SPLIT
        batch = _decode(folder, _records(folder, files_of(folder), rows))
    batch = batch.drop_columns([name for name in batch.schema.names if name.startswith(SOFT_LABEL_PREFIX)])
    empty = tuple(name for name in batch.schema.names if _without_values(batch.column(name)))
    batch = batch.drop_columns(list(empty))
    statistics = generate_statistics_in_memory(batch, StatsOptions())
    # No string domains: a value that this sample lacks is no anomaly.
    schema = infer_schema(statistics, infer_feature_shape=True, max_string_domain_size=0)
    columns = {
        feature.name: _column(feature, batch.column(feature.name), notes.get(feature.name, ""))
        for feature in schema.feature
    }
    return ExampleSample(batch.num_rows, columns, schema, batch, nested, empty, divided)


def _lying(
    place: Path, files: list[DataFile], rows: int, nested: dict[str, str], notes: dict[str, str]
) -> pa.RecordBatch:
    """The first rows of tables, or of records that are not divided or not here; says what was found in `nested`."""
    if files and files[0].format is Format.TFRECORDS:
        records = [record for file in files for batch in read(file, Columns({}), {}) for record in batch.encode(None)]
        return _decode(place, records[:rows])
    table = pa.Table.from_batches(list(_first(files, rows))).slice(0, rows).combine_chunks()
    if not table.num_rows:
        raise InputError(f"{uri_of(place)}: expected examples, found {len(files)} file(s) without a single row")
    nested.update(unreadable(table.schema))
    kinds = {}
    whole = table.to_batches()[0]
    for each in whole.schema:
        kind = natural_kind(each.type)
        if kind is not None:
            kinds[each.name], notes[each.name] = _kind(kind, each, whole.column(each.name))
    return example_batch(whole, kinds)


def _first(files: list[DataFile], rows: int) -> Iterator[pa.RecordBatch]:
    schema, found = None, 0
    for file in files:
        for batch in tables(file):
            schema = schema or batch.schema
            if batch.schema.names != schema.names:
                return  # A sample of the files that are alike says enough.
            yield batch.cast(schema)
            found += batch.num_rows
            if found >= rows:
                return


def _kind(kind: str, column: pa.Field, values: pa.Array) -> tuple[str, str]:
    """The kind of a table's column, and a note where it is not what its type says."""
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        return INT, FROM_TIMES
    if kind == FLOAT and pa.types.is_floating(column.type):
        there = values.drop_null().to_numpy(zero_copy_only=False)
        there = there[~np.isnan(there)]
        # Tools without a missing whole number make real ones of a column that lacks some.
        odd = len(there) < len(values) or np.abs(there).max(initial=0) > 2**24
        if len(there) and (odd or names.of_an_id(column.name)) and (there == np.round(there)).all():
            return INT, FROM_FLOATS
    return kind, ""


def _records(folder: Path, files: list[str], rows: int) -> list[bytes]:
    try:
        records = first_records(files, rows)
    except tf.errors.OpError as error:
        raise InputError(f"{folder}: expected gzipped TFRecords: {error.message}") from error
    if not records:
        raise InputError(f"{folder}: expected examples, found {len(files)} file(s) without a single record")
    return records


def _decode(folder: Path, records: list[bytes]) -> pa.RecordBatch:
    try:
        return example_coder.ExamplesToRecordBatchDecoder().DecodeBatch(records)
    except ValueError as error:
        raise InputError(f"{folder}: expected records that are tf.Examples: {error}") from error


def _without_values(values: pa.Array) -> bool:
    return pa.types.is_null(values.type) or len(pc.list_flatten(values)) == 0


def _column(feature: schema_pb2.Feature, values: pa.Array, note: str) -> SampledColumn:
    kind = schema_pb2.FeatureType.Name(feature.type)
    flat: Any = pc.list_flatten(values)
    found = SampledColumn(
        name=feature.name,
        type=kind,
        required=feature.presence.min_fraction == 1,
        size=_size(feature),
        distinct=pc.count_distinct(flat).as_py(),
        rows=len(values) - values.null_count,
        longest=pc.max(pc.list_value_length(values)).as_py(),
        note=note,
        stands_together=kind != "FLOAT" and _stands_together(flat),
    )
    if not found.is_number:
        return SampledColumn(**{**vars(found), "reads_as": _reads_as(flat)})
    numbers = flat.to_numpy(zero_copy_only=False)
    lowest, median, highest = (float(each) for each in np.quantile(numbers, (0, 0.5, 1)))
    again = kind == "INT" and found.size == 1 and _starts_again(numbers)
    return SampledColumn(
        **{**vars(found), "lowest": lowest, "median": median, "highest": highest, "starts_again": again}
    )


def _starts_again(numbers: NDArray[np.int64]) -> bool:
    steps, low = np.diff(numbers), numbers.min()
    again = int((numbers[1:] == low).sum())
    return bool(((steps == 1) | (numbers[1:] == low)).all() and again > 1 and numbers.max() > low + 1)


def _stands_together(flat: pa.Array) -> bool:
    changes = pc.sum(pc.not_equal(flat[1:], flat[:-1])).as_py() or 0
    return bool(changes + 1 == pc.count_distinct(flat).as_py())


def _reads_as(flat: pa.Array) -> str:
    texts = flat.slice(0, _LOOKED_AT).to_pylist()
    if all(_DATE.fullmatch(each) for each in texts):
        return "dates"
    return "numbers" if all(_NUMBER.fullmatch(each) for each in texts) else ""


def _size(feature: schema_pb2.Feature) -> int | None:
    if feature.HasField("shape"):
        return int(np.prod([dimension.size for dimension in feature.shape.dim], dtype=int))
    low, high = feature.value_count.min, feature.value_count.max
    return high if low == high and high else None
