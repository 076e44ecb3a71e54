"""Times ways in turn, so that a machine's moods meet all of them alike."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Way:
    """One way of labelling.

    Attributes:
      run: Labels `rows` examples.
      rows: How many.
      start: The same over `start_rows` examples, which are very few.  What that takes is taken
        from each measurement: such a way is measured on fewer examples than the labeller, and
        must not pay for its start more often.  None for a way that pays for its start itself.
      start_rows: How many `start` labels.
    """

    run: Callable[[], object]
    rows: int
    start: Callable[[], object] | None = None
    start_rows: int = 0


@dataclass(frozen=True)
class Spent:
    """Seconds on the clock, and of all of this process's threads."""

    wall: float
    cpu: float

    def __sub__(self, other: Spent) -> Spent:
        return Spent(self.wall - other.wall, self.cpu - other.cpu)


Rates = dict[str, dict[str, list[float]]]


def measure(ways: Mapping[str, Way], rounds: int, say: Callable[[str], None]) -> Rates:
    """Examples a second, by way and clock (`wall`, `cpu`), one for each round.

    Args:
      ways: Each is run once in every round.
      rounds: How many.
      say: Called with a line of progress after each run.
    """
    rates: Rates = {name: {"wall": [], "cpu": []} for name in ways}
    for number in range(rounds):
        for name, way in ways.items():
            start = _spent(way.start) if way.start else Spent(0.0, 0.0)
            spent, rows = _spent(way.run) - start, way.rows - way.start_rows
            rates[name]["wall"].append(rows / spent.wall)
            rates[name]["cpu"].append(rows / spent.cpu)
            say(
                f"round {number + 1} of {rounds}: {name}: {rows / spent.wall:,.0f} examples a second, "
                f"{rows / spent.cpu:,.0f} a second of CPU"
            )
    return rates


def _spent(run: Callable[[], object]) -> Spent:
    wall, cpu = time.monotonic(), _cpu()
    run()
    return Spent(time.monotonic() - wall, _cpu() - cpu)


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def ratio(rates: Rates, way: str, other: str, clock: str) -> dict[str, Any]:
    """Of two ways' rates, round by round: the median, and the least and the greatest."""
    ratios = np.divide(rates[way][clock], rates[other][clock])
    return {
        "median": round(float(np.median(ratios)), 3),
        "least": round(float(ratios.min()), 3),
        "greatest": round(float(ratios.max()), 3),
    }


def fastest(rates: Rates, ways: Sequence[str]) -> dict[str, list[float]]:
    """The rates of whichever of some ways was the fastest in each round, by clock."""
    return {clock: np.max([rates[way][clock] for way in ways], axis=0).tolist() for clock in ("wall", "cpu")}


def median_rates(rates: Rates) -> dict[str, dict[str, int]]:
    """Examples a second, by way and clock."""
    return {
        name: {clock: round(float(np.median(values))) for clock, values in clocks.items()}
        for name, clocks in rates.items()
    }
