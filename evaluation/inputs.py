"""Labels, predictions, weights and folds of one task, from what TFMA hands to a combiner."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tensorflow_model_analysis.metrics import metric_types, metric_util
from tensorflow_model_analysis.proto import config_pb2

from evaluation.jackknife import Floats
from evaluation.rows import Rows

FOLDS_KEY = "folds"
GROUPS_KEY = "groups"


@dataclass(frozen=True)
class TaskInputs:
    """Which model and task a combiner reads.

    Attributes:
      key: Any metric key of that model and task.
      eval_config: The evaluation's configuration.
    """

    key: metric_types.MetricKey
    eval_config: config_pb2.EvalConfig | None

    def rows(self, element: metric_types.StandardMetricInputs) -> Rows:
        """Reads one extract: a single example, or a batch of them.

        Rows whose label is absent (no value, or NaN) are left out.

        Args:
          element: What TFMA hands to `CombineFn.add_input`.

        Returns:
          The labelled rows.
        """
        ((label, prediction, weight),) = metric_util.to_label_prediction_example_weight(
            element,
            eval_config=self.eval_config,
            model_name=self.key.model_name,
            output_name=self.key.output_name,
            example_weighted=bool(self.key.example_weighted),
            flatten=False,
            squeeze=False,
            allow_none=True,
        )
        labels = _flat(label)
        if not labels.size:
            return Rows(labels, labels, labels, np.zeros(0, np.intp), np.zeros(0, np.int64))
        predictions, weights = _per_row(prediction, len(labels)), np.broadcast_to(_flat(weight), labels.shape)
        folds = np.broadcast_to(self._numbers(element, FOLDS_KEY), labels.shape)
        groups = np.broadcast_to(self._numbers(element, GROUPS_KEY), labels.shape)
        present = ~np.isnan(labels)
        return Rows(
            labels[present], predictions[present], weights[present], folds[present].astype(np.intp), groups[present]
        )

    def _numbers(self, element: metric_types.StandardMetricInputs, key: str) -> NDArray[np.int64]:
        found = element.get(key)
        if isinstance(found, Mapping):
            found = found[self.key.output_name]
        return np.zeros(1, np.int64) if found is None else np.asarray(found, np.int64)


def inputs_preprocessor() -> metric_types.StandardMetricInputsPreprocessor:
    """Makes TFMA hand folds and groups to the combiners, beside labels and predictions."""
    return metric_types.StandardMetricInputsPreprocessor(include_filter={FOLDS_KEY: {}, GROUPS_KEY: {}})


def _per_row(values: Any, rows: int) -> Floats:
    """A number for each row, or, of a multiclass task, several: [rows, classes]."""
    found = np.asarray(values, dtype=np.float64)
    return found.reshape(-1) if found.size == rows else found.reshape(rows, -1)


def _flat(values: Any) -> Floats:
    return np.asarray(values, dtype=np.float64).reshape(-1)
