"""Point estimates with jackknife intervals.

Every evaluation row belongs to one of `FOLDS` folds, by a hash of its bytes, or of its
group (request or user), so that rows that belong together stay together.  A metric's
accumulator keeps the folds apart, so that one pass over the data yields the metric on all
rows and on all rows but one fold: the delete-a-group jackknife (Kott 2001; TFMA's own
jackknife follows the same method, with 20 times the Beam graph and random folds).
Candidate and baseline see the same rows in the same folds, hence the interval of their
difference is a paired one.  The labeller, which reads no groups, deals its rows out to folds
at random.

Nothing here, nor in what this imports, needs Beam or TFMA.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import special

FOLDS = 20
EVERYTHING = np.ones(FOLDS)

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Jackknife:
    """A metric on all rows, and with each non-empty fold left out.

    Attributes:
      value: The point estimate; NaN where the metric is undefined.
      without: One value per non-empty fold, the metric on the rows of all other folds.
    """

    value: float
    without: Floats

    def __sub__(self, other: Jackknife) -> Jackknife:
        """The paired difference; both must come from the same rows."""
        return Jackknife(self.value - other.value, self.without - other.without)

    def distance(self, target: float) -> Jackknife:
        """How far the metric is from a target."""
        return Jackknife(abs(self.value - target), np.abs(self.without - target))

    @property
    def standard_error(self) -> float:
        """That of the pseudo-values m * value - (m - 1) * without_k, over m folds; NaN with fewer than two."""
        folds = len(self.without)
        if folds < 2:
            return math.nan
        pseudo_values = folds * self.value - (folds - 1) * self.without
        return float(np.std(pseudo_values, ddof=1) / math.sqrt(folds))

    @property
    def degrees_of_freedom(self) -> int:
        """Those of Student's t: one less than there are folds with rows."""
        return len(self.without) - 1

    def interval(self, confidence: float = 0.95) -> tuple[float, float] | None:
        """Student's t interval about the point estimate; None where it is not defined."""
        error = self.standard_error
        if not math.isfinite(error):
            return None
        half = float(special.stdtrit(self.degrees_of_freedom, (1 + confidence) / 2)) * error
        return self.value - half, self.value + half


class FoldSums(Protocol):
    """What a metric's combiner has gathered, fold by fold."""

    def fold_counts(self) -> Floats:
        """Labelled rows of each fold, shape [FOLDS]."""


def jackknife(sums: FoldSums, metric: Callable[[Any, Floats], float]) -> Jackknife:
    """Evaluates `metric(sums, included)` on all rows and without each non-empty fold.

    Args:
      sums: The gathered sums.
      metric: Takes the sums and, per fold, 1.0 to include it or 0.0, shape [FOLDS].
    """
    filled = np.flatnonzero(sums.fold_counts())
    without = [metric(sums, np.where(np.arange(FOLDS) == fold, 0.0, EVERYTHING)) for fold in filled]
    return Jackknife(metric(sums, EVERYTHING), np.asarray(without, dtype=np.float64))
