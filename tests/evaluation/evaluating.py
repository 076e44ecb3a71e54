"""Tiny examples, tiny SavedModels, and the real Evaluator run on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf import json_format
from tensorflow_model_analysis.proto import config_pb2
from tfx.components.evaluator import executor as usual
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.types import artifact_utils, standard_artifacts

from components.evaluator import spec
from components.evaluator.executor import Executor
from contracts.roles import ModelRole
from schema.surface import Surface

# Without an image, packages or a set-up file, TFX packs itself anew for each executor: seconds.
BEAM_ARGS = ["--runner=FnApiRunner", "--sdk_container_image=unused-in-process"]


def write_examples(root: Path, rows: Sequence[Mapping[str, Any]], split: str = "eval") -> standard_artifacts.Examples:
    """Writes rows as gzipped tf.Examples; a value of None leaves the feature out."""
    folder = root / f"Split-{split}"
    folder.mkdir(parents=True)
    with tf.io.TFRecordWriter(str(folder / "data-00000-of-00001.gz"), options="GZIP") as writer:
        for row in rows:
            features = {name: feature(value) for name, value in row.items() if value is not None}
            writer.write(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString())
    artifact = standard_artifacts.Examples()
    artifact.uri = str(root)
    artifact.split_names = artifact_utils.encode_split_names([split])
    return artifact


def feature(value: Any) -> tf.train.Feature:
    if isinstance(value, str | bytes):
        data = value.encode() if isinstance(value, str) else value
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[data]))
    if isinstance(value, int | np.integer):
        return tf.train.Feature(int64_list=tf.train.Int64List(value=[int(value)]))
    return tf.train.Feature(float_list=tf.train.FloatList(value=np.ravel(value)))


class _Columns(tf.Module):
    """Predicts, for each task, the value of a column of the example."""

    def __init__(self, outputs: Mapping[str, str]):
        super().__init__()
        self._outputs = dict(outputs)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def serve(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        columns = {column: tf.io.FixedLenFeature([], tf.float32) for column in self._outputs.values()}
        parsed = tf.io.parse_example(examples, columns)
        return {task: parsed[column] for task, column in self._outputs.items()}


def write_model(root: Path, outputs: Mapping[str, str], ident: int = 1) -> standard_artifacts.Model:
    """Exports a model whose predictions are columns of the examples, task to column."""
    module = _Columns(outputs)
    tf.saved_model.save(module, str(root / "Format-Serving"), signatures={"serving_default": module.serve})
    artifact = standard_artifacts.Model()
    artifact.uri, artifact.id = str(root), ident
    return artifact


def evaluate(
    root: Path,
    surface: Surface,
    examples: standard_artifacts.Examples,
    student: standard_artifacts.Model,
    other: standard_artifacts.Model | None = None,
    against: ModelRole = ModelRole.LAST_BLESSED,
) -> standard_artifacts.ModelEvaluation:
    """Runs the executor of Evaluator for one comparison, and returns the evaluation."""
    given, asked = (
        (spec.CONTROL_KEY, spec.CONTROL_EVALUATION_KEY)
        if against is ModelRole.CONTROL
        else (spec.BASELINE_KEY, spec.EVALUATION_KEY)
    )
    inputs = {"examples": [examples], "model": [student]} | ({given: [other]} if other else {})
    return run_evaluator(root, surface, inputs, asked)[asked]


def run_evaluator(
    root: Path, surface: Surface, inputs: Mapping[str, list[Any]], *asked: str
) -> dict[str, standard_artifacts.ModelEvaluation]:
    """Runs the executor of Evaluator, and returns the evaluations that are asked for."""
    made = {key: standard_artifacts.ModelEvaluation() for key in asked}
    for key, each in made.items():
        each.uri = str(root / key)
    properties = {"surface": surface.model_dump_json(by_alias=True)}
    Executor(_context(root)).Do(dict(inputs), {key: [each] for key, each in made.items()}, properties)
    return made


def evaluate_as_usual(
    root: Path,
    config: config_pb2.EvalConfig,
    examples: standard_artifacts.Examples,
    student: standard_artifacts.Model,
    baseline: standard_artifacts.Model,
) -> standard_artifacts.ModelEvaluation:
    """Runs the executor of TFX's Evaluator, with TFMA's own extractors."""
    evaluation, blessing = standard_artifacts.ModelEvaluation(), standard_artifacts.ModelBlessing()
    evaluation.uri, blessing.uri = str(root / "evaluation"), str(root / "blessing")
    inputs = {"examples": [examples], "model": [student], "baseline_model": [baseline]}
    properties = {"eval_config": json_format.MessageToJson(config), "example_splits": "null"}
    usual.Executor(_context(root)).Do(inputs, {"evaluation": [evaluation], "blessing": [blessing]}, properties)
    return evaluation


def _context(root: Path) -> BaseBeamExecutor.Context:
    return BaseBeamExecutor.Context(beam_pipeline_args=BEAM_ARGS, tmp_dir=str(root / "tmp"))


def metrics_of(evaluation: standard_artifacts.ModelEvaluation) -> dict[tuple[Any, ...], dict[tuple[str, ...], Any]]:
    """Metric values by slice key, then by (model, task, name) or (model, task, name, "diff")."""
    import tensorflow_model_analysis as tfma
    from tensorflow_model_analysis.slicer import slicer_lib

    found: dict[tuple[Any, ...], dict[tuple[str, ...], Any]] = {}
    for record in tfma.load_metrics(evaluation.uri):
        values = found.setdefault(slicer_lib.deserialize_slice_key(record.slice_key), {})
        for entry in record.metric_keys_and_values:
            key = (entry.key.model_name, entry.key.output_name, entry.key.name)
            values[(*key, "diff") if entry.key.is_diff else key] = entry.value.double_value.value
    return found


def surface_of(tasks: Mapping[str, Any], slices: Mapping[str, Any] | None = None) -> Surface:
    """A surface with one feature and the tasks and slices given."""
    content = {"name": "tiny", "features": {"x": {"kind": "numeric"}}, "tasks": tasks, "slices": slices or {}}
    return Surface.model_validate(content)
