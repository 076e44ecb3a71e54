"""Successive halving: all ways get a little, the best third gets twice as much, and so on.

What is dealt out is trainings.  A training of a way has a number, which says its seed and
which part of the training split is held out: the parts have no row in common, so that twice
the trainings are twice the rows that a choice rests on.  Trainings of one number are
paired, and ways are compared by what they gain over the reference in the trainings that
both have (K. Jamieson and A. Talwalkar, Non-stochastic Best Arm Identification and
Hyperparameter Optimization, AISTATS 2016).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from evidence.choosing import Progress
from evidence.search.space import Way
from schema.errors import InputError

# One in so many goes on to the next step, and as many may take part in the last one.
_KEPT = 3
# Beyond these, more trainings tell little more than that two ways are alike.
_MOST_TRAININGS = 16


@dataclass(frozen=True)
class Rung:
    """One step.

    Attributes:
      ways: How many take part, beside the reference.
      trainings: How many each has had at its end.
    """

    ways: int
    trainings: int


@dataclass
class Entrant:
    """A way in a search, with what is known of it.

    Attributes:
      way: The way.
      distil: Whether it is trained with its distillation heads; a control is not.
      scores: By number of training, the share of each task's loss that the model takes away on held-out rows.
      refused: Why it was not trained.
    """

    way: Way
    distil: bool
    scores: dict[int, dict[str, float]] = field(default_factory=dict)
    refused: str | None = None

    def score(self, training: int, weights: dict[str, float]) -> float:
        """The weighted mean over tasks in one training."""
        of_tasks = self.scores[training]
        return float(np.average([of_tasks[task] for task in weights], weights=list(weights.values())))


@dataclass(frozen=True)
class Fall:
    """What became of a way in a rung.

    Attributes:
      name: The way.
      rung: The rung, from 1.
      trainings: How many it had had.
      gain: Its gain over the reference; None where it could not be trained.
      stays: Whether it goes on.
    """

    name: str
    rung: int
    trainings: int
    gain: float | None
    stays: bool


class OutOfTimeError(Exception):
    """The time that was given is over."""


# Trains a way once, or raises OutOfTimeError, or InputError if it cannot be trained; fills its scores in.
Train = Callable[[Entrant, int], None]


def rungs(ways: int, trainings: int) -> tuple[Rung, ...]:
    """The steps that a number of trainings is enough for.

    Args:
      ways: How many there are beside the reference, which takes part in each step.
      trainings: How many there may be, those of the reference included.

    Returns:
      The first step has fewer ways if there are not enough trainings; none if there is no way.
    """
    while ways and cost(_steps(ways, 1)) > trainings:
        ways -= 1
    if not ways:
        return ()
    first = 1
    while first < _MOST_TRAININGS and cost(_steps(ways, first + 1)) <= trainings:
        first += 1
    return _steps(ways, first)


def _steps(ways: int, first: int) -> tuple[Rung, ...]:
    found = [Rung(ways, first)]
    while found[-1].ways > _KEPT:
        last = found[-1]
        found.append(Rung(math.ceil(last.ways / _KEPT), min(2 * last.trainings, _MOST_TRAININGS)))
    return tuple(found)


def cost(steps: Sequence[Rung]) -> int:
    """How many trainings these are, those of the reference included."""
    found, before = 0, 0
    for rung in steps:
        found += (rung.ways + 1) * (rung.trainings - before)
        before = rung.trainings
    return found


def halve(
    entrants: Sequence[Entrant],
    steps: Sequence[Rung],
    weights: dict[str, float],
    train: Train,
    progress: Progress,
) -> list[Fall]:
    """Trains and compares.

    Args:
      entrants: The reference, then the ways, the likeliest first.
      steps: From `rungs`.
      weights: What each task counts for.
      train: Trains one once.
      progress: Told one line for each way and rung.

    Returns:
      What became of each way in each rung.

    Raises:
      OutOfTimeError: Trainings took too long; what is known stays known.
    """
    reference, falls = entrants[0], []
    going_on = [*entrants[1:]]
    for number, rung in enumerate(steps, start=1):
        going_on = going_on[: rung.ways]
        progress(f"rung {number} of {len(steps)}: {len(going_on)} ways, {rung.trainings} trainings each")
        for each in (reference, *going_on):
            _train_up_to(each, rung.trainings, train)
            progress(f"  {each.way.name}: {_told(each, reference, weights, rung.trainings)}")
            if reference.refused is not None:
                raise InputError(reference.refused)
        gains = {each.way.name: gain(each, reference, weights, rung.trainings) for each in going_on}
        # A loss that is no number is the worst one.
        worth = {name: of if of is not None and math.isfinite(of) else -math.inf for name, of in gains.items()}
        ranked = sorted(going_on, key=lambda each: -worth[each.way.name])
        able = [each for each in ranked if worth[each.way.name] > -math.inf]
        stay = able[: steps[number].ways if number < len(steps) else 1]
        falls += [Fall(each.way.name, number, rung.trainings, gains[each.way.name], each in stay) for each in ranked]
        going_on = stay
    return falls


def _train_up_to(entrant: Entrant, trainings: int, train: Train) -> None:
    for number in range(trainings):
        if entrant.refused is not None:
            return
        if number not in entrant.scores:
            try:
                train(entrant, number)
            except InputError as error:
                entrant.refused = str(error)


def gain(entrant: Entrant, reference: Entrant, weights: dict[str, float], first: int | None = None) -> float | None:
    """The mean gain over the reference in the trainings that both have, or the first few of these; None without any."""
    shared = sorted(entrant.scores.keys() & reference.scores.keys())[:first]
    if entrant.refused is not None or not shared:
        return None
    return float(np.mean([entrant.score(each, weights) - reference.score(each, weights) for each in shared]))


def better(entrants: Sequence[Entrant], reference: Entrant, weights: dict[str, float]) -> list[Entrant]:
    """Those that gain on the reference: who came furthest first, and of these who gains most."""
    known = [(each, gain(each, reference, weights)) for each in entrants]
    found = [(each, of) for each, of in known if of is not None and of > 0]
    return [each for each, _ in sorted(found, key=lambda pair: (-len(pair[0].scores), -pair[1]))]


def _told(entrant: Entrant, reference: Entrant, weights: dict[str, float], trainings: int) -> str:
    if entrant.refused is not None:
        return f"cannot be trained: {entrant.refused}"
    if entrant is reference:
        mean = np.mean([entrant.score(each, weights) for each in entrant.scores])
        return f"takes away {mean:.1%} of the held-out losses"
    return f"{gain(entrant, reference, weights, trainings):+.4f} to {reference.way.name}"
