"""Extractors for TFX's Evaluator: score whole batches, then split them into slices.

Pass `module_path="evaluation.extractors"` to the Evaluator.  TFMA's own extractors
unbatch every example and send it through Python once per slice and metric, which takes
most of an evaluation's time.  Here a batch stays a batch: the model is called once, and
each slice of the batch goes on as one extract of arrays.

The hard label of a task may be absent from an example (no column, or no value in it).
Such a row is left out of that task's arrays, and only of that task's.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow_model_analysis import constants
from tensorflow_model_analysis.api import types
from tensorflow_model_analysis.extractors import extractor, slice_key_extractor
from tensorflow_model_analysis.proto import config_pb2
from tensorflow_model_analysis.slicer import slicer_lib
from tensorflow_model_analysis.utils import model_util
from tfx_bsl.tfxio import tensor_adapter

from evaluation.inputs import FOLDS_KEY, GROUPS_KEY
from evaluation.jackknife import FOLDS, Floats
from schema.errors import InputError

_MAX_REMEMBERED_SLICES = 100_000
# Each slice has accumulators of every metric in every fold: 10,000 of them take 2 GB and a quarter of an hour.
MOST_SLICES = 1000


def custom_extractors(
    eval_shared_model: types.MaybeMultipleEvalSharedModels,
    eval_config: config_pb2.EvalConfig,
    tensor_adapter_config: tensor_adapter.TensorAdapterConfig | None = None,
) -> list[extractor.Extractor]:
    """Gives TFX's Evaluator the extractors to use; it looks for a function of this name.

    Args:
      eval_shared_model: The candidate, or candidate and baseline.
      eval_config: From `pipeline.eval_config`, with TFMA's defaults applied.
      tensor_adapter_config: Not needed; the Evaluator passes it.

    Returns:
      One extractor, after which TFMA's evaluator computes the metrics.
    """
    del tensor_adapter_config
    models = model_util.verify_and_update_eval_shared_models(eval_shared_model) or []
    scoring = ScoreSlices(eval_config, {model.model_name: model.model_loader for model in models})
    # TFMA's evaluator starts after the stage that bears this name.
    return [extractor.Extractor(slice_key_extractor.SLICE_KEY_EXTRACTOR_STAGE_NAME, beam.ParDo(scoring))]


@beam.typehints.with_input_types(types.Extracts)
@beam.typehints.with_output_types(types.Extracts)
class ScoreSlices(model_util.DoFnWithModels):
    """Turns a batch of examples into one extract per slice.

    An extract holds, per task, arrays over the slice's labelled rows: labels,
    predictions (per model, when there are two), folds and groups.
    """

    def __init__(self, eval_config: config_pb2.EvalConfig, model_loaders: Mapping[str, types.ModelLoader]):
        """Initializes the function.

        Args:
          eval_config: Label keys, signatures and slices.
          model_loaders: The model loaders by model name; "" for the only model.
        """
        super().__init__(dict(model_loaders))
        spec = eval_config.model_specs[0]
        self._label_keys = dict(spec.label_keys)
        self._signature = spec.signature_name
        self._slices = SliceFinder(eval_config.slicing_specs)
        self._group = group_column(eval_config)

    def process(self, element: types.Extracts) -> Iterator[types.Extracts]:
        batch = element[constants.ARROW_RECORD_BATCH_KEY]
        examples = serialized_examples(batch)
        labels = {task: label_column(batch, column) for task, column in self._label_keys.items()}
        predictions = {name: self._predict(name, model, examples) for name, model in self._loaded_models.items()}
        groups = groups_of(batch, self._group, examples)
        folds = groups % FOLDS
        for slice_key, rows in self._slices.rows_by_slice(batch).items():
            labelled = {task: rows[~np.isnan(values[rows])] for task, values in labels.items()}
            by_model = {
                model: {task: outputs[task][kept] for task, kept in labelled.items()}
                for model, outputs in predictions.items()
            }
            yield {
                constants.SLICE_KEY_TYPES_KEY: slicer_lib.slice_keys_to_numpy_array([slice_key]),
                constants.LABELS_KEY: {task: labels[task][kept] for task, kept in labelled.items()},
                constants.PREDICTIONS_KEY: by_model if len(by_model) > 1 else next(iter(by_model.values())),
                FOLDS_KEY: {task: folds[kept] for task, kept in labelled.items()},
                GROUPS_KEY: {task: groups[kept] for task, kept in labelled.items()},
            }

    def _predict(self, name: str, model: Any, examples: Sequence[bytes]) -> dict[str, Floats]:
        signature = model_util.get_callable(model, self._signature)
        inputs = signature.structured_input_signature[1]
        if len(inputs) != 1:
            raise InputError(
                f"model {name or 'candidate'!r}, signature {self._signature!r}: expected one input, "
                f"serialized tf.Examples, found {', '.join(sorted(inputs))}"
            )
        outputs = _answers(signature, dict.fromkeys(inputs, tf.constant(examples, tf.string)), name)
        if name == constants.BASELINE_KEY:
            # Surfaces change: what serves may not know a task, or ask for a column that is gone.
            nothing = np.full(len(examples), np.nan)
            outputs = {task: outputs.get(task, nothing) for task in self._label_keys}
        missing = sorted(set(self._label_keys) - set(outputs))
        if missing:
            raise InputError(
                f"model {name or 'candidate'!r}, signature {self._signature!r}: expected an output "
                f"for task {missing[0]!r}, found {', '.join(sorted(outputs))}"
            )
        return {
            task: _one_per_example(task, np.asarray(outputs[task], np.float64), len(examples))
            for task in self._label_keys
        }


def _answers(signature: Any, inputs: dict[str, tf.Tensor], name: str) -> dict[str, Any]:
    """What a model answers; a baseline that cannot be asked answers nothing."""
    try:
        # By name: a positional argument makes TensorFlow print the whole batch into an
        # exception that it then swallows, which takes longer than a small model's inference.
        return dict(signature(**inputs))
    except tf.errors.InvalidArgumentError:
        if name != constants.BASELINE_KEY:
            raise
        return {}


class SliceFinder:
    """Finds the rows of a batch that belong to each slice.

    TFMA's own function decides which slices an example is in; its answer is remembered
    for each distinct combination of the slicing columns' values.
    """

    def __init__(self, specs: Sequence[config_pb2.SlicingSpec]):
        """Initializes the finder.

        Args:
          specs: The slices; none means the overall slice only.
        """
        listed = list(specs) or [config_pb2.SlicingSpec()]
        self._specs = [slicer_lib.SingleSliceSpec(spec=spec) for spec in listed]
        columns = {key for spec in listed for key in [*spec.feature_keys, *spec.feature_values]}
        self._columns = sorted(columns)
        self._remembered: dict[tuple[Any, ...], list[slicer_lib.SliceKeyType]] = {}
        self._found: set[slicer_lib.SliceKeyType] = set()

    def rows_by_slice(self, batch: pa.RecordBatch) -> dict[slicer_lib.SliceKeyType, NDArray[np.intp]]:
        """Row indices, ascending, of each slice that has rows in the batch."""
        found: dict[slicer_lib.SliceKeyType, list[int]] = {}
        values = [_python_values(batch, column) for column in self._columns]
        combinations = zip(*values, strict=True) if values else iter([()] * batch.num_rows)
        for row, combination in enumerate(combinations):
            for key in self._slices_of(combination):
                found.setdefault(key, []).append(row)
        return {key: np.asarray(rows, np.intp) for key, rows in found.items()}

    def _slices_of(self, combination: tuple[Any, ...]) -> list[slicer_lib.SliceKeyType]:
        if combination not in self._remembered:
            if len(self._remembered) >= _MAX_REMEMBERED_SLICES:
                self._remembered.clear()
            features = {
                column: np.asarray(values, dtype=object if isinstance(values[0], str) else None)
                for column, values in zip(self._columns, combination, strict=True)
                if values
            }
            keys = slicer_lib.get_slices_for_features_dicts([], features, self._specs)
            self._remembered[combination] = list(dict.fromkeys(keys))
            self._count(self._remembered[combination])
        return self._remembered[combination]

    def _count(self, keys: Sequence[slicer_lib.SliceKeyType]) -> None:
        self._found.update(keys)
        if len(self._found) > MOST_SLICES:
            raise InputError(_too_many(self._found))


def _too_many(found: set[slicer_lib.SliceKeyType]) -> str:
    (columns, count), *_ = Counter(tuple(column for column, _ in key) for key in found).most_common(1)
    return (
        f"slices: {' and '.join(columns)}: expected at most {MOST_SLICES:,} slices in the evaluation data, found more, "
        f"{count:,} of them by this; each takes memory and time in the Evaluator. Slice by a feature with fewer "
        "values, or name the values that matter: {features: {NAME: VALUE}}."
    )


def serialized_examples(batch: pa.RecordBatch) -> list[bytes]:
    """The serialized tf.Examples that the reader keeps beside the parsed columns."""
    column = batch.column(batch.schema.get_field_index(constants.ARROW_INPUT_COLUMN))
    return [bytes(value) for value in column.flatten().to_pylist()]


def label_column(batch: pa.RecordBatch, name: str) -> Floats:
    """A hard label per row, NaN where it is absent.

    Args:
      batch: Parsed examples.
      name: The label's column.

    Returns:
      Labels, shape [rows].

    Raises:
      InputError: The column holds no numbers, or several per example.
    """
    labels = np.full(batch.num_rows, np.nan)
    index = batch.schema.get_field_index(name)
    if index < 0 or pa.types.is_null(batch.schema.field(index).type):
        return labels
    column = batch.column(index)
    counts = column.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
    if counts.size and counts.max() > 1:
        raise InputError(f"label {name!r}: expected at most one value per example, found {counts.max()}")
    if not counts.any():
        return labels
    values = column.flatten()
    if not (pa.types.is_integer(values.type) or pa.types.is_floating(values.type)):
        raise InputError(f"label {name!r}: expected a number, found type {values.type}")
    labels[counts == 1] = values.to_numpy(zero_copy_only=False)
    return labels


def group_column(eval_config: config_pb2.EvalConfig) -> str | None:
    """The column that tells which examples were ranked together, if a metric names one."""
    configs = (metric.config for spec in eval_config.metrics_specs for metric in spec.metrics)
    columns = (json.loads(config).get("group") for config in configs if config)
    return next((str(column) for column in columns if column), None)


def groups_of(batch: pa.RecordBatch, column: str | None, examples: Sequence[bytes]) -> NDArray[np.int64]:
    """A number per example, equal within a group and the same in every run.

    Args:
      batch: Parsed examples.
      column: The group's column; None makes each example a group of its own, and so is
        an example without a value in the column.
      examples: The same examples, serialized.

    Returns:
      Non-negative hashes, shape [examples].
    """
    values = _python_values(batch, column) if column else [()] * len(examples)
    pairs = zip(values, examples, strict=True)
    return np.asarray([_hash(repr(value).encode() if value else example) for value, example in pairs], np.int64)


def _hash(content: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "big") >> 1


def _python_values(batch: pa.RecordBatch, name: str) -> list[tuple[Any, ...]]:
    """Per row the column's values, hashable; bytes become text, nothing becomes ()."""
    index = batch.schema.get_field_index(name)
    if index < 0:
        return [()] * batch.num_rows
    return [tuple(_text(name, value) for value in row or ()) for row in batch.column(index).to_pylist()]


def _text(name: str, value: Any) -> Any:
    if not isinstance(value, bytes):
        return value
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"slicing feature {name!r}: expected UTF-8 text, found {value[:20]!r}") from error


def _one_per_example(task: str, outputs: Floats, examples: int) -> Floats:
    if outputs.size != examples:
        raise InputError(f"task {task!r}: expected one prediction per example, found shape {list(outputs.shape)}")
    return outputs.reshape(-1)
