"""A metric of tests: the share of rows that a bound at one half puts on the right side."""

from __future__ import annotations

from evaluation.jackknife import Floats
from evaluation.moments import RowsMetric


def right(labels: Floats, predictions: Floats) -> Floats:
    """1 where the prediction is on the label's side of .5, else 0."""
    return ((predictions >= 0.5) == (labels > 0.5)).astype(float)


class ShareRight(RowsMetric):
    def __init__(self, name: str = "share_right"):
        super().__init__(name, right)
