"""Latency of several models, side by side.

Two measurements one after the other differ by whatever else the machine did meanwhile, by
far more than the models do.  So the models answer the same requests in turn, call by call,
and another one begins each time: with three models always in one order, or to and fro, the
one in the middle looked 2% slower than its twin.  What is judged is a ratio within a
round: the median over the rounds, for a single interruption in one of a hundred calls decides
a p99.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

Call = Callable[[Any], Any]
_WARM_UP = 20


def measure(calls: Mapping[str, Call], batches: Sequence[Any], rounds: int, count: int) -> dict[str, np.ndarray]:
    """Times models in turn.

    Args:
      calls: What to time, by model.
      batches: The arguments, used in turn.
      rounds: Number of rounds.
      count: Calls per model in each round.

    Returns:
      Seconds, float [rounds, count], by model.
    """
    for index in range(_WARM_UP):
        for call in calls.values():
            call(batches[index % len(batches)])
    seconds = {name: np.zeros([rounds, count]) for name in calls}
    names = list(calls)
    was_enabled = gc.isenabled()
    gc.disable()  # a collection would fall on whichever model comes next
    try:
        for turn in range(rounds * count):
            batch = batches[turn % len(batches)]
            first = turn % len(names)
            for name in names[first:] + names[:first]:
                started = time.perf_counter()
                calls[name](batch)
                seconds[name][divmod(turn, count)] = time.perf_counter() - started
    finally:
        if was_enabled:
            gc.enable()
    return seconds


def round_ratios(student: np.ndarray, other: np.ndarray, percent: float) -> np.ndarray:
    """student / other, of a percentile within each round.

    Args:
      student: Seconds, float [rounds, calls].
      other: Likewise, of the same rounds.
      percent: Which percentile.

    Returns:
      Float [rounds].
    """
    return np.asarray(np.percentile(student, percent, axis=1) / np.percentile(other, percent, axis=1))


def percentile_ratio(student: np.ndarray, other: np.ndarray, percent: float) -> float:
    """Median over rounds of `round_ratios`."""
    return float(np.median(round_ratios(student, other, percent)))
