"""Sums over the labelled rows of a multiclass task, and the metrics that follow from them.

Nothing here, nor in what this imports, needs Beam or TFMA.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluation.influence import MetricScore, mean
from evaluation.jackknife import EVERYTHING, FOLDS, Floats
from evaluation.rows import Rows
from evaluation.sums import LEAST_PROBABILITY
from schema.errors import InputError


@dataclass(frozen=True)
class ClassSums:
    """Per fold, [FOLDS], and per fold and class, [FOLDS, classes]; NaN where a prediction is no number.

    Attributes:
      count: Labelled rows, whatever their weight.
      surprise: Sum of the weights times the log losses; NaN where there is something that is no probability.
      hits: Weight of the rows of a class that is also the likeliest one.
      labelled: Weight of the rows of a class.
      told: Weight of the rows of which a class is the likeliest one.
    """

    count: Floats
    surprise: Floats
    hits: Floats
    labelled: Floats
    told: Floats

    @classmethod
    def nothing(cls, classes: int) -> ClassSums:
        """The sums of no rows."""
        per_class = np.zeros((FOLDS, classes))
        return cls(np.zeros(FOLDS), np.zeros(FOLDS), per_class, per_class, per_class)

    @classmethod
    def of(cls, rows: Rows, classes: int) -> ClassSums:
        """The sums of some rows.

        Raises:
          InputError: A label is none of the classes, or the predictions are of another number of classes.
        """
        if not rows.labels.size:
            return cls.nothing(classes)
        _check(rows, classes)
        places, told = rows.labels.astype(np.intp), likeliest(rows.predictions)

        def per_class(values: Floats, of: NDArray[np.intp]) -> Floats:
            found = np.bincount(rows.folds * classes + of, values, minlength=FOLDS * classes)
            return found.astype(np.float64).reshape(FOLDS, classes)

        return cls(
            count=np.bincount(rows.folds, minlength=FOLDS).astype(np.float64),
            surprise=np.bincount(rows.folds, rows.weights * log_losses(rows.labels, rows.predictions), FOLDS).astype(
                np.float64
            ),
            hits=per_class(rows.weights * hits(rows.labels, rows.predictions), places),
            labelled=per_class(rows.weights, places),
            told=per_class(rows.weights, told),
        )

    def __add__(self, other: ClassSums) -> ClassSums:
        return ClassSums(
            self.count + other.count,
            self.surprise + other.surprise,
            self.hits + other.hits,
            self.labelled + other.labelled,
            self.told + other.told,
        )

    def fold_counts(self) -> Floats:
        return self.count

    def total(self, included: Floats = EVERYTHING) -> ClassTotals:
        """The sums over the folds that are included: a NaN in a fold that is left out does not spread."""
        kept = included > 0
        return ClassTotals(
            float(self.count[kept].sum()),
            float(self.surprise[kept].sum()),
            self.hits[kept].sum(axis=0),
            self.labelled[kept].sum(axis=0),
            self.told[kept].sum(axis=0),
        )


@dataclass(frozen=True)
class ClassTotals:
    """`ClassSums` over several folds: numbers, and arrays [classes]."""

    count: float
    surprise: float
    hits: Floats
    labelled: Floats
    told: Floats


ClassFormula = Callable[[ClassTotals], float]


def labelled_examples(totals: ClassTotals) -> float:
    """How many rows have a hard label."""
    return totals.count


def accuracy(totals: ClassTotals) -> float:
    """The weighted share of rows whose likeliest class is their own; NaN without rows."""
    weight = float(totals.labelled.sum())
    return float(totals.hits.sum()) / weight if weight else float("nan")


def log_loss(totals: ClassTotals) -> float:
    """The weighted mean of minus the log of the probability of each row's class, in nats; NaN without rows."""
    weight = float(totals.labelled.sum())
    return totals.surprise / weight if weight else float("nan")


def macro_f1(totals: ClassTotals) -> float:
    """The mean of F1 = 2 hits / (told + labelled) over the classes that are told or labelled; NaN without rows."""
    both = totals.told + totals.labelled
    there = both > 0
    return float(np.mean(2 * totals.hits[there] / both[there])) if there.any() else float("nan")


def likeliest(predictions: Floats) -> NDArray[np.intp]:
    """The class with the greatest probability or logit, the first of equal ones; [rows, classes] to [rows]."""
    return np.asarray(np.argmax(predictions, axis=1), np.intp)


def hits(labels: Floats, predictions: Floats) -> Floats:
    """1 where the likeliest class is the label, and else 0; NaN where a prediction is NaN."""
    found = (likeliest(predictions) == labels).astype(np.float64)
    return np.where(np.isnan(predictions).any(axis=1), np.nan, found)


def log_losses(labels: Floats, predictions: Floats) -> Floats:
    """Minus the log of the probability of each label; as scikit-learn's `log_loss`, NaN for what is no probability."""
    probable = ((predictions >= 0) & (predictions <= 1)).all(axis=1)
    of_label = predictions[np.arange(len(labels)), labels.astype(np.intp)]
    bounded = np.clip(np.where(probable, of_label, 1.0), LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
    return np.where(probable, -np.log(bounded), np.nan)


def accuracy_of_rows(rows: Rows) -> MetricScore | None:
    """The accuracy, a mean, with the influence of each row."""
    return mean(hits(rows.labels, rows.predictions), rows.weights)


def macro_f1_of_rows(rows: Rows) -> MetricScore | None:
    """Macro F1; its influence by the delta method on the sums of each class."""
    if not rows.labels.size or np.isnan(rows.predictions).any():
        return None
    totals = ClassSums.of(rows, rows.predictions.shape[1]).total()
    both = totals.told + totals.labelled
    there = both > 0
    if not there.any():
        return None
    of_class = np.divide(2 * totals.hits, both, out=np.zeros(len(both)), where=there)
    per = np.divide(1.0, both, out=np.zeros(len(both)), where=there)
    own, told = rows.labels.astype(np.intp), likeliest(rows.predictions)
    moved = 2 * (own == told) * per[own] - of_class[own] * per[own] - of_class[told] * per[told]
    return MetricScore(float(np.mean(of_class[there])), len(own) * rows.weights * moved / there.sum())


def _check(rows: Rows, classes: int) -> None:
    outside = (rows.labels < 0) | (rows.labels >= classes)
    if outside.any():
        raise InputError(
            f"expected labels among the task's {classes} classes, found others in {int(outside.sum()):,} of "
            f"{len(rows.labels):,} examples. Add them to `classes:`, or leave the label out of these examples."
        )
    if rows.predictions.shape != (len(rows.labels), classes):
        raise InputError(
            f"expected a prediction for each of {classes} classes, float [examples, {classes}], found shape "
            f"{list(rows.predictions.shape)}"
        )
