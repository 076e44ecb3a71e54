"""Runs TFX's Transform on batches of records."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import apache_beam as beam
import pyarrow as pa
from apache_beam.io.iobase import Write
from apache_beam.pvalue import PCollection
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx import types
from tfx.components.transform import executor, labels
from tfx_bsl.coders import example_coder

from records.batched import BatchSink, reading_in_batches

_PROCESSOR = "TransformProcessor"
# Columns of a batch, and features of the whole batch.
_Transformed = tuple[pa.RecordBatch, dict[str, pa.Array]]


class Executor(executor.Executor):
    """Executor of Transform."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Transforms as TFX's does, whose inputs, outputs and properties it has.

        Args:
          input_dict: examples and schema.
          output_dict: transform_graph and transformed_examples.
          exec_properties: As TFX's.

        Raises:
          InputError: A file of the examples is truncated or damaged.
        """
        with reading_in_batches(), _writing_in_batches():
            super().Do(input_dict, output_dict, exec_properties)


@contextmanager
def _writing_in_batches() -> Iterator[None]:
    """TFX's executor makes a `TransformProcessor`, and takes no other (TFX 1.21.0)."""
    usual = executor.TransformProcessor
    setattr(executor, _PROCESSOR, _Processor)
    try:
        yield
    finally:
        setattr(executor, _PROCESSOR, usual)


class _Processor(executor.TransformProcessor):
    @staticmethod
    def _EncodeAndWrite(  # type: ignore[override] # TFX's is Beam's wrapper around a function
        schema: Any, file_format: str, output_path: str
    ) -> beam.PTransform[Any, Any]:
        """In the place of TFX's, which writes record by record."""
        if file_format != labels.FORMAT_TFRECORD:
            raise NotImplementedError(f"expected {labels.FORMAT_TFRECORD}, found {file_format}")
        return _EncodeAndWrite(schema, output_path)


class _EncodeAndWrite(beam.PTransform[PCollection[_Transformed], Any]):
    """Writes transformed `pa.RecordBatch`es, each with its unary features, as gzipped tf.Examples."""

    def __init__(self, schema: Any, path: str) -> None:
        super().__init__()
        self._schema = schema
        self._path = path

    def expand(self, batches: PCollection[_Transformed]) -> Any:
        return (
            batches
            | "Encode" >> beam.ParDo(_Encode(self._schema.SerializeToString())).with_output_types(list[bytes])
            | "Write" >> Write(BatchSink(self._path))
        )


class _Encode(beam.DoFn):
    def __init__(self, schema: bytes) -> None:
        self._schema = schema

    def setup(self) -> None:
        self._encoder = example_coder.RecordBatchToExamplesEncoder(schema_pb2.Schema.FromString(self._schema))

    def process(self, element: _Transformed) -> Iterator[list[bytes]]:
        yield self._encoder.encode(element[0])
