"""What follows from a histogram of scores (`evaluation.ranking`), as TFMA metrics."""

from __future__ import annotations

from functools import partial

from evaluation.derived import TaskMetric
from evaluation.gathering import GatherRows
from evaluation.ranking import Scores, area_under_curve, average_precision, calibration_error
from schema.metrics import AUC, CALIBRATION_ERROR, PR_AUC


class RocAuc(TaskMetric):
    """Area under the ROC curve: scikit-learn's `roc_auc_score` with `sample_weight`."""

    def __init__(self, name: str = AUC.name):
        """Initializes the metric.

        Args:
          name: Name under which TFMA reports it.
        """
        super().__init__(name, "_ranked_scores", partial(GatherRows, Scores), area_under_curve)


class PrAuc(TaskMetric):
    """Area under the curve of precision over recall: scikit-learn's `average_precision_score`."""

    def __init__(self, name: str = PR_AUC.name):
        """Initializes the metric.

        Args:
          name: Name under which TFMA reports it.
        """
        super().__init__(name, "_ranked_scores", partial(GatherRows, Scores), average_precision)


class CalibrationError(TaskMetric):
    """Expected calibration error over bins of about equal weight."""

    def __init__(self, name: str = CALIBRATION_ERROR.name):
        """Initializes the metric.

        Args:
          name: Name under which TFMA reports it.
        """
        super().__init__(name, "_ranked_scores", partial(GatherRows, Scores), calibration_error)
