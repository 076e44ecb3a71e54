"""The multi-task ranker: a shared trunk, one tower per task, and the heads.

`build` makes the student, and without distillation the control; the reference teacher is
the same architecture, larger.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import keras

from contracts.heads import DISTILLATION_PREFIX, LAYER_PREFIX, REPRESENTATION_PREFIX, SERVING_PREFIX, STACKED_PREFIX
from models.layers import LayerMaker, input_layer
from models.scales import LabelStatistics
from models.trunks import build_trunk
from schema.base import TaskKind
from schema.distillation import TRUNK, Head
from schema.surface import Feature, FeatureKind, Surface


@dataclass(frozen=True)
class Ranker:
    """A built ranker.

    Attributes:
      training: Transformed features to the raw output of every head, float [batch, 1]:
        logits for binary tasks, z-scores for regression tasks and for soft labels of both;
        and float [batch, size] for representations of the teacher.
      serving: The serving heads alone, by task, float [batch]: probabilities for binary
        tasks, values in the label's unit for regression tasks.
      logits: Like `serving`, with logits in place of probabilities; what a teacher serves.
      trunk: What all tasks share, float [batch, width].
    """

    training: keras.Model
    serving: keras.Model
    logits: keras.Model
    trunk: keras.Model


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
      label_statistics: The label statistics of each task, for output bias and scale.
      distil: Whether to add distillation heads and non-serving heads.
    """
    maker = LayerMaker(surface.model, surface.training.seed)
    inputs = {name: _input(name, feature) for name, feature in surface.features.items()}
    encoded = [
        maker.embedding(name, vocabulary_sizes[name], feature.embedding)(inputs[name])
        if feature.kind is FeatureKind.CATEGORICAL
        else inputs[name]
        for name, feature in surface.features.items()
    ]
    joined = keras.layers.Concatenate(name="features")(encoded) if len(encoded) > 1 else encoded[0]
    extra = list(surface.non_serving_heads) if distil else []
    trunk = build_trunk(surface.model, maker, joined, list(surface.tasks), extra)
    towers = {name: maker.stack(f"tower_{name}", surface.model.tower)(each) for name, each in trunk.of.items()}

    heads, logits = {}, {}
    for name, task in surface.tasks.items():
        statistics = label_statistics[name]
        serving = maker.head(SERVING_PREFIX + name, bias=_bias(task.kind, statistics))(towers[name])
        if distil and task.distil and task.distil.head is not Head.SHARED:
            soft = maker.head(DISTILLATION_PREFIX + name)(towers[name])
            heads[DISTILLATION_PREFIX + name] = soft
            if task.distil.head is Head.STACKED:
                serving = _stacked(name, serving, soft)
        heads[SERVING_PREFIX + name] = serving
        logits[name] = _in_label_unit(name, task.kind, statistics, serving)
    for name in extra:
        heads[DISTILLATION_PREFIX + name] = maker.head(DISTILLATION_PREFIX + name)(towers[name])
    for name, size in _representations(surface).items() if distil else ():
        learner = trunk.shared if name == TRUNK else towers[name]
        heads[REPRESENTATION_PREFIX + name] = maker.head(REPRESENTATION_PREFIX + name, size)(learner)

    served = {name: _served(name, surface.tasks[name].kind, logit) for name, logit in logits.items()}
    return Ranker(
        training=keras.Model(inputs, heads, name="training"),
        serving=keras.Model(inputs, served, name="serving"),
        logits=keras.Model(inputs, logits, name="logits"),
        trunk=keras.Model(inputs, trunk.shared, name="shared"),
    )


def _representations(surface: Surface) -> dict[str, int]:
    """The layers of the student that learn a layer of the teacher, and its width."""
    offered = surface.teacher_representations
    return {name: offered[each.source].size for name, each in surface.representations.items()}


def _stacked(name: str, serving: keras.KerasTensor, soft: keras.KerasTensor) -> keras.KerasTensor:
    """The serving head that also reads the distillation head's output, without teaching it.

    The added weight starts at 0, so that the student starts as its control does.
    """
    weight = keras.layers.Dense(
        1, use_bias=False, kernel_initializer="zeros", name=LAYER_PREFIX + STACKED_PREFIX + name
    )
    read = weight(keras.ops.stop_gradient(soft))
    return keras.layers.Add(name=f"{LAYER_PREFIX}{STACKED_PREFIX}{name}.sum")([serving, read])


def _input(name: str, feature: Feature) -> keras.KerasTensor:
    """A column: the tensor bears its name, by which models are called; the layer, which must not, another."""
    categorical = feature.kind is FeatureKind.CATEGORICAL
    shape, dtype = ((), "int64") if categorical else ((feature.size,), "float32")
    tensor = keras.Input(shape, dtype=dtype, name=input_layer(name))
    tensor.name = name
    return tensor


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
