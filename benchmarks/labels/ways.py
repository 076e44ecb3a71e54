"""Four ways over the same examples with the same teacher; each reads all of them and answers when it is done.

The limit writes nothing.  The others write the examples with the teacher's outputs as gzipped
TFRecords.  All read from and write to the local disk, in memory of one process.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import tensorflow as tf
from tfx.components.bulk_inferrer.executor import Executor as BulkInferrer
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.types import Artifact, standard_artifacts
from tfx_bsl.coders.example_coder import ExamplesToRecordBatchDecoder, RecordBatchToExamplesEncoder

from benchmarks.labels.world import (
    EXAMPLES_SIGNATURE,
    SPLIT,
    TASKS,
    TENSORS_SIGNATURE,
    absent_features,
    make_surface,
    parsing_spec,
    present_features,
)
from components.teacher_labeler import options, spec
from components.teacher_labeler.executor import Executor as TeacherLabeler
from contracts import keys
from contracts.artifacts import DeadLetters, LabelReportArtifact
from contracts.label_report import LabelReport
from pipeline.beam_options import beam_args
from records import documents
from records.fingerprint import fingerprint
from records.saved_model import find_saved_model
from records.shards import read_batches
from schema.surface import Surface, soft_label

_BATCH = 1024
_READ_BUFFER = 1 << 20
_USUAL_BATCH = 1024
_CORES = len(os.sched_getaffinity(0))

# Batches of records, string [batch], of some files.
Reader = Callable[[Sequence[str]], tf.data.Dataset]


def reach_the_limit(teacher: Path, examples: Artifact, read: Reader) -> int:
    """Reads, parses and infers with tf.data on all cores, as fast as it goes; writes nothing.

    Args:
      teacher: Its folder.
      examples: What to read.
      read: Makes batches of records of the files, several of which it reads at a time.

    Returns:
      Rows seen.
    """
    model = tf.saved_model.load(find_saved_model(str(teacher)))
    spec_of_present = {name: each for name, each in parsing_spec().items() if name in present_features()}

    def infer(records: tf.Tensor) -> dict[str, tf.Tensor]:
        inputs = tf.io.parse_example(records, spec_of_present)
        rows = tf.shape(records)[0]
        inputs |= {name: tf.zeros([rows, each.shape[1]], each.dtype) for name, each in absent_features().items()}
        return model.signatures[TENSORS_SIGNATURE](**inputs)

    answers = read(_files(examples)).map(infer, _CORES, deterministic=False).prefetch(_CORES)
    return sum(len(answer["click"]) for answer in answers)


def tensorflow_reader(files: Sequence[str]) -> tf.data.Dataset:
    """TensorFlow's own reader of gzipped TFRecords, a file for each core at a time."""
    return tf.data.TFRecordDataset(files, "GZIP", _READ_BUFFER, num_parallel_reads=_CORES).batch(_BATCH)


def fast_reader(files: Sequence[str]) -> tf.data.Dataset:
    """The labeller's reader in tf.data, a file for each core at a time."""
    records = tf.TensorSpec([None], tf.string)

    def batches(path: bytes) -> Iterator[list[bytes]]:
        return read_batches(path.decode(), _BATCH)

    return tf.data.Dataset.from_tensor_slices(list(files)).interleave(
        lambda path: tf.data.Dataset.from_generator(batches, args=(path,), output_signature=records).prefetch(2),
        cycle_length=_CORES,
        num_parallel_calls=_CORES,
        deterministic=False,
    )


def run_labeler(
    teacher: Path,
    examples: Artifact,
    out: Path,
    takes: str = "tensors",
    beam_arguments: tuple[str, ...] = (),
    surface: Surface | None = None,
    max_bad_fraction: float = options.DEFAULT_MAX_BAD_FRACTION,
) -> LabelReport:
    """TeacherLabeler through its executor, as a pipeline runs it; `surface` in place of that of `takes`."""
    _clear(out)
    surface = surface or make_surface(takes)
    inputs = {spec.EXAMPLES_KEY: [examples], spec.TEACHER_KEY: [_artifact(standard_artifacts.Model(), teacher)]}
    outputs = {
        spec.LABELLED_EXAMPLES_KEY: [_artifact(standard_artifacts.Examples(), out / "examples")],
        spec.LABEL_REPORT_KEY: [_artifact(LabelReportArtifact(), out / "report")],
        spec.DEAD_LETTERS_KEY: [_artifact(DeadLetters(), out / keys.DEAD_LETTERS)],
    }
    properties = {
        spec.SURFACE_KEY: surface.model_dump_json(by_alias=True),
        spec.TEACHER_FINGERPRINT_KEY: fingerprint(str(teacher)),
        spec.BATCH_SIZE_KEY: options.DEFAULT_BATCH_SIZE,
        spec.COMPRESSION_LEVEL_KEY: options.DEFAULT_COMPRESSION_LEVEL,
        spec.MAX_BAD_FRACTION_KEY: max_bad_fraction,
    }
    TeacherLabeler(_context(out, beam_arguments)).Do(inputs, outputs, properties)
    return documents.read(str(out / "report"), LabelReport)


def run_usual_graph(teacher: Path, examples: Artifact, out: Path) -> None:
    """What one would write with Beam's own sources and sinks, and tfx-bsl's coders."""
    _clear(out)
    with beam.Pipeline(argv=beam_args([])) as pipeline:
        _ = (
            pipeline
            | beam.io.ReadFromTFRecord(f"{examples.uri}/Split-{SPLIT}/*.gz")
            | beam.BatchElements(_USUAL_BATCH, _USUAL_BATCH)
            | beam.ParDo(_InferBatch(find_saved_model(str(teacher))))
            | beam.io.WriteToTFRecord(str(out / "labelled"), file_name_suffix=".gz")
        )


class _InferBatch(beam.DoFn):
    """Decodes to Arrow, infers, adds the columns, encodes."""

    def __init__(self, model_dir: str) -> None:
        self._model_dir = model_dir

    def setup(self) -> None:
        self._model = tf.saved_model.load(self._model_dir)
        self._decoder = ExamplesToRecordBatchDecoder()
        self._encoder = RecordBatchToExamplesEncoder()

    def process(self, records: list[bytes]) -> Iterator[bytes]:
        batch = self._decoder.DecodeBatch(records)
        rows = batch.num_rows
        inputs = {name: _tensor(batch, name, each) for name, each in present_features().items()}
        for name, each in absent_features().items():
            inputs[name] = tf.zeros([rows, each.shape[1]], each.dtype)
        for task, values in self._model.signatures[TENSORS_SIGNATURE](**inputs).items():
            numbers = pa.array(list(values.numpy()), pa.large_list(pa.float32()))
            batch = batch.append_column(soft_label(task), numbers)
        yield from self._encoder.encode(batch)


def _tensor(batch: pa.RecordBatch, name: str, each: tf.TensorSpec) -> tf.Tensor:
    values = batch.column(batch.schema.get_field_index(name)).flatten()
    return tf.constant(np.asarray(values).reshape(batch.num_rows, each.shape[1]), each.dtype)


def run_bulk_inferrer(teacher: Path, examples: Artifact, out: Path) -> None:
    """TFX's BulkInferrer through its executor; it adds the outputs as columns of the examples."""
    _clear(out)
    columns = [{"output_key": task, "output_column": soft_label(task)} for task in TASKS]
    properties = {
        "model_spec": json.dumps({"model_signature_name": [EXAMPLES_SIGNATURE], "tag": ["serve"]}),
        "data_spec": json.dumps({"example_splits": [SPLIT]}),
        "output_example_spec": json.dumps(
            {
                "output_columns_spec": [
                    {"signature_name": EXAMPLES_SIGNATURE, "predict_output": {"output_columns": columns}}
                ]
            }
        ),
    }
    outputs = {"output_examples": [_artifact(standard_artifacts.Examples(), out / "examples")]}
    inputs = {"examples": [examples], "model": [_artifact(standard_artifacts.Model(), teacher)]}
    BulkInferrer(_context(out)).Do(inputs, outputs, properties)


def _clear(out: Path) -> None:
    """What an earlier round wrote."""
    shutil.rmtree(out, ignore_errors=True)


def _context(out: Path, beam_arguments: tuple[str, ...] = ()) -> Any:
    return BaseBeamExecutor.Context(beam_pipeline_args=[*beam_args(list(beam_arguments))], tmp_dir=str(out / "tmp"))


def _files(examples: Artifact) -> list[str]:
    return sorted(map(str, (Path(examples.uri) / f"Split-{SPLIT}").iterdir()))


def _artifact(artifact: Artifact, uri: Path) -> Artifact:
    artifact.uri = str(uri)
    return artifact
