"""The search: a halving for the control, one of students with one change each, one of changes put together.

Everything here sees the training split alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import keras

from contracts.heads import SERVING_PREFIX
from evidence.arms import Arm, Role
from evidence.choosing import Progress, prefixed
from evidence.data import RunData
from evidence.fitting import Fitter
from evidence.search.halving import Entrant, Fall, OutOfTimeError, Rung, better, cost, gain, halve, rungs
from evidence.search.result import Chosen, Fallen, Round, SearchResult
from evidence.search.space import Load, Way, Ways, controls, together
from models.terms import head_losses
from schema.errors import InputError
from schema.surface import Surface

# Of all trainings, the parts of the control and of single changes; the rest is for changes put together.
_OF_CONTROL, _ALONE = 0.25, 0.5
_LEAST = 8
# How many single changes take part once more beside those put together.
_AGAIN = 2


@dataclass(frozen=True)
class Limits:
    """What a search may take.

    Attributes:
      trainings: How many trainings.
      minutes: How many minutes; None for any number.
    """

    trainings: int = 200
    minutes: float | None = None

    def check(self) -> None:
        """Raises InputError if it is too little for anything."""
        if self.trainings < _LEAST:
            raise InputError(f"--trainings: expected {_LEAST} or more, found {self.trainings}")
        if self.minutes is not None and self.minutes <= 0:
            raise InputError(f"--minutes: expected more than 0, found {self.minutes:g}")


@dataclass(frozen=True)
class Found:
    """What a search found.

    Attributes:
      student: The configuration that held-out rows prefer.
      control: The same of all that is not distillation.
      result: How it came to that.
    """

    student: Way
    control: Way
    result: SearchResult


def search(
    ways: Ways,
    load: Load,
    loaded: RunData,
    limits: Limits,
    fitter: Callable[[RunData], Fitter],
    progress: Progress,
    clock: Callable[[], float] = time.monotonic,
) -> Found:
    """Chooses by held-out rows of the training split.

    Args:
      ways: What to try.
      load: Reads the surface with changes.
      loaded: The run's data; of the evaluation split nothing is read.
      limits: What the search may take.
      fitter: Makes what fits models.
      progress: Told one line for each way and rung.
      clock: Seconds that pass.

    Raises:
      InputError: The surface as it is cannot be trained, or the limits are too small.
    """
    limits.check()
    return _Search(ways, load, loaded, limits, fitter, progress, clock).found()


class _Search:
    def __init__(
        self,
        ways: Ways,
        load: Load,
        loaded: RunData,
        limits: Limits,
        fitter: Callable[[RunData], Fitter],
        progress: Progress,
        clock: Callable[[], float],
    ):
        self._ways, self._load, self._limits, self._progress, self._clock = ways, load, limits, progress, clock
        surface = ways.students[0].surface
        self._end = None if limits.minutes is None else clock() + 60 * limits.minutes
        self._trainer = _Trainer(loaded, fitter, _constants(surface, loaded), self._over)
        self._weights = {name: task.weight for name, task in surface.tasks.items()}
        self._rounds: list[Round] = []

    def found(self) -> Found:
        started = self._clock()
        of_control = [Entrant(way, distil=False) for way in controls(self._ways.students)]
        students = [Entrant(way, distil=True) for way in self._ways.students]
        allowed = self._limits.trainings
        control = self._round("control", of_control, int(_OF_CONTROL * allowed))
        best = self._round("alone", students, int(_ALONE * allowed))
        reference = students[0]
        singles = better(students[1:], reference, self._weights)
        pairs = [Entrant(way, distil=True) for way in together([each.way for each in singles], self._load)]
        if pairs:
            last = self._round("together", [reference, *singles[:_AGAIN], *pairs], allowed - self._trainer.trained)
            best = last if self._rounds[-1].falls else best
        student = best or reference
        everyone = {each.way.name: each for each in (*of_control, *students, *pairs)}
        return Found(
            student=student.way,
            control=(control or of_control[0]).way,
            result=SearchResult(
                allowed=allowed,
                minutes=self._limits.minutes,
                trainings=self._trainer.trained,
                seconds=self._clock() - started,
                rounds=self._rounds,
                refused={name: each.refused for name, each in everyone.items() if each.refused is not None},
                left_out=self._ways.left_out,
                student=self._chosen(student, reference),
                control=self._chosen(control or of_control[0], of_control[0]),
            ),
        )

    def _over(self) -> bool:
        return self._end is not None and self._clock() >= self._end

    def _round(self, name: str, entrants: Sequence[Entrant], allowed: int) -> Entrant | None:
        """The best of a halving; None where none gains on the surface as it is."""
        steps = rungs(len(entrants) - 1, allowed)
        told = prefixed(self._progress, f"{name}: ")
        told(f"{len(entrants) - 1} ways, {cost(steps)} trainings at most")
        falls: list[Fall] = []
        ended = True
        try:
            falls = halve(entrants, steps, self._weights, self._trainer.train, told)
        except OutOfTimeError:
            ended = False
            told("time is over")
        self._rounds.append(_round(name, steps, falls, ended=ended))
        if not ended:
            return next(iter(better(entrants[1:], entrants[0], self._weights)), None)
        last = next((fall for fall in reversed(falls) if fall.stays), None)
        if last is None or last.gain is None or last.gain <= 0:
            return None
        return next(each for each in entrants if each.way.name == last.name)

    def _chosen(self, entrant: Entrant, reference: Entrant) -> Chosen:
        of = None if entrant is reference else gain(entrant, reference, self._weights)
        return Chosen(name=entrant.way.name, sets=[*entrant.way.sets], gain=of)


class _Trainer:
    """Trains ways; one fitter for each, which keeps its traced loop, until time is over."""

    def __init__(
        self,
        loaded: RunData,
        fitter: Callable[[RunData], Fitter],
        constants: Mapping[str, float],
        over: Callable[[], bool],
    ):
        self.trained = 0
        self._loaded, self._fitter, self._constants, self._over = loaded, fitter, constants, over
        self._last: tuple[Entrant | None, Fitter] = None, fitter(loaded)

    def train(self, entrant: Entrant, number: int) -> None:
        """Trains a way under the seed of this number, with the held-out part of this number."""
        if self._over():
            raise OutOfTimeError
        arm = Arm(entrant.way.name, Role.CANDIDATE, entrant.way.surface, distil=entrant.distil)
        if self._last[0] is not entrant:  # of large tables, one traced loop for each way would fill the memory
            self._last = entrant, self._fitter(self._loaded)
        keras.utils.set_random_seed(number)
        training = arm.surface.training.model_copy(update={"seed": number})
        self.trained += 1
        found = self._last[1].fit(
            arm.surface.model_copy(update={"training": training}),
            arm.columns(self._loaded.training, number),
            distil=arm.distil,
            unlabelled=arm.unlabelled(self._loaded.pairs(arm.surface), number),
            fold=number,
        )
        entrant.scores[number] = {task: 1 - loss / self._constants[task] for task, loss in found.task_losses.items()}


def _constants(surface: Surface, loaded: RunData) -> dict[str, float]:
    """By task, the loss of the best constant."""
    terms = head_losses(surface, loaded.statistics, distil=False)
    return {each.name.removeprefix(SERVING_PREFIX): each.constant for each in terms}


def _round(name: str, steps: Sequence[Rung], falls: Sequence[Fall], *, ended: bool) -> Round:
    return Round(name=name, allowed=cost(steps), ended=ended, falls=[Fallen(**vars(each)) for each in falls])
