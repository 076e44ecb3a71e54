"""What brings labels, or a head's output, to the scale on which the two are compared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import tensorflow as tf

from models import losses
from models.scales import LabelStatistics
from schema.task import Task


@dataclass(frozen=True)
class Affine:
    """x to scale * x + offset."""

    scale: float
    offset: float = 0.0

    def __call__(self, values: tf.Tensor) -> tf.Tensor:
        return self.scale * values + self.offset


Scale = Callable[[tf.Tensor], tf.Tensor]


@dataclass(frozen=True)
class Steps:
    """One scale after the other."""

    steps: tuple[Scale, ...]

    def __call__(self, values: tf.Tensor) -> tf.Tensor:
        for step in self.steps:
            values = step(values)
        return values


@dataclass(frozen=True)
class Merged:
    """The teacher's logits, [batch, classes], as those of the classes that they stand for, [batch, parts]."""

    parts: tuple[tuple[int, ...], ...]

    def __call__(self, values: tf.Tensor) -> tf.Tensor:
        return losses.merged_logits(values, self.parts)


@dataclass(frozen=True)
class Chosen:
    """Some of a head's outputs, [batch, size] to [batch, places]."""

    places: tuple[int, ...]

    def __call__(self, values: tf.Tensor) -> tf.Tensor:
        return tf.gather(values, list(self.places), axis=-1)


def learned(task: Task, statistics: LabelStatistics) -> Scale:
    """Brings a regression task's labels to what its head says."""
    z_score = Affine(1 / statistics.std, -statistics.mean / statistics.std)
    return Steps((_log1p, z_score)) if task.transform == "log1p" else z_score


def _log1p(labels: tf.Tensor) -> tf.Tensor:
    # A teacher may say less than nothing of a count.
    return tf.math.log1p(tf.maximum(labels, 0.0))
