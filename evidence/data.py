"""The data of an experiment: what the Trainer read in a finished run, and its evaluation split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
from numpy.typing import NDArray

from evidence.paths import RunPaths
from models import histories, inputs, trust, vocabulary, without_row
from models.batching import split
from models.columns import (
    FILLED_COLUMN,
    PERIOD_COLUMN,
    WEIGHT_COLUMN,
    hard_label_columns,
    history_sources,
    sampling_columns,
    soft_label_columns,
    soft_label_sizes,
    teacher_columns,
    training_columns,
    written_columns,
)
from models.losses import merged_logits
from models.scales import LabelStatistics, label_statistics, soft_statistics
from records.examples import files_of
from records.record_files import records_of
from schema.base import Scalar, TaskKind
from schema.classes import mapping_of
from schema.errors import InputError
from schema.slice import OTHERS, SliceColumn, value_text
from schema.surface import Surface, soft_label

_READ_BATCH = 4096
# A slice with fewer examples has intervals too wide to read.
_LEAST_IN_SLICE = 50


@dataclass(frozen=True)
class RunData:
    """A run's data in memory.

    Attributes:
      name: The run.
      training: Transformed columns of the training split.
      evaluation: Transformed columns of the evaluation split.
      fitted: Indices of the training rows that models are fitted to.
      held_out: Indices of the rows for early stopping and tuning, the Trainer's own.
      vocabulary_sizes: Indices of each categorical feature.
      statistics: The statistics of the hard labels of the training split by task, and of the soft labels
        by column.
      teacher: The teacher's output on the evaluation split by task, not z-scored, for the
        tasks whose label it can be compared with.
      raw: Raw columns of the evaluation split that slices and clusters read.
      slices: Which evaluation rows are in each slice, bool [examples].
      small_slices: How many slices were left out for having fewer than 50 examples.
      unlabelled: Transformed columns of the pairs never shown; None if the run made none.
      vocabularies: Known values of each categorical feature, by index.
      teacher_model: The teacher's SavedModel, if it is known.
      other_teachers: As `teacher`, of each further one that answered the evaluation split, by its name.
    """

    name: str
    training: dict[str, NDArray[Any]]
    evaluation: dict[str, NDArray[Any]]
    fitted: NDArray[np.int64]
    held_out: NDArray[np.int64]
    vocabulary_sizes: dict[str, int]
    statistics: dict[str, LabelStatistics]
    teacher: dict[str, NDArray[Any]]
    raw: dict[str, NDArray[Any]]
    slices: dict[str, NDArray[np.bool_]]
    small_slices: int
    unlabelled: dict[str, NDArray[Any]] | None = None
    vocabularies: dict[str, list[bytes]] = field(default_factory=dict)
    teacher_model: str | None = None
    other_teachers: dict[str, dict[str, NDArray[Any]]] = field(default_factory=dict)

    def pairs(self, surface: Surface) -> dict[str, NDArray[Any]] | None:
        """The pairs never shown that a configuration asks for; None if the run made none.

        All of them; or, with `unlabelled: {catalogue: false}`, those of a user and an item
        that have a training row each.

        Raises:
          InputError: There are none of these.
        """
        if self.unlabelled is None or surface.unlabelled is None or surface.unlabelled.catalogue:
            return self.unlabelled
        kept = without_row.with_row(surface, self.training, self.unlabelled)
        if not kept.any():
            raise InputError(f"{self.name}: expected pairs of users and items with a training row, found none")
        return {name: column[kept] for name, column in self.unlabelled.items()}


def load(
    surface: Surface,
    paths: RunPaths,
    raw_columns: Sequence[str] = (),
    techniques: Sequence[Surface] = (),
    *,
    evaluation: bool = True,
) -> RunData:
    """Reads a run.

    The evaluation split is read before Transform and sent through its graph here: slices
    are defined on raw columns, which Transform's own output does not have.

    Args:
      surface: The surface.
      paths: The run.
      raw_columns: More raw columns of the evaluation split to keep.
      techniques: Other configurations of the surface, whose columns are read as well.
      evaluation: Whether to read the evaluation split; without it there is nothing of it, and
        its files are not opened.

    Raises:
      InputError: The run is of another surface, or lacks rows.
    """
    transform = tft.TFTransformOutput(paths.transform_graph)
    spec = transform.transformed_feature_spec()
    surfaces = [surface, *techniques]
    soft = sorted({column for each in surfaces for column in soft_label_columns(each).values()})
    scored = sorted({name for each in surfaces for name, size in soft_label_sizes(each).items() if size is None})
    features = list(dict.fromkeys(name for each in surfaces for name in written_columns(each)))
    labels = dict.fromkeys(name for each in surfaces for name in training_columns(each, distil=True))
    remembered = dict.fromkeys(name for each in surfaces for name in history_sources(each))
    labels |= {name: None for name in remembered if name not in features}
    _expect_columns(paths, spec, [*features, *labels])
    labels |= dict.fromkeys(name for each in surfaces for name in _read_by_trust(paths, each, transform, spec))
    columns = inputs.transformed_columns(_patterns(paths.train), spec, [*features, *labels])
    if not columns:
        raise InputError(f"{', '.join(paths.train)}: expected the transformed training split, found no examples")
    fitted, held_out = split(len(next(iter(columns.values()))), surface.training)
    trained_on = RunData(
        name=paths.name,
        training=columns,
        unlabelled=_unlabelled(paths, spec, [*features, *labels]),
        evaluation={},
        fitted=fitted,
        held_out=held_out,
        vocabulary_sizes=vocabulary.sizes(surface, transform),
        vocabularies=vocabulary.known_values(surface, transform),
        teacher_model=paths.teacher,
        statistics=label_statistics(surface, columns) | soft_statistics(scored, transform),
        teacher={},
        raw={},
        slices={},
        small_slices=0,
    )
    if not evaluation:
        return trained_on
    names = [*features, *hard_label_columns(surface).values(), *sampling_columns(surface).values(), *soft]
    names += [PERIOD_COLUMN] if remembered else []
    found = _with_evaluation(trained_on, surface, paths, transform, names, raw_columns)
    if remembered:
        histories.expect_later(paths.labelled_eval, columns[PERIOD_COLUMN], found.evaluation[PERIOD_COLUMN])
    return found


def columns_of(paths: RunPaths) -> frozenset[str]:
    """The columns that Transform wrote in a run."""
    return frozenset(tft.TFTransformOutput(paths.transform_graph).transformed_feature_spec())


def _with_evaluation(
    trained_on: RunData,
    surface: Surface,
    paths: RunPaths,
    transform: tft.TFTransformOutput,
    names: Sequence[str],
    raw_columns: Sequence[str],
) -> RunData:
    teacher_columns = comparable_columns(surface)
    sliced = {column for part in surface.slices.values() for column in part.columns}
    sides = without_row.id_columns(surface, transform.raw_feature_spec()) if paths.labelled_train else {}
    ids = [column for columns_of_side in sides.values() for column in columns_of_side]
    wanted = sorted({*sliced, *teacher_columns.values(), *raw_columns, *ids})
    weights = [WEIGHT_COLUMN] if surface.weighted_evaluation else []
    evaluation, raw = _evaluation(paths, transform, [*names, *weights], wanted)
    slices, small = _slices(surface, raw, without_row.slices(sides, _training_ids(paths, transform, ids), raw))
    return replace(
        trained_on,
        evaluation=evaluation,
        teacher={task: said_of(surface, task, raw[column]) for task, column in teacher_columns.items()},
        raw=raw,
        slices=slices,
        small_slices=small,
    )


def said_of(surface: Surface, task: str, logits: NDArray[Any]) -> NDArray[Any]:
    """What the teacher says of a task; of a multiclass one a probability for each of the task's classes."""
    mapping = mapping_of(surface, task) if surface.tasks[task].kind is TaskKind.MULTICLASS else None
    if mapping is None:
        return logits
    found = np.zeros((len(logits), mapping.classes), np.float32)
    found[:, list(mapping.student)] = tf.nn.softmax(merged_logits(tf.constant(logits), mapping.teacher)).numpy()
    return found


def _training_ids(paths: RunPaths, transform: tft.TFTransformOutput, columns: Sequence[str]) -> dict[str, NDArray[Any]]:
    return without_row.raw_training_ids(paths.labelled_train, transform, columns) if columns else {}


def _unlabelled(paths: RunPaths, spec: Mapping[str, object], names: Sequence[str]) -> dict[str, NDArray[Any]] | None:
    return inputs.transformed_columns(_patterns(paths.unlabelled), spec, names) if paths.unlabelled else None


def _patterns(folders: Sequence[str]) -> list[str]:
    return [f"{folder}/*" for folder in folders]


def _expect_columns(paths: RunPaths, spec: Mapping[str, object], names: Sequence[str]) -> None:
    missing = sorted(set(names) - set(spec))
    if missing:
        raise InputError(
            f"{paths.name}: Transform's output lacks {', '.join(missing)}, which the surface asks for. "
            "Give the surface that the run was made with, or run `crosskd run` with this one first."
        )


def has_what_trust_reads(surface: Surface, paths: RunPaths) -> bool:
    """Whether the run's Transform wrote all that fits of trust read, whether or not its surface has such fits."""
    transform = tft.TFTransformOutput(paths.transform_graph)
    return not _may_be_filled(surface, transform) or FILLED_COLUMN in transform.transformed_feature_spec()


def _may_be_filled(surface: Surface, transform: tft.TFTransformOutput) -> bool:
    """Whether columns that the teacher reads may be absent."""
    raw = transform.raw_feature_spec()
    return any(isinstance(raw.get(name), tf.io.VarLenFeature) for name in teacher_columns(surface))


def _read_by_trust(
    paths: RunPaths, surface: Surface, transform: tft.TFTransformOutput, spec: Mapping[str, object]
) -> list[str]:
    """What fits of trust read; Transform writes which inputs were filled only for a surface that has such fits."""
    asked = surface.trusted and _may_be_filled(surface, transform)
    _expect_columns(paths, spec, [FILLED_COLUMN] if asked else [])
    return trust.read_columns(surface, spec)


def comparable_columns(surface: Surface) -> dict[str, str]:
    """By task, the raw soft label that can be held against the task's own label."""
    found = {}
    for name, task in surface.tasks.items():
        if task.distil is None:
            continue
        kind = surface.teacher_tasks[task.distil.teacher_task].kind
        # Any number ranks a binary label; only a regression's value is in a label's unit, only classes are classes.
        ranks = task.kind is TaskKind.BINARY and kind is not TaskKind.MULTICLASS
        if ranks or kind is task.kind:
            found[name] = soft_label(task.distil.teacher_task)
    return found


def _evaluation(
    paths: RunPaths, transform: tft.TFTransformOutput, names: Sequence[str], raw_names: Sequence[str]
) -> tuple[dict[str, NDArray[Any]], dict[str, NDArray[Any]]]:
    files = files_of(paths.labelled_eval)
    spec = transform.raw_feature_spec()
    missing = sorted(set(raw_names) - set(spec))
    if missing:
        raise InputError(f"{paths.name}: the examples' schema has no column {', '.join(missing)}")
    layer = transform.transform_features_layer()

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def read(records: tf.Tensor) -> tuple[dict[str, tf.Tensor], dict[str, tf.Tensor]]:
        raw = tf.io.parse_example(records, spec)
        transformed = layer(dict(raw))
        return {name: transformed[name] for name in names}, {name: inputs.dense(raw[name]) for name in raw_names}

    batches = records_of(files).batch(_READ_BATCH)
    parts = [read(batch) for batch in batches]
    if not parts:
        raise InputError(f"{paths.labelled_eval}: the files hold no examples")
    return tuple(  # type: ignore[return-value]  # a tuple of two, which mypy cannot count
        {name: np.concatenate([part[which][name].numpy() for part in parts]) for name in wanted}
        for which, wanted in ((0, names), (1, raw_names))
    )


def _slices(
    surface: Surface, raw: Mapping[str, NDArray[Any]], more: Mapping[str, NDArray[np.bool_]]
) -> tuple[dict[str, NDArray[np.bool_]], int]:
    """The surface's slices and some more; and how many were left out as too small."""
    all_slices = [(key, rows) for key, rows in more.items() if rows.any()]
    for name, part in surface.slices.items():
        derived = {each.name: _derived(each, raw[each.column]) for each in part.derived}
        features = {**part.features, **dict.fromkeys(derived)}
        all_slices += _parts(name, features, {**raw, **derived})
    found = {key: rows for key, rows in all_slices if rows.sum() >= _LEAST_IN_SLICE}
    return found, sum(rows.sum() < _LEAST_IN_SLICE for _, rows in all_slices)


def _derived(by: SliceColumn, column: NDArray[Any]) -> NDArray[Any]:
    """The column as slices are cut by it; empty where a value is absent."""
    absent = column == b"" if column.dtype == object else np.isnan(column.astype(np.float64))
    if by.edges:
        names = [by.bucket(value) for value in column]
    else:
        values, counts = np.unique(column[~absent], return_counts=True)
        # Of equally frequent values those that come first in order, as in the Evaluator.
        texts = np.array([value_text(value) for value in values], np.str_)
        kept = set(values[np.lexsort((texts, -counts))[: by.most_frequent]].tolist())
        names = [value_text(value) if value in kept else OTHERS for value in column.tolist()]
    return np.array([b"" if gone else name.encode() for name, gone in zip(names, absent, strict=True)], object)


def _parts(
    name: str, features: Mapping[str, Scalar | None], raw: Mapping[str, NDArray[Any]]
) -> list[tuple[str, NDArray[np.bool_]]]:
    """A slice, or one of each combination of values of the features that have none."""
    fixed = name if any(value is not None for value in features.values()) else ""
    parts = [(fixed, np.ones(len(next(iter(raw.values()))), bool))]
    for feature, value in features.items():
        column = raw[feature]
        if value is not None:
            parts = [(key, rows & (column == as_value(column, value))) for key, rows in parts]
            continue
        parts = [
            (f"{key} {feature}={_text(each)}".strip(), rows & (column == each))
            for key, rows in parts
            for each in np.unique(column[rows])
            if each == each and each != b""
        ]
    return parts


def as_value(column: NDArray[Any], value: Scalar) -> object:
    """A value of the surface as a raw column has it."""
    return str(value).encode() if column.dtype == object else column.dtype.type(value)


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else f"{value:g}"
