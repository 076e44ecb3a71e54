"""Curves: where does distillation stop paying, as the teacher gets noisier, the student larger, the target's rows more?

Every level is a student of its own with its own control and one placebo (shuffled soft
labels), trained and judged as in an experiment; the verdicts of all levels are corrected
together.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from pydantic import BaseModel, ConfigDict

from evidence import analysis, data, tuning
from evidence.arms import SHUFFLED
from evidence.experiment import Trained, prefixed, train_arm
from evidence.fitting import Fitter
from evidence.levels import Level, Over, levels
from evidence.paths import RunPaths
from evidence.result import Difference, Finding
from evidence.verdicts import Effect
from schema.errors import InputError
from schema.surface import Surface

Progress = Callable[[str], None]


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
    seconds: float


def run(
    surface: Surface,
    paths: RunPaths,
    over: Over,
    values: Sequence[float],
    *,
    seeds: int,
    budget: int,
    confidence: float,
    clusters: str | None,
    progress: Progress,
) -> CurveResult:
    """Trains and judges every level.

    Args:
      surface: The surface of the run.
      paths: A finished run.
      over: What varies.
      values: The levels.
      seeds: Paired seeds of each level, two or more.
      budget: How many settings every arm may choose from.
      confidence: Joint confidence of all intervals.
      clusters: Raw column whose values are clusters of evaluation examples, or None.
      progress: Told one line for each arm and seed.

    Raises:
      InputError: A level makes no sense, or the run or plan cannot be used.
    """
    started = time.monotonic()
    settings = tuning.settings(budget)
    if seeds < 2:
        raise InputError("an interval over seeds needs two seeds or more; give --seeds 3")
    loaded = data.load(surface, paths, [clusters] if clusters else [])
    found = levels(surface, loaded, over, values)
    trained = _train(found, seeds, settings, progress)
    predictions = {name: [each.predictions] for name, each in trained.items()}
    judged = analysis.analyse(surface, [each.group for each in found], [loaded], predictions, confidence, clusters)
    return CurveResult(
        surface=surface.name,
        over=over,
        seeds=seeds,
        settings=[each.name for each in settings],
        confidence=confidence,
        verdicts=judged.verdicts,
        points=_points(found, judged),
        seconds=time.monotonic() - started,
    )


def _train(
    found: Sequence[Level], seeds: int, settings: Sequence[tuning.Setting], progress: Progress
) -> dict[str, Trained]:
    """Every arm once; a fitter's graphs serve all levels on the same data."""
    trained: dict[str, Trained] = {}
    fitter: Fitter | None = None
    for number, level in enumerate(found, start=1):
        if fitter is None or fitter.data is not level.data:
            fitter = Fitter(level.data)
        for arm in level.group.arms():
            if arm.name not in trained:
                prefix = f"level {number} of {len(found)}, {arm.name}: "
                trained[arm.name] = train_arm(arm, seeds, settings, level.data, fitter, prefixed(progress, prefix))
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
    )


def stops(result: CurveResult) -> list[str]:
    """For each task, at which levels distillation pays: where the verdict is `knowledge`."""
    lines = []
    for task in dict.fromkeys(each.task for each in result.points):
        points = [each for each in result.points if each.task == task]
        paying = [f"{each.level:g}" for each in points if each.verdict is Effect.KNOWLEDGE]
        tried = ", ".join(f"{each.level:g}" for each in points)
        where = f"pays at {', '.join(paying)}" if paying else "pays nowhere"
        lines.append(f"{task}: of {result.over} {tried}, distillation {where}.")
    return lines
