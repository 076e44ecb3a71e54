"""Layers whose initial weights depend on the seed and on their own name alone.

Student and control are paired by this: a layer of the same name starts from the same
weights, whatever other heads exist.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from contracts.heads import LAYER_PREFIX
from models.names import identifier
from models.precision import FULL
from models.tables import L2, Table
from models.workers.replicas import drawn
from schema.training import Model


def embedding_layer(column: str) -> str:
    """Name of the layer that embeds a column."""
    return f"embedding_{identifier(column)}"


def input_layer(column: str) -> str:
    """Name of the layer that takes a column."""
    return f"input_{identifier(column)}"


def history_layer(column: str) -> str:
    """Name of the layer that reads the history of a column's ids."""
    return f"history_{identifier(column)}"


class LessGradient(keras.layers.Layer):
    """Passes its input on as it is, and only a share of the gradient back."""

    def __init__(self, share: float, **kwargs: Any):
        super().__init__(**kwargs)
        self.share = share

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        kept = keras.ops.stop_gradient(inputs)
        # What is added is 0, so that the values are the inputs' to the last bit.
        return kept + self.share * (inputs - kept)


class Dropout(keras.layers.Dropout):
    """Keras's, with the draws of the whole batch where several workers have parts of it."""

    def call(self, inputs: keras.KerasTensor, training: bool = False) -> keras.KerasTensor:
        kept = drawn(inputs, lambda ones: super(Dropout, self).call(ones, training=True)) if training else None
        return super().call(inputs, training=training) if kept is None else inputs * kept


class LayerMaker:
    """Makes the layers of one ranker."""

    def __init__(self, model: Model, seed: int, policy: str = FULL):
        """Makes nothing yet.

        Args:
          model: The shape of the ranker.
          seed: What initial weights depend on.
          policy: In what trunk, towers and crosses compute; see `models.precision`.
        """
        self._model = model
        self._seed = seed
        self._policy = policy
        self._l2 = L2(model.l2) if model.l2 else None

    def _seed_of(self, name: str) -> int:
        return zlib.crc32(f"{self._seed}/{name.replace('.', '_')}".encode()) & 0x7FFFFFFF

    def initializer(self, name: str) -> keras.initializers.Initializer:
        """Small numbers around 0 that depend on the seed and the name."""
        return keras.initializers.RandomUniform(-0.05, 0.05, seed=self._seed_of(name))

    def embedding(self, name: str, rows: int, width: int, *, frozen: bool = False) -> keras.layers.Layer:
        """Embeds indices of the column `name`, int64 [batch] or [batch, length], to vectors of `width`."""
        scale = 1.0 / math.sqrt(width)
        initializer = keras.initializers.RandomUniform(-0.5 * scale, 0.5 * scale, seed=self._seed_of(name))
        return Table(rows, width, initializer=initializer, l2=self._model.l2, frozen=frozen, name=embedding_layer(name))

    def dense(self, name: str, units: int, activation: str | None, policy: str = FULL) -> keras.layers.Layer:
        """A dense layer that starts at random, as the surface's seed and the name say."""
        return keras.layers.Dense(
            units,
            activation=activation,
            dtype=policy,
            kernel_initializer=keras.initializers.GlorotUniform(seed=self._seed_of(name)),
            kernel_regularizer=self._l2,
            name=name,
        )

    def history(self, name: str, width: int) -> keras.layers.Layer:
        """Reads the history of ids of the column `name`, [batch, size], to what is added to their embedding.

        It starts at 0, so that a student starts as its control does; and has no bias, so that an embedding without
        a history is what it would be.
        """
        return keras.layers.Dense(
            width, use_bias=False, kernel_initializer="zeros", kernel_regularizer=self._l2, name=history_layer(name)
        )

    def stack(self, name: str, widths: Sequence[int]) -> keras.Sequential:
        """Dense layers with their activation, each normalised and with dropout if the surface has it."""
        layers: list[keras.layers.Layer] = []
        if self._policy != FULL:
            # Else Keras would cast what comes in as the first layer was to compute when it was built.
            layers.append(keras.layers.Identity(dtype=FULL, name=f"{name}.input"))
        for index, units in enumerate(widths):
            own = f"{name}_{index}"
            if self._model.layer_norm:
                norm = keras.layers.LayerNormalization(epsilon=1e-6, dtype=self._policy, name=f"{own}.norm")
                activation = keras.layers.Activation(
                    self._model.activation, dtype=self._policy, name=f"{own}.activation"
                )
                layers += [self.dense(own, units, None, self._policy), norm, activation]
            else:
                layers.append(self.dense(own, units, self._model.activation, self._policy))
            if self._model.dropout:
                seed = self._seed_of(f"{own}/dropout")
                layers.append(Dropout(self._model.dropout, seed=seed, dtype=self._policy))
        return keras.Sequential(layers, name=name)

    def feature_dropout(self, name: str, rate: float) -> keras.layers.Layer:
        """Leaves out whole vectors, [batch, width], of a share of the examples."""
        return Dropout(rate, noise_shape=(None, 1), seed=self._seed_of(name), name=name)

    def cross(self, name: str, rank: int | None) -> keras.layers.Layer:
        """One layer of DCN-v2 on (x0, x), [batch, width] each; see `models.interactions`."""
        # Imported where it is asked for: few surfaces do, and it takes a while.
        import keras_rs

        return keras_rs.layers.FeatureCross(
            projection_dim=rank,
            kernel_initializer=keras.initializers.GlorotUniform(seed=self._seed_of(name)),
            kernel_regularizer=self._l2,
            dtype=self._policy,
            name=name,
        )

    def head(self, name: str, size: int = 1, bias: float | Sequence[float] = 0.0) -> keras.layers.Layer:
        """An output layer, serving or not, [batch, size]; its kernel starts at 0.

        A random kernel pulls its tower at once to where it happens to point.  Of two heads on one
        tower, the one that learns faster decides; if the serving head happens to point the other
        way, the tower is learned well and served upside down until that head has turned round.
        """
        return keras.layers.Dense(
            size,
            kernel_initializer="zeros",
            bias_initializer=keras.initializers.Constant(np.asarray(bias, np.float32)),
            kernel_regularizer=self._l2,
            name=LAYER_PREFIX + name,
        )

    def gate(self, name: str, experts: int) -> keras.layers.Layer:
        """Shares of experts, [batch, experts]; they sum to 1."""
        return self.dense(name, experts, "softmax")
