"""A metric of tests, with sums of its own: the share of rows that a bound at one half puts on the right side."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from evaluation.derived import TaskMetric
from evaluation.gathering import AddUp
from evaluation.jackknife import FOLDS, Floats
from evaluation.rows import Rows


@dataclass(frozen=True)
class RightRows:
    """Rows, and those on the right side, per fold."""

    rows: Floats
    right: Floats

    @classmethod
    def of(cls, rows: Rows) -> RightRows:
        right = (rows.predictions >= 0.5) == (rows.labels > 0.5)
        return cls(
            np.bincount(rows.folds, minlength=FOLDS).astype(float), np.bincount(rows.folds, right, minlength=FOLDS)
        )

    def __add__(self, other: RightRows) -> RightRows:
        return RightRows(self.rows + other.rows, self.right + other.right)

    def fold_counts(self) -> Floats:
        return self.rows


def share(found: RightRows, included: Floats) -> float:
    return float(included @ found.right / (included @ found.rows))


class ShareRight(TaskMetric):
    def __init__(self, name: str = "share_right"):
        gather = partial(AddUp, RightRows.of, RightRows(np.zeros(FOLDS), np.zeros(FOLDS)))
        super().__init__(name, "_right_rows", gather, share)
