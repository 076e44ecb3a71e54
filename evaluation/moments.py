"""TFMA's form of the metrics that follow from sums over rows (`evaluation.sums`)."""

from __future__ import annotations

from functools import partial

from evaluation import classes, sums
from evaluation.classes import ClassSums
from evaluation.derived import TaskMetric
from evaluation.gathering import AddUp
from evaluation.jackknife import Floats
from evaluation.sums import WeightedSums
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


class ClassMetric(TaskMetric):
    """A metric of a multiclass task that is a function of `ClassTotals`; subclasses only say which."""

    def __init__(self, name: str, formula: classes.ClassFormula, count: int):
        """Initializes the metric.

        Args:
          name: Name under which TFMA reports it.
          formula: The metric, NaN where it is undefined.
          count: How many classes the task has.
        """

        def metric(gathered: ClassSums, included: Floats) -> float:
            return formula(gathered.total(included))

        gather = partial(AddUp, partial(ClassSums.of, classes=count), ClassSums.nothing(count))
        super().__init__(name, "_class_sums", gather, metric)


class LabelledExamples(SumsMetric):
    """Number of rows whose hard label is there."""

    def __init__(self, name: str = metrics.LABELLED_EXAMPLES.name):
        super().__init__(name, sums.labelled_examples)


class LabelledExamplesOfClasses(ClassMetric):
    """The same of a multiclass task."""

    def __init__(self, classes_count: int, name: str = metrics.LABELLED_EXAMPLES.name):
        super().__init__(name, classes.labelled_examples, classes_count)


class Accuracy(ClassMetric):
    """The weighted share of rows whose likeliest class is their own: scikit-learn's `accuracy_score`."""

    def __init__(self, classes_count: int, name: str = metrics.ACCURACY.name):
        super().__init__(name, classes.accuracy, classes_count)


class MacroF1(ClassMetric):
    """The mean over classes of F1: scikit-learn's `f1_score(average="macro")`."""

    def __init__(self, classes_count: int, name: str = metrics.MACRO_F1.name):
        super().__init__(name, classes.macro_f1, classes_count)


class LogLossOfClasses(ClassMetric):
    """Weighted mean of minus the log of the probability of each row's class: scikit-learn's `log_loss`."""

    def __init__(self, classes_count: int, name: str = metrics.LOG_LOSS.name):
        super().__init__(name, classes.log_loss, classes_count)


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
    """Weighted mean of (label - prediction)^2."""

    def __init__(self, name: str = metrics.SQUARED_ERROR.name):
        super().__init__(name, sums.squared_error)


class BrierScore(SumsMetric):
    """Weighted mean of (label - probability)^2: scikit-learn's `brier_score_loss`."""

    def __init__(self, name: str = metrics.BRIER.name):
        super().__init__(name, sums.squared_error)


class RootSquaredError(SumsMetric):
    """Root of the weighted mean of (label - prediction)^2: scikit-learn's `root_mean_squared_error`."""

    def __init__(self, name: str = metrics.RMSE.name):
        super().__init__(name, sums.root_squared_error)


class AbsoluteError(SumsMetric):
    """Weighted mean of |label - prediction|: scikit-learn's `mean_absolute_error`."""

    def __init__(self, name: str = metrics.MAE.name):
        super().__init__(name, sums.absolute_error)


class Bias(SumsMetric):
    """Weighted mean of prediction - label."""

    def __init__(self, name: str = metrics.BIAS.name):
        super().__init__(name, sums.bias)


class R2(SumsMetric):
    """1 - SSE / SST, weighted: scikit-learn's `r2_score` with `sample_weight`.

    SSE is the sum of w (y - p)^2 and SST that of w (y - mean(y))^2, mean(y) weighted and
    taken over the slice.  TFMA's `SquaredPearsonCorrelation` forgives bias and its
    `CoefficientOfDiscrimination` is Tjur's: neither is this.
    """

    def __init__(self, name: str = metrics.R2.name):
        super().__init__(name, sums.coefficient_of_determination)


class LogLoss(SumsMetric):
    """Weighted mean of minus the log likelihood, in nats: scikit-learn's `log_loss`."""

    def __init__(self, name: str = metrics.LOG_LOSS.name):
        super().__init__(name, sums.log_loss)


class NormalizedEntropy(SumsMetric):
    """Log loss relative to that of the mean label (He et al., ADKDD 2014, section 3)."""

    def __init__(self, name: str = metrics.NORMALIZED_ENTROPY.name):
        super().__init__(name, sums.normalized_entropy)
