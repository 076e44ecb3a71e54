"""Predictions against labels, bin by bin, as a TFMA plot.

TFMA's own calibration plot has bins of equal width, which rare events leave empty but for
the first.  Here bins hold about equally many rows, wherever the predictions lie, and a
regression task has a curve as well.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tensorflow_model_analysis.metrics import calibration_plot, metric_types, metric_util
from tensorflow_model_analysis.proto import config_pb2, metrics_for_slice_pb2

from evaluation.gathering import GatherRows
from evaluation.inputs import TaskInputs, inputs_preprocessor
from evaluation.jackknife import Floats
from evaluation.ranking import BINS, bins_of, ordered_bits, values_of
from evaluation.rows import Rows

_CELLS_NAME = "_calibration_cells"
_DROPPED_BITS = 18  # of a float32's 23 bits of mantissa; 5 remain: 32 cells between a number and its double.


@dataclass(frozen=True)
class Cells:
    """Sums over rows of nearly equal predictions.

    Attributes:
      codes: One per cell, ascending as the predictions are, shape [cells].
      sums: Sums of weight, weight * label and weight * prediction, shape [cells, 3].
    """

    codes: NDArray[np.int64]
    sums: Floats

    @classmethod
    def of(cls, rows: Rows) -> Cells:
        """The cells of some rows."""
        sums = np.stack([rows.weights, rows.weights * rows.labels, rows.weights * rows.predictions], axis=1)
        return cls._gathered(ordered_bits(rows.predictions) >> _DROPPED_BITS, sums)

    @classmethod
    def merged(cls, parts: Iterable[Cells]) -> Cells:
        listed = [cls(np.zeros(0, np.int64), np.zeros((0, 3))), *parts]
        return cls._gathered(
            np.concatenate([part.codes for part in listed]), np.concatenate([part.sums for part in listed])
        )

    @classmethod
    def _gathered(cls, codes: NDArray[np.int64], sums: Floats) -> Cells:
        unique, place = np.unique(codes, return_inverse=True)
        columns = [np.bincount(place, column, minlength=len(unique)) for column in sums.T]
        return cls(unique, np.stack(columns, axis=1).astype(np.float64))


def calibration_bins(cells: Cells, bins: int = BINS) -> metrics_for_slice_pb2.CalibrationHistogramBuckets:
    """Bins of about equal weight, in ascending order of the predictions.

    A cell is never split, so that there are fewer bins where many predictions are equal.

    Args:
      cells: The gathered sums.
      bins: Most bins made.

    Returns:
      TFMA's buckets; none when there is no row, or when a prediction is NaN or infinite.
    """
    buckets = metrics_for_slice_pb2.CalibrationHistogramBuckets()
    weight = cells.sums[:, 0]
    if not weight.sum() or not np.isfinite(cells.sums).all():
        return buckets
    starts = np.flatnonzero(np.diff(bins_of(weight, bins), prepend=-1))
    edges = values_of(np.append(cells.codes[starts], cells.codes[-1] + 1) << _DROPPED_BITS)
    for place, (count, label, prediction) in enumerate(np.add.reduceat(cells.sums, starts)):
        buckets.buckets.add(
            lower_threshold_inclusive=edges[place],
            upper_threshold_exclusive=edges[place + 1],
            num_weighted_examples={"value": count},
            total_weighted_label={"value": label},
            total_weighted_refined_prediction={"value": prediction},
        )
    return buckets


class CalibrationCurve(metric_types.Metric):
    """Mean label and mean prediction in bins of equal weight; read it with `tfma.load_plots`."""

    def __init__(self, name: str = calibration_plot.CALIBRATION_PLOT_NAME):
        """Initializes the metric.

        Args:
          name: Name under which TFMA reports it; under the default one its widget draws it.
        """
        super().__init__(metric_util.merge_per_key_computations(_computations), name=name)


def _computations(
    name: str,
    eval_config: config_pb2.EvalConfig | None = None,
    model_name: str = "",
    output_name: str = "",
    example_weighted: bool = False,
) -> metric_types.MetricComputations:
    key = metric_types.PlotKey(name, model_name, output_name, example_weighted=example_weighted)
    cells = metric_types.MetricKey(_CELLS_NAME, model_name, output_name, example_weighted=example_weighted)
    gathering = metric_types.MetricComputation(
        keys=[cells],
        preprocessors=[inputs_preprocessor()],
        combiner=GatherRows(Cells, TaskInputs(cells, eval_config)),
    )
    return [
        gathering,
        metric_types.DerivedMetricComputation(
            keys=[key], result=lambda metrics: {key: calibration_bins(metrics[cells])}
        ),
    ]
