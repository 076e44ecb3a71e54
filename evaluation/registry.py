"""The registry of metrics: for each one in `schema.metrics`, how it is computed.

Over all evaluation rows, TFMA computes a metric by the class that is named here, with a
jackknife's interval; of rows at hand, `rows` computes the same with influence values.
Classes are named and not imported: whoever only computes from rows, such as the
experiment, loads neither Beam nor TFMA.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from evaluation import influence, sums
from evaluation.influence import Scorer
from evaluation.jackknife import Floats
from evaluation.ranking import Scores, area_under_curve
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
      rows: The metric of labels and predictions at hand, with influence values; None for
        counts, and for metrics of groups.
      of_sums: The metric of gathered sums, where it is a function of `Totals`.
      of_scores: The metric of a gathered histogram and of the folds to include, where it is
        a function of `Scores`.
      settings: What the class is made with, beside what the surface says.
    """

    class_name: str
    module: str
    rows: Scorer | None = None
    of_sums: Formula | None = None
    of_scores: Callable[[Scores, Floats], float] | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


def _of_sums(class_name: str, formula: Formula, rows: Scorer | None = None) -> Computation:
    return Computation(class_name, _MOMENTS, rows, of_sums=formula)


COMPUTATIONS: Mapping[str, Computation] = {
    metrics.AUC.name: Computation("RocAuc", "evaluation.auc", influence.auc, of_scores=area_under_curve),
    metrics.R2.name: _of_sums("R2", sums.coefficient_of_determination, influence.r2),
    metrics.LABELLED_EXAMPLES.name: _of_sums("LabelledExamples", sums.labelled_examples),
    metrics.POSITIVES.name: _of_sums("Positives", sums.positives),
    metrics.MEAN_LABEL.name: _of_sums("LabelMean", sums.mean_label, lambda labels, _: influence.mean(labels)),
    metrics.MEAN_PREDICTION.name: _of_sums(
        "PredictionMean", sums.mean_prediction, lambda _, predictions: influence.mean(predictions)
    ),
    metrics.CALIBRATION.name: _of_sums(
        "CalibrationRatio",
        sums.calibration_ratio,
        lambda labels, predictions: influence.ratio(predictions, labels),
    ),
    metrics.SQUARED_ERROR.name: _of_sums(
        "SquaredError", sums.squared_error, lambda labels, predictions: influence.mean((labels - predictions) ** 2)
    ),
    metrics.LOG_LOSS.name: Computation(
        "LogLoss", _MOMENTS, lambda labels, predictions: influence.mean(sums.log_losses(labels, predictions))
    ),
    metrics.NDCG.name: Computation(
        "Ndcg", "evaluation.ndcg", settings={"k": metrics.NDCG_RANKS, "name": metrics.NDCG.name}
    ),
}
# Drawn by pages and TFMA's widget; no number, hence no metric.
PLOTS = (Computation("CalibrationCurve", "evaluation.calibration"),)


def score(metric: Metric, labels: influence.Numbers, predictions: influence.Numbers) -> influence.Score | None:
    """A metric of rows at hand.

    Args:
      metric: Which one.
      labels: Float [examples], all present.
      predictions: Float [examples]; any number that ranks, if the metric judges order only.

    Returns:
      None where the metric is not defined: one class only, or labels that do not vary.

    Raises:
      ValueError: The metric does not follow from labels and predictions alone.
    """
    rows = COMPUTATIONS[metric.name].rows
    if rows is None:
        raise ValueError(f"{metric.name}: expected a metric that follows from labels and predictions alone")
    return rows(labels, predictions)


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
    found = (name for name, each in COMPUTATIONS.items() if each.class_name == class_name)
    return next(found, class_name)
