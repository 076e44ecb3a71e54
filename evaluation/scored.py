"""Rows that models have scored: batch by batch, then put together and divided into slices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tensorflow_model_analysis import constants
from tensorflow_model_analysis.api import types
from tensorflow_model_analysis.slicer import slicer_lib

from evaluation.inputs import FOLDS_KEY, GROUPS_KEY
from evaluation.jackknife import FOLDS, Floats

SliceRows = Mapping[slicer_lib.SliceKeyType, NDArray[np.intp]]


@dataclass(frozen=True)
class ScoredRows:
    """Some rows with all that metrics read of them.

    Attributes:
      count: How many there are.
      labels: By task, shape [rows]; NaN where absent.
      predictions: By model and task, [rows], or of a multiclass task [rows, classes].
      weights: By task, [rows]; empty where all count alike.
      groups: A number per group of rows that were ranked together, [rows].
      slices: The places of each slice's rows, ascending.
    """

    count: int
    labels: Mapping[str, Floats]
    predictions: Mapping[str, Mapping[str, Floats]]
    weights: Mapping[str, Floats]
    groups: NDArray[np.int64]
    slices: SliceRows

    @classmethod
    def together(cls, parts: Sequence[ScoredRows]) -> ScoredRows:
        """The rows of all parts, of which there is at least one; all are of the same models and tasks."""
        first = parts[0]
        return cls(
            count=sum(part.count for part in parts),
            labels=_joined([part.labels for part in parts]),
            predictions={model: _joined([part.predictions[model] for part in parts]) for model in first.predictions},
            weights=_joined([part.weights for part in parts]),
            groups=np.concatenate([part.groups for part in parts]),
            slices=_joined_slices(parts),
        )

    def by_slice(self) -> Iterator[types.Extracts]:
        """One extract per slice, as TFMA's evaluator takes it: of each task, the rows that have its label."""
        folds = self.groups % FOLDS
        for slice_key, rows in self.slices.items():
            labelled = {task: rows[~np.isnan(values[rows])] for task, values in self.labels.items()}
            by_model = {
                model: {task: outputs[task][kept] for task, kept in labelled.items()}
                for model, outputs in self.predictions.items()
            }
            weighted = {task: self.weights[task][kept] for task, kept in labelled.items()} if self.weights else {}
            yield {
                **({constants.EXAMPLE_WEIGHTS_KEY: weighted} if weighted else {}),
                constants.SLICE_KEY_TYPES_KEY: slicer_lib.slice_keys_to_numpy_array([slice_key]),
                constants.LABELS_KEY: {task: self.labels[task][kept] for task, kept in labelled.items()},
                constants.PREDICTIONS_KEY: by_model,
                FOLDS_KEY: {task: folds[kept] for task, kept in labelled.items()},
                GROUPS_KEY: {task: self.groups[kept] for task, kept in labelled.items()},
            }


def _joined(parts: Sequence[Mapping[str, Floats]]) -> dict[str, Floats]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _joined_slices(parts: Sequence[ScoredRows]) -> dict[slicer_lib.SliceKeyType, NDArray[np.intp]]:
    found: dict[slicer_lib.SliceKeyType, list[NDArray[np.intp]]] = {}
    start = 0
    for part in parts:
        for key, rows in part.slices.items():
            found.setdefault(key, []).append(rows + start)
        start += part.count
    return {key: np.concatenate(rows) for key, rows in found.items()}
