"""Ways that are measured in turn, so that what else the machine does falls on all of them alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import numpy as np

# By the clock, which is what is claimed; and in processor time, which other work on the machine
# disturbs less, and which counts what a second core does at the same time.
CLOCKS: Mapping[str, Callable[[], float]] = {"wall": time.perf_counter, "cpu": time.process_time}


def in_turn(ways: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, dict[str, np.ndarray]]:
    """Seconds of each way in every round, by clock and name: float [rounds].

    Args:
      ways: What is measured; whatever is done once, as tracing, was done before.
      rounds: How often each is done; in which order, goes round as well.
    """
    names = list(ways)
    taken: dict[str, dict[str, list[float]]] = {clock: {name: [] for name in names} for clock in CLOCKS}
    for number in range(rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            started = {clock: now() for clock, now in CLOCKS.items()}
            ways[name]()
            for clock, now in CLOCKS.items():
                taken[clock][name].append(now() - started[clock])
    return {clock: {name: np.array(each) for name, each in of.items()} for clock, of in taken.items()}
