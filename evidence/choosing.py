"""Trains arms under several settings, and lets held-out rows choose; settings widen where a choice is at their edge.

A control at the edge of its grid is not tuned.  So whatever was chosen is asked for its
neighbors: ten times and a tenth of the L2 penalty, a third and three times the learning rate,
and twice the epochs if the last ones were the best.  The neighbor that most choices ask for
is then offered to all arms alike, and so on, until every choice lies inside of what was
tried or the budget ends; what was not tried is said.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from evidence import own_history
from evidence.arms import Arm, Columns, Role
from evidence.data import RunData
from evidence.fitting import Fitter
from evidence.tuning import Setting, settings

Progress = Callable[[str], None]
_Predictions = list[dict[str, NDArray[Any]]]


@dataclass(frozen=True)
class Budget:
    """What every arm may choose from.

    Attributes:
      settings: How many settings all arms start with.
      widen: How many further ones may be tried beyond the edges of these.
    """

    settings: int = 3
    widen: int = 4

    def first(self) -> tuple[Setting, ...]:
        """The settings to start with.

        Raises:
          InputError: There are not as many.
        """
        return settings(self.settings)


@dataclass(frozen=True)
class Trained:
    """An arm on one run.

    Attributes:
      predictions: Per seed, by task.
      chosen: For each task, the setting whose models predicted it.
      untried: For each task, the neighbors of that setting that were not tried.
      held_out: For each setting and task, the held-out loss as a mean over seeds.
      epochs: For each setting, the epoch whose weights were kept, as a mean over seeds.
      seconds: Time for training and predicting.
    """

    predictions: _Predictions
    chosen: dict[str, str]
    untried: dict[str, list[str]]
    held_out: dict[str, dict[str, float]]
    epochs: dict[str, float]
    seconds: float


def train_arms(
    arms: Sequence[Arm],
    seeds: int,
    budget: Budget,
    loaded: RunData,
    fitter: Fitter,
    progress: Progress,
) -> dict[str, Trained]:
    """Trains all arms under the same settings and seeds, and keeps for each task what held-out rows prefer.

    A setting is chosen for each task by that task's held-out loss, mean over seeds; the
    evaluation split has no part in it.  Verdicts are given for each task, and a choice by the
    sum of all losses would be a choice for the task with the largest and noisiest one: an arm
    could win a task because its opponent was tuned for another.

    Args:
      arms: Arms with different names.
      seeds: Number of paired seeds.
      budget: What every arm may choose from.
      loaded: The run's data.
      fitter: Fits models to these data.
      progress: Told one line for each arm and seed.

    Returns:
      What became of each arm, by name.
    """
    tuned = [_Tuned(arm, seeds, loaded, fitter) for arm in arms]
    for number, each in enumerate(tuned, start=1):
        each.fit(budget.first(), prefixed(progress, f"arm {number} of {len(tuned)}, {each.arm.name}: "))
    for step in range(1, budget.widen + 1):
        asked = _asked_for(tuned)
        if not asked:
            break
        setting, choices = asked[0]
        progress(f"settings widen, {step} of at most {budget.widen}: {setting.name}, a neighbor of {choices} choices")
        for each in tuned:
            each.fit([setting], prefixed(progress, f"{setting.name}, {each.arm.name}: "))
    return {each.arm.name: each.trained() for each in tuned}


def prefixed(progress: Progress, prefix: str) -> Progress:
    """Tells where a line comes from."""
    return lambda text: progress(prefix + text)


def _asked_for(tuned: Sequence[_Tuned]) -> list[tuple[Setting, int]]:
    """Neighbors that were not tried with the number of choices that they are next to, the most wanted first."""
    wanted = [neighbor for each in tuned for task in each.arm.surface.tasks for neighbor in each.untried(task)]
    return Counter(wanted).most_common()


@dataclass
class _Tuned:
    """One arm under all settings that were tried so far.

    Of the models only the predictions of chosen ones are kept: weights of large tables, times
    arms, seeds and settings, would fill the memory.
    """

    arm: Arm
    seeds: int
    loaded: RunData
    fitter: Fitter
    losses: dict[Setting, dict[str, float]] = field(default_factory=dict)
    epochs: dict[Setting, float] = field(default_factory=dict)
    predictions: dict[Setting, _Predictions] = field(default_factory=dict)
    seconds: float = 0.0
    _own: dict[int, NDArray[np.float32]] = field(default_factory=dict)

    def fit(self, new: Sequence[Setting], progress: Progress) -> None:
        """Tries further settings under all seeds."""
        started = time.monotonic()
        fitted: dict[Setting, list[Any]] = {each: [] for each in new}
        for seed in range(self.seeds):
            seed_started = time.monotonic()
            keras.utils.set_random_seed(seed)
            columns = self._columns(seed)
            unlabelled = self.arm.unlabelled(self.loaded.pairs(self.arm.surface), seed)
            for setting in new:
                found = self.fitter.fit(
                    setting.seeded(self.arm.surface, seed),
                    columns,
                    distil=self.arm.distil,
                    unlabelled=unlabelled,
                    placebo=self.arm.role is Role.PLACEBO,
                )
                fitted[setting].append(found)
            progress(f"seed {seed + 1} of {self.seeds}, {time.monotonic() - seed_started:.1f} s")
        for setting, models in fitted.items():
            self.losses[setting] = {
                task: float(np.mean([each.task_losses[task] for each in models])) for task in self.arm.surface.tasks
            }
            self.epochs[setting] = float(np.mean([each.epoch for each in models]))
        self._predict(fitted)
        self.seconds += time.monotonic() - started

    def _columns(self, seed: int) -> Columns:
        """The training columns of a seed, with what the control said of them where histories are of that."""
        columns = self.arm.columns(self.loaded.training, seed)
        if not self.arm.own_history:
            return columns
        if seed not in self._own:
            self._own[seed] = own_history.said(self.fitter, self.arm.surface, columns, seed)
        return own_history.told(self.arm.surface, columns, self._own[seed])

    def chosen(self, task: str) -> Setting:
        """What held-out rows prefer for a task."""
        return min(self.losses, key=lambda each: self.losses[each][task])

    def untried(self, task: str) -> list[Setting]:
        """The neighbors of the chosen setting that were not tried."""
        setting = self.chosen(task)
        return [each for each in setting.neighbors(self.arm.surface, self.epochs[setting]) if each not in self.losses]

    def trained(self) -> Trained:
        """What became of the arm."""
        tasks = list(self.arm.surface.tasks)
        return Trained(
            predictions=[
                {task: self.predictions[self.chosen(task)][seed][task] for task in tasks} for seed in range(self.seeds)
            ],
            chosen={task: self.chosen(task).name for task in tasks},
            untried={task: [each.name for each in self.untried(task)] for task in tasks},
            held_out={each.name: losses for each, losses in self.losses.items()},
            epochs={each.name: epoch for each, epoch in self.epochs.items()},
            seconds=self.seconds,
        )

    def _predict(self, fitted: dict[Setting, list[Any]]) -> None:
        """Keeps the predictions of the chosen settings, and of no others."""
        evaluation = self.arm.columns(self.loaded.evaluation, 0)
        wanted = {self.chosen(task) for task in self.arm.surface.tasks}
        for setting in wanted & fitted.keys():
            self.predictions[setting] = [
                self.fitter.predict(setting.seeded(self.arm.surface, seed), model, evaluation, distil=self.arm.distil)
                for seed, model in enumerate(fitted[setting])
            ]
        self.predictions = {setting: kept for setting, kept in self.predictions.items() if setting in wanted}
