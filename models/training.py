"""Fits a ranker: one loop for the student, the control and the reference teacher."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from models import losses
from models.columns import hard_label_columns, soft_label_columns
from models.ranker import DISTILLATION_PREFIX, SERVING_PREFIX, LabelStatistics, Ranker
from schema.errors import InputError
from schema.surface import Surface, TaskKind

HARD_LOSS = "hard_loss"
SOFT_LOSS = "soft_loss"

# Steps that run inside one TensorFlow call: small models are bound by Python otherwise.
_STEPS_PER_EXECUTION = 16


@dataclass(frozen=True)
class HeadLoss:
    """What one head is trained on: a pure loss between a column and the head's output.

    Attributes:
      head: Name of the head in `Ranker.training`'s outputs.
      column: The label's column; NaN where absent.
      weight: Weight in the total loss.
      loss: Per-example loss of (labels, outputs), float [batch] each.
      statistics: Labels are z-scored with it first; None to use them as they are.
      soft: Whether the labels come from the teacher.
    """

    head: str
    column: str
    weight: float
    loss: Any
    statistics: LabelStatistics | None = None
    soft: bool = False

    def __call__(self, columns: Mapping[str, tf.Tensor], outputs: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """The masked mean loss of a batch, before `weight`; a scalar."""
        labels, present = losses.split_absent(columns[self.column])
        if self.statistics is not None:
            labels = (labels - self.statistics.mean) / self.statistics.std
        return losses.masked_mean(self.loss(labels, tf.reshape(outputs[self.head], [-1])), present)


def head_losses(surface: Surface, statistics: Mapping[str, LabelStatistics], *, distil: bool) -> list[HeadLoss]:
    """The loss of every head of the surface's ranker."""
    found = []
    for name, column in hard_label_columns(surface).items():
        task = surface.tasks[name]
        binary = task.kind is TaskKind.BINARY
        loss = losses.binary_cross_entropy if binary else losses.squared_error
        scale = None if binary else statistics[name]
        found.append(HeadLoss(SERVING_PREFIX + name, column, task.weight, loss, scale))
    for name, column in soft_label_columns(surface).items() if distil else ():
        weight = surface.distillations()[name].weight
        found.append(HeadLoss(DISTILLATION_PREFIX + name, column, weight, losses.squared_error, soft=True))
    return found


def label_statistics(surface: Surface, columns: Mapping[str, np.ndarray]) -> dict[str, LabelStatistics]:
    """Mean and standard deviation of each task's present hard labels.

    Args:
      surface: The surface.
      columns: `label/<task>`, float [examples], NaN where absent.

    Raises:
      InputError: A task has no label at all in the training data.
    """
    found = {}
    for task, column in hard_label_columns(surface).items():
        values = columns[column][np.isfinite(columns[column])]
        if not len(values):
            raise InputError(
                f"task {task!r}: the training split holds no label {surface.tasks[task].label!r}; "
                "a task needs labelled examples. Check the label's column, or remove the task."
            )
        found[task] = LabelStatistics(float(values.mean()), float(values.std()) or 1.0)
    return found


class _Trainable(keras.Model):
    """A ranker's training model with its losses; labels travel in `y` by column name."""

    def __init__(self, model: keras.Model, terms: Sequence[HeadLoss]):
        super().__init__(name="trainable")
        self.model = model
        self.terms = list(terms)
        self.means = {each.head: keras.metrics.Mean(name=each.head) for each in self.terms}
        self.hard_mean = keras.metrics.Mean(name=HARD_LOSS)
        self.soft_mean = keras.metrics.Mean(name=SOFT_LOSS) if any(each.soft for each in self.terms) else None

    def call(self, inputs: Mapping[str, tf.Tensor], training: bool = False) -> Mapping[str, tf.Tensor]:
        return self.model(inputs, training=training)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> tf.Tensor:
        """Total loss; updates the running mean of each head's loss on the way."""
        hard, soft = tf.constant(0.0), tf.constant(0.0)
        for each in self.terms:
            value = each(y, y_pred)
            self.means[each.head].update_state(value)
            if each.soft:
                soft += each.weight * value
            else:
                hard += each.weight * value
        self.hard_mean.update_state(hard)
        if self.soft_mean is not None:
            self.soft_mean.update_state(soft)
        return tf.add_n([hard, soft, *self.losses])


def trainable(ranker: Ranker, surface: Surface, terms: Sequence[HeadLoss]) -> keras.Model:
    """The ranker with its losses and its optimizer: the step that every loop takes.

    Args:
      ranker: What to train; its weights are the model's.
      surface: Gives the learning rate.
      terms: The heads' losses, from `head_losses`.

    Returns:
      A compiled model of (features, labels by column), with `HARD_LOSS` among its metrics.
    """
    model = _Trainable(ranker.training, terms)
    model.compile(
        optimizer=keras.optimizers.Adam(surface.training.learning_rate),
        steps_per_execution=_STEPS_PER_EXECUTION,
        jit_compile=False,
    )
    return model


def fit(
    ranker: Ranker,
    surface: Surface,
    terms: Sequence[HeadLoss],
    training_data: tf.data.Dataset,
    validation_data: tf.data.Dataset,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> dict[str, list[float]]:
    """Trains in place, and keeps the weights of the epoch with the least hard validation loss.

    All epochs always run, so that student and control take the same steps.

    Args:
      ranker: What to train.
      surface: Gives epochs and learning rate.
      terms: The heads' losses, from `head_losses`.
      training_data: Batches of (features, labels by column).
      validation_data: The same, from the held-out part of the training split.
      callbacks: More Keras callbacks.

    Returns:
      Per epoch: `loss`, `hard_loss`, `soft_loss`, each head's loss, and all with `val_`.
    """
    model = trainable(ranker, surface, terms)
    keep_best = keras.callbacks.EarlyStopping(
        monitor=f"val_{HARD_LOSS}", mode="min", patience=surface.training.epochs, restore_best_weights=True
    )
    history = model.fit(
        training_data,
        validation_data=validation_data,
        epochs=surface.training.epochs,
        callbacks=[keep_best, *callbacks],
        verbose=0,
    )
    return {name: [float(value) for value in values] for name, values in history.history.items()}
