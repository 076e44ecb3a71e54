"""The columns of trust that training reads, made of what the teacher says and of the training rows' hard labels."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from models.columns import (
    FILLED_COLUMN,
    GROUP_COLUMN,
    WEIGHT_COLUMN,
    adapted_columns,
    hard_label_column,
    input_columns,
    reliability_columns,
    serving_columns,
    soft_label_columns,
    soft_label_sizes,
    task_weight_columns,
)
from models.comparable import learned
from models.scales import LabelStatistics
from models.trust import own
from models.trust.circumstances import GainsByCircumstances
from models.trust.folds import Columns, folds_of, side_by_side
from models.trust.network import (
    CrossFit,
    Floats,
    Rows,
    classes_cross_entropy,
    cross_entropy,
    squared_error,
)
from schema.base import TaskKind
from schema.errors import InputError
from schema.surface import Surface

# Networks this small learn no more from further rows.
_MOST_ROWS = 200_000
# Fewer in a fold choose nothing.
_LEAST_ROWS = 10
# Log odds beyond these are told apart by chance alone.
_MOST_LOG_ODDS = 5.0
# A teacher that takes so much of the best constant's loss away, beyond what labels do, is relied on by half.
_HALF_RELIABLE = 0.005
_LEAST_PROBABILITY = 1e-3
_LOSSES = {
    TaskKind.BINARY: cross_entropy,
    TaskKind.REGRESSION: squared_error,
    TaskKind.MULTICLASS: classes_cross_entropy,
}


def read_columns(surface: Surface, known: Collection[str]) -> list[str]:
    """The columns that `columns` reads, of those that there are; none of a surface that fits nothing.

    Args:
      surface: The surface.
      known: The columns that Transform wrote.
    """
    if not surface.trusted:
        return []
    labels = [*map(hard_label_column, surface.tasks), *task_weight_columns(surface).values()]
    soft = sorted(set(soft_label_columns(surface).values()))
    of_rows = {GROUP_COLUMN: surface.group, WEIGHT_COLUMN: surface.weight_column}
    asked = [name for name, column in of_rows.items() if column is not None]
    return [name for name in [*_scalars(surface), *labels, *soft, FILLED_COLUMN, *asked] if name in known]


def _scalars(surface: Surface) -> list[str]:
    """The columns of features with one value in each example, of those that a server has."""
    inputs = input_columns(surface)
    return [name for name in serving_columns(surface) if inputs[name].shape in ((), (1,))]


def columns(
    surface: Surface,
    statistics: Mapping[str, LabelStatistics],
    known: Mapping[str, NDArray[np.bool_]],
    training: Columns,
    fitted: NDArray[np.int64],
    pairs: Columns | None = None,
) -> tuple[dict[str, NDArray[Any]], dict[str, NDArray[Any]]]:
    """What adapters say, and how reliable the teacher is, of every training row and pair.

    Args:
      surface: The surface.
      statistics: Those of hard labels, by task.
      known: From `known_rows`.
      training: The training split's columns: those of `read_columns`, features and labels.
      fitted: The rows that models are fitted to; no other row's label is looked at.
      pairs: The same columns of pairs never shown.

    Returns:
      The columns `models.columns.trust_shapes` of the rows, and of the pairs.  Of a row that is fitted and has a
      hard label they come from the networks of its fold; of all others they are the mean over all networks.

    Raises:
      InputError: A task has too few labels for so many folds.
    """
    of_rows: dict[str, NDArray[Any]] = {}
    of_pairs: dict[str, NDArray[Any]] = {}
    if not surface.trusted:
        return of_rows, of_pairs
    teller = _Teller(surface, known, training, fitted)
    for name in surface.trusted:
        fit = _TaskFit(surface, name, statistics[name], teller)
        for made, asked in ((of_rows, training), (of_pairs, pairs)):
            if asked is not None:
                made |= fit.columns(asked, own_folds=asked is training)
    return of_rows, of_pairs


class _Teller:
    """What all tasks' fits share: the inputs of networks, and the fold of each training row."""

    def __init__(
        self, surface: Surface, known: Mapping[str, NDArray[np.bool_]], training: Columns, fitted: NDArray[np.int64]
    ):
        self.surface, self.training = surface, training
        self._known = known
        self.scalars = _scalars(surface)
        if not self.scalars:
            raise InputError(
                f"surface {surface.name!r}: `adapter` and `reliability` are fitted out of fold, by features with one "
                "value in each example; expected some, found none"
            )
        self.categories = [name for name in self.scalars if input_columns(surface)[name].dtype == "int64"]
        self.numbers = [name for name in self.scalars if name not in self.categories]
        folds, alike = surface.trust.folds, self.categories or self.scalars
        self.folds_alike = folds_of({name: training[name] for name in alike}, alike, folds)
        self.folds = folds_of(training, alike, folds) if surface.group is not None else self.folds_alike
        self.knowledge = self._knowledge_of(training)
        self.inputs, self.circumstances = self.inputs_of(training), self.circumstances_of(training)
        self.fitted = np.zeros(len(self.folds), bool)
        self.fitted[fitted] = True

    def inputs_of(self, columns: Columns) -> Floats:
        """What the teacher says of rows, and under which circumstances; float32 [rows, width]."""
        parts = []
        for column, size in sorted(soft_label_sizes(self.surface).items()):
            values = columns[column].reshape(len(columns[column]), -1)
            parts.append(np.nan_to_num(values if size is None else special.softmax(values, axis=1)))
        return np.concatenate([*parts, self._knowledge_of(columns)], axis=1, dtype=np.float32)

    def circumstances_of(self, columns: Columns) -> Floats:
        """What tells examples apart on which a teacher is right, whatever it says; float32 [rows, width]."""
        return np.concatenate([self._knowledge_of(columns), side_by_side(columns, self.numbers, np.float32)], axis=1)

    def _knowledge_of(self, columns: Columns) -> Floats:
        """Where the teacher says nothing, what of its inputs was filled, and whether it knows their ids."""
        soft = [columns[name].reshape(len(columns[name]), -1)[:, :1] for name in sorted(soft_label_sizes(self.surface))]
        parts = [np.isnan(each) for each in soft]
        parts += [columns[FILLED_COLUMN]] if FILLED_COLUMN in columns else []
        parts += [known[columns[name]][:, None] for name, known in self._known.items()]
        return np.concatenate(parts, axis=1, dtype=np.float32)


@dataclass(frozen=True)
class _Fitted:
    """The labelled rows of a task that networks are fitted to: their places, labels, weights and folds."""

    rows: NDArray[np.int64]
    labels: NDArray[np.float32]
    weights: NDArray[np.float32]
    folds: NDArray[np.int64]


class _TaskFit:
    """The networks of one task."""

    def __init__(self, surface: Surface, name: str, statistics: LabelStatistics, teller: _Teller):
        self._name, self._teller = name, teller
        self._task, self._statistics = surface.tasks[name], statistics
        self._folds, self._seed = surface.trust.folds, surface.training.seed
        self._columns = adapted_columns(surface).get(name), reliability_columns(surface).get(name)
        self._soft = soft_label_columns(surface)[name]
        self._labelled = np.isfinite(teller.training[hard_label_column(name)]) & teller.fitted
        fitted = self._fitted(surface)
        self._outputs = 1 if self._task.kind is TaskKind.REGRESSION else max(self._task.size, 2)
        self._adapter = self._cross_fit(teller.inputs[fitted.rows], fitted) if self._columns[0] else None
        self._gains = self._fit_gains(fitted) if self._columns[1] else None

    def columns(self, asked: Columns, *, own_folds: bool) -> dict[str, NDArray[Any]]:
        """What the networks say of rows; of labelled training rows only the network that saw nothing of their fold."""
        inputs = self._teller.inputs_of(asked)
        adapted, reliability = self._columns
        found: dict[str, NDArray[Any]] = {}
        if adapted and self._adapter:
            silent = np.isnan(asked[self._soft].reshape(len(inputs), -1)).any(axis=1)
            target = self._target(self._chosen(self._said(self._adapter.outputs(inputs)), own_folds))
            target[silent] = np.nan
            found[adapted] = target
        if reliability and self._gains:
            gained = np.maximum(self._gains.outputs(self._teller.circumstances_of(asked)), 0)
            shares = gained / (gained + _HALF_RELIABLE)
            found[reliability] = self._chosen(shares, own_folds)[:, 0].astype(np.float32)
        return found

    def _fitted(self, surface: Surface) -> _Fitted:
        teller = self._teller
        weights = np.ones(len(teller.folds), np.float32)
        whole = WEIGHT_COLUMN if surface.weight_column is not None else None
        for column in (whole, task_weight_columns(surface).get(self._name)):
            weights *= 1.0 if column is None else teller.training[column]
        rows = np.flatnonzero(self._labelled & (weights > 0))
        if len(rows) > _MOST_ROWS:
            rows = np.sort(np.random.default_rng(self._seed).permutation(rows)[:_MOST_ROWS])
        labels = teller.training[hard_label_column(self._name)][rows]
        if self._task.kind is TaskKind.REGRESSION:
            labels = np.asarray(learned(self._task, self._statistics)(labels))
        found = _Fitted(rows, labels, weights[rows], teller.folds[rows])
        self._expect_enough(found)
        return found

    def _expect_enough(self, fitted: _Fitted) -> None:
        """Each network learns from rows with different labels, and has others to choose its epoch by.

        Raises:
          InputError: One has not.
        """
        folds, alike = fitted.folds, self._teller.folds_alike[fitted.rows]
        counts = np.bincount(folds, minlength=self._folds)
        seen = [~np.isin(folds, (fold, (fold + 1) % self._folds)) for fold in range(self._folds)]
        seen += [alike != fold for fold in range(self._folds)]
        different = all(len(np.unique(fitted.labels[each])) > 1 for each in seen)
        if counts.min() < _LEAST_ROWS or not different:
            found = f"{len(fitted.rows):,} labelled rows ({', '.join(map(str, counts))} by fold)"
            raise InputError(
                f"tasks.{self._name}.distil: `adapter` and `reliability` are fitted out of fold; expected "
                f"{_LEAST_ROWS} labelled training rows or more in each of {self._folds} folds, and different labels "
                f"outside of any two, found {found}. Leave both out, or give fewer `folds` under `trust:`, or a "
                "`group` with more values"
            )

    def _start(self, labels: NDArray[np.float32]) -> list[float]:
        """What says the best constant for some labels."""
        if self._task.kind is TaskKind.REGRESSION:
            return [float(labels.mean())]
        counts = np.bincount(labels.ravel().astype(np.int64), minlength=self._outputs) + 0.5
        shares = counts / counts.sum()
        return [float(special.logit(shares[1]))] if self._task.kind is TaskKind.BINARY else np.log(shares).tolist()

    def _cross_fit(self, inputs: Floats, fitted: _Fitted) -> CrossFit:
        """Networks that learn the task's labels from some inputs."""
        rows = Rows(inputs, fitted.labels[:, None], fitted.folds, fitted.weights)
        return CrossFit(rows, self._folds, _LOSSES[self._task.kind], self._start, self._seed)

    def _fit_gains(self, fitted: _Fitted) -> GainsByCircumstances:
        """Learns how much more of the hard loss goes away with the teacher, of examples like these, than without it.

        Without it there is what labels tell; with it, a network that reads both.  What either says of a row is out
        of fold.  The labels of the row's own group are no secret to a control, so that here they have a part in what
        labels tell.
        """
        circumstances = self._teller.circumstances[fitted.rows]
        alone = self._alone(fitted)
        told = np.concatenate([self._unbounded(alone), self._teller.knowledge[fitted.rows]], axis=1)
        without = [self._losses(each, fitted.labels) for each in (alone, self._network_says(told, fitted))]
        # A network may also make more of what labels tell, which is not the teacher's merit.
        least = min(without, key=lambda losses: float(np.average(losses, weights=fitted.weights)))
        both = np.concatenate([self._unbounded(alone), self._teller.inputs[fitted.rows]], axis=1)
        constant = self._said(np.array([[self._start(fitted.labels)]], np.float32))[:, 0]
        nothing = self._losses(constant.repeat(len(fitted.rows), axis=0), fitted.labels)
        gains = (least - self._losses(self._network_says(both, fitted), fitted.labels)) / nothing.mean()
        return GainsByCircumstances(circumstances, gains, fitted.weights, fitted.folds, self._folds)

    def _network_says(self, inputs: NDArray[np.float64], fitted: _Fitted) -> NDArray[np.float64]:
        """What a network that learns from inputs says of each row, out of fold: float64 [rows, classes]."""
        narrow = inputs.astype(np.float32)
        said = self._said(self._cross_fit(narrow, fitted).outputs(narrow))
        return np.asarray(said[np.arange(len(fitted.rows)), fitted.folds])

    def _alone(self, fitted: _Fitted) -> NDArray[np.float64]:
        """What labels tell of each row without a teacher: float64 [rows, classes]."""
        teller = self._teller
        scalars = {name: teller.training[name][fitted.rows] for name in teller.scalars}
        return own.out_of_fold(
            self._task.kind,
            side_by_side(scalars, teller.categories, np.int64),
            side_by_side(scalars, teller.numbers, np.float32),
            fitted.labels,
            teller.folds_alike[fitted.rows],
            self._outputs,
            self._seed,
        )

    def _unbounded(self, said: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values of a regression, else log probabilities of classes, as a network reads them."""
        return said if self._task.kind is TaskKind.REGRESSION else np.log(np.maximum(said, _LEAST_PROBABILITY))

    def _losses(self, said: NDArray[np.float64], labels: NDArray[Any]) -> NDArray[np.float64]:
        """The hard loss of each row, of values or of probabilities of classes, [rows, classes]."""
        if self._task.kind is TaskKind.REGRESSION:
            return np.asarray(np.square(labels - said[:, 0]))
        of_label = said[np.arange(len(labels)), labels.astype(np.int64)]
        return np.asarray(-np.log(np.maximum(of_label, _LEAST_PROBABILITY)))

    def _said(self, outputs: Floats) -> NDArray[np.float64]:
        """Values of a regression, else probabilities of all classes: float64 [rows, folds, classes]."""
        values = outputs.astype(np.float64)
        if self._task.kind is TaskKind.MULTICLASS:
            return np.asarray(special.softmax(values, axis=-1))
        if self._task.kind is TaskKind.REGRESSION:
            return values
        positive = np.asarray(special.expit(values))
        return np.concatenate([1 - positive, positive], axis=-1)

    def _chosen(self, said: NDArray[np.float64], own_folds: bool) -> NDArray[np.float64]:
        """The mean over networks, but of labelled training rows what that of their own fold says: [rows, classes]."""
        found = np.asarray(said.mean(axis=1))
        if own_folds:
            found[self._labelled] = said[self._labelled, self._teller.folds[self._labelled]]
        return found

    def _target(self, said: NDArray[np.float64]) -> NDArray[np.float32]:
        """What a head learns: values, log odds less those of the base rate, or log probabilities of classes."""
        if self._task.kind is TaskKind.REGRESSION:
            return said[:, 0].astype(np.float32)
        if self._task.kind is TaskKind.MULTICLASS:
            return np.log(np.maximum(said, 1e-6)).astype(np.float32)
        base = np.clip(self._statistics.mean, 1e-6, 1 - 1e-6)
        odds = special.logit(np.clip(said[:, 1], 1e-9, 1 - 1e-9)) - special.logit(base)
        return np.asarray(np.clip(odds, -_MOST_LOG_ODDS, _MOST_LOG_ODDS), np.float32)
