"""Curves: where does distillation stop paying, as the teacher gets noisier, the student larger, the target's rows more?

Every level is a student of its own with its own control and one placebo (shuffled soft
labels), trained and judged as in an experiment; the verdicts of all levels are corrected
together.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict

from contracts.held_out import HeldOutRows
from evidence import analysis, data
from evidence.arms import SHUFFLED
from evidence.choosing import Budget, Progress, Trained, prefixed, train_arms
from evidence.experiment import check_units
from evidence.fitting import Fitter
from evidence.held_out import held_out_rows
from evidence.levels import Level, Over, levels
from evidence.paths import RunPaths
from evidence.result import Difference, Finding
from evidence.verdicts import Effect
from schema.surface import Surface


class Point(BaseModel):
    """One task at one level.

    Attributes:
      level: The noise, factor or part.
      rows: Rows that models are fitted to.
      task: The task.
      metric: Name of the task's metric.
      distilled: Whether the student distils this task.
      control: The control's metric, mean over seeds; None where it is not defined.
      student: The student's.
      difference: Student minus control.
      placebo: Student minus placebo.
      verdict: None where the metric is not defined.
      seeds_to_decide: For `inconclusive`, how many seeds would decide, as things look; None
        where no number would.
    """

    model_config = ConfigDict(extra="forbid")

    level: float
    rows: int
    task: str
    metric: str
    distilled: bool
    control: float | None
    student: float | None
    difference: Difference | None
    placebo: Difference | None
    verdict: Effect | None
    seeds_to_decide: int | None = None


class CurveResult(BaseModel):
    """A whole curve.

    Attributes:
      surface: Name of the surface.
      over: What varies.
      seeds: Paired seeds of each level.
      settings: What each arm could choose from.
      confidence: Joint confidence of all intervals.
      verdicts: How many verdicts the correction counts.
      points: Levels in order, each with all tasks.
      held_out_rows: How new users and items are to held-out rows and to the evaluation, with all training rows.
      seconds: All of it.
    """

    model_config = ConfigDict(extra="forbid")

    surface: str
    over: Over
    seeds: int
    settings: list[str]
    confidence: float
    verdicts: int
    points: list[Point]
    held_out_rows: list[HeldOutRows] = []
    seconds: float


def run(
    surface: Surface,
    paths: RunPaths,
    over: Over,
    values: Sequence[float],
    *,
    seeds: int,
    budget: Budget,
    confidence: float,
    clusters: str | None,
    margin: float,
    few: bool,
    progress: Progress,
) -> CurveResult:
    """Trains and judges every level.

    Args:
      surface: The surface of the run.
      paths: A finished run.
      over: What varies.
      values: The levels.
      seeds: Paired seeds of each level.
      budget: What every arm may choose from.
      confidence: Joint confidence of all intervals.
      clusters: Raw column whose values are clusters of evaluation examples, or None.
      margin: A difference this small is none.
      few: Whether fewer seeds than an experiment asks for will do.
      progress: Told one line for each arm and seed.

    Raises:
      InputError: A level makes no sense, or the run or plan cannot be used.
    """
    started = time.monotonic()
    budget.first()
    check_units(seeds, 1, few=few)
    loaded = data.load(surface, paths, [clusters] if clusters else [])
    found = levels(surface, loaded, over, values)
    trained = _train(found, seeds, budget, progress)
    predictions = {name: [each.predictions] for name, each in trained.items()}
    family = analysis.Family([each.group for each in found], confidence, margin)
    judged = analysis.analyse(surface, family, [loaded], predictions, clusters)
    return CurveResult(
        surface=surface.name,
        over=over,
        seeds=seeds,
        settings=list(dict.fromkeys(name for each in trained.values() for name in each.held_out)),
        confidence=confidence,
        verdicts=judged.verdicts,
        points=_points(found, judged),
        held_out_rows=held_out_rows(surface, [loaded]),
        seconds=time.monotonic() - started,
    )


def _train(found: Sequence[Level], seeds: int, budget: Budget, progress: Progress) -> dict[str, Trained]:
    """Every arm once; levels of the same data share their graphs and the settings that all are offered."""
    trained: dict[str, Trained] = {}
    for loaded in {id(each.data): each.data for each in found}.values():
        arms = {arm.name: arm for each in found if each.data is loaded for arm in each.group.arms()}
        told = prefixed(progress, f"{len(loaded.fitted):,} rows: ")
        trained |= train_arms([*arms.values()], seeds, budget, loaded, Fitter(loaded), told)
    return trained


def _points(found: Sequence[Level], judged: analysis.Analysis) -> list[Point]:
    means = {(each.arm, each.task): each.mean for each in judged.means if each.slice is None}
    by_name = {each.group.candidate.name: each for each in found}
    return [
        _point(by_name[each.candidate], each, means)
        for each in sorted(
            (finding for finding in judged.findings if finding.slice is None),
            key=lambda finding: by_name[finding.candidate].value,
        )
    ]


def _point(level: Level, finding: Finding, means: Mapping[tuple[str, str], float | None]) -> Point:
    return Point(
        level=level.value,
        rows=len(level.data.fitted),
        task=finding.task,
        metric=finding.metric,
        distilled=finding.distilled,
        control=means[level.group.control.name, finding.task],
        student=means[finding.candidate, finding.task],
        difference=finding.control,
        placebo=next((each for each in finding.placebos if each.arm.endswith(SHUFFLED)), None),
        verdict=finding.verdict,
        seeds_to_decide=finding.units_to_decide,
    )


def stops(result: CurveResult) -> list[str]:
    """For each task, at which levels distillation pays, at which it does not, and what is open."""
    lines = []
    for task in dict.fromkeys(each.task for each in result.points):
        points = [each for each in result.points if each.task == task]
        tried = ", ".join(f"{each.level:g}" for each in points)
        said = [
            f"{words} {', '.join(at)}"
            for words, effects in _PLACES
            if (at := [f"{each.level:g}" for each in points if each.verdict in effects])
        ]
        lines.append(f"{task}: of {result.over} {tried}, distillation {'; '.join(said)}.")
    return lines


_PLACES: tuple[tuple[str, tuple[Effect | None, ...]], ...] = (
    ("pays at", (Effect.KNOWLEDGE,)),
    ("does no more than noise at", (Effect.REGULARISATION,)),
    ("makes no difference at", (Effect.NONE,)),
    ("harms at", (Effect.HARM,)),
    ("is not decided at", (Effect.INCONCLUSIVE, None)),
)
