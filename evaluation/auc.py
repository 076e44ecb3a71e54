"""Area under the ROC curve by ranks, as a TFMA metric."""

from __future__ import annotations

from functools import partial

from evaluation.derived import TaskMetric
from evaluation.gathering import GatherRows
from evaluation.ranking import Scores, area_under_curve
from schema.metrics import AUC


class RocAuc(TaskMetric):
    """Area under the ROC curve: scikit-learn's `roc_auc_score` with `sample_weight`."""

    def __init__(self, name: str = AUC.name):
        """Initializes the metric.

        Args:
          name: Name under which TFMA reports it.
        """
        super().__init__(name, "_ranked_scores", partial(GatherRows, Scores), area_under_curve)
