"""The labelled rows of one task, as every metric takes them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evaluation.jackknife import Floats


@dataclass(frozen=True)
class Rows:
    """The labelled rows of one task: arrays of equal length [rows].

    Attributes:
      labels: Hard labels, none absent.
      predictions: What the model says of the same rows; may be NaN.  Of a multiclass task [rows, classes],
        and a label is the place of a class.
      weights: Example weights, 1 unless the metric is weighted.
      folds: The fold of each row, in [0, FOLDS).
      groups: A number per group of rows that were ranked together; 0 without groups.
    """

    labels: Floats
    predictions: Floats
    weights: Floats
    folds: NDArray[np.intp]
    groups: NDArray[np.int64]

    @classmethod
    def of(
        cls,
        labels: ArrayLike,
        predictions: ArrayLike,
        folds: NDArray[np.intp] | None = None,
        weights: ArrayLike | None = None,
        groups: NDArray[np.int64] | None = None,
    ) -> Rows:
        """Rows of weight 1 and without groups, all in the first fold, unless told otherwise."""
        known = np.asarray(labels, np.float64)
        nothing = np.zeros(known.shape, np.int64)
        return cls(
            labels=known,
            predictions=np.asarray(predictions, np.float64),
            weights=np.ones(known.shape) if weights is None else np.asarray(weights, np.float64),
            folds=nothing.astype(np.intp) if folds is None else folds,
            groups=nothing if groups is None else groups,
        )
