"""Layers whose initial weights depend on the seed and on their own name alone.

Student and control are paired by this: a layer of the same name starts from the same
weights, whatever other heads exist.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence

import keras

from contracts.heads import LAYER_PREFIX
from models.names import identifier
from models.tables import L2, Table
from schema.training import Model


def embedding_layer(column: str) -> str:
    """Name of the layer that embeds a column."""
    return f"embedding_{identifier(column)}"


def input_layer(column: str) -> str:
    """Name of the layer that takes a column."""
    return f"input_{identifier(column)}"


class LayerMaker:
    """Makes the layers of one ranker."""

    def __init__(self, model: Model, seed: int):
        self._model = model
        self._seed = seed
        self._l2 = L2(model.l2) if model.l2 else None

    def _seed_of(self, name: str) -> int:
        return zlib.crc32(f"{self._seed}/{name.replace('.', '_')}".encode()) & 0x7FFFFFFF

    def embedding(self, name: str, rows: int, width: int) -> keras.layers.Layer:
        """Embeds indices of the column `name`, int64 [batch], to [batch, width]."""
        scale = 1.0 / math.sqrt(width)
        initializer = keras.initializers.RandomUniform(-0.5 * scale, 0.5 * scale, seed=self._seed_of(name))
        return Table(rows, width, initializer=initializer, l2=self._model.l2, name=embedding_layer(name))

    def dense(self, name: str, units: int, activation: str | None) -> keras.layers.Layer:
        """A dense layer that starts at random, as the surface's seed and the name say."""
        return keras.layers.Dense(
            units,
            activation=activation,
            kernel_initializer=keras.initializers.GlorotUniform(seed=self._seed_of(name)),
            kernel_regularizer=self._l2,
            name=name,
        )

    def stack(self, name: str, widths: Sequence[int]) -> keras.Sequential:
        """Dense layers with ReLU, each with dropout if the surface has it."""
        layers: list[keras.layers.Layer] = []
        for index, units in enumerate(widths):
            layers.append(self.dense(f"{name}_{index}", units, "relu"))
            if self._model.dropout:
                layers.append(keras.layers.Dropout(self._model.dropout, seed=self._seed_of(f"{name}_{index}/dropout")))
        return keras.Sequential(layers, name=name)

    def head(self, name: str, size: int = 1, bias: float = 0.0) -> keras.layers.Layer:
        """An output layer, serving or not, [batch, size]; its kernel starts at 0.

        A random kernel pulls its tower at once to where it happens to point.  Of two heads on one
        tower, the one that learns faster decides; if the serving head happens to point the other
        way, the tower is learned well and served upside down until that head has turned round.
        """
        return keras.layers.Dense(
            size,
            kernel_initializer="zeros",
            bias_initializer=keras.initializers.Constant(bias),
            kernel_regularizer=self._l2,
            name=LAYER_PREFIX + name,
        )

    def gate(self, name: str, experts: int) -> keras.layers.Layer:
        """Shares of experts, [batch, experts]; they sum to 1."""
        return self.dense(name, experts, "softmax")
