"""Metrics that follow from sums over a task's labelled rows.

`WeightedSums` is gathered once per model, task and slice, and shared by all metrics here
and by R2.  The spread of the labels is kept as (mean, sum of squared deviations) and
merged by Chan, Golub and LeVeque's formula, which does not cancel when the labels are
large and close together, as a difference of raw sums of squares would.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields

import apache_beam as beam
import numpy as np
from tensorflow_model_analysis.metrics import metric_types, metric_util
from tensorflow_model_analysis.proto import config_pb2

from evaluation.estimates import FOLDS, Floats, baseline_of, derived_metric
from evaluation.rows import Rows, TaskInputs, inputs_preprocessor

_SUMS_NAME = "_weighted_sums"


@dataclass(frozen=True)
class WeightedSums:
    """Per fold, each of shape [FOLDS]; y is the label, p the prediction, w the weight.

    Attributes:
      count: Labelled rows, whatever their weight.
      positives: Sum of y over the rows, whatever their weight: the number of positives
        of a binary task.
      weight: Sum of w.
      mean: Weighted mean of y.
      deviation: Sum of w (y - mean)^2.
      error: Sum of w (y - p)^2.
      prediction: Sum of w p.
    """

    count: Floats
    positives: Floats
    weight: Floats
    mean: Floats
    deviation: Floats
    error: Floats
    prediction: Floats

    @classmethod
    def nothing(cls) -> WeightedSums:
        return cls(*(np.zeros(FOLDS) for _ in fields(cls)))

    @classmethod
    def of(cls, rows: Rows) -> WeightedSums:
        """The sums of some rows, in two passes over them."""

        def per_fold(values: Floats) -> Floats:
            return np.bincount(rows.folds, values, minlength=FOLDS).astype(np.float64)

        weight = per_fold(rows.weights)
        mean = _ratio(per_fold(rows.weights * rows.labels), weight)
        return cls(
            count=per_fold(np.ones_like(rows.labels)),
            positives=per_fold(rows.labels),
            weight=weight,
            mean=mean,
            deviation=per_fold(rows.weights * (rows.labels - mean[rows.folds]) ** 2),
            error=per_fold(rows.weights * (rows.labels - rows.predictions) ** 2),
            prediction=per_fold(rows.weights * rows.predictions),
        )

    def __add__(self, other: WeightedSums) -> WeightedSums:
        weight = self.weight + other.weight
        step = other.mean - self.mean
        share = _ratio(other.weight, weight)
        return WeightedSums(
            count=self.count + other.count,
            positives=self.positives + other.positives,
            weight=weight,
            mean=self.mean + step * share,
            deviation=self.deviation + other.deviation + step**2 * self.weight * share,
            error=self.error + other.error,
            prediction=self.prediction + other.prediction,
        )

    def fold_counts(self) -> Floats:
        return self.count

    def total(self, included: Floats) -> Totals:
        """The sums over the folds that are included, by the same merging formula."""
        weight = float(included @ self.weight)
        mean = float((included * self.weight) @ self.mean) / weight if weight else 0.0
        spread = self.deviation + self.weight * (self.mean - mean) ** 2
        return Totals(
            count=float(included @ self.count),
            positives=float(included @ self.positives),
            weight=weight,
            mean=mean,
            deviation=float(included @ spread),
            error=_dot(included, self.error),
            prediction=_dot(included, self.prediction),
        )


@dataclass(frozen=True)
class Totals:
    """`WeightedSums` over several folds."""

    count: float
    positives: float
    weight: float
    mean: float
    deviation: float
    error: float
    prediction: float


class _SumsCombineFn(beam.CombineFn):
    """Gathers `WeightedSums`."""

    def __init__(self, inputs: TaskInputs):
        self._inputs = inputs

    def create_accumulator(self) -> WeightedSums:
        return WeightedSums.nothing()

    def add_input(self, accumulator: WeightedSums, element: metric_types.StandardMetricInputs) -> WeightedSums:
        return accumulator + WeightedSums.of(self._inputs.rows(element))

    def merge_accumulators(self, accumulators: Iterable[WeightedSums]) -> WeightedSums:
        return sum(accumulators, WeightedSums.nothing())

    def extract_output(self, accumulator: WeightedSums) -> dict[metric_types.MetricKey, WeightedSums]:
        return {self._inputs.key: accumulator}


class SumsMetric(metric_types.Metric):
    """A metric that is a function of `Totals`; subclasses only say which."""

    def __init__(self, name: str, formula: Callable[[Totals], float]):
        """Initializes the metric.

        Args:
          name: Name under which TFMA reports it.
          formula: The metric, NaN where it is undefined.
        """

        def computations(
            name: str,
            eval_config: config_pb2.EvalConfig | None = None,
            model_name: str = "",
            output_name: str = "",
            example_weighted: bool = False,
        ) -> metric_types.MetricComputations:
            return _computations(
                metric_types.MetricKey(name, model_name, output_name, example_weighted=example_weighted),
                eval_config,
                formula,
            )

        super().__init__(metric_util.merge_per_key_computations(computations), name=name)


def _computations(
    key: metric_types.MetricKey, eval_config: config_pb2.EvalConfig | None, formula: Callable[[Totals], float]
) -> metric_types.MetricComputations:
    baseline = baseline_of(eval_config, key.model_name)

    def sums_key(model_name: str) -> metric_types.MetricKey:
        return key._replace(name=_SUMS_NAME, model_name=model_name)

    def metric(sums: WeightedSums, included: Floats) -> float:
        return formula(sums.total(included))

    gathering = [
        metric_types.MetricComputation(
            keys=[sums_key(model)],
            preprocessors=[inputs_preprocessor()],
            combiner=_SumsCombineFn(TaskInputs(sums_key(model), eval_config)),
        )
        for model in [key.model_name, *([baseline] if baseline else [])]
    ]
    return [*gathering, derived_metric(key, sums_key, metric, baseline)]


class LabelledExamples(SumsMetric):
    """Number of rows whose hard label is there."""

    def __init__(self, name: str = "labelled_examples", code: str = ""):
        """Initializes the metric.

        Args:
          name: Name under which TFMA reports it.
          code: `code_version` of this package.  It has no effect but this: it stands in the
            evaluation's configuration, hence TFX's cache does not take an evaluation by
            older metrics for one by these.
        """
        del code
        super().__init__(name, lambda totals: totals.count)


class Positives(SumsMetric):
    """Number of positive rows of a binary task (the sum of its labels)."""

    def __init__(self, name: str = "positives"):
        super().__init__(name, lambda totals: totals.positives)


class LabelMean(SumsMetric):
    """Weighted mean of the labels."""

    def __init__(self, name: str = "mean_label"):
        super().__init__(name, lambda totals: totals.mean if totals.weight else float("nan"))


class PredictionMean(SumsMetric):
    """Weighted mean of the predictions."""

    def __init__(self, name: str = "mean_prediction"):
        super().__init__(name, lambda totals: _quotient(totals.prediction, totals.weight))


class CalibrationRatio(SumsMetric):
    """Sum of predictions / sum of labels: 1 when right on average (TFMA's definition)."""

    def __init__(self, name: str = "calibration"):
        super().__init__(name, lambda totals: _quotient(totals.prediction, totals.weight * totals.mean))


class SquaredError(SumsMetric):
    """Weighted mean of (label - prediction)^2; the Brier score of a binary task."""

    def __init__(self, name: str = "mean_squared_error"):
        super().__init__(name, lambda totals: _quotient(totals.error, totals.weight))


def _quotient(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator else float("nan")


def _ratio(numerator: Floats, denominator: Floats) -> Floats:
    return np.divide(numerator, denominator, out=np.zeros(FOLDS), where=denominator != 0)


def _dot(included: Floats, values: Floats) -> float:
    """Sums the included folds only: a NaN in a fold that is left out must not spread."""
    return float(values[included > 0].sum())
