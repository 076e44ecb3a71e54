"""A ranker with its losses and its optimizer: the step that the training loop takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from contracts.history import HARD_LOSS, SOFT_LOSS
from models import losses
from models.optimizers import optimizer_of
from models.ranker import Ranker
from models.tables import large_tables, read_for
from models.terms import HeadLoss, mean_losses
from models.workers.replicas import ALONE, Replicas, batch_of
from schema.errors import InputError
from schema.surface import Surface


class Means(keras.metrics.Metric):
    """Running means of several losses in one vector: a step updates it once, and not once for each loss.

    A step of a small model is bound by the number of TensorFlow's operations, and a student
    has more losses than its control.
    """

    def __init__(self, names: Sequence[str]):
        super().__init__(name="means")
        self.names = tuple(names)
        self._totals = self.add_variable((len(self.names),), initializer="zeros", name="totals")
        self._finite = self.add_variable((len(self.names),), initializer="zeros", name="finite")
        self._steps = self.add_variable((), initializer="zeros", name="steps")

    def update_state(self, values: Sequence[tf.Tensor]) -> None:
        totals = self._totals.value.assign_add(tf.stack(values))
        # A total that is not finite stays so: this counts the steps before a loss was not.
        self._finite.assign_add(tf.cast(tf.math.is_finite(totals), tf.float32))
        self._steps.assign_add(1.0)

    def result(self) -> dict[str, tf.Tensor]:
        means = tf.math.divide_no_nan(self._totals.value, self._steps.value)
        return dict(zip(self.names, tf.unstack(means), strict=True))

    def finite(self) -> tf.Tensor:
        """Whether every loss was finite in every step, a bool scalar."""
        return tf.reduce_all(tf.math.is_finite(self._totals.value))

    def first_not_finite(self) -> tuple[int, list[str]]:
        """The first step, from 1, in which a loss was not finite, and the losses that were not in it."""
        finite = self._finite.numpy()
        first = int(finite.min())
        return first + 1, [name for name, steps in zip(self.names, finite, strict=True) if int(steps) == first]


class Trainable(keras.Model):
    """A ranker's training model with its losses; labels travel in `y` by column name.

    Attributes:
      terms: The heads' losses.
      log_variances: What uncertainty weights learn, by the name of the loss; empty without them.
      means: The mean losses of an epoch's batches.
    """

    def __init__(self, model: keras.Model, terms: Sequence[HeadLoss], *, uncertainty: bool, replicas: Replicas = ALONE):
        super().__init__(name="trainable")
        self._replicas = replicas
        self.model = model
        self.terms = list(terms)
        # They belong to training, not to the ranker, and so are never exported.
        self.log_variances = {
            each.name: self.add_weight(shape=(), initializer="zeros", name=f"log_variance_{each.name}")
            for each in (self.terms if uncertainty else ())
        }
        self.means = Means([*(each.name for each in self.terms), *self._sums()])

    def call(self, inputs: Mapping[str, tf.Tensor], training: bool = False) -> Mapping[str, tf.Tensor]:
        """What the heads say of all rows of a batch, of which several workers compute a part each."""
        with read_for(self.optimizer), batch_of(self._replicas, inputs):
            outputs = self.model(self._replicas.own(inputs), training=training)
        return self._replicas.whole(outputs, inputs)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> tf.Tensor:
        """Total loss; updates the running mean of each head's loss on the way."""
        values = mean_losses(self.terms, y, y_pred)
        sums = self._summed(values)
        self.means.update_state([*values, *sums])
        return tf.add_n([*sums, *map(self._replicas.share, self.losses)])

    @property
    def reported(self) -> tuple[str, ...]:
        """The names that a history has for what `all_losses` gives, in its order."""
        return ("loss", *self.means.names)

    def all_losses(self, values: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        """The total, each head's loss and the sums, by the value of each head's loss."""
        sums = self._summed(values)
        return [tf.add_n([*sums, *self.losses]), *values, *sums]

    def _sums(self) -> list[str]:
        return [HARD_LOSS, SOFT_LOSS] if any(each.soft for each in self.terms) else [HARD_LOSS]

    def _summed(self, values: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        """The weighted hard losses, and the soft ones if there are any."""
        weighted = [self._weighted(each, value) for each, value in zip(self.terms, values, strict=True)]
        return [
            tf.add_n([value for each, value in zip(self.terms, weighted, strict=True) if each.soft is soft])
            for soft in sorted({each.soft for each in self.terms})
        ]

    def _weighted(self, term: HeadLoss, value: tf.Tensor) -> tf.Tensor:
        if term.name in self.log_variances:
            variance = self._replicas.share(self.log_variances[term.name].value)
            value = losses.by_uncertainty(value, variance, regression=term.regression)
        return term.weight_at(self.optimizer.iterations) * value


def trainable(ranker: Ranker, surface: Surface, terms: Sequence[HeadLoss], replicas: Replicas = ALONE) -> Trainable:
    """The ranker with its losses and its optimizer.

    Args:
      ranker: What to train; its weights are the model's.
      surface: Gives the optimizer, and whether loss weights are learned.
      terms: The heads' losses, from `head_losses`.
      replicas: The other workers, if there are any.

    Returns:
      A compiled model of (features, labels by column) whose optimizer has its variables.

    Raises:
      InputError: There are other workers, and a layer needs all rows of a batch.
    """
    learned = surface.training.loss_weights == "uncertainty"
    model = Trainable(ranker.training, terms, uncertainty=learned, replicas=replicas)
    model.compile(optimizer=optimizer_of(surface.training, large_tables(ranker.training)), jit_compile=False)
    model.optimizer.build(model.trainable_variables)
    if replicas.several:
        _expect_rows_apart(ranker.training)
        model.optimizer.exchange_through(replicas)
    return model


def _expect_rows_apart(model: keras.Model) -> None:
    """Each worker has some rows of a batch, and another one's are out of its layers' reach."""
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):
            raise InputError(
                f"layer {layer.name!r}: BatchNormalization takes the mean of a whole batch, of which each of several "
                "workers has a part; expected layers that take each row by itself, such as LayerNormalization, or "
                "one worker"
            )
