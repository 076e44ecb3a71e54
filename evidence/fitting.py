"""Trains many small models: the Trainer's step, driven from data in memory.

The model, its losses, its optimizer and the step are those of `models`.  What differs from
the Trainer is what goes around the step: an epoch is one call into TensorFlow that gathers
its batches from tensors, and a traced graph is used again for every seed and arm of the
same structure, since tracing takes several times as long as training a model this small.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from contracts.heads import SERVING_PREFIX
from evidence.arms import Columns
from evidence.data import RunData
from models import inputs, training, warm_start
from models.batching import group_rows
from models.columns import GROUP_COLUMN, training_columns
from models.export import export_student
from models.ranker import Ranker, build
from models.terms import head_losses
from schema.errors import InputError
from schema.surface import Surface
from schema.training import EarlyStopping

_PREDICT_BATCH = 16_384


@dataclass(frozen=True)
class Fitted:
    """A trained model.

    Attributes:
      weights: Values of the ranker's variables, in their order.
      selection_loss: What the epoch was chosen by, on the held-out part of the training split.
      hard_loss: The hard loss there.
      task_losses: What it consists of, by task, before the tasks' weights.
      epoch: The epoch it came from, from 1.
    """

    weights: list[NDArray]
    selection_loss: float
    hard_loss: float
    task_losses: dict[str, float]
    epoch: int


class Fitter:
    """Fits models to one run's data, and keeps a graph a structure."""

    def __init__(self, data: RunData):
        self.data = data
        self._graphs: dict[tuple[str, bool], _Graph] = {}
        self._offered: dict[str, dict[str, warm_start.Embeddings]] = {}

    def fit(
        self,
        surface: Surface,
        columns: Columns,
        *,
        distil: bool,
        unlabelled: Columns | None = None,
        placebo: bool = False,
    ) -> Fitted:
        """Trains one model; its seed is the surface's.

        Models of the same seed see the same batches in the same order, and start from the
        same weights where they have the same layers.

        Args:
          surface: What to train, and how.
          columns: The training split's columns.
          distil: Whether to train distillation heads too.
          unlabelled: The same columns of pairs never shown, to train on beside.
          placebo: Whether a warm start deals the teacher's vectors out at random.
        """
        start = self._warm_start(surface, placebo) if distil else {}
        return self._graph(surface, distil).fit(surface, columns, unlabelled, start)

    def predict(self, surface: Surface, fitted: Fitted, columns: Columns, *, distil: bool) -> dict[str, NDArray]:
        """Logits of binary tasks and values of regression tasks, float [examples]."""
        return self._graph(surface, distil).predict(surface, fitted, columns)

    def export(self, surface: Surface, fitted: Fitted, transform_graph: str, out: str, *, distil: bool) -> None:
        """Writes a trained model as the Trainer does: the serving heads alone."""
        export_student(self._graph(surface, distil).ranker_of(fitted), surface, transform_graph, out)

    def _warm_start(self, surface: Surface, placebo: bool) -> dict[str, warm_start.Embeddings]:
        if not surface.warm_start:
            return {}
        if self.data.teacher_model is None:
            raise InputError(f"{self.data.name}: a warm start reads the teacher's model, and the run names none")
        key = str(surface.warm_start)
        if key not in self._offered:
            self._offered[key] = warm_start.read(surface, self.data.teacher_model)
        rng = np.random.default_rng(surface.training.seed)
        return {name: each.shuffled(rng) if placebo else each for name, each in self._offered[key].items()}

    def _graph(self, surface: Surface, distil: bool) -> _Graph:
        # These do not change the graph: they set initial values, a variable, and when to stop.
        around = {"seed": 0, "epochs": 1, "learning_rate": 1e-3, "early_stopping": EarlyStopping()}
        neutral = surface.training.model_copy(update=around)
        key = surface.model_copy(update={"training": neutral}).model_dump_json(), distil
        if key not in self._graphs:
            self._graphs[key] = _Graph(surface, self.data, distil)
        return self._graphs[key]


class _Graph:
    """The traced training of one model structure."""

    def __init__(self, surface: Surface, data: RunData, distil: bool):
        self._data = data
        self._distil = distil
        self._ranker = self._build(surface)
        self._terms = head_losses(surface, data.statistics, distil=distil)
        self._model = training.trainable(self._ranker, surface, self._terms)
        self._model.optimizer.build(self._model.trainable_variables)
        self._started = [variable.numpy() for variable in self._model.optimizer.variables]
        self._initial: dict[int, list[NDArray]] = {}
        self._epoch = tf.function(self._train, reduce_retracing=True)
        self._validate = tf.function(self._test, reduce_retracing=True)
        self._logits = tf.function(self._ranker.logits, reduce_retracing=True)
        self._names = [*surface.features, *training_columns(surface, distil=distil)]

    def fit(
        self,
        surface: Surface,
        columns: Columns,
        unlabelled: Columns | None,
        start: Mapping[str, warm_start.Embeddings],
    ) -> Fitted:
        data, labelled = self._data, {name: columns[name] for name in self._names}
        rows = len(next(iter(labelled.values())))
        every = labelled if unlabelled is None else inputs.stacked(labelled, unlabelled)
        tensors = {name: tf.constant(column) for name, column in every.items()}
        held_out = {name: tf.constant(column[data.held_out]) for name, column in labelled.items()}
        self._restart(surface)
        if start:
            warm_start.apply(self._ranker, surface, start, data.vocabularies)
        pool = np.arange(rows, len(next(iter(every.values()))))
        per_row = surface.unlabelled.per_row if surface.unlabelled and len(pool) else 0
        best: Fitted | None = None
        patience = surface.training.early_stopping.patience or surface.training.epochs
        for epoch in range(1, surface.training.epochs + 1):
            order = self._order(surface, columns, epoch - 1)
            # Draws of their own, so that the labelled rows are those of an arm without unlabelled ones.
            draws = np.random.default_rng([surface.training.seed, epoch - 1, 1])
            extra = draws.choice(pool, per_row * len(order)) if per_row else pool
            self._epoch(tensors, *map(tf.constant, (order, extra)), *_int64(surface.training.batch_size, per_row))
            found = self._measured(surface, held_out, epoch)
            if best is None or found.selection_loss < best.selection_loss:
                best = replace(found, weights=[variable.numpy() for variable in self._variables()])
            if epoch - best.epoch >= patience:
                break
        if best is None or not np.isfinite(best.selection_loss):
            raise RuntimeError(
                f"training diverged: the hard loss on the held-out rows is not finite (seed {surface.training.seed})"
            )
        return best

    def ranker_of(self, fitted: Fitted) -> Ranker:
        """The ranker with these weights, until the next model is fitted."""
        _assign(self._variables(), fitted.weights)
        return self._ranker

    def _order(self, surface: Surface, columns: Columns, epoch: int) -> NDArray[np.int64]:
        rng = np.random.default_rng([surface.training.seed, epoch])
        if surface.training.batch_by == "group":
            return group_rows(columns[GROUP_COLUMN], self._data.fitted).shuffled(rng)
        return rng.permutation(self._data.fitted)

    def _measured(self, surface: Surface, held_out: Mapping[str, tf.Tensor], epoch: int) -> Fitted:
        """The losses of an epoch, without weights."""
        losses = {name: float(value) for name, value in self._validate(held_out).items()}
        return Fitted(
            weights=[],
            selection_loss=training.selection_loss(self._terms, losses, surface.training.early_stopping.by),
            hard_loss=losses[training.HARD_LOSS],
            task_losses={task: losses[SERVING_PREFIX + task] for task in surface.tasks},
            epoch=epoch,
        )

    def predict(self, surface: Surface, fitted: Fitted, columns: Columns) -> dict[str, NDArray]:
        _assign(self._variables(), fitted.weights)
        features = {name: columns[name] for name in surface.features}
        count = len(next(iter(features.values())))
        parts = [
            self._logits({name: tf.constant(column[at : at + _PREDICT_BATCH]) for name, column in features.items()})
            for at in range(0, count, _PREDICT_BATCH)
        ]
        return {task: np.concatenate([part[task].numpy() for part in parts]) for task in surface.tasks}

    def _train(
        self, tensors: Mapping[str, tf.Tensor], order: tf.Tensor, extra: tf.Tensor, batch: tf.Tensor, per_row: tf.Tensor
    ) -> None:
        count = tf.size(order, tf.int64)
        for step in tf.range((count + batch - 1) // batch):
            start, end = step * batch, tf.minimum((step + 1) * batch, count)
            rows = tf.concat([order[start:end], extra[per_row * start : per_row * end]], axis=0)
            self._model.train_step(inputs.split_labels({name: tf.gather(each, rows) for name, each in tensors.items()}))

    def _test(self, tensors: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        self._model.reset_metrics()
        return self._model.test_step(inputs.split_labels(tensors))

    def _restart(self, surface: Surface) -> None:
        """Sets all state as a newly built model of this seed has it."""
        seed = surface.training.seed
        if seed not in self._initial:
            fresh = self._build(surface)
            self._initial[seed] = [variable.numpy() for variable in fresh.training.variables]
        _assign(self._variables(), self._initial[seed])
        for log_variance in self._model.log_variances.values():
            log_variance.assign(0.0)
        _assign(self._model.optimizer.variables, self._started)
        self._model.optimizer.learning_rate.assign(surface.training.learning_rate)

    def _variables(self) -> list[keras.Variable]:
        return self._ranker.training.variables

    def _build(self, surface: Surface) -> Ranker:
        sizes = self._data.vocabulary_sizes
        return build(surface, sizes, self._data.statistics, distil=self._distil)


def _int64(*numbers: int) -> list[tf.Tensor]:
    return [tf.constant(number, tf.int64) for number in numbers]


def _assign(variables: list[keras.Variable], values: list[NDArray]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
