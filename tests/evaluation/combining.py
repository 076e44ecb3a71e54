"""Feeds arrays to a metric as TFMA would, without Beam."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from tensorflow_model_analysis.metrics import metric_types

from evaluation.inputs import FOLDS_KEY, GROUPS_KEY
from evaluation.jackknife import FOLDS


def compute(
    metric: metric_types.Metric,
    labels: ArrayLike,
    predictions: ArrayLike,
    weights: ArrayLike | None = None,
    folds: ArrayLike | None = None,
    parts: int = 1,
    groups: ArrayLike | None = None,
) -> Any:
    """The metric's value, from the rows dealt out to `parts` accumulators and merged."""
    computations = metric.computations(example_weighted=weights is not None)
    values: dict[metric_types.MetricKey, Any] = {}
    for computation in computations:
        if isinstance(computation, metric_types.DerivedMetricComputation):
            values.update(computation.result(values))
        else:
            inputs = [_inputs(index, parts, labels, predictions, weights, folds, groups) for index in range(parts)]
            values.update(_combined(computation.combiner, inputs))
    return values[computations[-1].keys[0]]


def _combined(combiner: Any, inputs: Sequence[metric_types.StandardMetricInputs]) -> dict[Any, Any]:
    filled = [combiner.compact(combiner.add_input(combiner.create_accumulator(), element)) for element in inputs]
    return dict(combiner.extract_output(combiner.merge_accumulators([*filled, combiner.create_accumulator()])))


def _inputs(index: int, parts: int, *columns: ArrayLike | None) -> metric_types.StandardMetricInputs:
    labels, predictions, weights, folds, groups = (
        None if column is None else np.asarray(column)[index::parts] for column in columns
    )
    extracts = {"labels": labels, "predictions": predictions, "example_weights": weights}
    if folds is not None:
        extracts[FOLDS_KEY] = folds
    if groups is not None:
        extracts[GROUPS_KEY] = groups
    return metric_types.StandardMetricInputs(extracts)


def dealt_folds(rows: int) -> np.ndarray:
    """Folds in turn: each holds a twentieth of the rows."""
    return np.arange(rows) % FOLDS
