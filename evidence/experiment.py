"""Runs an experiment: every arm under every seed with the same tuning budget, then the verdicts."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from evidence import analysis, data, other_teachers, pooled
from evidence.arms import (
    CONTROL,
    LOGITS_AS_INPUTS,
    POOLED,
    TEACHER,
    Arm,
    Group,
    Role,
    group,
    logits_as_inputs,
    student,
)
from evidence.choosing import Budget, Progress, Trained, prefixed, train_arms
from evidence.data import RunData
from evidence.fitting import Fitter
from evidence.held_out import held_out_rows
from evidence.other_teachers import Answer
from evidence.paths import RunPaths
from evidence.result import ArmReport, Edge, ExperimentResult
from schema.errors import InputError
from schema.loader import load_surface
from schema.metrics import NEGLIGIBLE
from schema.surface import Surface

# With fewer, one degree of freedom or two make an interval that can show nothing.
LEAST_UNITS = 4


@dataclass(frozen=True)
class Plan:
    """What to do.

    Attributes:
      surface: The surface of the runs.
      seeds: Number of paired seeds a run.
      tuning: What every arm may choose from.
      techniques: Further candidates beside the surface's own student.
      teachers: Other teachers than the run's, by name: each teaches a further candidate.
      references: Whether to train the reference that reads the teacher's logits.
      pooled: The source domain's folder, for the reference that trains on its rows too.
      confidence: Joint confidence of the intervals that the verdicts rest on.
      clusters: Raw column whose values are taken as clusters of evaluation examples (a
        user id); None takes every example for itself.
      margin: A difference this small is none, in units of each task's metric.
      few: Whether fewer than `LEAST_UNITS` seeds (runs, where there are several) will do.
      control: A configuration that was found for the control, which all candidates are then
        judged against; None gives each the control of its own configuration.
      as_written: Whether candidates are trained as their surfaces say, so that what is judged is
        what could be served, while controls, placebos and references choose settings.
    """

    surface: Surface
    seeds: int = 5
    tuning: Budget = field(default_factory=Budget)
    techniques: tuple[Arm, ...] = ()
    teachers: Mapping[str, Answer] = field(default_factory=dict)
    references: bool = True
    pooled: Path | None = None
    confidence: float = 0.95
    clusters: str | None = None
    margin: float = NEGLIGIBLE
    few: bool = False
    control: Surface | None = None
    as_written: bool = False

    def groups(self) -> tuple[Group, ...]:
        """Each candidate with its control and placebos; the student first."""
        own = group(student(self.surface))
        others = [*self.techniques, *(other_teachers.candidate(self.surface, name) for name in self.teachers)]
        found = (own, *(group(each, shared=own.control) for each in others))
        if self.control is None:
            return found
        control = replace(own.control, surface=self.control)
        return tuple(replace(each, control=control) for each in found)

    def arms(self) -> tuple[Arm, ...]:
        """All arms to train, each once."""
        found = {arm.name: arm for each in self.groups() for arm in (*each.arms(), *each.ablations)}
        if self.references:
            ceilings = [other_teachers.ceiling(self.surface, name) for name in self.teachers]
            found |= {arm.name: arm for arm in (logits_as_inputs(self.surface), *ceilings)}
        return tuple(found.values())


def run(
    plan: Plan, runs: Sequence[RunPaths], progress: Progress, fitter: Callable[[RunData], Fitter] = Fitter
) -> ExperimentResult:
    """Trains all arms on all runs and judges the candidates.

    Args:
      plan: What to do.
      runs: Finished pipeline runs: one, or several splits of the same data.
      progress: Told one line for each run, arm and seed.
      fitter: What fits models to a run's data.

    Raises:
      InputError: The plan or the runs cannot be used.
    """
    started = time.monotonic()
    check(plan, len(runs))
    techniques, raw = [each.surface for each in plan.techniques], [plan.clusters] if plan.clusters else []
    techniques += [plan.control] if plan.control is not None else []
    if plan.pooled is not None:
        raw += pooled.raw_columns(plan.surface, load_surface(plan.pooled).surface)
    loaded = [data.load(plan.surface, paths, raw, techniques) for paths in runs]
    if plan.teachers:
        progress(f"answers of {', '.join(plan.teachers)} to the runs' examples")
        loaded = [
            other_teachers.answered(each, plan.surface, of, plan.teachers)
            for each, of in zip(loaded, runs, strict=True)
        ]
    arms, trained = plan.arms(), [train(plan, each, progress, fitter) for each in loaded]
    if plan.pooled is not None:
        pools = [
            pooled.pool(plan.surface, each, of.transform_graph, plan.pooled)
            for each, of in zip(loaded, runs, strict=True)
        ]
        arms = (*arms, pools[0].arm)
        for each, of in zip(pools, trained, strict=True):
            of[POOLED] = _train_pool(plan, each, progress)
    predictions = {arm.name: [of[arm.name].predictions for of in trained] for arm in arms}
    family = analysis.Family(plan.groups(), plan.confidence, plan.margin)
    found = analysis.analyse(plan.surface, family, loaded, predictions, plan.clusters)
    return ExperimentResult(
        surface=plan.surface.name,
        runs=[each.name for each in loaded],
        seeds=plan.seeds,
        settings=list(dict.fromkeys(name for of in trained for each in of.values() for name in each.held_out)),
        edges=_edges(trained),
        margin=plan.margin,
        confidence=plan.confidence,
        verdicts=found.verdicts,
        clusters=plan.clusters,
        tasks={name: task.kind for name, task in plan.surface.tasks.items()},
        arms=[_report(arm, [of[arm.name] for of in trained]) for arm in arms],
        means=found.means,
        findings=found.findings,
        comparisons=found.comparisons,
        small_slices=sum(each.small_slices for each in loaded),
        held_out_rows=held_out_rows(plan.surface, loaded),
        seconds=time.monotonic() - started,
    )


def _labels(surface: Surface) -> dict[str, object]:
    """What arms must have in common to be compared."""
    return {name: (task.kind, task.label, task.rule) for name, task in surface.tasks.items()}


def _columns(surface: Surface) -> tuple[object, ...]:
    """What Transform wrote of a surface beside features and labels, and what metrics read of it."""
    return surface.group, surface.weight_column, surface.weighted_evaluation


def _held_out(surface: Surface) -> tuple[float, str]:
    """What says which rows are held out."""
    return surface.training.validation_fraction, surface.training.hold_out


def check(plan: Plan, runs: int) -> None:
    """Finds what makes a plan useless before anything is read or trained.

    Raises:
      InputError: It is.
    """
    plan.tuning.first()
    check_units(plan.seeds, runs, few=plan.few)
    if not plan.surface.distillations():
        raise InputError(f"surface {plan.surface.name!r} distils nothing: give a task a `distil:` in surface.yaml")
    if not runs:
        raise InputError("an experiment needs a finished run")
    if plan.teachers:
        other_teachers.check_answerable(plan.surface)
    names = [arm.name for each in plan.groups() for arm in (each.candidate, *each.placebos, *each.ablations)]
    names += [CONTROL, TEACHER, LOGITS_AS_INPUTS, POOLED]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(
            f"two arms are called {', '.join(twice)}; give each technique and each teacher a name of its own"
        )
    for each in plan.techniques:
        _check_comparable(each, plan.surface)


def _check_comparable(technique: Arm, surface: Surface) -> None:
    """Raises InputError where a technique reads other columns, or chooses by other rows, than the surface's student."""
    called, other = f"technique {technique.name!r}: its surface has", technique.surface
    if _labels(other) != _labels(surface):
        raise InputError(f"{called} other tasks; arms are compared on the same ones")
    if _columns(other) != _columns(surface):
        raise InputError(
            f"{called} another `group` or `weight_column`, which Transform wrote as the run's surface says; "
            "expected the same"
        )
    if _held_out(other) != _held_out(surface):
        raise InputError(
            f"{called} another `validation_fraction` or `hold_out`; all arms choose by the same held-out rows, so "
            "expected the same. To compare by other rows give `--surface` a folder that holds them out"
        )


def check_units(seeds: int, runs: int, *, few: bool) -> None:
    """Finds that there is too little to take a variance over.

    Args:
      seeds: Paired seeds.
      runs: Runs; where there are several, these are the units, and seeds are not.
      few: Whether fewer than `LEAST_UNITS` will do.

    Raises:
      InputError: There is.
    """
    units, what = (runs, "runs") if runs > 1 else (seeds, "seeds")
    if units < 2:
        raise InputError("an interval over seeds needs two seeds or more, or several runs; give --seeds 5")
    if units < LEAST_UNITS and not few:
        raise InputError(
            f"expected {LEAST_UNITS} {what} or more, found {units}: intervals over so few hide even large gains; "
            f"give more, or --few to go on with {units}"
        )


def train(
    plan: Plan, loaded: RunData, progress: Progress, fitter: Callable[[RunData], Fitter] = Fitter
) -> dict[str, Trained]:
    """Trains all arms on one run, by name."""
    progress(f"{loaded.name}: {len(loaded.fitted):,} rows to fit, {len(loaded.held_out):,} held out")
    told = prefixed(progress, f"{loaded.name}: ")
    arms, fits = plan.arms(), fitter(loaded)
    as_they_are = (Role.CANDIDATE, Role.ABLATION) if plan.as_written else ()
    settled = [arm for arm in arms if arm.role in as_they_are]
    tuned = [arm for arm in arms if arm.role not in as_they_are]
    found = train_arms(tuned, plan.seeds, plan.tuning, loaded, fits, told)
    as_written = train_arms(settled, plan.seeds, Budget(settings=1, widen=0), loaded, fits, told)
    # What is beside a setting that was not to be chosen is no edge of a choice.
    return found | {name: replace(each, untried={}) for name, each in as_written.items()}


def _train_pool(plan: Plan, pool: pooled.Pool, progress: Progress) -> Trained:
    told = prefixed(progress, f"{pool.data.name}: {POOLED}, {len(pool.data.fitted):,} rows: ")
    return train_arms([pool.arm], plan.seeds, plan.tuning, pool.data, Fitter(pool.data), told)[POOLED]


def _edges(trained: Sequence[Mapping[str, Trained]]) -> list[Edge]:
    return [
        Edge(arm=name, task=task, untried=untried)
        for of in trained
        for name, each in of.items()
        for task, untried in each.untried.items()
        if untried
    ]


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
