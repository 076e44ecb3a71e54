"""Runs TFX's Transform on batches of records."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import apache_beam as beam
import pyarrow as pa
from apache_beam.pvalue import PCollection
from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_transform.beam import impl
from tfx import types
from tfx.components.transform import executor, labels
from tfx.dsl.io import fileio
from tfx.types import standard_component_specs
from tfx_bsl.coders import example_coder

from contracts import properties
from records.batched import reading_in_batches
from records.in_order import PLACE, Place, WriteInOrder, without_place

_PROCESSOR = "TransformProcessor"
_GRAPH_RUNNER = "_RunMetaGraphDoFn"
_PARTS = ".parts"
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
          output_dict: transform_graph and transformed_examples: a file for each file of the examples, its rows in
            their order, whatever engine Beam runs on.  Of several examples those of the oldest span come first, in
            whatever order they were labelled: TFX hands them over in that of their numbers in its metadata.
          exec_properties: As TFX's; without statistics.

        Raises:
          InputError: A file of the examples is truncated or damaged.
          ValueError: Statistics are asked for.
        """
        if not exec_properties.get(standard_component_specs.DISABLE_STATISTICS_KEY):
            raise ValueError("expected disable_statistics: they would count the column that says where a row stood")
        examples = input_dict[standard_component_specs.EXAMPLES_KEY]
        in_order = sorted(examples, key=lambda each: each.get_int_custom_property(properties.SPAN))
        inputs = {**input_dict, standard_component_specs.EXAMPLES_KEY: in_order}
        with _parts_removed(output_dict), reading_in_batches(placed=True), _replaced():
            super().Do(inputs, output_dict, exec_properties)


@contextmanager
def _parts_removed(output_dict: dict[str, list[types.Artifact]]) -> Iterator[None]:
    """What workers wrote is gone afterwards, with what a killed attempt left behind."""
    try:
        yield
    finally:
        # One artifact for each of the examples: TFX's executor adds them.
        for artifact in output_dict[standard_component_specs.TRANSFORMED_EXAMPLES_KEY]:
            if fileio.exists(f"{artifact.uri}/{_PARTS}"):
                fileio.rmtree(f"{artifact.uri}/{_PARTS}")


@contextmanager
def _replaced() -> Iterator[None]:
    """TFX's executor makes a `TransformProcessor`, and TensorFlow Transform a runner of graphs; neither takes another.

    (TFX and TensorFlow Transform 1.21.0.)
    """
    with ExitStack() as stack:
        for module, name, ours in ((executor, _PROCESSOR, _Processor), (impl, _GRAPH_RUNNER, RunGraph)):
            stack.callback(setattr, module, name, getattr(module, name))
            setattr(module, name, ours)
        yield


class RunGraph(impl._RunMetaGraphDoFn):
    """TensorFlow Transform's, that goes on when an engine has made the graph a second time.

    An engine that loses a worker computes again what the worker had computed, the folder of a
    graph among it, whose name is another one each time.  In the workers that are left
    TensorFlow Transform's own keeps the graph of the first folder, and fails over the name of
    the second one, at each attempt.
    """

    def process(self, batch: pa.RecordBatch, saved_model_dir: str) -> Iterator[dict[str, Any]]:
        """Runs the graph in `saved_model_dir` over a batch: its output by column."""
        held = getattr(self, "_graph_state", None)
        if held is None or held.saved_model_dir != saved_model_dir:
            load = partial(self._make_graph_state, saved_model_dir)
            self._graph_state = self._shared_graph_state_handle.acquire(load, tag=saved_model_dir)
        yield from super().process(batch, saved_model_dir)


class _Processor(executor.TransformProcessor):
    @staticmethod
    def _GetTFXIOPassthroughKeys() -> set[str]:
        """Columns that the preprocessing function does not see, and that come out as they went in."""
        return {PLACE}

    @staticmethod
    def _EncodeAndWrite(  # type: ignore[override] # TFX's is Beam's wrapper around a function
        schema: Any, file_format: str, output_path: str
    ) -> beam.PTransform[Any, Any]:
        """In the place of TFX's, which writes record by record, in the order in which the engine works."""
        if file_format != labels.FORMAT_TFRECORD:
            raise NotImplementedError(f"expected {labels.FORMAT_TFRECORD}, found {file_format}")
        return _EncodeAndWrite(schema, output_path)


class _EncodeAndWrite(beam.PTransform[PCollection[_Transformed], PCollection[str]]):
    """Writes transformed `pa.RecordBatch`es, each with its unary features, as gzipped tf.Examples."""

    def __init__(self, schema: Any, path: str) -> None:
        """Initializes the transform.

        Args:
          schema: Of what is written.
          path: URI of the artifact, folder of the split, and what the names of its files begin with.
        """
        super().__init__()
        self._schema = schema
        self._path = path

    def expand(self, batches: PCollection[_Transformed]) -> PCollection[str]:
        uri, _, _ = self._path.rsplit("/", 2)
        encoded = beam.ParDo(_Encode(self._schema.SerializeToString()))
        return (
            batches
            | "Encode" >> encoded.with_output_types(tuple[Place, list[bytes]])
            | "Write" >> WriteInOrder(self._path, f"{uri}/{_PARTS}")
        )


class _Encode(beam.DoFn):
    def __init__(self, schema: bytes) -> None:
        self._schema = schema

    def setup(self) -> None:
        self._encoder = example_coder.RecordBatchToExamplesEncoder(schema_pb2.Schema.FromString(self._schema))

    def process(self, element: _Transformed) -> Iterator[tuple[Place, list[bytes]]]:
        place, batch = without_place(element[0])
        yield place, self._encoder.encode(batch)
