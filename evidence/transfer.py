"""The transfer ratio: how much of what there is to win a candidate won.

(candidate - control) / (ceiling - control), where the ceiling is the arm that reads the
teacher's logits as inputs; the teacher itself may be worse than the control (ExFM,
arXiv:2502.17494, and LoopFM, arXiv:2605.29280, report ratios of this kind).  The interval is
Fieller's: the ratios r for which (candidate - control) - r (ceiling - control) may be 0 (E. C.
Fieller, J. R. Stat. Soc. B 16, 1954).  It needs no ratio of normal numbers to be normal, and
it has no bounded end where the ceiling is not shown to lie above the control: then nothing
is said.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from evaluation.influence import MetricScore
from evidence.result import Transfer
from evidence.statistics import Estimate, Scores, difference


def transfer(
    candidate: Scores,
    control: Scores,
    ceiling: Scores,
    *,
    confidence: float,
    clusters: Sequence[NDArray[np.integer] | None] | None = None,
) -> Transfer:
    """The ratio and its interval.

    Args:
      candidate: Scores by run and seed.
      control: Those of its control, of the same runs, seeds and examples.
      ceiling: Those of the arm that reads the teacher's logits.
      confidence: Confidence of the two-sided interval.
      clusters: See `evidence.statistics.difference`.

    Returns:
      No numbers where the ceiling is not shown to be better than the control.
    """

    def compared(ours: Scores, theirs: Scores) -> Estimate:
        return difference(ours, theirs, confidence=confidence, clusters=clusters)

    gain, room = compared(candidate, control), compared(ceiling, control)
    if room.low <= 0:
        return Transfer()
    # Both gains are differences, and so is their sum: three variances tell their covariance.
    both = compared(_combined(candidate, control, ceiling), control)
    spreads = [each.spread for each in (gain, room, both) if each.spread is not None]
    of_gain, of_room, of_both = (each.variance(each.units) for each in spreads)
    covariance = (of_both - of_gain - of_room) / 2
    squared = float(stats.t.ppf((1 + confidence) / 2, spreads[0].units - 1)) ** 2
    # (gain - r room)^2 = t^2 (Var gain - 2 r Cov + r^2 Var room), a quadratic in r.
    a = room.mean**2 - squared * of_room
    b = -2 * (gain.mean * room.mean - squared * covariance)
    c = gain.mean**2 - squared * of_gain
    if a <= 0:
        return Transfer()
    root = np.sqrt(max(b * b - 4 * a * c, 0.0))
    return Transfer(ratio=gain.mean / room.mean, low=float((-b - root) / (2 * a)), high=float((-b + root) / (2 * a)))


def _combined(candidate: Scores, control: Scores, ceiling: Scores) -> list[list[MetricScore]]:
    """Scores whose difference to the control is the sum of both gains."""
    return [
        [
            MetricScore(a.value + c.value - b.value, a.influence + c.influence - b.influence)
            for a, b, c in zip(*of_run, strict=True)
        ]
        for of_run in zip(candidate, control, ceiling, strict=True)
    ]
