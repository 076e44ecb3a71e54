"""Means and standard deviations of labels, hard and soft."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from models.columns import hard_label_column, hard_label_columns, sampling_columns
from schema.base import TaskKind
from schema.errors import InputError
from schema.surface import Surface

# Far enough from each other for float32, and near enough to what logits are.
_PROBES = (-100.0, 100.0)


@dataclass(frozen=True)
class LabelStatistics:
    """Mean and standard deviation of labels in the training data.

    Attributes:
      mean: Their mean.
      std: Their standard deviation.
      unsampled: What is added to the logit of the mean to have that among all examples: where a task is sampled by
        a column, the mean log of the probabilities of being kept.
      shares: Of a multiclass task, how often each class is the label; empty where that is not known.
    """

    mean: float
    std: float
    shares: tuple[float, ...] = ()
    unsampled: float = 0.0


def label_statistics(surface: Surface, columns: Mapping[str, np.ndarray]) -> dict[str, LabelStatistics]:
    """Mean and standard deviation of each task's present hard labels, as they are learned.

    Args:
      surface: The surface.
      columns: `label/<task>`, float [examples], NaN where absent; and `sampling/<task>` of tasks that have it.

    Raises:
      InputError: A task has no label at all in the training data, or one that it cannot have.
    """
    found = {}
    for task, column in hard_label_columns(surface).items():
        values = columns[column][np.isfinite(columns[column])]
        if not len(values):
            raise InputError(
                f"task {task!r}: the training split holds no label {surface.tasks[task].label!r}; "
                "a task needs labelled examples. Check the label's column, or remove the task."
            )
        _expect_in_domain(surface, task, columns[column])
        if surface.tasks[task].transform == "log1p":
            values = np.log1p(values)
        shares = _shares(values, surface.tasks[task].size)
        unsampled = _unsampled(surface, task, columns)
        found[task] = LabelStatistics(float(values.mean()), float(values.std()) or 1.0, shares, unsampled)
    return found


def _unsampled(surface: Surface, task: str, columns: Mapping[str, np.ndarray]) -> float:
    """The mean log of the probabilities of being kept, of a task that is sampled by a column; else 0.

    Raises:
      InputError: One is not above 0 and up to 1, or only negatives have one below 1, as if it were that of the label.
    """
    column = sampling_columns(surface).get(task)
    if column is None:
        return 0.0
    labels, moved = columns[hard_label_column(task)], columns[column]
    wrong = moved[~(np.isfinite(moved) & (moved >= 0))]
    if len(wrong):
        raise InputError(
            f"task {task!r}: sampled.probability: expected probabilities above 0 and up to 1, found others in "
            f"{len(wrong):,} of {len(moved):,} training examples. Leave it out of examples that are always kept."
        )
    positive, negative = moved[labels == 1], moved[labels == 0]
    if len(positive) and len(negative) and not positive.any() and negative.any():
        raise InputError(
            f"task {task!r}: sampled.probability: expected for each example, positive ones too, the probability with "
            f"which one like it is kept if it is negative; found 1, or nothing, in all {len(positive):,} positive "
            "training examples, and less in negative ones. Write it into positive examples as well."
        )
    return -float(np.mean(moved[np.isfinite(labels)]))


def _shares(labels: np.ndarray, classes: int) -> tuple[float, ...]:
    """How often each class is the label; nothing of a task that has none."""
    if classes == 1:
        return ()
    return tuple((np.bincount(labels.astype(np.int64), minlength=classes) / len(labels)).tolist())


def _expect_in_domain(surface: Surface, task: str, labels: np.ndarray) -> None:
    """A label of -1 trains a binary head to a loss without end."""
    of = surface.tasks[task]
    if of.kind is TaskKind.MULTICLASS:
        _expect_classes(surface, task, labels)
        return
    if of.kind is TaskKind.BINARY:
        expected, outside = "labels of 0 or 1", ~np.isnan(labels) & (labels != 0) & (labels != 1)
    elif of.transform == "log1p":
        expected, outside = "finite labels of 0 or more", np.isinf(labels) | (labels < 0)
    else:
        expected, outside = "finite labels", np.isinf(labels)
    if outside.any():
        raise InputError(
            f"task {task!r}: expected {expected} in column "
            f"{surface.tasks[task].label!r}, found {labels[outside][0]:g} and such in {int(outside.sum()):,} of "
            f"{len(labels):,} training examples. Leave the label out of examples where it is not known."
        )


def _expect_classes(surface: Surface, task: str, labels: np.ndarray) -> None:
    outside = int((labels < 0).sum())
    if outside:
        of = surface.tasks[task]
        raise InputError(
            f"task {task!r}: expected one of its classes ({', '.join(map(str, of.classes or ()))}) in column "
            f"{of.label!r}, found others in {outside:,} of {len(labels):,} training examples. Add them to `classes:`, "
            "or leave the label out of these examples."
        )


def soft_statistics(columns: Collection[str], transform: tft.TFTransformOutput) -> dict[str, LabelStatistics]:
    """Mean and standard deviation with which Transform z-scored soft labels, by column.

    Losses on probabilities need the teacher's own logits back.  They are read from
    Transform's graph: z-scoring is affine, so what it makes of two numbers tells both.

    Args:
      columns: Soft-label columns with one number in each example.
      transform: Transform's output.
    """
    if not columns:
        return {}
    layer, spec = transform.transform_features_layer(), transform.raw_feature_spec()
    found = {}
    for column in columns:
        raw = tf.io.parse_example([_example(column, value) for value in _PROBES], {column: spec[column]})
        low, high = layer(raw)[column].numpy().astype(np.float64)
        std = (_PROBES[1] - _PROBES[0]) / (high - low)
        found[column] = LabelStatistics(float(_PROBES[0] - low * std), float(std))
    return found


def _example(column: str, value: float) -> bytes:
    example = tf.train.Example()
    example.features.feature[column].float_list.value.append(value)
    return example.SerializeToString()
