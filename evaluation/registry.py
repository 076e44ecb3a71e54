"""The registry of metrics: for each one in `schema.metrics`, how it is computed.

Over all evaluation rows, TFMA computes a metric by the class that is named here, with a
jackknife's interval; of rows at hand, `rows` computes the same with influence values.
Classes are named and not imported: whoever only computes from rows, such as the
experiment, loads neither Beam nor TFMA.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluation import classes, groups, influence, ranking, sums
from evaluation.groups import Measure
from evaluation.influence import Scorer
from evaluation.jackknife import Floats
from evaluation.ranking import Scores
from evaluation.rows import Rows
from evaluation.sums import Formula
from schema import metrics
from schema.metrics import Metric

_MOMENTS = "evaluation.moments"


@dataclass(frozen=True)
class Computation:
    """How a metric is computed.

    Attributes:
      class_name: The TFMA metric.
      module: Where that class is; TFMA imports it by this path.
      rows: The metric of rows at hand, with influence values; None for
        counts.
      of_sums: The metric of gathered sums, where it is a function of `Totals`.
      of_scores: The metric of a gathered histogram and of the folds to include, where it is
        a function of `Scores`.
      settings: What the class is made with, beside what the surface says.
      class_of_classes: The TFMA metric of a multiclass task, which is told how many classes there are;
        empty where there is none.
    """

    class_name: str
    module: str
    rows: Scorer | None = None
    of_sums: Formula | None = None
    of_scores: Callable[[Scores, Floats], float] | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    class_of_classes: str = ""


def _squared_misses(labels: Floats, predictions: Floats) -> Floats:
    return np.square(labels - predictions)


def _log_losses(labels: Floats, predictions: Floats) -> Floats:
    of_classes = predictions.ndim == 2
    return classes.log_losses(labels, predictions) if of_classes else sums.log_losses(labels, predictions)


def _of_sums(class_name: str, formula: Formula, rows: Scorer | None = None) -> Computation:
    return Computation(class_name, _MOMENTS, rows, of_sums=formula)


def _of_classes(class_name: str, rows: Scorer) -> Computation:
    return Computation(class_name, _MOMENTS, rows, class_of_classes=class_name)


def _as_well(computation: Computation, class_name: str) -> Computation:
    """A metric that multiclass tasks have, too, by another class."""
    return replace(computation, class_of_classes=class_name)


def _mean_of(class_name: str, formula: Formula, number: Callable[[Floats, Floats], Floats]) -> Computation:
    """A metric that is the mean of a number per row, which takes labels and predictions."""

    def rows(found: Rows) -> influence.MetricScore | None:
        return influence.mean(number(found.labels, found.predictions), found.weights)

    return _of_sums(class_name, formula, rows)


def _of_scores(class_name: str, formula: Callable[[Scores, Floats], float], rows: Scorer) -> Computation:
    return Computation(class_name, "evaluation.scores", rows, of_scores=formula)


def _of_groups(metric: Metric, measure: Measure, of: str = "labels") -> Computation:
    settings = {"name": metric.name, "of": of}
    return Computation("GroupMetric", "evaluation.grouped", influence.over_groups(measure), settings=settings)


COMPUTATIONS: Mapping[str, Computation] = {
    metrics.AUC.name: _of_scores("RocAuc", ranking.area_under_curve, influence.auc),
    metrics.R2.name: _of_sums("R2", sums.coefficient_of_determination, influence.r2),
    metrics.LABELLED_EXAMPLES.name: _as_well(
        _of_sums("LabelledExamples", sums.labelled_examples), "LabelledExamplesOfClasses"
    ),
    metrics.POSITIVES.name: _of_sums("Positives", sums.positives),
    metrics.MEAN_LABEL.name: _mean_of("LabelMean", sums.mean_label, lambda labels, _: labels),
    metrics.MEAN_PREDICTION.name: _mean_of("PredictionMean", sums.mean_prediction, lambda _, predictions: predictions),
    metrics.CALIBRATION.name: _of_sums(
        "CalibrationRatio",
        sums.calibration_ratio,
        lambda rows: influence.ratio(rows.predictions, rows.labels, rows.weights),
    ),
    metrics.CALIBRATION_ERROR.name: _of_scores(
        "CalibrationError", ranking.calibration_error, influence.calibration_error
    ),
    metrics.BRIER.name: _mean_of("BrierScore", sums.squared_error, _squared_misses),
    metrics.LOG_LOSS.name: _as_well(_mean_of("LogLoss", sums.log_loss, _log_losses), "LogLossOfClasses"),
    metrics.NORMALIZED_ENTROPY.name: _of_sums(
        "NormalizedEntropy", sums.normalized_entropy, influence.normalized_entropy
    ),
    metrics.PR_AUC.name: _of_scores("PrAuc", ranking.average_precision, influence.pr_auc),
    metrics.SQUARED_ERROR.name: _mean_of("SquaredError", sums.squared_error, _squared_misses),
    metrics.RMSE.name: _of_sums("RootSquaredError", sums.root_squared_error, influence.root_squared_error),
    metrics.MAE.name: _mean_of("AbsoluteError", sums.absolute_error, lambda labels, told: np.abs(labels - told)),
    metrics.BIAS.name: _mean_of("Bias", sums.bias, lambda labels, predictions: predictions - labels),
    metrics.GROUPED_AUC.name: _of_groups(metrics.GROUPED_AUC, groups.grouped_auc),
    metrics.NDCG.name: _of_groups(metrics.NDCG, groups.at(groups.ndcg, metrics.RANKS)),
    metrics.MRR.name: _of_groups(metrics.MRR, groups.reciprocal_rank),
    metrics.RECALL.name: _of_groups(metrics.RECALL, groups.at(groups.recall, metrics.RANKS)),
    metrics.SPEARMAN.name: _of_groups(metrics.SPEARMAN, groups.spearman, of="numbers"),
    metrics.ACCURACY.name: _of_classes("Accuracy", classes.accuracy_of_rows),
    metrics.MACRO_F1.name: _of_classes("MacroF1", classes.macro_f1_of_rows),
}
# Drawn by pages and TFMA's widget; no number, hence no metric.
PLOTS = (Computation("CalibrationCurve", "evaluation.calibration"),)


def score(
    metric: Metric,
    labels: influence.Numbers,
    predictions: influence.Numbers,
    weights: influence.Numbers | None = None,
    of_groups: NDArray[np.int64] | None = None,
) -> influence.MetricScore | None:
    """A metric of rows at hand.

    Args:
      metric: Which one.
      labels: Float [examples], all present.
      predictions: Float [examples], of a multiclass task [examples, classes]; any number that ranks, if the
        metric judges order only.
      weights: Float [examples]; None weighs all alike.
      of_groups: Int [examples], a number per group of rows that were ranked together; only
        metrics of groups read it, and need it.

    Returns:
      None where the metric is not defined: one class only, or labels that do not vary.

    Raises:
      ValueError: The metric does not follow from what is given.
    """
    rows = COMPUTATIONS[metric.name].rows
    if rows is None or (metric.by_group and of_groups is None):
        raise ValueError(f"{metric.name}: expected a metric that follows from {_given(metric)}")
    return rows(Rows.of(labels, predictions, weights=weights, groups=of_groups))


def _given(metric: Metric) -> str:
    return "labels and predictions without groups" if metric.by_group else "labels and predictions"


def name_of(class_name: str, settings: Mapping[str, Any]) -> str:
    """The name under which a class of a TFMA configuration reports its metric.

    Args:
      class_name: The class.
      settings: What the configuration says it is made with.

    Returns:
      The name; the class's own where it is none of the registry's.
    """
    if "name" in settings:
        return str(settings["name"])
    found = (name for name, each in COMPUTATIONS.items() if class_name in (each.class_name, each.class_of_classes))
    return next(found, class_name)
