"""Trains many small models: which data each sees, and what makes it fast.

The training is the Trainer's own, `models.training.Loop`.  What an experiment adds is that
a loop traced for one model is used again for every seed and arm of the same structure,
since tracing takes several times as long as training a model this small.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from contracts.heads import SERVING_PREFIX
from contracts.history import HARD_LOSS, SELECTION_LOSS, VALIDATION_PREFIX
from evidence.arms import Columns
from evidence.data import RunData
from models import continuing, histories, pretrained, trust, warm_start
from models.batching import split
from models.columns import (
    NO_PERIOD,
    PERIOD_COLUMN,
    input_columns,
    serving_columns,
    soft_label_columns,
    training_columns,
)
from models.devices import device_of
from models.epochs import InMemory
from models.export import export_student
from models.precision import in_full
from models.ranker import Ranker, build
from models.scales import LabelStatistics
from models.terms import head_losses
from models.training import Fit, Loop, assign
from schema.errors import InputError
from schema.surface import Surface
from schema.training import EarlyStopping, Model, Training

Statistics = Mapping[str, LabelStatistics]

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
      statistics: The statistics of labels with which it was learned, where they are not those of the data.
      seconds: What the training took, with the tracing of a structure's first one.
    """

    weights: list[NDArray[Any]]
    selection_loss: float
    hard_loss: float
    task_losses: dict[str, float]
    epoch: int
    statistics: Statistics | None = None
    seconds: float = 0.0


@dataclass(frozen=True)
class GoingOn:
    """A training that goes on from an earlier one, and leaves what later ones go on from.

    Attributes:
      start: What it starts from.
      out: The folder for what it leaves.
    """

    start: continuing.Start
    out: str


class Fitter:
    """Fits models to one run's data, and keeps a traced loop for each structure."""

    def __init__(self, data: RunData):
        self.data = data
        self._structures: dict[tuple[str, bool, str], _Structure] = {}
        self._offered: dict[str, dict[str, warm_start.Embeddings]] = {}
        self._trust: dict[str, tuple[Columns, Columns]] = {}
        self._ids: dict[tuple[str, ...], dict[str, NDArray[np.bool_]]] = {}

    def fit(
        self,
        surface: Surface,
        columns: Columns,
        *,
        distil: bool,
        unlabelled: Columns | None = None,
        placebo: bool = False,
        going_on: GoingOn | None = None,
        fold: int = 0,
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
          going_on: What the surface continues from, if it does.
          fold: Which part of the training split is held out; 0 is the Trainer's own.

        Raises:
          InputError: A loss is not finite, a warm start has no teacher, or there are too few labels to tell how
            far a teacher can be trusted.
        """
        surface = surface.of_arm(distil=distil)
        start = self._warm_start(surface, placebo) if distil else {}
        pairs = unlabelled if surface.unlabelled else None
        fitted, held_out = self._rows(surface, fold)
        trusts = distil and surface.trusted
        of_rows, of_pairs = self._trusted(surface, columns, fitted, pairs) if trusts else ({}, {})
        past = self._histories(surface, columns, pairs)
        names = [*input_columns(surface), *training_columns(surface, distil=distil), *of_rows]
        pairs = None if pairs is None else {**pairs, **of_pairs, **past.pairs}
        data = InMemory(
            {name: {**columns, **of_rows, **past.rows}[name] for name in names},
            fitted,
            held_out,
            surface.training,
            unlabelled=pairs,
            per_row=surface.unlabelled.per_row if surface.unlabelled and pairs is not None else 0,
        )
        statistics = continuing.scales(surface, going_on.start, self.data.statistics) if going_on else None
        structure = self._structure(surface, distil, statistics)
        began = time.monotonic()
        fit = structure.fit(surface, data, start, past.tables, going_on)
        return _fitted(surface, fit, statistics, time.monotonic() - began)

    def _rows(self, surface: Surface, fold: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        if not fold:
            return self.data.fitted, self.data.held_out
        rows = len(self.data.fitted) + len(self.data.held_out)
        return split(rows, surface.training, fold)

    def predict(self, surface: Surface, fitted: Fitted, columns: Columns, *, distil: bool) -> dict[str, NDArray[Any]]:
        """Logits of binary tasks and values of regression tasks, float [examples]."""
        surface = surface.of_arm(distil=distil)
        return self._structure(surface, distil, fitted.statistics).predict(surface, fitted, columns)

    def export(self, surface: Surface, fitted: Fitted, transform_graph: str, out: str, *, distil: bool) -> None:
        """Writes a trained model as the Trainer does: the serving heads alone."""
        surface = surface.of_arm(distil=distil)
        export_student(
            self._structure(surface, distil, fitted.statistics).ranker_of(fitted), surface, transform_graph, out
        )

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

    def _trusted(
        self, surface: Surface, columns: Columns, fitted: NDArray[np.int64], pairs: Columns | None
    ) -> tuple[Columns, Columns]:
        """How far these soft labels can be trusted, as the Trainer finds it; once for all settings of a seed."""
        around = {"model": Model(), "training": Training(seed=surface.training.seed)}
        key = hashlib.sha256(surface.model_copy(update=around).model_dump_json().encode())
        key.update(np.ascontiguousarray(fitted).data)
        for part in (columns, *([] if pairs is None else [pairs])):
            for column in sorted(set(soft_label_columns(surface).values())):
                key.update(np.ascontiguousarray(part[column]).data)
        found = key.hexdigest()
        if found not in self._trust:
            self._trust[found] = trust.columns(
                surface, self.data.statistics, self._known(surface), columns, fitted, pairs
            )
        return self._trust[found]

    def _known(self, surface: Surface) -> dict[str, NDArray[np.bool_]]:
        if not surface.trust.known:
            return {}
        if self.data.teacher_model is None:
            raise InputError(f"{self.data.name}: `trust.known` reads the teacher's model, and the run names none")
        if surface.trust.known not in self._ids:
            self._ids[surface.trust.known] = trust.known_rows(
                surface, self.data.teacher_model, self.data.vocabularies, self.data.vocabulary_sizes
            )
        return self._ids[surface.trust.known]

    def _histories(self, surface: Surface, columns: Columns, pairs: Columns | None) -> histories.Histories:
        """The histories as the Trainer makes them: of the rows that this run trains on, held-out ones among them."""
        if not surface.histories:
            return histories.Histories()
        known = {name: len(self.data.vocabularies[name]) for name in surface.histories}
        periods = np.full_like(columns[PERIOD_COLUMN], NO_PERIOD)
        rows = np.concatenate([self.data.fitted, self.data.held_out])
        periods[rows] = columns[PERIOD_COLUMN][rows]
        return histories.make(surface, self.data.vocabulary_sizes, known, {**columns, PERIOD_COLUMN: periods}, pairs)

    def over(self, rows: NDArray[np.bool_]) -> Fitter:
        """The same for some of the training rows; both share what was traced."""
        fitted, held_out = (of[rows[of]] for of in (self.data.fitted, self.data.held_out))
        made = Fitter(replace(self.data, fitted=fitted, held_out=held_out))
        made._structures = self._structures
        return made

    def trunk(self, surface: Surface, fitted: Fitted, columns: Columns, *, distil: bool) -> NDArray[np.float32]:
        """What all tasks of a trained model share, float32 [examples, width]."""
        surface = surface.of_arm(distil=distil)
        return self._structure(surface, distil, fitted.statistics).trunk(surface, fitted, columns)

    def _structure(self, surface: Surface, distil: bool, statistics: Statistics | None = None) -> _Structure:
        # These do not change the graph: they set initial values, variables, batches, and when to stop.
        around = {"seed": 0, "epochs": 1, "learning_rate": 1e-3, "early_stopping": EarlyStopping(), "batch_size": 1}
        neutral = surface.training.model_copy(update=around)
        key = surface.model_copy(update={"training": neutral}).model_dump_json(), distil, str(statistics)
        if key not in self._structures:
            self._structures[key] = _Structure(surface, self.data, distil, statistics or self.data.statistics)
        return self._structures[key]


class _Structure:
    """A ranker and its traced training, used again with other seeds, columns and settings."""

    def __init__(self, surface: Surface, data: RunData, distil: bool, statistics: Statistics):
        self._data = data
        self._distil = distil
        self._statistics = statistics
        self._ranker = self._build(surface)
        self._loop = Loop(self._ranker, surface, head_losses(surface, statistics, distil=distil))
        self._initial: dict[int, list[NDArray[Any]]] = {}
        self._logits = tf.function(self._as_served, reduce_retracing=True)

    def fit(
        self,
        surface: Surface,
        data: InMemory,
        start: Mapping[str, warm_start.Embeddings],
        tables: Mapping[str, histories.Floats],
        going_on: GoingOn | None = None,
    ) -> Fit:
        """Trains from the weights that a newly built model of this seed has, or goes on with what there is."""
        seed = surface.training.seed
        if seed not in self._initial:
            self._initial[seed] = [variable.numpy() for variable in self._build(surface).training.variables]
        assign(self._ranker.training.variables, self._initial[seed])
        if start:
            warm_start.apply(self._ranker, surface, start, self._data.vocabularies)
        if going_on is None:
            fit = self._loop.fit(surface.training, data)
            if tables:
                histories.settle(self._ranker, tables)
                fit.kept.take()
            return fit
        arm = continuing.Continuing(surface, self._ranker, self._data.vocabularies, going_on.start)
        arm.apply()
        fit = self._loop.fit(surface.training, data, resumed=arm.resumed(str(surface.training.optimizer)))
        arm.leave(going_on.out, self._statistics, self._loop.optimizer)
        return fit

    def ranker_of(self, fitted: Fitted) -> Ranker:
        """The ranker with these weights, until the next model is fitted."""
        assign(self._ranker.training.variables, fitted.weights)
        return self._ranker

    def predict(self, surface: Surface, fitted: Fitted, columns: Columns) -> dict[str, NDArray[Any]]:
        self.ranker_of(fitted)
        parts = [self._logits(each) for each in _batches(surface, columns)]
        return {task: np.concatenate([part[task].numpy() for part in parts]) for task in surface.tasks}

    def _as_served(self, features: Columns) -> Mapping[str, tf.Tensor]:
        with in_full(self._ranker.logits):
            return self._ranker.logits(features)

    def trunk(self, surface: Surface, fitted: Fitted, columns: Columns) -> NDArray[np.float32]:
        ranker = self.ranker_of(fitted)
        return np.concatenate([ranker.trunk(each).numpy() for each in _batches(surface, columns)])

    def _build(self, surface: Surface) -> Ranker:
        with device_of(surface.training):
            ranker = build(surface, self._data.vocabulary_sizes, self._statistics, distil=self._distil)
        pretrained.apply(ranker, surface, self._data.vocabularies)
        return ranker


def _batches(surface: Surface, columns: Columns) -> Iterator[dict[str, tf.Tensor]]:
    """What a ranker that serves reads of examples, some at a time."""
    names = serving_columns(surface)
    for at in range(0, len(columns[names[0]]), _PREDICT_BATCH):
        yield {name: tf.constant(columns[name][at : at + _PREDICT_BATCH]) for name in names}


def _fitted(surface: Surface, fit: Fit, statistics: Statistics | None, seconds: float) -> Fitted:
    return Fitted(
        weights=fit.weights,
        selection_loss=fit.losses[SELECTION_LOSS],
        hard_loss=fit.losses[VALIDATION_PREFIX + HARD_LOSS],
        task_losses={task: fit.losses[VALIDATION_PREFIX + SERVING_PREFIX + task] for task in surface.tasks},
        epoch=fit.epoch,
        statistics=statistics,
        seconds=seconds,
    )
