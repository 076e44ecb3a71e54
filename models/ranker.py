"""The multi-task ranker: a shared trunk, a tower a task, and the heads.

`build` makes the student, and without distillation the control; the reference teacher is
the same architecture, larger.  Layers of the same name start from the same weights for
the same seed, whatever other heads exist, so that student and control are paired.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import keras

from schema.surface import Feature, FeatureKind, Model, Surface, TaskKind

SERVING_PREFIX = "serving_"
DISTILLATION_PREFIX = "distillation_"


@dataclass(frozen=True)
class LabelStatistics:
    """Mean and standard deviation of a task's hard labels in the training data."""

    mean: float
    std: float


@dataclass(frozen=True)
class Ranker:
    """A built ranker.

    Attributes:
      training: Transformed features to the raw output of every head, float [batch, 1]:
        logits for binary tasks, z-scores for regression tasks and soft labels.
      serving: The serving heads alone, by task, float [batch]: probabilities for binary
        tasks, values in the label's unit for regression tasks.
      logits: Like `serving`, with logits in place of probabilities; what a teacher serves.
    """

    training: keras.Model
    serving: keras.Model
    logits: keras.Model


def build(
    surface: Surface,
    vocabulary_sizes: Mapping[str, int],
    label_statistics: Mapping[str, LabelStatistics],
    *,
    distil: bool,
) -> Ranker:
    """Builds the ranker of a surface.

    Args:
      surface: The surface.
      vocabulary_sizes: Indices of each categorical feature, out-of-vocabulary included.
      label_statistics: Of each task, for output bias and scale.
      distil: Whether to add distillation heads and non-serving heads.
    """
    maker = _LayerMaker(surface.model, surface.training.seed)
    inputs = {name: _input(name, feature) for name, feature in surface.features.items()}
    encoded = [
        maker.embedding(name, vocabulary_sizes[name], feature.embedding)(inputs[name])
        if feature.kind is FeatureKind.CATEGORICAL
        else inputs[name]
        for name, feature in surface.features.items()
    ]
    joined = keras.layers.Concatenate(name="features")(encoded) if len(encoded) > 1 else encoded[0]
    trunk = maker.stack("trunk", surface.model.trunk)(joined)

    heads, logits = {}, {}
    for name, task in surface.tasks.items():
        tower = maker.stack(f"tower_{name}", surface.model.tower)(trunk)
        statistics = label_statistics[name]
        heads[SERVING_PREFIX + name] = maker.head(SERVING_PREFIX + name, _bias(task.kind, statistics))(tower)
        logits[name] = _in_label_unit(name, task.kind, statistics, heads[SERVING_PREFIX + name])
        if distil and task.distil:
            heads[DISTILLATION_PREFIX + name] = maker.head(DISTILLATION_PREFIX + name)(tower)
    for name in surface.non_serving_heads if distil else ():
        tower = maker.stack(f"tower_{name}", surface.model.tower)(trunk)
        heads[DISTILLATION_PREFIX + name] = maker.head(DISTILLATION_PREFIX + name)(tower)

    served = {name: _served(name, surface.tasks[name].kind, logit) for name, logit in logits.items()}
    return Ranker(
        training=keras.Model(inputs, heads, name="training"),
        serving=keras.Model(inputs, served, name="serving"),
        logits=keras.Model(inputs, logits, name="logits"),
    )


class _LayerMaker:
    """Makes layers whose initial weights depend on the seed and their own name alone."""

    def __init__(self, model: Model, seed: int):
        self._model = model
        self._seed = seed
        self._l2 = keras.regularizers.L2(model.l2) if model.l2 else None

    def _seed_of(self, name: str) -> int:
        return zlib.crc32(f"{self._seed}/{name}".encode()) & 0x7FFFFFFF

    def embedding(self, name: str, rows: int, width: int) -> keras.layers.Layer:
        scale = 1.0 / math.sqrt(width)
        initializer = keras.initializers.RandomUniform(-0.5 * scale, 0.5 * scale, seed=self._seed_of(name))
        return keras.layers.Embedding(
            rows, width, embeddings_initializer=initializer, embeddings_regularizer=self._l2, name=f"embedding_{name}"
        )

    def dense(self, name: str, units: int, activation: str | None, bias: float = 0.0) -> keras.layers.Layer:
        return keras.layers.Dense(
            units,
            activation=activation,
            kernel_initializer=keras.initializers.GlorotUniform(seed=self._seed_of(name)),
            bias_initializer=keras.initializers.Constant(bias),
            kernel_regularizer=self._l2,
            name=name,
        )

    def stack(self, name: str, widths: Sequence[int]) -> keras.Sequential:
        layers: list[keras.layers.Layer] = []
        for index, units in enumerate(widths):
            layers.append(self.dense(f"{name}_{index}", units, "relu"))
            if self._model.dropout:
                layers.append(keras.layers.Dropout(self._model.dropout, seed=self._seed_of(f"{name}_{index}/dropout")))
        return keras.Sequential(layers, name=name)

    def head(self, name: str, bias: float = 0.0) -> keras.layers.Layer:
        return self.dense(name, 1, None, bias)


def _input(name: str, feature: Feature) -> keras.KerasTensor:
    if feature.kind is FeatureKind.CATEGORICAL:
        return keras.Input((), dtype="int64", name=name)
    return keras.Input((feature.size,), dtype="float32", name=name)


def _bias(kind: TaskKind, statistics: LabelStatistics) -> float:
    """Initial bias of a head: the base rate's logit; a z-score starts at 0."""
    if kind is TaskKind.REGRESSION:
        return 0.0
    rate = min(max(statistics.mean, 1e-6), 1 - 1e-6)
    return math.log(rate / (1 - rate))


def _in_label_unit(
    name: str, kind: TaskKind, statistics: LabelStatistics, head: keras.KerasTensor
) -> keras.KerasTensor:
    flat = keras.layers.Reshape((), name=f"flat_{name}")(head)
    if kind is TaskKind.BINARY:
        return flat
    return keras.layers.Rescaling(statistics.std, offset=statistics.mean, name=f"unit_{name}")(flat)


def _served(name: str, kind: TaskKind, logit: keras.KerasTensor) -> keras.KerasTensor:
    if kind is TaskKind.BINARY:
        return keras.layers.Activation("sigmoid", name=f"probability_{name}")(logit)
    return logit
