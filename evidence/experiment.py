"""Runs an experiment: every arm under every seed with the same tuning budget, then the verdicts."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from evidence import analysis, data, pooled, tuning
from evidence.arms import CONTROL, LOGITS_AS_INPUTS, POOLED, TEACHER, Arm, Group, Role, group, logits_as_inputs, student
from evidence.data import RunData
from evidence.fitting import Fitted, Fitter
from evidence.paths import RunPaths
from evidence.result import ArmReport, ExperimentResult
from schema.errors import InputError
from schema.loader import load_surface
from schema.surface import Surface

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """What to do.

    Attributes:
      surface: The surface of the runs.
      seeds: Number of paired seeds a run.
      tuning: Number of settings that every arm may choose from.
      techniques: Further candidates beside the surface's own student.
      references: Whether to train the reference that reads the teacher's logits.
      pooled: The source domain's folder, for the reference that trains on its rows too.
      confidence: Joint confidence of the intervals that the verdicts rest on.
      clusters: Raw column whose values are taken as clusters of evaluation examples (a
        user id); None takes every example for itself.
    """

    surface: Surface
    seeds: int = 5
    tuning: int = 3
    techniques: tuple[Arm, ...] = ()
    references: bool = True
    pooled: Path | None = None
    confidence: float = 0.95
    clusters: str | None = None

    def groups(self) -> tuple[Group, ...]:
        """Each candidate with its control and placebos; the student first."""
        own = group(student(self.surface))
        return (own, *(group(each, shared=own.control) for each in self.techniques))

    def arms(self) -> tuple[Arm, ...]:
        """All arms to train, each once."""
        found = {arm.name: arm for each in self.groups() for arm in each.arms()}
        if self.references:
            reference = logits_as_inputs(self.surface)
            found[reference.name] = reference
        return tuple(found.values())


@dataclass(frozen=True)
class Trained:
    """An arm on one run.

    Attributes:
      predictions: Per seed, by task.
      chosen: For each task, the setting whose models predicted it.
      held_out: For each setting and task, the held-out loss as a mean over seeds.
      epochs: For each setting, the epoch whose weights were kept, as a mean over seeds.
      seconds: Time for training and predicting.
    """

    predictions: list[dict[str, NDArray[Any]]]
    chosen: dict[str, str]
    held_out: dict[str, dict[str, float]]
    epochs: dict[str, float]
    seconds: float


def run(plan: Plan, runs: Sequence[RunPaths], progress: Progress) -> ExperimentResult:
    """Trains all arms on all runs and judges the candidates.

    Args:
      plan: What to do.
      runs: Finished pipeline runs: one, or several splits of the same data.
      progress: Told one line for each run, arm and seed.

    Raises:
      InputError: The plan or the runs cannot be used.
    """
    started = time.monotonic()
    check(plan, len(runs))
    techniques, raw = [each.surface for each in plan.techniques], [plan.clusters] if plan.clusters else []
    if plan.pooled is not None:
        raw += pooled.raw_columns(plan.surface, load_surface(plan.pooled).surface)
    loaded = [data.load(plan.surface, paths, raw, techniques) for paths in runs]
    arms, trained = plan.arms(), [train(plan, each, progress) for each in loaded]
    if plan.pooled is not None:
        pools = [
            pooled.pool(plan.surface, each, of.transform_graph, plan.pooled)
            for each, of in zip(loaded, runs, strict=True)
        ]
        arms = (*arms, pools[0].arm)
        for each, of in zip(pools, trained, strict=True):
            of[POOLED] = _train_pool(plan, each, progress)
    predictions = {arm.name: [of[arm.name].predictions for of in trained] for arm in arms}
    found = analysis.analyse(plan.surface, plan.groups(), loaded, predictions, plan.confidence, plan.clusters)
    return ExperimentResult(
        surface=plan.surface.name,
        runs=[each.name for each in loaded],
        seeds=plan.seeds,
        settings=[each.name for each in tuning.settings(plan.tuning)],
        confidence=plan.confidence,
        verdicts=found.verdicts,
        clusters=plan.clusters,
        tasks={name: task.kind for name, task in plan.surface.tasks.items()},
        arms=[_report(arm, [of[arm.name] for of in trained]) for arm in arms],
        means=found.means,
        findings=found.findings,
        small_slices=sum(each.small_slices for each in loaded),
        seconds=time.monotonic() - started,
    )


def check(plan: Plan, runs: int) -> None:
    """Finds what makes a plan useless before anything is read or trained.

    Raises:
      InputError: It is.
    """
    tuning.settings(plan.tuning)
    if not plan.surface.distillations():
        raise InputError(f"surface {plan.surface.name!r} distils nothing: give a task a `distil:` in surface.yaml")
    if not runs:
        raise InputError("an experiment needs a finished run")
    if runs < 2 and plan.seeds < 2:
        raise InputError("an interval over seeds needs two seeds or more, or several runs; give --seeds 5")
    names = [arm.name for each in plan.groups() for arm in (each.candidate, *each.placebos)]
    names += [CONTROL, TEACHER, LOGITS_AS_INPUTS, POOLED]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"two arms are called {', '.join(twice)}; give each technique a name of its own")
    for each in plan.techniques:
        if {name: (task.kind, task.label) for name, task in each.surface.tasks.items()} != {
            name: (task.kind, task.label) for name, task in plan.surface.tasks.items()
        }:
            raise InputError(
                f"technique {each.name!r}: its surface has other tasks; arms are compared on the same ones"
            )
        if (each.surface.group, each.surface.weight_column) != (plan.surface.group, plan.surface.weight_column):
            raise InputError(
                f"technique {each.name!r}: its surface has another `group` or `weight_column`, which Transform wrote "
                "as the run's surface says; expected the same"
            )


def train(plan: Plan, loaded: RunData, progress: Progress) -> dict[str, Trained]:
    """Trains all arms on one run, by name."""
    progress(f"{loaded.name}: {len(loaded.fitted):,} rows to fit, {len(loaded.held_out):,} held out")
    fitter, settings, arms = Fitter(loaded), tuning.settings(plan.tuning), plan.arms()
    return {
        arm.name: train_arm(
            arm,
            plan.seeds,
            settings,
            loaded,
            fitter,
            prefixed(progress, f"{loaded.name}: arm {number} of {len(arms)}, {arm.name}: "),
        )
        for number, arm in enumerate(arms, start=1)
    }


def _train_pool(plan: Plan, pool: pooled.Pool, progress: Progress) -> Trained:
    told = prefixed(progress, f"{pool.data.name}: {POOLED}, {len(pool.data.fitted):,} rows: ")
    return train_arm(pool.arm, plan.seeds, tuning.settings(plan.tuning), pool.data, Fitter(pool.data), told)


def prefixed(progress: Progress, prefix: str) -> Progress:
    """Tells where a line comes from."""
    return lambda text: progress(prefix + text)


def train_arm(
    arm: Arm,
    seeds: int,
    settings: Sequence[tuning.Setting],
    loaded: RunData,
    fitter: Fitter,
    progress: Progress,
) -> Trained:
    """Trains an arm under all settings and seeds, and keeps for each task what held-out rows prefer.

    A setting is chosen for each task by that task's held-out loss, mean over seeds; the
    evaluation split has no part in it.  Verdicts are given a task, and a choice by the sum
    of all losses would be a choice for the task with the largest and noisiest one: an arm
    could win a task because its opponent was tuned for another.
    """
    started = time.monotonic()
    fitted: dict[str, list[Fitted]] = {each.name: [] for each in settings}
    for seed in range(seeds):
        seed_started = time.monotonic()
        keras.utils.set_random_seed(seed)
        columns, unlabelled = arm.columns(loaded.training, seed), arm.unlabelled(loaded.unlabelled, seed)
        for setting in settings:
            found = fitter.fit(
                setting.seeded(arm.surface, seed),
                columns,
                distil=arm.distil,
                unlabelled=unlabelled,
                placebo=arm.role is Role.PLACEBO,
            )
            fitted[setting.name].append(found)
        progress(f"seed {seed + 1} of {seeds}, {time.monotonic() - seed_started:.1f} s")
    tasks = list(arm.surface.tasks)
    held_out = {
        name: {task: float(np.mean([each.task_losses[task] for each in of])) for task in tasks}
        for name, of in fitted.items()
    }
    chosen = {task: _least(settings, {name: of[task] for name, of in held_out.items()}) for task in tasks}
    evaluation = arm.columns(loaded.evaluation, 0)
    predictions: list[dict[str, NDArray[Any]]] = [{} for _ in range(seeds)]
    for setting in dict.fromkeys(chosen.values()):
        for seed, model in enumerate(fitted[setting.name]):
            made = fitter.predict(setting.seeded(arm.surface, seed), model, evaluation, distil=arm.distil)
            predictions[seed] |= {task: made[task] for task in tasks if chosen[task] == setting}
    return Trained(
        predictions=predictions,
        chosen={task: setting.name for task, setting in chosen.items()},
        held_out=held_out,
        epochs={name: float(np.mean([each.epoch for each in of])) for name, of in fitted.items()},
        seconds=time.monotonic() - started,
    )


def _least(settings: Sequence[tuning.Setting], losses: dict[str, float]) -> tuning.Setting:
    return min(settings, key=lambda each: losses[each.name])


def _report(arm: Arm, trained: Sequence[Trained]) -> ArmReport:
    return ArmReport(
        name=arm.name,
        role=arm.role,
        of=arm.of,
        chosen=[each.chosen for each in trained],
        held_out=[each.held_out for each in trained],
        epochs=[each.epochs for each in trained],
        seconds=sum(each.seconds for each in trained),
    )
