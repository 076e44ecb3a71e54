"""What labels tell by themselves: an expert without teacher, which the teacher's reliability is measured against.

It stands for the control, at a hundredth of its cost: how often people, items and other categories had the label, and
the numbers beside them, in a linear model.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler, TargetEncoder

from schema.base import TaskKind

_TARGETS = {TaskKind.BINARY: "binary", TaskKind.REGRESSION: "continuous", TaskKind.MULTICLASS: "multiclass"}


def out_of_fold(
    kind: TaskKind,
    categories: NDArray[np.int64],
    numbers: NDArray[np.float32],
    labels: NDArray[np.float32],
    folds: NDArray[np.int64],
    classes: int,
    seed: int,
) -> NDArray[np.float64]:
    """What the expert says of each row, fitted to the rows of all other folds.

    Args:
      kind: The task's kind.
      categories: Int64 [rows, columns].
      numbers: Float32 [rows, columns].
      labels: Float32 [rows], none of them absent.
      folds: The fold of each row, int64 [rows]; outside of each there are two different labels or more.
      classes: How many a label may be the place of; 1 for a regression.
      seed: The seed of the encoder's own folds.

    Returns:
      The values of a regression, or the probability of every class, float64 [rows, classes].
    """
    features = np.concatenate([categories, numbers], axis=1, dtype=np.float64)
    found = np.zeros((len(labels), classes))
    for fold in np.unique(folds):
        seen, asked = folds != fold, folds == fold
        model = _pipeline(kind, categories.shape[1], numbers.shape[1], seed).fit(features[seen], labels[seen])
        if kind is TaskKind.REGRESSION:
            found[asked, 0] = model.predict(features[asked])
        else:
            found[np.ix_(asked, model.classes_.astype(np.int64))] = model.predict_proba(features[asked])
    return found


def _pipeline(kind: TaskKind, categories: int, numbers: int, seed: int) -> Pipeline:
    encoder = make_pipeline(TargetEncoder(target_type=_TARGETS[kind], random_state=seed), StandardScaler())
    parts = [("categories", encoder, slice(0, categories)), ("numbers", StandardScaler(), slice(categories, None))]
    widths = {"categories": categories, "numbers": numbers}
    return make_pipeline(
        ColumnTransformer([part for part in parts if widths[part[0]]]),
        Ridge() if kind is TaskKind.REGRESSION else LogisticRegression(max_iter=500),
    )
