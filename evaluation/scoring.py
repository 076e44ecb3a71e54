"""Scores whole batches by all models, then splits them into slices, as TFMA's evaluators take them.

TFMA's own extractors unbatch every example and send it through Python once per slice and
metric, which takes most of an evaluation's time.  Here a batch stays a batch: each model is
called once, and when there are many rows, each slice of them goes on as one extract of arrays.

The hard label of a task may be absent from an example (no column, or no value in it).
Such a row is left out of that task's arrays, and only of that task's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import tensorflow as tf
from apache_beam.pvalue import PCollection
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.windowed_value import WindowedValue
from numpy.typing import NDArray
from tensorflow_model_analysis import constants
from tensorflow_model_analysis.api import types
from tensorflow_model_analysis.utils import model_util

from contracts.roles import PHRASES, ModelRole
from evaluation.config import SIGNATURE, all_slices
from evaluation.distinct import distinct_values
from evaluation.gains import FUNCTIONS, gains_of
from evaluation.jackknife import Floats
from evaluation.labels import labels_of, stands_for, weight_column
from evaluation.scored import ScoredRows
from evaluation.slice_finder import NOTHING_KEPT, SliceFinder, most_frequent, value_counts
from schema.errors import InputError
from schema.score import SCORE
from schema.slice import SliceColumn
from schema.surface import Surface

# As many rows are held and handed on together, some 100 bytes each: what is done with extracts costs by their number.
_ROWS = 200_000


class ScoreInSlices(beam.PTransform[PCollection[types.Extracts], PCollection[types.Extracts]]):
    """Counts the values of columns that are cut down to the most frequent ones, then scores and slices."""

    def __init__(self, surface: Surface, model_loaders: Mapping[ModelRole, types.ModelLoader]):
        """Initializes the transform.

        Args:
          surface: Gives labels, weights, groups and slices.
          model_loaders: TFMA's loaders of the models that score.
        """
        super().__init__()
        self._scoring = ScoreSlices(surface, model_loaders)
        self._counted = [each for each in _slice_columns(surface) if each.most_frequent is not None]

    def expand(self, batches: PCollection[types.Extracts]) -> PCollection[types.Extracts]:
        if not self._counted:
            return batches | beam.ParDo(self._scoring)
        kept = (
            batches
            | "Columns" >> beam.Map(lambda extracts: extracts[constants.ARROW_RECORD_BATCH_KEY])
            | "CountValues" >> beam.FlatMap(value_counts, self._counted)
            | "AddUpCounts" >> beam.CombinePerKey(sum)
            | "ByColumn" >> beam.MapTuple(lambda key, count: (key[0], (count, key[1])))
            | "OfColumn" >> beam.GroupByKey()
            | "MostFrequent" >> beam.Map(most_frequent, {each.name: each for each in self._counted})
        )
        return batches | beam.ParDo(self._scoring, beam.pvalue.AsDict(kept))


@beam.typehints.with_input_types(types.Extracts)
@beam.typehints.with_output_types(types.Extracts)
class ScoreSlices(model_util.DoFnWithModels):
    """Turns batches of examples into one extract per slice, for `_ROWS` rows at a time.

    An extract holds, per task, arrays over the slice's labelled rows: labels, predictions by
    model, folds and groups.
    """

    def __init__(self, surface: Surface, model_loaders: Mapping[ModelRole, types.ModelLoader]):
        """Initializes the function.

        Args:
          surface: Gives labels, weights, groups and slices.
          model_loaders: TFMA's loaders of the models that score.
        """
        super().__init__(dict(model_loaders))
        self._tasks = surface.tasks
        self._score = surface.score
        self._classes = {name: task.size for name, task in surface.tasks.items() if task.classes is not None}
        self._weight_column = surface.weight_column if surface.weighted_evaluation else None
        self._weighted = bool(self._weight_column) or any(task.sampled for task in surface.tasks.values())
        self._slices = SliceFinder(all_slices(surface), _slice_columns(surface))
        self._group = surface.group
        self._scored: list[ScoredRows] = []

    def start_bundle(self) -> None:
        self._scored = []

    def process(
        self, element: types.Extracts, kept: Mapping[str, frozenset[Any]] = NOTHING_KEPT
    ) -> Iterator[types.Extracts]:
        self._scored.append(self._score_rows(element[constants.ARROW_RECORD_BATCH_KEY], kept))
        if sum(each.count for each in self._scored) >= _ROWS:
            yield from self._sliced()

    def finish_bundle(self) -> Iterator[WindowedValue]:
        super().finish_bundle()
        window = GlobalWindow()
        for extracts in self._sliced():
            yield WindowedValue(extracts, window.max_timestamp(), (window,))

    def _sliced(self) -> Iterator[types.Extracts]:
        """The extracts of what was scored, which is forgotten."""
        scored, self._scored = self._scored, []
        return ScoredRows.together(scored).by_slice() if scored else iter(())

    def _score_rows(self, batch: pa.RecordBatch, kept: Mapping[str, frozenset[Any]]) -> ScoredRows:
        examples = serialized_examples(batch)
        labels = {name: labels_of(batch, task.label, task.rule) for name, task in self._tasks.items()}
        if self._score is not None:
            labels[SCORE] = gains_of(self._score.gain_expression(), labels, self._score.constants)
        tensor = tf.constant(examples, tf.string)
        return ScoredRows(
            count=batch.num_rows,
            labels=labels,
            predictions={role: self._predict(role, model, tensor) for role, model in self._loaded_models.items()},
            weights=self._weights(batch, labels),
            groups=groups_of(batch, self._group, examples),
            slices=self._slices.rows_by_slice(batch, kept),
        )

    def _weights(self, batch: pa.RecordBatch, labels: Mapping[str, Floats]) -> dict[str, Floats]:
        """Per task what each row counts for; nothing where all count alike.

        A negative stands for those that were sampled away with it.
        """
        if not self._weighted:
            return {}
        plain = weight_column(batch, self._weight_column) if self._weight_column else np.ones(batch.num_rows)
        sampled = {name: task.sampled for name, task in self._tasks.items()}
        return {name: plain * stands_for(batch, values, sampled.get(name)) for name, values in labels.items()}

    def _predict(self, role: ModelRole, model: Any, examples: tf.Tensor) -> dict[str, Floats]:
        signature = model_util.get_callable(model, SIGNATURE)
        inputs = signature.structured_input_signature[1]
        if len(inputs) != 1:
            raise InputError(
                f"{PHRASES[role]}, signature {SIGNATURE!r}: expected one input, "
                f"serialized tf.Examples, found {', '.join(sorted(inputs))}"
            )
        outputs = _answers(signature, dict.fromkeys(inputs, examples), role)
        if role is ModelRole.LAST_BLESSED:
            # Surfaces change: what serves may not know a task, or ask for a column that is gone.
            outputs = self._known_to_last_blessed(outputs, len(examples))
        missing = sorted(set(self._tasks) - set(outputs))
        if missing:
            raise InputError(
                f"{PHRASES[role]}, signature {SIGNATURE!r}: expected an output "
                f"for task {missing[0]!r}, found {', '.join(sorted(outputs))}"
            )
        told = {
            task: _per_example(task, np.asarray(outputs[task], np.float64), len(examples), self._classes.get(task))
            for task in [*self._tasks, *({SCORE} & set(outputs) if self._score else ())]
        }
        if self._score is not None and SCORE not in told:
            # What serves may be older than the surface's score.
            with np.errstate(all="ignore"):
                value = self._score.expression().value({**told, **self._score.constants}, FUNCTIONS)
            told[SCORE] = np.asarray(value, np.float64)
        return told

    def _known_to_last_blessed(self, outputs: Mapping[str, Any], examples: int) -> dict[str, Any]:
        """Its outputs, and NaN for a task that it does not know, or knows with other classes."""
        shapes = {task: (examples, self._classes[task]) for task in self._classes}
        known = {task: outputs[task] for task in outputs if tuple(outputs[task].shape) == shapes.get(task)}
        plain = {task: outputs[task] for task in outputs if task not in shapes}
        return {task: np.full(shapes.get(task, examples), np.nan) for task in self._tasks} | plain | known


def _answers(signature: Any, inputs: dict[str, tf.Tensor], role: ModelRole) -> dict[str, Any]:
    """What a model answers; what serves and cannot be asked answers nothing."""
    try:
        # By name: a positional argument makes TensorFlow print the whole batch into an
        # exception that it then swallows, which takes longer than a small model's inference.
        return dict(signature(**inputs))
    except tf.errors.InvalidArgumentError:
        if role is not ModelRole.LAST_BLESSED:
            raise
        return {}


def serialized_examples(batch: pa.RecordBatch) -> list[bytes]:
    """The serialized tf.Examples that the reader keeps beside the parsed columns."""
    column = batch.column(batch.schema.get_field_index(constants.ARROW_INPUT_COLUMN))
    return [bytes(value) for value in column.flatten().to_pylist()]


def _slice_columns(surface: Surface) -> list[SliceColumn]:
    """The columns to slice by that follow from those of the examples."""
    return list(dict.fromkeys(each for part in surface.slices.values() for each in part.derived))


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
    if column is None:
        return np.asarray([_hash(example) for example in examples], np.int64)
    found = distinct_values(batch, column)
    groups = np.asarray([_hash(repr(value).encode()) for value in found.values], np.int64)[found.codes]
    alone = np.flatnonzero(np.asarray([not value for value in found.values])[found.codes])
    groups[alone] = [_hash(examples[row]) for row in alone.tolist()]
    return groups


def _hash(content: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "big") >> 1


def _per_example(task: str, outputs: Floats, examples: int, classes: int | None) -> Floats:
    """A prediction for each example, or of a multiclass task [examples, classes]."""
    if classes is not None:
        if outputs.shape != (examples, classes):
            expected = f"[{examples}, {classes}]"
            raise InputError(
                f"task {task!r}: expected shape {expected}, a probability for each class, found {list(outputs.shape)}"
            )
        return outputs
    if outputs.size != examples:
        raise InputError(f"task {task!r}: expected one prediction per example, found shape {list(outputs.shape)}")
    return outputs.reshape(-1)
