"""Point estimates with jackknife intervals, and how metrics hand them to TFMA.

Every evaluation row belongs to one of `FOLDS` folds, by a hash of its bytes, or of its
group (request or user), so that rows that belong together stay together.  A metric's
accumulator keeps the folds apart, so that one pass over the data yields the metric on all
rows and on all rows but one fold: the delete-a-group jackknife (Kott 2001; TFMA's own
jackknife follows the same method, with 20 times the Beam graph and random folds).
Candidate and baseline see the same rows in the same folds, hence the interval of their
difference is a paired one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from tensorflow_model_analysis.api import types
from tensorflow_model_analysis.metrics import metric_types
from tensorflow_model_analysis.proto import config_pb2
from tensorflow_model_analysis.utils import model_util

FOLDS = 20
FOLDS_KEY = "folds"
GROUPS_KEY = "groups"

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A metric on all rows, and with each non-empty fold left out.

    Attributes:
      value: The point estimate; NaN where the metric is undefined.
      without: One value per non-empty fold, the metric on the rows of all other folds.
    """

    value: float
    without: Floats

    def __sub__(self, other: Estimate) -> Estimate:
        """The paired difference; both must come from the same rows."""
        return Estimate(self.value - other.value, self.without - other.without)

    def to_tfma(self) -> float | types.ValueWithTDistribution:
        """The value as TFMA writes it: with a 95% interval where there are folds.

        The interval is centred on the point estimate.  Its standard error is that of the
        pseudo-values m * value - (m - 1) * without_k, over m folds.
        """
        folds = len(self.without)
        if folds < 2:
            return self.value
        pseudo_values = folds * self.value - (folds - 1) * self.without
        return types.ValueWithTDistribution(
            sample_mean=self.value,
            sample_standard_deviation=float(np.std(pseudo_values, ddof=1) / math.sqrt(folds)),
            sample_degrees_of_freedom=folds - 1,
            unsampled_value=self.value,
        )


class FoldSums(Protocol):
    """What a metric's combiner has gathered, fold by fold."""

    def fold_counts(self) -> Floats:
        """Labelled rows of each fold, shape [FOLDS]."""


def estimate(sums: FoldSums, metric: Callable[[Any, Floats], float]) -> Estimate:
    """Evaluates `metric(sums, included)` on all rows and without each non-empty fold.

    Args:
      sums: The gathered sums.
      metric: Takes the sums and, per fold, 1.0 to include it or 0.0, shape [FOLDS].

    Returns:
      The estimate.
    """
    everything = np.ones(FOLDS)
    filled = np.flatnonzero(sums.fold_counts())
    without = [metric(sums, np.where(np.arange(FOLDS) == fold, 0.0, everything)) for fold in filled]
    return Estimate(metric(sums, everything), np.asarray(without, dtype=np.float64))


def derived_metric(
    key: metric_types.MetricKey,
    sums_key: Callable[[str], metric_types.MetricKey],
    metric: Callable[[Any, Floats], float],
    baseline: str | None,
) -> metric_types.DerivedMetricComputation:
    """Computes `key` from gathered sums, and its difference to the baseline model.

    Args:
      key: The metric's key, for one model and output.
      sums_key: Gives the key under which the sums of a model are found.
      metric: See `estimate`.
      baseline: Name of the baseline model, or None when there is nothing to compare with
        (no baseline, or the key is the baseline's).

    Returns:
      A computation of one key, or of two with the difference.
    """
    diff_key = key.make_diff_key() if baseline else None

    def result(metrics: Mapping[metric_types.MetricKey, Any]) -> dict[metric_types.MetricKey, Any]:
        own = estimate(metrics[sums_key(key.model_name)], metric)
        values = {key: own.to_tfma()}
        if baseline and diff_key:
            values[diff_key] = (own - estimate(metrics[sums_key(baseline)], metric)).to_tfma()
        return values

    return metric_types.DerivedMetricComputation(keys=[key, diff_key] if diff_key else [key], result=result)


def baseline_of(eval_config: config_pb2.EvalConfig | None, model_name: str) -> str | None:
    """Name of the model that `model_name` is compared with, or None."""
    if eval_config is None or len(eval_config.model_specs) < 2:
        return None
    spec = model_util.get_baseline_model_spec(eval_config)
    return str(spec.name) if spec is not None and spec.name != model_name else None
