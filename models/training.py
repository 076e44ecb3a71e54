"""The training loop: one for the student, its control, the reference teacher and all models of an experiment.

It takes the epochs in their order, runs the steps, measures the held-out part, chooses
the epoch whose weights are kept, and stops where a loss is not finite.  The step is that
of Keras, with `models.trainable`'s losses; what goes around it is small enough to be read
here, and costs a model of two milliseconds a step less than Keras's `fit`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf
from absl import logging
from numpy.typing import NDArray

from contracts.history import SELECTION_LOSS, VALIDATION_PREFIX
from models.backup import Backup, Progress
from models.devices import device_of
from models.epochs import Batches, Feed, TrainingData
from models.kept import Kept
from models.optimizers.by_rows import ByRows, Slots
from models.ranker import Ranker
from models.tables import finite, large_tables
from models.terms import HeadLoss, weighed_losses
from models.trainable import trainable
from models.workers.replicas import ALONE, Replicas, batches_of
from schema.errors import InputError
from schema.surface import Surface
from schema.training import Training

# Steps of the first call into TensorFlow.  Small models are bound by Python if calls are
# short, and a signal (Ctrl-C) waits for the end of a call: so calls grow up to some time.
_STEPS_PER_CALL = 16
_SECONDS_PER_CALL = 0.5


@dataclass(frozen=True)
class Fit:
    """What a training came to.

    Attributes:
      kept: The values of the ranker's variables after the epoch that was kept, in their order.
      epoch: That epoch, from 1.
      losses: Its losses, as the history has them.
      history: Per epoch `loss`, `hard_loss`, `soft_loss` and each head's loss, all of them
        with `val_` too, and `val_selection_loss`.
    """

    kept: Kept
    epoch: int
    losses: dict[str, float]
    history: dict[str, list[float]]

    @property
    def weights(self) -> list[NDArray[Any]]:
        """The values in memory."""
        return self.kept.arrays()


@dataclass(frozen=True)
class Resumed:
    """The optimizer of an earlier training, which goes on.

    Attributes:
      steps: The steps that it took.
      onto: Puts what it kept into what a new one keeps; see `models.optimizers.by_rows.ByRows.slots`.
    """

    steps: int
    onto: Callable[[Slots], Slots]


class _Pace:
    """How many steps a call into TensorFlow takes; several workers must all take as many in the same call."""

    def __init__(self, *, alike: bool) -> None:
        self._steps = _STEPS_PER_CALL
        self._alike = alike

    def calls(self, steps: int) -> Iterator[tuple[tf.Tensor, tf.Tensor]]:
        """First step and number of steps of each call; the next one is larger if a call took little time."""
        start = 0
        while start < steps:
            count, began = min(self._steps, steps - start), time.monotonic()
            yield tf.constant(start, tf.int64), tf.constant(count, tf.int64)
            if not self._alike and count == self._steps and time.monotonic() - began < _SECONDS_PER_CALL / 2:
                self._steps *= 2
            start += count


class Loop:
    """The training of one model structure, traced once however often it is fitted."""

    def __init__(self, ranker: Ranker, surface: Surface, terms: Sequence[HeadLoss], replicas: Replicas = ALONE):
        """Compiles the ranker.

        Args:
          ranker: What to train; `fit` goes on from the weights that it has.
          surface: Gives whether loss weights are learned, and where is computed.
          terms: The heads' losses, from `head_losses`.
          replicas: The other workers, if there are any; all of them train the same.

        Raises:
          InputError: There are other workers, and a layer needs all rows of a batch; or there is no GPU and one is
            asked for.
        """
        self._ranker = ranker
        self._terms = list(terms)
        self._replicas = replicas
        with device_of(surface.training):
            self._model = trainable(ranker, surface, terms, replicas)
        self._steps = tf.function(self._take, reduce_retracing=True)
        self._measured = tf.function(self._measure, reduce_retracing=True)
        self._settled = tf.function(self._model.optimizer.settle)
        self._finite = tf.function(self._all_finite)
        self._step_pace, self._held_out_pace = (_Pace(alike=replicas.several) for _ in range(2))
        self._rate = surface.training.learning_rate

    def fit(
        self,
        training: Training,
        data: TrainingData,
        callbacks: Sequence[keras.callbacks.Callback] = (),
        resumed: Resumed | None = None,
        backup: Backup | None = None,
    ) -> Fit:
        """Trains in place, and keeps the weights of the epoch with the least `selection_loss`.

        All epochs run, so that student and control take the same steps, unless there is
        patience.  Optimizer, schedules and learned loss weights start anew, unless an earlier
        training's optimizer goes on.

        Args:
          training: Gives epochs, learning rate and early stopping.
          data: The batches of every epoch.
          callbacks: Keras's callbacks; they are told of epochs and of the held-out part, not of batches.
          resumed: An earlier training's optimizer, which goes on with its schedules; learned loss weights do not.
          backup: Keeps every whole epoch; a training of which it has one goes on after that.

        Raises:
          InputError: There is nothing to train on, the warm-up of the learning rate is as long as
            the training, a loss is not finite, or the backup is of another training.
        """
        with device_of(training):
            self._restart(training.learning_rate, training.epochs * data.steps, resumed)
            kept = Kept(self._ranker.training.variables)
            so_far = self._begun(kept, backup)
            told = keras.callbacks.CallbackList(list(callbacks), model=self._model, epochs=training.epochs)
            told.on_train_begin()
            patience = training.early_stopping.patience or training.epochs
            while so_far.epochs < training.epochs and so_far.epochs - so_far.best < patience:
                self._next(training, data, so_far, kept, told)
                if backup is not None and self._replicas.chief:
                    backup.write(self._written, self._ranker.training.variables, so_far)
            kept.restore()
            told.on_train_end()
        return Fit(kept, so_far.best, so_far.losses, so_far.history)

    def _begun(self, kept: Kept, backup: Backup | None) -> Progress:
        """How far the training is: at its start, or where an earlier attempt was stopped."""
        found = None if backup is None else backup.find()
        if backup is not None and found is not None:
            if found.best:
                backup.read_best(self._ranker.training.variables, found)
                kept.take()
            backup.read_last(self._written, found)
            logging.info("goes on after epoch %d, the last whole one of what was stopped", found.epochs)
        if self._replicas.several:
            self._replicas.follow_chief(self._written)
        return found or Progress(losses={SELECTION_LOSS: math.inf})

    @property
    def _written(self) -> list[keras.Variable]:
        """All that steps write, besides the means of an epoch's losses."""
        learned = self._model.log_variances.values()
        return [*self._ranker.training.variables, *learned, *self._model.optimizer.variables]

    def _next(
        self,
        training: Training,
        data: TrainingData,
        so_far: Progress,
        kept: Kept,
        told: keras.callbacks.CallbackList,
    ) -> None:
        """Takes an epoch, and keeps its weights if none before was better."""
        told.on_epoch_begin(so_far.epochs)
        losses = self._losses(training, data, so_far.epochs, told)
        for name, value in losses.items():
            so_far.history.setdefault(name, []).append(value)
        told.on_epoch_end(so_far.epochs, losses)
        so_far.epochs += 1
        if losses[SELECTION_LOSS] < so_far.losses[SELECTION_LOSS]:
            kept.take()
            so_far.best, so_far.losses = so_far.epochs, losses

    def _losses(
        self, training: Training, data: TrainingData, number: int, told: keras.callbacks.CallbackList
    ) -> dict[str, float]:
        """Runs an epoch and measures what came of it."""
        losses = self.epoch(data.epoch(number), number)
        told.on_test_begin()
        held_out = self.held_out(data.held_out(), number)
        told.on_test_end(held_out)
        chosen_by = selection_loss(self._terms, held_out, training.early_stopping.by)
        return {
            **losses,
            **{f"{VALIDATION_PREFIX}{name}": value for name, value in held_out.items()},
            SELECTION_LOSS: chosen_by,
        }

    def epoch(self, batches: Batches, number: int) -> dict[str, float]:
        """Takes the steps of one epoch, after which all weights may be read.

        Args:
          batches: Its batches.
          number: The epoch, from 0, for messages.

        Returns:
          The means of its batches' losses, by name.

        Raises:
          InputError: There are no batches, or the loss of a head is not finite.
        """
        losses = self.take(batches, number)
        self.settle()
        return losses

    def settle(self) -> None:
        """Brings up to date what steps have left behind; see `models.optimizers`."""
        self._settled()

    def take(self, batches: Batches, number: int) -> dict[str, float]:
        """Takes steps as `epoch` does, and leaves rows of tables behind."""
        if not batches.steps:
            raise InputError("there is no row to train on; expected at least two examples, one of which is held out")
        self._model.reset_metrics()
        for part in batches.parts():
            for start, count in self._step_pace.calls(part.steps):
                finite, found = self._steps(part.feed, start, count)
                if not finite:
                    step, heads = self._model.means.first_not_finite()
                    raise InputError(self._diverged(heads, f"step {step} of epoch {number + 1}"))
        return dict(zip(self._model.reported, found.numpy().tolist(), strict=True))

    def held_out(self, batches: Batches, number: int) -> dict[str, float]:
        """Measures the losses of the held-out part.

        Args:
          batches: Its batches.
          number: The epoch, from 0, for messages.

        Returns:
          The mean of each head's loss over all rows with its label, and the sums.

        Raises:
          InputError: The loss of a head is not finite, or a weight of the model.
        """
        means = weights = tf.zeros([len(self._terms)])
        for part in batches.parts():
            for start, count in self._held_out_pace.calls(part.steps):
                means, weights, found = self._measured(part.feed, start, count, means, weights)
        # What an epoch is chosen by must be the same number in every worker, whatever machine it runs on.
        found = self._replicas.of_chief(found)
        losses = dict(zip(self._model.reported, found.numpy().tolist(), strict=True))
        heads = [each.name for each in self._terms if not np.isfinite(losses[each.name])]
        if heads:
            raise InputError(self._diverged(heads, f"the held-out rows after epoch {number + 1}"))
        if not self._finite():
            raise InputError(self._spoiled(number))
        return losses

    def _take(self, feed: Feed, start: tf.Tensor, count: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Some steps: whether all losses were finite since the epoch's first, and their means since then."""
        with batches_of(feed.size):
            for step in tf.range(start, start + count):
                self._model.train_step(feed.batch(step))
        means = self._model.get_metrics_result()
        return self._model.means.finite(), tf.stack([means[name] for name in self._model.reported])

    def _measure(
        self, feed: Feed, start: tf.Tensor, count: tf.Tensor, means: tf.Tensor, weights: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Some held-out batches: means and weights so far, and all losses."""
        with batches_of(feed.size):
            for step in tf.range(start, start + count):
                features, labels = feed.batch(step)
                values, of = weighed_losses(self._terms, labels, self._model(features, training=False))
                weights += of
                # Of a single batch, it is that batch's mean to the last bit.
                means += (values - means) * tf.math.divide_no_nan(of, weights)
        return means, weights, tf.stack(self._model.all_losses(tf.unstack(means)))

    def _all_finite(self) -> tf.Tensor:
        """Whether the weights are finite.

        A feature that is not finite need not show in any loss: a ReLU makes 0 of what is not
        a number, and the layer that reads it is spoiled unseen.
        """
        tables = [each.embeddings for each in large_tables(self._ranker.training)]
        large = {id(each) for each in tables}
        others = [each.value for each in self._model.trainable_variables if id(each) not in large]
        return finite(tables) & tf.reduce_all(tf.stack([tf.reduce_all(tf.math.is_finite(each)) for each in others]))

    def _diverged(self, names: Sequence[str], where: str) -> str:
        heads = [each for each in self._terms if each.name in names]
        told = ", ".join(f"{each.name} (labels {each.column})" for each in heads) or ", ".join(names)
        return (
            f"training diverged: in {where} the loss was not finite, of {told}. Look for labels far out of range "
            "there, for features that are not finite (which show in several heads at once), and at "
            f"`learning_rate: {self._rate:g}`, which may be too high"
        )

    def _spoiled(self, number: int) -> str:
        found = [each.path for each in self._model.trainable_variables if not np.isfinite(each.numpy()).all()]
        return (
            f"training diverged: after epoch {number + 1} weights are not finite, of {', '.join(found)}. Look for "
            "features that are not finite; the first layers of the trunk read them"
        )

    @property
    def optimizer(self) -> ByRows:
        """The optimizer, which after a training holds what that left."""
        return self._model.optimizer

    def _restart(self, learning_rate: float, steps: int, resumed: Resumed | None) -> None:
        for variable in self._model.log_variances.values():
            variable.assign(0.0)
        if resumed is None:
            self._model.optimizer.reset(learning_rate, steps)
        else:
            self._model.optimizer.resume(learning_rate, steps, resumed.steps, resumed.onto)
        self._rate = learning_rate


def fit(
    ranker: Ranker,
    surface: Surface,
    terms: Sequence[HeadLoss],
    data: TrainingData,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> Fit:
    """Trains a ranker once, in place; see `Loop.fit`."""
    return Loop(ranker, surface, terms).fit(surface.training, data, callbacks)


def assign(variables: Sequence[keras.Variable], values: Sequence[NDArray[Any]]) -> None:
    """Sets variables to values in the same order."""
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


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
