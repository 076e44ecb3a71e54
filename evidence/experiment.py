"""Runs an experiment: every arm under every seed with the same tuning budget, then the verdicts."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import keras
import numpy as np
from numpy.typing import NDArray

from evidence import analysis, data, tuning
from evidence.arms import Arm, Group, group, logits_as_inputs, student
from evidence.data import RunData, RunPaths
from evidence.fitting import Fitted, Fitter
from evidence.result import ArmReport, ExperimentResult
from schema.errors import InputError
from schema.surface import Surface

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """What to do.

    Attributes:
      surface: The surface of the runs.
      runs: Finished pipeline runs: one, or several splits of the same data.
      seeds: Number of paired seeds a run.
      tuning: Number of settings that every arm may choose from.
      techniques: Further candidates beside the surface's own student.
      references: Whether to train the reference that reads the teacher's logits.
      confidence: Joint confidence of the intervals that the verdicts rest on.
      clusters: Raw column whose values are taken as clusters of evaluation examples (a
        user id); None takes every example for itself.
    """

    surface: Surface
    runs: tuple[RunPaths, ...]
    seeds: int = 5
    tuning: int = 3
    techniques: tuple[Arm, ...] = ()
    references: bool = True
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
    """An arm on one run: per seed its predictions by task, and how they came about."""

    predictions: list[dict[str, NDArray]]
    setting: str
    hard_loss: float
    epoch: float
    seconds: float


def run(plan: Plan, progress: Progress) -> ExperimentResult:
    """Trains all arms on all runs and judges the candidates.

    Args:
      plan: What to do.
      progress: Told one line for each run, arm and seed.

    Raises:
      InputError: The plan or the runs cannot be used.
    """
    started = time.monotonic()
    settings = tuning.settings(plan.tuning)
    _check(plan)
    runs: list[RunData] = []
    trained: dict[str, list[Trained]] = {arm.name: [] for arm in plan.arms()}
    for paths in plan.runs:
        loaded = data.load(plan.surface, paths, [plan.clusters] if plan.clusters else [])
        progress(f"{loaded.name}: {len(loaded.fitted):,} rows to fit, {len(loaded.held_out):,} held out")
        fitter = Fitter(loaded)
        for number, arm in enumerate(plan.arms(), start=1):
            tell = _prefixed(progress, f"{loaded.name}: arm {number} of {len(plan.arms())}, {arm.name}: ")
            trained[arm.name].append(_train(arm, plan.seeds, settings, loaded, fitter, tell))
        runs.append(loaded)
    found = analysis.analyse(
        plan.surface,
        plan.groups(),
        runs,
        {name: [each.predictions for each in of] for name, of in trained.items()},
        plan.confidence,
        plan.clusters,
    )
    return ExperimentResult(
        surface=plan.surface.name,
        runs=[each.name for each in runs],
        seeds=plan.seeds,
        settings=[each.name for each in settings],
        confidence=plan.confidence,
        verdicts=found.verdicts,
        clusters=plan.clusters,
        tasks={name: task.kind for name, task in plan.surface.tasks.items()},
        arms=[_report(arm, trained[arm.name]) for arm in plan.arms()],
        means=found.means,
        findings=found.findings,
        small_slices=sum(each.small_slices for each in runs),
        seconds=time.monotonic() - started,
    )


def _prefixed(progress: Progress, prefix: str) -> Progress:
    return lambda text: progress(prefix + text)


def _check(plan: Plan) -> None:
    if not plan.surface.distillations():
        raise InputError(f"surface {plan.surface.name!r} distils nothing: give a task a `distil:` in surface.yaml")
    if not plan.runs:
        raise InputError("an experiment needs a finished run")
    if len(plan.runs) < 2 and plan.seeds < 2:
        raise InputError("an interval over seeds needs two seeds or more, or several runs; give --seeds 5")
    names = [arm.name for each in plan.groups() for arm in (each.candidate, *each.placebos)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"two arms are called {', '.join(twice)}; give each technique a name of its own")


def _train(
    arm: Arm,
    seeds: int,
    settings: Sequence[tuning.Setting],
    loaded: RunData,
    fitter: Fitter,
    progress: Progress,
) -> Trained:
    """Trains an arm under all settings and seeds, and keeps the setting that held-out rows prefer.

    The choice is made on the mean over seeds of the held-out hard loss: the evaluation
    split has no part in it.
    """
    started = time.monotonic()
    fitted: dict[str, list[Fitted]] = {each.name: [] for each in settings}
    for seed in range(seeds):
        seed_started = time.monotonic()
        keras.utils.set_random_seed(seed)
        columns = arm.columns(loaded.training, seed)
        for setting in settings:
            fitted[setting.name].append(fitter.fit(_surface(arm, setting, seed), columns, distil=arm.distil))
        progress(f"seed {seed + 1} of {seeds}, {time.monotonic() - seed_started:.1f} s")
    losses = {name: float(np.mean([each.hard_loss for each in of])) for name, of in fitted.items()}
    best = min(settings, key=lambda each: losses[each.name])
    evaluation = arm.columns(loaded.evaluation, 0)
    return Trained(
        predictions=[
            fitter.predict(_surface(arm, best, seed), each, evaluation, distil=arm.distil)
            for seed, each in enumerate(fitted[best.name])
        ],
        setting=best.name,
        hard_loss=losses[best.name],
        epoch=float(np.mean([each.epoch for each in fitted[best.name]])),
        seconds=time.monotonic() - started,
    )


def _surface(arm: Arm, setting: tuning.Setting, seed: int) -> Surface:
    surface = setting.apply(arm.surface)
    return surface.model_copy(update={"training": surface.training.model_copy(update={"seed": seed})})


def _report(arm: Arm, trained: Sequence[Trained]) -> ArmReport:
    return ArmReport(
        name=arm.name,
        role=arm.role,
        of=arm.of,
        setting=[each.setting for each in trained],
        hard_loss=[each.hard_loss for each in trained],
        epochs=[each.epoch for each in trained],
        seconds=sum(each.seconds for each in trained),
    )
