"""Beam's way from files of examples to batches of columns, and back, a batch at a time.

TFX's StatisticsGen and Transform send every record through Beam by itself, when they read and
when they write.  What is done here for a thousand records at a time is the same: their reader
and writer are tfx-bsl's `TFExampleRecord` and Beam's `WriteToTFRecord`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import apache_beam as beam
import pyarrow as pa
from apache_beam.io.filebasedsink import FileBasedSink
from apache_beam.io.filesystem import CompressionTypes
from apache_beam.pvalue import PBegin, PCollection
from tfx.components.util import tfxio_utils
from tfx.dsl.io import fileio
from tfx_bsl.coders import example_coder
from tfx_bsl.tfxio import tf_example_record

from records.shards import read_batches
from records.tfrecords import RecordWriter

BATCH = 1000  # What tfx-bsl's own batches grow to.
_COMPRESSION_LEVEL = 1


@contextmanager
def reading_in_batches() -> Iterator[None]:
    """Lets the TFX executors that run within read whole files of tf.Examples in batches.

    They ask `tfx.components.util.tfxio_utils.make_tfxio` for a reader, and take no other (TFX 1.21.0).
    """
    usual = tfxio_utils.make_tfxio

    def batched(*args: Any, **kwargs: Any) -> Any:
        made = usual(*args, **kwargs)
        return BatchedExamples(made) if type(made) is tf_example_record.TFExampleRecord else made

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

    def __init__(self, usual: tf_example_record.TFExampleRecord) -> None:
        super().__init__(
            file_pattern=usual._file_pattern,
            schema=usual._schema,
            raw_record_column_name=usual.raw_record_column_name,
            telemetry_descriptors=usual.telemetry_descriptors,
        )

    def BeamSource(self, batch_size: int | None = None) -> beam.PTransform[Any, Any]:  # noqa: N802 - as tfx-bsl calls it
        """A transform from a pipeline to its `pa.RecordBatch`es, of `batch_size` rows but for a file's last."""
        if self.raw_record_column_name is not None:
            return super().BeamSource(batch_size)
        files = sorted(str(path) for pattern in self._file_pattern for path in fileio.glob(pattern))
        if not files:
            raise FileNotFoundError(f"{', '.join(self._file_pattern)}: expected files of examples, found none")
        return _Batches(files, self._GetSchemaForDecoding(), batch_size or BATCH)

    def _ProjectImpl(self, tensor_names: list[str]) -> BatchedExamples:  # noqa: N802 - as tfx-bsl calls it
        return BatchedExamples(super()._ProjectImpl(tensor_names))


class _Batches(beam.PTransform[PBegin, PCollection[pa.RecordBatch]]):
    """The rows of files, as batches of columns."""

    def __init__(self, files: list[str], schema: Any, size: int) -> None:
        super().__init__()
        self._files = files
        self._schema = None if schema is None else schema.SerializeToString()
        self._size = size

    def expand(self, pipeline: PBegin) -> PCollection[pa.RecordBatch]:
        # Grouped, and not reshuffled: workers share the files, and one worker reads them in their order.
        return (
            pipeline
            | "Files" >> beam.Create(list(enumerate(self._files)))
            | "Spread" >> beam.GroupByKey()
            | "Read" >> beam.ParDo(_Read(self._schema, self._size)).with_output_types(pa.RecordBatch)
        )


class _Read(beam.DoFn):
    def __init__(self, schema: bytes | None, size: int) -> None:
        self._schema = schema
        self._size = size

    def setup(self) -> None:
        self._decoder = example_coder.ExamplesToRecordBatchDecoder(*([] if self._schema is None else [self._schema]))

    def process(self, element: tuple[int, list[str]]) -> Iterator[pa.RecordBatch]:
        for path in element[1]:
            for records in read_batches(path, self._size):
                yield self._decoder.DecodeBatch(records)


class BatchSink(FileBasedSink):
    """For `beam.io.Write`: writes lists of serialized records, as `beam.io.WriteToTFRecord` does single ones.

    Files get their names when all of them are whole.
    """

    def __init__(self, path: str) -> None:
        super().__init__(
            path,
            coder=beam.coders.PickleCoder(),
            file_name_suffix=".gz",
            compression_type=CompressionTypes.UNCOMPRESSED,  # of what Beam sees: the records are compressed before
        )

    def open(self, temp_path: str) -> tuple[Any, RecordWriter]:
        """Opens a file that is to be renamed."""
        file = super().open(temp_path)
        return file, RecordWriter(file, _COMPRESSION_LEVEL)

    def write_record(self, file_handle: tuple[Any, RecordWriter], value: list[bytes]) -> None:
        """Writes a batch."""
        file_handle[1].write(value)

    def close(self, file_handle: tuple[Any, RecordWriter] | None) -> None:
        """Completes the file."""
        if file_handle is not None:
            file, writer = file_handle
            writer.finish()
            super().close(file)
