"""TFMA's form of the metrics that follow from sums over rows (`evaluation.sums`)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from evaluation import sums
from evaluation.derived import TaskMetric
from evaluation.gathering import AddUp
from evaluation.jackknife import Floats
from evaluation.sums import RowMeans, WeightedSums
from schema import metrics


class SumsMetric(TaskMetric):
    """A metric that is a function of `Totals`; subclasses only say which."""

    def __init__(self, name: str, formula: sums.Formula):
        """Initializes the metric.

        Args:
          name: Name under which TFMA reports it.
          formula: The metric, NaN where it is undefined.
        """

        def metric(gathered: WeightedSums, included: Floats) -> float:
            return formula(gathered.total(included))

        gather = partial(AddUp, WeightedSums.of, WeightedSums.nothing())
        super().__init__(name, "_weighted_sums", gather, metric)


class RowsMetric(TaskMetric):
    """A metric that is the weighted mean of a number per row; subclasses only say which."""

    def __init__(self, name: str, number: Callable[[Floats, Floats], Floats]):
        """Initializes the metric.

        Args:
          name: Name under which TFMA reports it.
          number: Takes labels and predictions, float [rows], and gives a number per row.
        """
        gather = partial(AddUp, partial(RowMeans.of, number=number), RowMeans.nothing())
        super().__init__(name, f"_rows_of_{name}", gather, sums.mean_of_rows)


class LabelledExamples(SumsMetric):
    """Number of rows whose hard label is there."""

    def __init__(self, name: str = metrics.LABELLED_EXAMPLES.name, code: str = ""):
        """Initializes the metric.

        Args:
          name: Name under which TFMA reports it.
          code: `code_version` of this package.  It has no effect but this: it stands in the
            evaluation's configuration, hence TFX's cache does not take an evaluation by
            older metrics for one by these.
        """
        del code
        super().__init__(name, sums.labelled_examples)


class Positives(SumsMetric):
    """Number of positive rows of a binary task (the sum of its labels)."""

    def __init__(self, name: str = metrics.POSITIVES.name):
        super().__init__(name, sums.positives)


class LabelMean(SumsMetric):
    """Weighted mean of the labels."""

    def __init__(self, name: str = metrics.MEAN_LABEL.name):
        super().__init__(name, sums.mean_label)


class PredictionMean(SumsMetric):
    """Weighted mean of the predictions."""

    def __init__(self, name: str = metrics.MEAN_PREDICTION.name):
        super().__init__(name, sums.mean_prediction)


class CalibrationRatio(SumsMetric):
    """Sum of predictions / sum of labels: 1 when right on average (TFMA's definition)."""

    def __init__(self, name: str = metrics.CALIBRATION.name):
        super().__init__(name, sums.calibration_ratio)


class SquaredError(SumsMetric):
    """Weighted mean of (label - prediction)^2; the Brier score of a binary task."""

    def __init__(self, name: str = metrics.SQUARED_ERROR.name):
        super().__init__(name, sums.squared_error)


class R2(SumsMetric):
    """1 - SSE / SST, weighted: scikit-learn's `r2_score` with `sample_weight`.

    SSE is the sum of w (y - p)^2 and SST that of w (y - mean(y))^2, mean(y) weighted and
    taken over the slice.  TFMA's `SquaredPearsonCorrelation` forgives bias and its
    `CoefficientOfDiscrimination` is Tjur's: neither is this.
    """

    def __init__(self, name: str = metrics.R2.name):
        super().__init__(name, sums.coefficient_of_determination)


class LogLoss(RowsMetric):
    """Weighted mean of minus the log likelihood, in nats: scikit-learn's `log_loss`."""

    def __init__(self, name: str = metrics.LOG_LOSS.name):
        super().__init__(name, sums.log_losses)
