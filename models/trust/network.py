"""A small network for each fold, all of them side by side in one Keras model.

The network of a fold learns from the rows of all folds but its own and the next one; the next one's rows choose the
epoch whose weights are kept.  Where no epoch is better than the constant that all begin with, that is kept.  So
what it says of its own fold's rows owes nothing to their labels.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
# Numbers to begin with, one for each output, by targets.
Start = Callable[[Floats], list[float]]

_HIDDEN = 16
_EPOCHS, _PATIENCE = 60, 5
_LEARNING_RATE = 0.02
_LEAST_BATCH, _MOST_STEPS = 256, 16
_AT_ONCE = 65_536


@dataclass(frozen=True)
class Rows:
    """What the networks are fitted to.

    Attributes:
      inputs: Float32 [rows, width].
      targets: What the loss compares outputs with, float32 [rows, targets].
      folds: The fold of each row, int64 [rows].
      weights: The weight of each row, float32 [rows].
    """

    inputs: Floats
    targets: Floats
    folds: NDArray[np.int64]
    weights: Floats


class PerFold(keras.losses.Loss):
    """The loss of every row in every network, [batch, folds]: of targets, [batch, targets], and outputs."""

    def __init__(self, of: Callable[[Any, Any], Any]):
        super().__init__(name="per_fold")
        self.of = of

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return self.of(y_true[:, None, :], y_pred)


def cross_entropy(labels: Any, outputs: Any) -> Any:
    """Of labels 0 or 1, [batch, 1, 1], and logits [batch, folds, 1]."""
    labels = keras.ops.broadcast_to(labels, keras.ops.shape(outputs))
    return keras.ops.binary_crossentropy(labels, outputs, from_logits=True)[..., 0]


def squared_error(values: Any, outputs: Any) -> Any:
    """Of values [batch, 1, targets], and outputs [batch, folds, targets]."""
    return keras.ops.sum(keras.ops.square(values - outputs), axis=-1)


def classes_cross_entropy(labels: Any, outputs: Any) -> Any:
    """Of places of classes, [batch, 1, 1], and logits [batch, folds, classes]."""
    places = keras.ops.broadcast_to(keras.ops.cast(labels[..., 0], "int32"), keras.ops.shape(outputs)[:2])
    return keras.ops.sparse_categorical_crossentropy(places, outputs, from_logits=True)


class CrossFit:
    """Networks that were fitted to rows, one for each fold."""

    def __init__(self, rows: Rows, folds: int, loss: Callable[[Any, Any], Any], start: Start, seed: int):
        """Fits them.

        Args:
          rows: What they are fitted to; every fold has some.
          folds: How many there are.
          loss: Of targets and outputs, as those of this module.
          start: What a network says before it has learned anything, by the targets that it will learn from.
          seed: The seed of their first weights and of the order of rows.
        """
        learned, chosen = _masks(rows, folds)
        biases = np.array([start(rows.targets[learned[:, fold] > 0]) for fold in range(folds)], np.float32)
        self._model = _model(rows.inputs.shape[1], folds, biases.shape[1], loss)
        rng = np.random.default_rng(seed)
        self._model.set_weights(_first_weights(self._model, biases, rng))
        _forget(self._model.optimizer)
        order = rng.permutation(len(rows.inputs))
        batch = _batch_size(len(order))
        parts = [order[at : at + batch] for at in range(0, len(order), batch)]
        best = _Best(self._model, rows, chosen)
        for _ in range(_EPOCHS):
            # Keras's `fit` takes longer to begin an epoch of so few steps than to make them.
            for part in parts:
                self._model.train_on_batch(rows.inputs[part], rows.targets[part], sample_weight=learned[part])
            if best.waited_for_after_epoch() >= _PATIENCE:
                break
        self._weights = best.weights

    def outputs(self, inputs: Floats) -> Floats:
        """What every network says of some rows, float32 [rows, folds, size]."""
        self._model.set_weights(self._weights)
        return _outputs(self._model, inputs)


@functools.lru_cache(maxsize=32)
def _model(width: int, folds: int, size: int, loss: Callable[[Any, Any], Any]) -> keras.Model:
    """For each fold a linear map with a hidden layer beside it: one model for all fits of a shape.

    Tracing a model this small takes longer than fitting it, and an experiment fits it for every arm and seed.
    """
    inputs = keras.Input((width,), name="inputs")
    each = keras.layers.RepeatVector(folds, name="for_each_fold")(inputs)
    hidden = keras.layers.EinsumDense("bkd,kdh->bkh", (folds, _HIDDEN), "tanh", bias_axes="kh", name="hidden")(each)
    both = keras.layers.Concatenate(name="beside")([each, hidden])
    said = keras.layers.EinsumDense(
        "bkd,kdh->bkh", (folds, size), bias_axes="kh", kernel_regularizer=keras.regularizers.L2(1e-4), name="said"
    )(both)
    model = keras.Model(inputs, said, name="cross_fit")
    model.compile(optimizer=keras.optimizers.Adam(_LEARNING_RATE), loss=PerFold(loss), jit_compile=False)
    model.optimizer.build(model.trainable_variables)
    return model


def _batch_size(rows: int) -> int:
    return max(_LEAST_BATCH, rows // _MOST_STEPS)


def _first_weights(model: keras.Model, biases: Floats, rng: np.random.Generator) -> list[Floats]:
    """Random ones in the hidden layer and none above it, so that every network says its bias at first."""
    hidden, no_bias, said, _ = model.get_weights()
    random = rng.normal(0, hidden.shape[1] ** -0.5, hidden.shape).astype(np.float32)
    return [random, no_bias * 0, said * 0, biases]


def _forget(optimizer: keras.optimizers.Optimizer) -> None:
    """Lets an optimizer begin anew, at its learning rate."""
    for variable in optimizer.variables:
        if variable is not optimizer.learning_rate:
            variable.assign(np.zeros(variable.shape, variable.dtype))


def _masks(rows: Rows, folds: int) -> tuple[Floats, Floats]:
    """The weight of each row in what each network learns from, and in what chooses its epoch; [rows, folds] each."""
    own = rows.folds[:, None] == np.arange(folds)
    following = rows.folds[:, None] == (np.arange(folds) + 1) % folds
    weights = rows.weights[:, None]
    return np.where(own | following, 0, weights).astype(np.float32), np.where(following, weights, 0).astype(np.float32)


class _Best:
    """For each network by itself, the weights of the epoch that the next fold's rows prefer."""

    def __init__(self, model: keras.Model, rows: Rows, chosen: Floats):
        """What was not learned at all may be best."""
        self._model, self._rows, self._chosen = model, rows, chosen
        self._waited = 0
        self._least = self._losses()
        self.weights = model.get_weights()

    def waited_for_after_epoch(self) -> int:
        """Looks at the weights after one more epoch; for how many epochs no network has become better."""
        losses = self._losses()
        better = losses < self._least
        self._least = np.where(better, losses, self._least)
        self.weights = [
            np.where(better.reshape(-1, *[1] * (now.ndim - 1)), now, kept)
            for now, kept in zip(self._model.get_weights(), self.weights, strict=True)
        ]
        self._waited = 0 if better.any() else self._waited + 1
        return self._waited

    def _losses(self) -> NDArray[np.float64]:
        outputs = _outputs(self._model, self._rows.inputs)
        losses = self._model.loss.call(self._rows.targets, outputs)
        return np.asarray(np.average(keras.ops.convert_to_numpy(losses), axis=0, weights=self._chosen))


def _outputs(model: keras.Model, inputs: Floats) -> Floats:
    """What every network says of some rows, float32 [rows, folds, size]."""
    parts = [model.predict_on_batch(inputs[at : at + _AT_ONCE]) for at in range(0, len(inputs), _AT_ONCE)]
    return np.concatenate(parts) if parts else np.zeros((0, *model.output_shape[1:]), np.float32)
