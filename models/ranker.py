"""The multi-task ranker: a shared trunk, one tower per task, and the heads.

`build` makes the student, and without distillation the control; the reference teacher is
the same architecture, larger.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import keras

from contracts.heads import (
    ADAPTED_PREFIX,
    DISTILLATION_PREFIX,
    LAYER_PREFIX,
    REPRESENTATION_PREFIX,
    SERVING_PREFIX,
    STACKED_PREFIX,
)
from models import own_code
from models.columns import history_column, serving_columns
from models.encoding import Encoded, encode
from models.interactions import joined
from models.layers import LayerMaker, LessGradient
from models.precision import policy_of
from models.scales import LabelStatistics
from models.trunks import build_trunk, own_trunk
from schema.base import TaskKind
from schema.classes import mapping_of
from schema.distillation import TRUNK, Head
from schema.surface import Surface, Task

# Rates of labels are taken for no less, so that their logits are finite.
_LEAST_RATE = 1e-6


@dataclass(frozen=True)
class Ranker:
    """A built ranker.

    Attributes:
      training: Transformed features to the raw output of every head, float [batch, 1]:
        logits for binary tasks, z-scores for regression tasks and for soft labels of both;
        float [batch, classes], logits, for multiclass tasks and their soft labels; and float
        [batch, size] for representations of the teacher.
      serving: The serving heads alone, by task, float [batch]: probabilities for binary
        tasks, values in the label's unit for regression tasks; float [batch, classes],
        probabilities, for multiclass tasks.
      logits: Like `serving`, with logits in place of probabilities; what a teacher serves.
      trunk: What all tasks share, float [batch, width].
      vectors: The widths of the vectors that lie side by side below the trunk, by name.
      first: The paths of the kernels that read these vectors and nothing else, row by row.
    """

    training: keras.Model
    serving: keras.Model
    logits: keras.Model
    trunk: keras.Model
    vectors: Mapping[str, int]
    first: tuple[str, ...]


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
      vocabulary_sizes: Rows of each embedding, out-of-vocabulary included; see `models.vocabulary.sizes`.
      label_statistics: The label statistics of each task, for output bias and scale.
      distil: Whether to add distillation heads and non-serving heads.
    """
    maker = LayerMaker(surface.model, surface.training.seed, policy_of(surface.training))
    encoded = encode(surface, vocabulary_sizes, maker)
    body = _body(surface, vocabulary_sizes, maker, encoded, distil=distil)

    heads: dict[str, keras.KerasTensor] = {}
    own, logits = {}, {}
    for name, task in surface.tasks.items():
        serving = body.serving.get(name)
        if serving is None:
            bias = _bias(surface, name, label_statistics)
            serving = maker.head(SERVING_PREFIX + name, task.size, bias)(body.learners[name])
        if distil and task.distil:
            serving = _distilled(surface, name, maker, body, serving, heads)
        own[name] = serving
    for name, serving in _given(surface, own).items():
        heads[SERVING_PREFIX + name] = _biased(surface, name, maker, encoded, serving)
        logits[name] = _in_label_unit(name, surface.tasks[name], label_statistics[name], serving)
    for name in surface.non_serving_heads if distil else ():
        head = maker.head(DISTILLATION_PREFIX + name, _soft_size(surface, name))
        heads[DISTILLATION_PREFIX + name] = head(body.soft[name])
    for name, size in _representations(surface).items() if distil else ():
        learner = body.shared if name == TRUNK else body.learners[name]
        heads[REPRESENTATION_PREFIX + name] = maker.head(REPRESENTATION_PREFIX + name, size)(learner)

    served = {name: _served(name, surface.tasks[name].kind, logit) for name, logit in logits.items()}
    training = keras.Model(encoded.inputs, heads, name="training")
    return Ranker(
        training=training,
        serving=_serving(surface, encoded, served, "serving"),
        logits=_serving(surface, encoded, logits, "logits"),
        trunk=_serving(surface, encoded, body.shared, "shared"),
        vectors={name: int(vector.shape[-1]) for name, vector in encoded.vectors.items()},
        first=() if surface.model.interactions else _kernels_reading(training, body.features),
    )


def _serving(surface: Surface, encoded: Encoded, outputs: Any, name: str) -> keras.Model:
    """A model of what a server has: embeddings where training has embeddings with histories, and no layer of these."""
    inputs = {column: encoded.inputs[column] for column in serving_columns(surface)}
    if encoded.alone:
        # Whatever lies above reads the sums; from them on the layers are the same.
        above = {column: tensor for column, tensor in inputs.items() if column not in encoded.alone}
        sums = {history_column(each): encoded.vectors[each] for each in encoded.alone}
        alone = {history_column(each): vector for each, vector in encoded.alone.items()}
        outputs = keras.Model({**above, **sums}, outputs, name=f"{name}_above")({**above, **alone})
    return keras.Model(inputs, outputs, name=name)


def _kernels_reading(model: keras.Model, features: keras.KerasTensor | None) -> tuple[str, ...]:
    """The paths of the kernels that are multiplied with `features`; none where the model is the user's own."""
    if features is None:
        return ()
    readers = [
        layer
        for layer in model.layers
        for node in layer._inbound_nodes
        if any(each is features for each in node.input_tensors)
    ]
    return tuple(next(w.path for w in each.weights if len(w.shape) == 2) for each in readers if each.weights)


@dataclass(frozen=True)
class _Body:
    """What heads stand on.

    Attributes:
      learners: What the heads of each task and non-serving head read, float [batch, width].
      shared: What all tasks share, float [batch, width].
      serving: The serving heads' output where it is the user's own, float [batch, 1].
      soft: What their distillation heads read: the same, unless they have a tower of their own or pass less of
        their gradient on.
      features: What the trunk reads, float [batch, width]; None where the trunk is the user's own.
    """

    learners: Mapping[str, keras.KerasTensor]
    shared: keras.KerasTensor
    serving: Mapping[str, keras.KerasTensor]
    soft: Mapping[str, keras.KerasTensor]
    features: keras.KerasTensor | None = None


def _body(surface: Surface, rows: Mapping[str, int], maker: LayerMaker, encoded: Encoded, *, distil: bool) -> _Body:
    """Trunk and towers, or the user's own model."""
    extra = list(surface.non_serving_heads) if distil else []
    if surface.student is not None:
        serving, learners = own_code.student(surface, rows, encoded.inputs)
        shared = learners.get(TRUNK)
        if shared is None:
            shared = keras.layers.Concatenate(name="own_outputs")(list(serving.values()))
        less = {name: _less(surface, name)(each) for name, each in learners.items()}
        return _Body(learners, shared, serving, less)
    features = None if surface.trunk is not None else joined(surface.model, maker, encoded)
    trunk = (
        own_trunk(surface, encoded.vectors, extra)
        if features is None
        else build_trunk(surface.model, maker, features, list(surface.tasks), extra)
    )
    stacks = {name: maker.stack(f"tower_{name}", surface.model.tower) for name in trunk.of}
    towers = {name: stacks[name](each) for name, each in trunk.of.items()}
    soft = dict(towers)
    for name, each in surface.distillations().items() if distil else ():
        own = each.tower == "own" and name in surface.tasks
        if own or each.trunk_gradient < 1:
            tower = maker.stack(f"distillation_tower_{name}", surface.model.tower) if own else stacks[name]
            soft[name] = tower(_less(surface, name)(trunk.of[name]))
    return _Body(towers, trunk.shared, {}, soft, features)


def _less(surface: Surface, name: str) -> Callable[[keras.KerasTensor], keras.KerasTensor]:
    """Passes on as much of the gradient as a distillation gives to what lies below; the same tensor if it is all."""
    distillation = surface.distillations().get(name)
    share = 1.0 if distillation is None else distillation.trunk_gradient
    return LessGradient(share, name=f"less_gradient_{name}") if share < 1 else lambda tensor: tensor


def _distilled(
    surface: Surface,
    name: str,
    maker: LayerMaker,
    body: _Body,
    serving: keras.KerasTensor,
    heads: dict[str, keras.KerasTensor],
) -> keras.KerasTensor:
    """Adds the heads of a task's distillation to `heads`, and returns the serving head, which may read one of them."""
    task, distillation = surface.tasks[name], surface.distillations()[name]
    if distillation.adapter is not None:
        heads[ADAPTED_PREFIX + name] = maker.head(ADAPTED_PREFIX + name, task.size)(body.soft[name])
    if distillation.head is Head.SHARED:
        return serving
    head = maker.head(DISTILLATION_PREFIX + name, _soft_size(surface, name))
    heads[DISTILLATION_PREFIX + name] = head(body.soft[name])
    if distillation.head is not Head.STACKED:
        return serving
    # What serves reads the tower as it is: how much gradient is passed on is none of its business.
    soft = heads[DISTILLATION_PREFIX + name] if distillation.trunk_gradient == 1 else head(body.learners[name])
    return _stacked(name, serving, soft, task.size)


class _Both(keras.layers.Layer):
    """The logit of the product of two probabilities, of their logits."""

    def call(self, first: keras.KerasTensor, second: keras.KerasTensor) -> keras.KerasTensor:
        log_product = keras.ops.log_sigmoid(first) + keras.ops.log_sigmoid(second)
        # log(p / (1 - p)); of a p that float32 cannot tell from 1 the logit is that of the largest it can.
        log_product = keras.ops.minimum(log_product, -1e-6)
        return log_product - keras.ops.log(-keras.ops.expm1(log_product))


def _given(surface: Surface, own: Mapping[str, keras.KerasTensor]) -> dict[str, keras.KerasTensor]:
    """The logit of each task, of it and of all that must be for it to be."""
    found: dict[str, keras.KerasTensor] = {}

    def of(name: str) -> keras.KerasTensor:
        parent = surface.tasks[name].given
        if name not in found:
            found[name] = own[name] if parent is None else _Both(name=f"given_{name}.sum")(own[name], of(parent))
        return found[name]

    return {name: of(name) for name in own}


def _biased(
    surface: Surface, name: str, maker: LayerMaker, encoded: Encoded, serving: keras.KerasTensor
) -> keras.KerasTensor:
    """The serving head's output as training sees it: with what the bias features add."""
    model, features, size = surface.model, surface.tasks[name].bias, surface.tasks[name].size
    if not features:
        return serving
    read = [
        maker.feature_dropout(f"bias_{name}.dropout_{index}", model.bias_dropout)(encoded.bias[each])
        for index, each in enumerate(features)
    ]
    beside = keras.layers.Concatenate(name=f"bias_{name}.features")(read) if len(read) > 1 else read[0]
    tower = maker.stack(f"bias_{name}", model.bias_tower)(beside)
    return keras.layers.Add(name=f"bias_{name}.sum")([serving, maker.dense(f"bias_{name}.logit", size, None)(tower)])


def _soft_size(surface: Surface, name: str) -> int:
    """How many numbers a distillation head says: of a multiclass task one for each class that is compared."""
    mapping = mapping_of(surface, name)
    return 1 if mapping is None else mapping.size


def _representations(surface: Surface) -> dict[str, int]:
    """The layers of the student that learn a layer of the teacher, and its width."""
    offered = surface.teacher_representations
    return {name: offered[each.source].size for name, each in surface.representations.items()}


def _stacked(name: str, serving: keras.KerasTensor, soft: keras.KerasTensor, size: int) -> keras.KerasTensor:
    """The serving head that also reads the distillation head's output, without teaching it.

    The added weight starts at 0, so that the student starts as its control does.
    """
    weight = keras.layers.Dense(
        size, use_bias=False, kernel_initializer="zeros", name=LAYER_PREFIX + STACKED_PREFIX + name
    )
    read = weight(keras.ops.stop_gradient(soft))
    return keras.layers.Add(name=f"{LAYER_PREFIX}{STACKED_PREFIX}{name}.sum")([serving, read])


def _bias(surface: Surface, name: str, statistics: Mapping[str, LabelStatistics]) -> float | list[float]:
    """Initial bias of a head: the logit of the base rate, or of that given the other task; a z-score starts at 0.

    Of classes it is the log of each one's share, whose softmax are the shares.
    """
    task = surface.tasks[name]
    if task.kind is TaskKind.MULTICLASS:
        shares = statistics[name].shares or (1 / task.size,) * task.size
        return [math.log(max(share, _LEAST_RATE)) for share in shares]
    if task.kind is TaskKind.REGRESSION:
        return 0.0
    whole = 1.0 if task.given is None else max(statistics[task.given].mean, _LEAST_RATE)
    rate = min(max(statistics[name].mean / whole, _LEAST_RATE), 1 - _LEAST_RATE)
    return math.log(rate / (1 - rate)) + statistics[name].unsampled


def _in_label_unit(name: str, task: Task, statistics: LabelStatistics, head: keras.KerasTensor) -> keras.KerasTensor:
    if task.kind is TaskKind.MULTICLASS:
        return head
    flat = keras.layers.Reshape((), name=f"flat_{name}")(head)
    if task.kind is TaskKind.BINARY:
        shift = task.sampled.shift if task.sampled else 0.0
        return keras.layers.Rescaling(1.0, offset=shift, name=f"unsampled_{name}")(flat) if shift else flat
    learned = keras.layers.Rescaling(statistics.std, offset=statistics.mean, name=f"unit_{name}")(flat)
    if task.transform == "log1p":
        return keras.layers.Activation(keras.ops.expm1, name=f"counted_{name}")(learned)
    return learned


def _served(name: str, kind: TaskKind, logit: keras.KerasTensor) -> keras.KerasTensor:
    if kind is TaskKind.BINARY:
        return keras.layers.Activation("sigmoid", name=f"probability_{name}")(logit)
    if kind is TaskKind.MULTICLASS:
        return keras.layers.Activation("softmax", name=f"probability_{name}")(logit)
    return logit
