"""Beam's way from files of examples to batches of columns.

TFX's StatisticsGen, Transform and Evaluator send every record through Beam by itself, when they read.
What is done here for a thousand records at a time is the same: their reader is tfx-bsl's `TFExampleRecord`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import apache_beam as beam
import pyarrow as pa
from apache_beam.pvalue import PBegin, PCollection
from tfx.components.util import tfxio_utils
from tfx.dsl.io import fileio
from tfx_bsl.coders import example_coder
from tfx_bsl.tfxio import record_based_tfxio, tf_example_record

from records.in_order import PLACE, PLACE_FIELD, Place, with_place
from records.shards import read_batches
from schema.errors import InputError

BATCH = 1000  # What tfx-bsl's own batches grow to.


@contextmanager
def reading_in_batches(*, placed: bool = False, size: int = BATCH) -> Iterator[None]:
    """Lets the TFX executors that run within read whole files of tf.Examples in batches.

    Args:
      placed: Whether rows have a column that says where they stood, see `records.in_order`.
      size: Rows of a batch.

    They ask `tfx.components.util.tfxio_utils.make_tfxio` for a reader, and take no other (TFX 1.21.0).
    """
    usual = tfxio_utils.make_tfxio

    def batched(*args: Any, **kwargs: Any) -> Any:
        made = usual(*args, **kwargs)
        if type(made) is not tf_example_record.TFExampleRecord:
            return made
        return BatchedExamples(made, placed=placed, size=size)

    tfxio_utils.make_tfxio = batched
    try:
        yield
    finally:
        tfxio_utils.make_tfxio = usual


class BatchedExamples(tf_example_record.TFExampleRecord):
    """`TFExampleRecord`, whose `BeamSource` reads in batches.

    Rows come file by file, in the order of the files' names on a runner of one process.  A
    file that is truncated or damaged is an `InputError` that names it.
    """

    def __init__(
        self,
        usual: tf_example_record.TFExampleRecord,
        *,
        placed: bool = False,
        size: int = BATCH,
    ) -> None:
        super().__init__(
            file_pattern=usual._file_pattern,
            schema=usual._schema,
            raw_record_column_name=usual.raw_record_column_name,
            telemetry_descriptors=usual.telemetry_descriptors,
        )
        self._placed = placed
        self._size = size

    def ArrowSchema(self) -> pa.Schema:  # noqa: N802 - as tfx-bsl calls it
        """The columns of a batch.

        Raises:
          InputError: A column of the examples has the name of the one that is added.
        """
        schema = super().ArrowSchema()
        if not self._placed or self.raw_record_column_name is not None:
            return schema
        if PLACE in schema.names:
            raise InputError(f"examples: expected no column {PLACE!r}, which is added to them; rename it")
        return schema.append(PLACE_FIELD)

    def BeamSource(self, batch_size: int | None = None) -> beam.PTransform[Any, Any]:  # noqa: N802 - as tfx-bsl calls it
        """A transform from a pipeline to its `pa.RecordBatch`es, of `batch_size` rows but for a file's last."""
        files = sorted(str(path) for pattern in self._file_pattern for path in fileio.glob(pattern))
        if not files:
            raise FileNotFoundError(f"{', '.join(self._file_pattern)}: expected files of examples, found none")
        schema = self._GetSchemaForDecoding()
        read = _Read(
            None if schema is None else schema.SerializeToString(),
            batch_size or self._size,
            self._placed and self.raw_record_column_name is None,
            self.raw_record_column_name,
        )
        return _Batches(files, read)

    def _ProjectImpl(self, tensor_names: list[str]) -> BatchedExamples:  # noqa: N802 - as tfx-bsl calls it
        return BatchedExamples(super()._ProjectImpl(tensor_names), placed=self._placed, size=self._size)


class _Batches(beam.PTransform[PBegin, PCollection[pa.RecordBatch]]):
    """The rows of files, as batches of columns."""

    def __init__(self, files: list[str], read: _Read) -> None:
        super().__init__()
        self._files = files
        self._read = read

    def expand(self, pipeline: PBegin) -> PCollection[pa.RecordBatch]:
        # Grouped, and not reshuffled: workers share the files, and one worker reads them in their order.
        return (
            pipeline
            | "Files" >> beam.Create(list(enumerate(self._files)))
            | "Spread" >> beam.GroupByKey()
            | "Read" >> beam.ParDo(self._read).with_output_types(pa.RecordBatch)
        )


class _Read(beam.DoFn):
    def __init__(self, schema: bytes | None, size: int, placed: bool, raw_column: str | None) -> None:
        self._schema = schema
        self._size = size
        self._placed = placed
        self._raw_column = raw_column

    def setup(self) -> None:
        self._decoder = example_coder.ExamplesToRecordBatchDecoder(*([] if self._schema is None else [self._schema]))

    def process(self, element: tuple[int, list[str]]) -> Iterator[pa.RecordBatch]:
        number, paths = element
        for path in paths:
            row = 0
            for records in read_batches(path, self._size):
                batch = self._decoder.DecodeBatch(records)
                if self._raw_column is not None:
                    batch = record_based_tfxio.AppendRawRecordColumn(batch, self._raw_column, records)
                yield with_place(batch, Place(number, row)) if self._placed else batch
                row += len(records)
