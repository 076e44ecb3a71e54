"""Fits a ranker: one loop for the student, the control and the reference teacher."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import keras
import tensorflow as tf

from contracts.history import HARD_LOSS, SELECTION_LOSS, SOFT_LOSS, VALIDATION_PREFIX
from models import losses
from models.optimizer import Adam
from models.ranker import Ranker
from models.terms import HeadLoss, mean_losses
from schema.surface import Surface

# Steps that run inside one TensorFlow call: small models are bound by Python otherwise.
_STEPS_PER_EXECUTION = 16


class _Means(keras.metrics.Metric):
    """Running means of several losses in one vector: a step updates it once, not once a loss.

    A step of a small model is bound by the number of TensorFlow's operations, and a student
    has more losses than its control.
    """

    def __init__(self, names: Sequence[str]):
        super().__init__(name="means")
        self._names = tuple(names)
        self._totals = self.add_variable((len(self._names),), initializer="zeros", name="totals")
        self._steps = self.add_variable((), initializer="zeros", name="steps")

    def update_state(self, values: Sequence[tf.Tensor]) -> None:
        self._totals.assign_add(tf.stack(values))
        self._steps.assign_add(1.0)

    def result(self) -> dict[str, tf.Tensor]:
        means = tf.math.divide_no_nan(self._totals.value, self._steps.value)
        return dict(zip(self._names, tf.unstack(means), strict=True))


class Trainable(keras.Model):
    """A ranker's training model with its losses; labels travel in `y` by column name.

    Attributes:
      log_variances: By name of the loss, what uncertainty weights learn; empty without them.
    """

    def __init__(self, model: keras.Model, terms: Sequence[HeadLoss], *, uncertainty: bool):
        super().__init__(name="trainable")
        self.model = model
        self.terms = list(terms)
        # They belong to training, not to the ranker, and so are never exported.
        self.log_variances = {
            each.name: self.add_weight(shape=(), initializer="zeros", name=f"log_variance_{each.name}")
            for each in (self.terms if uncertainty else ())
        }
        totals = [HARD_LOSS, SOFT_LOSS] if any(each.soft for each in self.terms) else [HARD_LOSS]
        self.means = _Means([*(each.name for each in self.terms), *totals])

    def call(self, inputs: Mapping[str, tf.Tensor], training: bool = False) -> Mapping[str, tf.Tensor]:
        return self.model(inputs, training=training)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> tf.Tensor:
        """Total loss; updates the running mean of each head's loss on the way."""
        values = mean_losses(self.terms, y, y_pred)
        weighted = [self._weighted(each, value) for each, value in zip(self.terms, values, strict=True)]
        totals = [
            tf.add_n([value for each, value in zip(self.terms, weighted, strict=True) if each.soft is soft])
            for soft in sorted({each.soft for each in self.terms})
        ]
        self.means.update_state([*values, *totals])
        return tf.add_n([*totals, *self.losses])

    def _weighted(self, term: HeadLoss, value: tf.Tensor) -> tf.Tensor:
        if term.name in self.log_variances:
            variance = self.log_variances[term.name].value
            value = losses.by_uncertainty(value, variance, regression=term.regression)
        return term.weight_at(self.optimizer.iterations) * value


def trainable(ranker: Ranker, surface: Surface, terms: Sequence[HeadLoss]) -> Trainable:
    """The ranker with its losses and its optimizer: the step that every loop takes.

    Args:
      ranker: What to train; its weights are the model's.
      surface: Gives the learning rate, and whether loss weights are learned.
      terms: The heads' losses, from `head_losses`.

    Returns:
      A compiled model of (features, labels by column), with `HARD_LOSS` among its metrics.
    """
    model = Trainable(ranker.training, terms, uncertainty=surface.training.loss_weights == "uncertainty")
    model.compile(
        optimizer=Adam(surface.training.learning_rate),
        steps_per_execution=_STEPS_PER_EXECUTION,
        jit_compile=False,
    )
    return model


def selection_loss(terms: Sequence[HeadLoss], means: Mapping[str, float], by: Literal["relative", "sum"]) -> float:
    """What an epoch is chosen by: a weighted sum of the hard losses of the held-out part.

    `relative` divides each task's loss by the loss of its best constant: the entropy of the
    base rate, or 1 for z-scored labels.  A plain sum is ruled by whatever task has the
    largest loss, which is that of the fewest or noisiest labels: of a regression (about 1
    however well it is learned) rather than of a rare event (entropy .1, and .09 is a good
    model).  One noisy task would then pick the epoch of all; relative losses let each task
    count by the share of its uncertainty that the model takes away.  Soft losses have no
    part in it, so that student and control are chosen alike.

    Args:
      terms: The heads' losses.
      means: Mean loss by name.
      by: Whether to divide.
    """
    hard = [each for each in terms if not each.soft]
    return sum(each.weight * means[each.name] / (each.constant if by == "relative" else 1.0) for each in hard)


class _Selection(keras.callbacks.Callback):
    """Writes the loss that early stopping watches beside the epoch's other losses."""

    def __init__(self, terms: Sequence[HeadLoss], by: Literal["relative", "sum"]):
        super().__init__()
        self._terms = terms
        self._by = by

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if logs is not None:
            means = {each.name: logs[VALIDATION_PREFIX + each.name] for each in self._terms}
            logs[SELECTION_LOSS] = selection_loss(self._terms, means, self._by)


def fit(
    ranker: Ranker,
    surface: Surface,
    terms: Sequence[HeadLoss],
    training_data: tf.data.Dataset,
    validation_data: tf.data.Dataset,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> dict[str, list[float]]:
    """Trains in place, and keeps the weights of the epoch with the least `selection_loss`.

    All epochs run, so that student and control take the same steps, unless the surface
    asks for patience.

    Args:
      ranker: What to train.
      surface: Gives epochs, learning rate and early stopping.
      terms: The heads' losses, from `head_losses`.
      training_data: Batches of (features, labels by column).
      validation_data: The same, from the held-out part of the training split.
      callbacks: More Keras callbacks.

    Returns:
      Per epoch: `loss`, `hard_loss`, `soft_loss`, each head's loss, all of them with `val_`
      too, and `val_selection_loss`.
    """
    model = trainable(ranker, surface, terms)
    stopping = surface.training.early_stopping
    keep_best = keras.callbacks.EarlyStopping(
        monitor=SELECTION_LOSS,
        mode="min",
        patience=stopping.patience or surface.training.epochs,
        restore_best_weights=True,
    )
    history = model.fit(
        training_data,
        validation_data=validation_data,
        epochs=surface.training.epochs,
        # All of them, as without it; but then Keras makes two iterators an epoch, and making one is work.
        steps_per_epoch=int(training_data.cardinality()),
        callbacks=[_Selection(terms, stopping.by), keep_best, *callbacks],
        verbose=0,
    )
    return {name: [float(value) for value in values] for name, values in history.history.items()}
