"""Area under the ROC curve by ranks, as a TFMA metric."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tensorflow_model_analysis.metrics import metric_types, metric_util
from tensorflow_model_analysis.proto import config_pb2

from evaluation.estimates import FOLDS, Floats, baseline_of, derived_metric
from evaluation.gathering import GatherRows, ordered_bits
from evaluation.rows import Rows, TaskInputs, inputs_preprocessor
from schema.errors import InputError

_SCORES_NAME = "_ranked_scores"
_DROPPED_BITS = 9  # of a float32's 23 bits of mantissa; 14 remain: scores 6e-5 apart, relatively, tie.


@dataclass(frozen=True)
class Scores:
    """A histogram of scores, by score and fold; arrays of equal length [cells].

    A score's code is the upper bits of its float32 form, mapped so that codes order as
    scores do.  The resolution is relative, so rare events, whose scores crowd near 0, are
    ranked as finely as others: TFMA's AUC has 10,000 equal steps between 0 and 1 instead,
    and calls a slice without positives 0.0 rather than undefined.

    Attributes:
      cells: score code * FOLDS + fold, ascending.
      positive: Weight of the positive rows.
      negative: Weight of the negative rows.
      count: Rows of each fold, shape [FOLDS].
      undefined: Rows of each fold whose score is NaN, shape [FOLDS].
    """

    cells: NDArray[np.int64]
    positive: Floats
    negative: Floats
    count: Floats
    undefined: Floats

    @classmethod
    def nothing(cls) -> Scores:
        return cls(np.zeros(0, np.int64), np.zeros(0), np.zeros(0), np.zeros(FOLDS), np.zeros(FOLDS))

    @classmethod
    def of(cls, rows: Rows) -> Scores:
        """The histogram of some rows.

        Raises:
          InputError: A label is not within [0, 1].
        """
        labels = rows.labels
        if labels.size and not (labels.min() >= 0 and labels.max() <= 1):
            wrong = labels[(labels < 0) | (labels > 1)][0]
            raise InputError(f"the label of a binary task must be 0 or 1, found {wrong:g}")
        cells = (ordered_bits(rows.predictions) >> _DROPPED_BITS) * FOLDS + rows.folds
        undefined = np.isnan(rows.predictions)
        return cls(
            *_gather(cells, rows.weights * labels, rows.weights * (1 - labels)),
            count=np.bincount(rows.folds, minlength=FOLDS).astype(np.float64),
            undefined=np.bincount(rows.folds, undefined, minlength=FOLDS).astype(np.float64),
        )

    @classmethod
    def merged(cls, parts: Iterable[Scores]) -> Scores:
        listed = [cls.nothing(), *parts]
        return cls(
            *_gather(
                np.concatenate([part.cells for part in listed]),
                np.concatenate([part.positive for part in listed]),
                np.concatenate([part.negative for part in listed]),
            ),
            count=np.sum([part.count for part in listed], axis=0),
            undefined=np.sum([part.undefined for part in listed], axis=0),
        )

    def fold_counts(self) -> Floats:
        return self.count


def area_under_curve(scores: Scores, included: Floats) -> float:
    """P(score of a positive > score of a negative) + P(equal) / 2, weighted.

    Args:
      scores: The histogram.
      included: Per fold 1.0 to include it or 0.0, shape [FOLDS].

    Returns:
      The area, or NaN when a score is NaN or when positives or negatives are missing.
    """
    if included @ scores.undefined > 0 or not scores.cells.size:
        return float("nan")
    codes, folds = scores.cells // FOLDS, scores.cells % FOLDS
    starts = np.flatnonzero(np.diff(codes, prepend=codes[0] - 1))
    positive = np.add.reduceat(scores.positive * included[folds], starts)
    negative = np.add.reduceat(scores.negative * included[folds], starts)
    pairs = positive.sum() * negative.sum()
    if pairs <= 0:
        return float("nan")
    below = np.cumsum(negative) - negative
    return float(positive @ (below + negative / 2) / pairs)


class RocAuc(metric_types.Metric):
    """Area under the ROC curve: scikit-learn's `roc_auc_score` with `sample_weight`."""

    def __init__(self, name: str = "auc"):
        """Initializes the metric.

        Args:
          name: Name under which TFMA reports it.
        """
        super().__init__(metric_util.merge_per_key_computations(_computations), name=name)


def _computations(
    name: str,
    eval_config: config_pb2.EvalConfig | None = None,
    model_name: str = "",
    output_name: str = "",
    example_weighted: bool = False,
) -> metric_types.MetricComputations:
    key = metric_types.MetricKey(name, model_name, output_name, example_weighted=example_weighted)
    baseline = baseline_of(eval_config, model_name)

    def scores_key(model: str) -> metric_types.MetricKey:
        return key._replace(name=_SCORES_NAME, model_name=model)

    gathering = [
        metric_types.MetricComputation(
            keys=[scores_key(model)],
            preprocessors=[inputs_preprocessor()],
            combiner=GatherRows(Scores, TaskInputs(scores_key(model), eval_config)),
        )
        for model in [model_name, *([baseline] if baseline else [])]
    ]
    return [*gathering, derived_metric(key, scores_key, area_under_curve, baseline)]


def _gather(cells: NDArray[np.int64], positive: Floats, negative: Floats) -> tuple[NDArray[np.int64], Floats, Floats]:
    """Adds up the weights of equal cells."""
    unique, place = np.unique(cells, return_inverse=True)

    def per_cell(weights: Floats) -> Floats:
        return np.bincount(place, weights, minlength=len(unique)).astype(np.float64)

    return unique, per_cell(positive), per_cell(negative)
