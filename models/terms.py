"""What each head is trained on: the surface's tasks and distillations as terms of one loss."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import tensorflow as tf

from contracts.heads import ADAPTED_PREFIX, DISTILLATION_PREFIX, REPRESENTATION_PREFIX, SERVING_PREFIX
from models import losses, own_code
from models.columns import (
    GROUP_COLUMN,
    WEIGHT_COLUMN,
    adapted_columns,
    hard_label_columns,
    reliability_columns,
    representation_columns,
    sampling_columns,
    soft_label_columns,
    soft_weight_columns,
    task_weight_columns,
)
from models.comparable import Affine, Chosen, Merged, Scale, Steps, learned
from models.scales import LabelStatistics
from schema.base import TaskKind
from schema.classes import ClassMapping, mapping_of
from schema.distillation import Distillation, Head, Loss, Schedule
from schema.surface import Surface, Task

# By how soft labels are compared; those not on z-scores take a temperature.
_LOSSES: dict[Loss, Callable[..., Any]] = {
    Loss.MSE: losses.squared_error,
    Loss.HUBER: losses.huber,
    Loss.BCE: losses.tempered_cross_entropy,
    Loss.KL: losses.tempered_divergence,
    Loss.PAIRWISE: losses.pairwise_logistic,
    Loss.LISTWISE: losses.listwise_softmax,
}


@dataclass(frozen=True)
class HeadLoss:
    """What one head is trained on: a pure loss between a column and the head's output.

    Attributes:
      name: The name of the loss, in histories.
      head: Name of the head in `Ranker.training`'s outputs.
      column: The label's column; NaN where absent.
      weight: Weight in the total loss.
      loss: The loss of (labels, outputs), float [batch] each: per example, or, if it `ranks`, of
        (labels, outputs, groups, present) and already reduced.
      labels: Brings labels to the scale on which they are compared; None for as they are.
      outputs: The same for the head's output.
      soft: Whether the labels come from the teacher.
      ranks: Whether it compares rows of a group.
      vector: Whether labels and output are float [batch, size], and absent if any part is.
      classes: Whether the output is float [batch, classes], and a label the place of one of them.
      regression: Whether it is a squared error, for uncertainty weights.
      constant: A hard loss's value when the best constant is predicted.
      schedule: How the weight is reached.
      weights: Column with weights of examples in this loss alone; None for none.
      reliability: Column with what the loss of each example is multiplied by, before the mean; None for nothing.
      sampling: Column with what is added to logits, the head's and a teacher's alike, to bring them to the
        sampled examples on which they are compared; None for nothing.
    """

    name: str
    head: str
    column: str
    weight: float
    loss: Callable[..., Any]
    labels: Scale | None = None
    outputs: Scale | None = None
    soft: bool = False
    ranks: bool = False
    vector: bool = False
    classes: bool = False
    regression: bool = False
    constant: float = 1.0
    schedule: Schedule | None = None
    weights: str | None = None
    sampling: str | None = None
    reliability: str | None = None

    def __call__(self, columns: Mapping[str, tf.Tensor], outputs: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """The masked mean loss of a batch, before `weight`; a scalar."""
        labels, present = self.labelled(columns)
        weights = self.example_weights(columns)
        if self.ranks:
            return self.loss(
                *self._compared(labels, outputs, columns), columns[GROUP_COLUMN], present, example_weights=weights
            )
        return losses.masked_mean(self.per_example(labels, outputs, columns), present, weights)

    def example_weights(self, columns: Mapping[str, tf.Tensor]) -> tf.Tensor | None:
        """The weights of the examples, float [batch]: the surface's times the loss's own; None if all weigh alike."""
        found = [columns[name] for name in (WEIGHT_COLUMN, self.weights) if name is not None and name in columns]
        return math.prod(found[1:], start=found[0]) if found else None

    def labelled(self, columns: Mapping[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        """Labels without NaN, and which rows the loss is of, bool [batch]."""
        labels, present = losses.split_absent(columns[self.column])
        if self.vector:
            present = tf.reduce_all(present, axis=-1)
        if self.ranks:
            present &= columns[GROUP_COLUMN] >= 0
        return labels, present

    @property
    def pointwise(self) -> bool:
        """Whether the loss is of one label for each example."""
        return not (self.ranks or self.vector)

    def per_example(
        self, labels: tf.Tensor, outputs: Mapping[str, tf.Tensor], columns: Mapping[str, tf.Tensor]
    ) -> tf.Tensor:
        """The loss of every example, float [batch], of labels without NaN; not of a loss that `ranks`."""
        found = self.loss(*self._compared(labels, outputs, columns))
        # Not a weight: a mean that is divided by them would not notice that none can be relied on.
        return found if self.reliability is None else found * columns[self.reliability]

    def _compared(
        self, labels: tf.Tensor, outputs: Mapping[str, tf.Tensor], columns: Mapping[str, tf.Tensor]
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Labels and the head's output, on the scale on which they are compared."""
        output = outputs[self.head] if self.vector or self.classes else tf.reshape(outputs[self.head], [-1])
        labels = labels if self.labels is None else self.labels(labels)
        output = output if self.outputs is None else self.outputs(output)
        if self.sampling is None:
            return labels, output
        return (labels + columns[self.sampling] if self.soft else labels), output + columns[self.sampling]

    def weight_at(self, step: tf.Tensor) -> Any:
        """The weight at a training step; a number, or a scalar tensor if it moves."""
        if self.schedule is None:
            return self.weight
        return losses.scheduled(self.schedule.start, self.weight, self.schedule.steps, step)


def mean_losses(
    terms: Sequence[HeadLoss], columns: Mapping[str, tf.Tensor], outputs: Mapping[str, tf.Tensor]
) -> list[tf.Tensor]:
    """What every term gives for a batch, scalars; those of one number for each example are masked and reduced together.

    A step of a small model is bound by the number of TensorFlow's operations: the mask and
    the mean of one head cost as many as those of all heads side by side.
    """
    together = [each for each in terms if each.pointwise]
    labels, present = losses.split_absent(tf.stack([columns[each.column] for each in together]))
    per_example = [
        each.per_example(label, outputs, columns) for each, label in zip(together, tf.unstack(labels), strict=True)
    ]
    means = losses.masked_mean(tf.stack(per_example), present, _weights_of(together, columns))
    found = dict(zip([each.name for each in together], tf.unstack(means), strict=True))
    return [found[each.name] if each.pointwise else each(columns, outputs) for each in terms]


def _weights_of(terms: Sequence[HeadLoss], columns: Mapping[str, tf.Tensor]) -> tf.Tensor | None:
    """Weights of examples, float [batch] if all terms have the same ones, and else [terms, batch]."""
    if not any(each.weights in columns for each in terms):
        return columns.get(WEIGHT_COLUMN)
    found = [each.example_weights(columns) for each in terms]
    ones = tf.ones_like(columns[terms[0].column])
    return tf.stack([ones if each is None else each for each in found])


def weighed_losses(
    terms: Sequence[HeadLoss], columns: Mapping[str, tf.Tensor], outputs: Mapping[str, tf.Tensor]
) -> tuple[tf.Tensor, tf.Tensor]:
    """What every term gives for a batch, and how much of it that is: means over several batches are weighed by it.

    Returns:
      The losses, float [terms], and the weights of the rows that each is of, float [terms].
      A ranking loss is a mean over pairs or lists; it is weighed by its rows nevertheless.
    """
    weights = [tf.cast(each.labelled(columns)[1], tf.float32) for each in terms]
    examples = [each.example_weights(columns) for each in terms]
    weights = [each if example is None else each * example for each, example in zip(weights, examples, strict=True)]
    return tf.stack(mean_losses(terms, columns, outputs)), tf.stack([tf.reduce_sum(each) for each in weights])


def head_losses(surface: Surface, statistics: Mapping[str, LabelStatistics], *, distil: bool) -> list[HeadLoss]:
    """The loss of every head of the surface's ranker.

    Args:
      surface: The surface.
      statistics: The statistics of hard labels by task, and of soft labels by column where their loss
        needs the teacher's scale.
      distil: Whether the distillation losses are among them.
    """
    found = [_hard(surface, name, statistics[name]) for name in surface.tasks]
    if distil:
        found += [_soft(surface, name, each, statistics) for name, each in surface.distillations().items()]
        found += [_adapted(surface, name) for name in adapted_columns(surface)]
        found += [_representation(surface, name) for name in surface.representations]
    return found


def _hard(surface: Surface, name: str, statistics: LabelStatistics) -> HeadLoss:
    task = surface.tasks[name]
    return HeadLoss(
        name=SERVING_PREFIX + name,
        head=SERVING_PREFIX + name,
        column=hard_label_columns(surface)[name],
        weight=task.weight,
        loss=_hard_loss(task),
        labels=learned(task, statistics) if task.kind is TaskKind.REGRESSION else None,
        classes=task.kind is TaskKind.MULTICLASS,
        regression=task.kind is TaskKind.REGRESSION,
        constant=_constant_loss(task, statistics),
        weights=task_weight_columns(surface).get(name),
        sampling=sampling_columns(surface).get(name),
    )


def _hard_loss(task: Task) -> Callable[..., Any]:
    if task.kind is TaskKind.REGRESSION:
        return losses.huber if task.loss == "huber" else losses.squared_error
    if task.kind is TaskKind.MULTICLASS:
        return losses.softmax_cross_entropy
    if task.label_smoothing or task.positive_weight != 1.0:
        return partial(
            losses.smoothed_cross_entropy, smoothing=task.label_smoothing, positive_weight=task.positive_weight
        )
    return losses.binary_cross_entropy


def _constant_loss(task: Task, statistics: LabelStatistics) -> float:
    """The hard loss of the best constant, for z-scored labels that of their mean."""
    if task.kind is TaskKind.REGRESSION:
        return 1.0
    if task.kind is TaskKind.MULTICLASS:
        return sum(-share * math.log(share) for share in statistics.shares if share) or 1.0
    rate, weight = statistics.mean, task.positive_weight
    if not 0 < rate < 1:
        return 1.0
    # Each label is a distribution over both classes, weighed by whether it came as positive.
    smoothed = [label * (1 - task.label_smoothing) + task.label_smoothing / 2 for label in (0.0, 1.0)]
    shares = [1 - rate, weight * rate]
    best = sum(share * label for share, label in zip(shares, smoothed, strict=True)) / sum(shares)
    return sum(shares) * _entropy(best)


def _soft(
    surface: Surface, name: str, distillation: Distillation, statistics: Mapping[str, LabelStatistics]
) -> HeadLoss:
    """Compared as z-scores by `mse` and `huber`, and else on the teacher's own scale, if that is a logit's.

    A distillation head's output is a z-score in every case, so that it starts in the middle
    of the teacher's logits; where logits are compared, it is brought to their scale.
    """
    mapping = mapping_of(surface, name)
    if mapping is not None:
        return _soft_of_classes(surface, name, distillation, mapping)
    column = soft_label_columns(surface)[name]
    shared = distillation.head is Head.SHARED
    scale: Scale | None = _teacher_scale(surface, distillation, statistics.get(column))
    labels: Scale | None = scale
    if shared and scale is not None and surface.tasks[name].kind is TaskKind.REGRESSION:
        labels = Steps((scale, learned(surface.tasks[name], statistics[name])))
    elif scale is not None and (sampled := _sampling(surface, name)) is not None:
        labels, scale = Steps((scale, sampled)), Steps((scale, sampled))
    return HeadLoss(
        name=DISTILLATION_PREFIX + name,
        head=(SERVING_PREFIX if shared else DISTILLATION_PREFIX) + name,
        column=column,
        weight=distillation.weight,
        loss=_loss(distillation),
        labels=labels,
        outputs=None if shared else scale,
        soft=True,
        ranks=distillation.loss.ranks,
        regression=distillation.loss.on_z_scores,
        schedule=distillation.schedule,
        # Squared distances and differences within a group are the same without it, up to what was added.
        sampling=sampling_columns(surface).get(name) if distillation.loss.tempered else None,
        weights=soft_weight_columns(surface).get(name),
        reliability=reliability_columns(surface).get(name),
    )


def _soft_of_classes(surface: Surface, name: str, distillation: Distillation, mapping: ClassMapping) -> HeadLoss:
    """Compared as distributions over the classes that teacher and student both know."""
    shared = distillation.head is Head.SHARED
    return HeadLoss(
        name=DISTILLATION_PREFIX + name,
        head=(SERVING_PREFIX if shared else DISTILLATION_PREFIX) + name,
        column=soft_label_columns(surface)[name],
        weight=distillation.weight,
        loss=partial(losses.tempered_class_divergence, temperature=distillation.temperature),
        labels=Merged(mapping.teacher),
        # A distillation head has these classes alone.
        outputs=Chosen(mapping.student) if shared and not mapping.whole else None,
        soft=True,
        vector=True,
        schedule=distillation.schedule,
        weights=soft_weight_columns(surface).get(name),
        reliability=reliability_columns(surface).get(name),
    )


def _adapted(surface: Surface, name: str) -> HeadLoss:
    """What the adapter says is learned by a head of its own: it is on another scale than the teacher's logits.

    Log odds are compared as they are, since cross-entropy's gradient is as small as events are rare.
    """
    task, adapter = surface.tasks[name], surface.distillations()[name].adapter
    classes = task.kind is TaskKind.MULTICLASS
    return HeadLoss(
        name=ADAPTED_PREFIX + name,
        head=ADAPTED_PREFIX + name,
        column=adapted_columns(surface)[name],
        weight=adapter.weight if adapter else 0.0,
        loss=partial(losses.tempered_class_divergence, temperature=1.0) if classes else losses.squared_error,
        soft=True,
        vector=classes,
        regression=not classes,
        weights=soft_weight_columns(surface).get(name),
    )


def _sampling(surface: Surface, name: str) -> Affine | None:
    """Brings a logit to what it is among the sampled examples, on which heads learn; None where all are there.

    Rec-Distill (arXiv:2605.29755), equations 12 to 14: the teacher's raw logit goes through the
    student's own correction before the two are compared.
    """
    task = surface.tasks.get(name)
    return Affine(1.0, -task.sampled.shift) if task is not None and task.sampled and task.sampled.negatives else None


def _loss(distillation: Distillation) -> Callable[..., Any]:
    if distillation.function is not None:
        return own_code.load(distillation.function, "loss")
    loss = _LOSSES[distillation.loss]
    return loss if distillation.loss.on_z_scores else partial(loss, temperature=distillation.temperature)


def _representation(surface: Surface, name: str) -> HeadLoss:
    representation = surface.representations[name]
    return HeadLoss(
        name=REPRESENTATION_PREFIX + name,
        head=REPRESENTATION_PREFIX + name,
        column=representation_columns(surface)[name],
        weight=representation.weight,
        loss=losses.squared_distance,
        soft=True,
        vector=True,
        regression=True,
        schedule=representation.schedule,
    )


def needs_scale(surface: Surface, distillation: Distillation) -> bool:
    """Whether a distillation compares on the teacher's own scale rather than as z-scores.

    Ranking losses do so for logits, whose differences are log odds; a regression's value
    has an arbitrary unit, and its z-score is taken.  Logits of classes are never z-scored.
    """
    if surface.teacher_tasks[distillation.teacher_task].kind is TaskKind.MULTICLASS:
        return False
    if distillation.loss.ranks:
        return surface.teacher_tasks[distillation.teacher_task].kind is TaskKind.BINARY
    return distillation.loss.tempered or distillation.head is Head.SHARED


def scaled_columns(surface: Surface) -> list[str]:
    """The soft-label columns whose mean and standard deviation some distillation needs."""
    columns = soft_label_columns(surface)
    return sorted({columns[name] for name, each in surface.distillations().items() if needs_scale(surface, each)})


def _teacher_scale(surface: Surface, distillation: Distillation, statistics: LabelStatistics | None) -> Affine | None:
    if not needs_scale(surface, distillation):
        return None
    if statistics is None:
        raise ValueError(
            f"soft labels of {distillation.teacher_task!r}: loss {distillation.loss} with head {distillation.head} "
            "needs their mean and standard deviation; give those of models.scales.soft_statistics"
        )
    return Affine(statistics.std, statistics.mean)


def _entropy(rate: float) -> float:
    """Cross-entropy of a rate between 0 and 1."""
    return -rate * math.log(rate) - (1 - rate) * math.log(1 - rate)
