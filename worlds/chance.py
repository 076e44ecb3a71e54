"""Chance that is looked up rather than drawn: one number for each event, whoever asks and whenever.

A generator gives its numbers in order, so that two arms which show different things, or keep people
for different times, would soon read different numbers for the same event.  Here the number of an event
depends on the seed and on what the event is (who, which day, which item) alone: arms with one seed meet
common random numbers.  Within an arm each event happens once, so that its numbers are as good as drawn.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from worlds.population import Floats

# The finalizer of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014, figure 16) and its increment.
_INCREMENT = 0x9E3779B97F4A7C15
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_SHIFTS = np.uint64(30), np.uint64(27), np.uint64(31)
_MASK = 0xFFFFFFFFFFFFFFFF
_BITS = 53


def uniform(seed: int, *event: int | NDArray[np.integer]) -> Floats:
    """Numbers in (0, 1), one for each event.

    Args:
      seed: Another seed gives other numbers.
      event: What the event is: integers of 0 or more, or arrays of them that broadcast.

    Returns:
      Float, of the shape that the parts of the event broadcast to.
    """
    state = _mixed(np.asarray(seed & _MASK, np.uint64))
    for part in event:
        # Arrays wrap round where they overflow, which is what is meant; a scalar would warn.
        with np.errstate(over="ignore"):
            state = _mixed(state * np.uint64(_INCREMENT) + np.asarray(part).astype(np.uint64))
    return (np.right_shift(state, np.uint64(64 - _BITS)) + 0.5) / 2.0**_BITS


def normal(seed: int, *event: int | NDArray[np.integer]) -> Floats:
    """Standard normal numbers, one for each event, as `uniform` gives uniform ones."""
    return np.asarray(ndtri(uniform(seed, *event)), np.float64)


def _mixed(state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    with np.errstate(over="ignore"):
        state = state + np.uint64(_INCREMENT)
        state = (state ^ (state >> _SHIFTS[0])) * _FIRST
        state = (state ^ (state >> _SHIFTS[1])) * _SECOND
        return np.asarray(state ^ (state >> _SHIFTS[2]), np.uint64)
