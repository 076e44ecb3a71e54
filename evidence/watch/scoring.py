"""Scores a served model on later examples: the metrics of the gate, with the error of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx_bsl.coders import example_coder

from contracts.watch import WatchedMetric
from evaluation.labels import labels_of, stands_for, weight_column
from evaluation.registry import COMPUTATIONS, score
from evaluation.results import slice_text
from evaluation.scoring import groups_of
from evaluation.slice_finder import SliceFinder, kept_values
from evaluation.slices import slicing_spec
from records.sessions import SessionModel
from records.shards import cause
from records.table_files import splits_of
from records.tables import KINDS, Columns, read
from schema.base import TaskKind
from schema.errors import InputError
from schema.loader import RAW
from schema.metrics import CALIBRATION, METRICS, Direction, Metric, main_metric
from schema.slice import SliceColumn
from schema.surface import Surface

Floats = NDArray[np.float64]
Kept = Mapping[str, frozenset[Any]]
# With fewer, a metric is too far from normal for its standard error to mean what it says.
LEAST_EXAMPLES = 100
LEAST_OF_A_CLASS = 10
_BATCH = 1024


@dataclass(frozen=True)
class WatchedModel:
    """A served model, with the surface and the schema that it was made with.

    Attributes:
      folder: Its SavedModel.
      surface: The surface.
      schema: The schema of its examples.
    """

    folder: str
    surface: Surface
    schema: schema_pb2.Schema


@dataclass(frozen=True)
class ScoredExamples:
    """Some examples, and what the model says of them.

    Attributes:
      columns: All columns of the schema, a table of lists [rows].
      predictions: By task, [rows].
      labels: By task, likewise; NaN where absent.
      weights: By task, likewise; None where all examples count alike.
      groups: A number for each request or user, or for each example, [rows].
      slices: Rows of each slice; "" for all.
      frequent: The values that are slices of their own, of columns that are cut down to the most frequent.
    """

    columns: pa.Table
    predictions: dict[str, Floats]
    labels: dict[str, Floats]
    weights: dict[str, Floats] | None
    groups: NDArray[np.int64]
    slices: dict[str, NDArray[np.intp]]
    frequent: Kept

    @property
    def rows(self) -> int:
        return len(self.groups)


def score_examples(model: WatchedModel, place: str | Path, frequent: Kept | None = None) -> ScoredExamples:
    """Reads examples as they lie, in all their splits, and has the model predict.

    Args:
      model: The model.
      place: A folder, a file, or the URI of a bucket's.
      frequent: Values that are slices of their own; None takes the most frequent of these examples.

    Raises:
      InputError: There are none, or they are not what the model takes.
    """
    decoder = example_coder.ExamplesToRecordBatchDecoder(model.schema.SerializeToString())
    served = SessionModel(model.folder)
    try:
        parts = [
            part_of(model.surface, decoder.DecodeBatch(batch), batch, _predicted(model, served, batch))
            for batch in _batches(model, place)
        ]
    except tf.errors.InvalidArgumentError as error:
        raise InputError(
            f"{place}: expected examples that {model.folder}, which serves, can answer; it refuses some: "
            f"{cause(error)[:300]}"
        ) from error
    finally:
        served.close()
    if not parts:
        raise InputError(f"{place}: expected examples, found files without a single one")
    return joined(model.surface, parts, frequent)


def joined(surface: Surface, parts: Sequence[ScoredPart], frequent: Kept | None = None) -> ScoredExamples:
    """Batches of scored examples as one, with its slices; at least one batch."""
    columns = pa.Table.from_batches([part.columns for part in parts])
    kept = frequent if frequent is not None else _frequent(columns, _derived(surface))
    return ScoredExamples(
        columns=columns,
        predictions=_joined([part.predictions for part in parts]),
        labels=_joined([part.labels for part in parts]),
        weights=_joined([part.weights for part in parts]) if parts[0].weights else None,
        groups=np.concatenate([part.groups for part in parts]),
        slices=_slices(surface, columns, kept),
        frequent=kept,
    )


def watched_metrics(surface: Surface) -> Iterator[tuple[str, Metric]]:
    """What is watched: each task's main metric, what its gates ask for, and the calibration of binary ones."""
    for name, task in surface.tasks.items():
        asked = [METRICS[gate.metric] for gate in task.gates]
        named = [main_metric(task.kind), *asked, *([CALIBRATION] if task.kind is TaskKind.BINARY else [])]
        for metric in dict.fromkeys(named):
            if metric.direction is not Direction.NEITHER and COMPUTATIONS[metric.name].rows is not None:
                yield name, metric


def measure(surface: Surface, scored: ScoredExamples) -> list[WatchedMetric]:
    """Every watched metric, of all examples and in each slice."""
    return [
        _measured(surface, scored, (task, metric), key, rows)
        for task, metric in watched_metrics(surface)
        for key, rows in scored.slices.items()
    ]


@dataclass(frozen=True)
class ScoredPart:
    """A batch of scored examples; its attributes are those of `ScoredExamples`."""

    columns: pa.RecordBatch
    predictions: dict[str, Floats]
    labels: dict[str, Floats]
    weights: dict[str, Floats]
    groups: NDArray[np.int64]


def _batches(model: WatchedModel, place: str | Path) -> Iterator[list[bytes]]:
    columns = _columns(model.schema)
    for files in splits_of(place).values():
        for file in files:
            for batch in read(file, columns, {}):
                records = batch.encode(None)
                for first in range(0, len(records), _BATCH):
                    yield records[first : first + _BATCH]


def _columns(schema: schema_pb2.Schema) -> Columns:
    """All columns, of which raw examples must have those that the schema says each one has."""
    kinds = {each.name: KINDS[each.type] for each in schema.feature if each.type in KINDS}
    required = (each.name for each in schema.feature if RAW not in each.not_in_environment)
    always = {each.name for each in schema.feature if each.presence.min_fraction == 1}
    return Columns(kinds, frozenset(name for name in required if name in always and name in kinds))


def part_of(
    surface: Surface, batch: pa.RecordBatch, records: Sequence[bytes], predictions: dict[str, Floats]
) -> ScoredPart:
    """A batch with its labels, weights and groups.

    Args:
      surface: The surface.
      batch: All columns of the examples.
      records: The examples, serialized.
      predictions: What was predicted of them, [rows] by name.
    """
    labels = {name: labels_of(batch, task.label, task.rule) for name, task in surface.tasks.items()}
    weights = _weights(surface, batch, labels)
    return ScoredPart(batch, predictions, labels, weights, groups_of(batch, surface.group, records))


def _predicted(model: WatchedModel, served: SessionModel, records: list[bytes]) -> dict[str, Floats]:
    surface, found = model.surface, served.predict(records)
    missing = sorted(set(surface.tasks) - set(found))
    if missing:
        raise InputError(f"{model.folder}: expected an output for the task {missing[0]!r}, found {', '.join(found)}")
    shapes = {name: (-1,) if task.classes is None else (-1, task.size) for name, task in surface.tasks.items()}
    return {name: np.asarray(found[name], np.float64).reshape(shape) for name, shape in shapes.items()}


def _weights(surface: Surface, batch: pa.RecordBatch, labels: Mapping[str, Floats]) -> dict[str, Floats]:
    """As in the Evaluator: a negative stands for those that were sampled away with it."""
    column = surface.weight_column if surface.weighted_evaluation else None
    sampled = {name: task.sampled for name, task in surface.tasks.items()}
    if column is None and not any(sampled.values()):
        return {}
    plain = weight_column(batch, column) if column else np.ones(batch.num_rows)
    return {name: plain * stands_for(batch, of, sampled[name]) for name, of in labels.items()}


def _joined(parts: list[dict[str, Floats]]) -> dict[str, Floats]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _derived(surface: Surface) -> list[SliceColumn]:
    return list(dict.fromkeys(each for part in surface.slices.values() for each in part.derived))


def _frequent(columns: pa.Table, derived: list[SliceColumn]) -> Kept:
    counted = [each for each in derived if each.most_frequent is not None]
    if not counted:
        return {}
    names = list(dict.fromkeys(each.column for each in counted))
    (batch,) = columns.select(names).combine_chunks().to_batches()
    return kept_values(batch, counted)


def _slices(surface: Surface, columns: pa.Table, kept: Kept) -> dict[str, NDArray[np.intp]]:
    specs = [slicing_spec(name, part) for name, part in surface.slices.items()]
    found: dict[str, list[NDArray[np.intp]]] = {"": [np.arange(columns.num_rows)]}
    finder = SliceFinder(specs, _derived(surface))
    first = 0
    for batch in columns.to_batches() if specs else []:
        for key, rows in finder.rows_by_slice(batch, kept).items():
            found.setdefault(slice_text(key), []).append(rows + first)
        first += batch.num_rows
    return {key: np.concatenate(parts) for key, parts in found.items()}


def _measured(
    surface: Surface, scored: ScoredExamples, of: tuple[str, Metric], key: str, rows: NDArray[np.intp]
) -> WatchedMetric:
    task, metric = of
    kept = rows[~np.isnan(scored.labels[task][rows])]
    labels = scored.labels[task][kept]
    value = error = None
    if enough(labels, surface.tasks[task].kind):
        weights = None if scored.weights is None else scored.weights[task][kept]
        found = score(metric, labels, scored.predictions[task][kept], weights, scored.groups[kept])
        if found is not None and np.isfinite(found.value):
            value, error = found.value, error_of(found.influence, scored.groups[kept])
    return WatchedMetric(task=task, metric=metric.name, slice=key, examples=len(kept), value=value, error=error)


def enough(labels: Floats, kind: TaskKind) -> bool:
    """Whether a metric of so many labels has a standard error that means what it says."""
    if len(labels) < LEAST_EXAMPLES:
        return False
    positives = int((labels > 0).sum())
    return kind is not TaskKind.BINARY or min(positives, len(labels) - positives) >= LEAST_OF_A_CLASS


def error_of(influence: NDArray[np.floating], groups: NDArray[np.int64]) -> float:
    """The standard error over groups, which are independent; their rows may not be."""
    _, places = np.unique(groups, return_inverse=True)
    sums = np.bincount(places, weights=influence)
    return float(np.sqrt(np.square(sums).sum()) / len(influence))
