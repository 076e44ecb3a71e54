"""The study: trains all arms over the spans, and compares them."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evaluation.influence import MetricScore
from evaluation.registry import score
from evidence.choosing import Progress
from evidence.days import chains
from evidence.days.cells import Cell, Layout, Question
from evidence.days.chains import Judging, Trained
from evidence.days.examples import Examples
from evidence.days.result import Answer, CellReport, DaysResult, SpanDifference, Value
from evidence.experiment import check_units
from evidence.statistics import Estimate, difference
from evidence.verdicts import corrected_confidence
from models.columns import hard_label_column
from models.without_row import mean_of
from schema.errors import InputError
from schema.metrics import NEGLIGIBLE, main_metric
from schema.surface import Surface

_Scores = dict[str, list[MetricScore] | None]


@dataclass(frozen=True)
class Plan:
    """What to do.

    Attributes:
      surface: The surface.
      spans: All spans, in order; the last one only judges.
      layout: The arms.
      seeds: Paired seeds.
      confidence: Joint confidence of each question's intervals in each slice.
      margin: A difference this small is none.
      clusters: Raw column whose values belong together; None for none.
      few: Whether fewer seeds than an experiment asks for will do.
    """

    surface: Surface
    spans: tuple[int, ...]
    layout: Layout
    seeds: int = 5
    confidence: float = 0.95
    margin: float = NEGLIGIBLE
    clusters: str | None = None
    few: bool = False

    @property
    def judged_from(self) -> int:
        """The first span after which arms are judged: the second half, and no cold window is cut short."""
        return self.spans[max(*self.layout.cold, len(self.spans) // 2) - 1]


def check(plan: Plan) -> None:
    """Finds what makes a plan useless before anything is labelled or trained.

    Raises:
      InputError: It is.
    """
    check_units(plan.seeds, 1, few=plan.few)
    longest = max(*plan.layout.cold, plan.layout.window)
    if len(plan.spans) <= longest:
        raise InputError(
            f"expected more than {longest} spans, so that the longest window is whole and a span after it judges; "
            f"found {len(plan.spans)}. Choose shorter windows (--window, --cold), or wait for more spans"
        )
    for section in ("unlabelled", "warm_start", "histories", "student"):
        if getattr(plan.surface, section):
            raise InputError(
                f"surface {plan.surface.name!r}: `{section}` has no part in a study over spans; expected a surface "
                "without it. Take it out of a copy of the surface"
            )
    if plan.surface.trusted:
        raise InputError(
            f"surface {plan.surface.name!r}: `adapter` and `reliability` have no part in a study over spans; expected "
            "a surface without them. Take them out of a copy of the surface"
        )
    if not plan.surface.distillations():
        raise InputError(f"surface {plan.surface.name!r} distils nothing: give a task a `distil:` in surface.yaml")


def run(plan: Plan, examples: Examples, progress: Progress) -> DaysResult:
    """Trains and compares all arms.

    Args:
      plan: What to do.
      examples: The labelled spans.
      progress: Told one line for each span and window.

    Raises:
      InputError: The plan or the examples cannot be used.
    """
    started = time.monotonic()
    check(plan)
    cells = plan.layout.cells()
    with tempfile.TemporaryDirectory(prefix="crosskd-days-") as folder:
        trained, judging = chains.train(
            plan.surface, cells, examples, plan.spans, plan.judged_from, plan.seeds, Path(folder), progress
        )
    analysis = _Analysis(plan, trained, judging)
    return DaysResult(
        surface=plan.surface.name,
        spans=list(plan.spans),
        judged=[plan.spans[plan.spans.index(each) + 1] for each in judging],
        seeds=plan.seeds,
        window=plan.layout.window,
        cold=list(plan.layout.cold),
        confidence=plan.confidence,
        margin=plan.margin,
        clusters=plan.clusters,
        examples={"": analysis.count(None), **{each: analysis.count(each) for each in analysis.slices}},
        cells=[analysis.report(each) for each in cells],
        held_out_rows=mean_of([of for each in judging.values() for of in each.held_out_rows]),
        differences=[found for part in analysis.parts for found in analysis.differences(part)],
        seconds=time.monotonic() - started,
    )


class _Analysis:
    """Metrics of all arms over the judged spans, together and one by one."""

    def __init__(self, plan: Plan, trained: Mapping[str, Trained], judging: Mapping[int, Judging]):
        self._plan, self._trained, self._judging = plan, trained, [*judging.values()]
        tasks = plan.surface.tasks
        self._labels = {
            task: np.concatenate([each.columns[hard_label_column(task)] for each in self._judging]) for task in tasks
        }
        self._span_of = np.repeat(
            np.arange(len(self._judging)), [len(next(iter(each.columns.values()))) for each in self._judging]
        )
        self._clusters = _codes(self._judging)
        self._masks = {
            name: np.concatenate([each.slices[name] for each in self._judging]) for name in self._judging[0].slices
        }
        self.slices = [*self._masks]
        self.parts: list[str | None] = [None, *self.slices]
        self._said = {
            name: [
                {task: np.concatenate([part[task] for part in of.predictions[seed]]) for task in tasks}
                for seed in range(plan.seeds)
            ]
            for name, of in trained.items()
        }
        self._scores = {
            (task, part): self._scored(task, self._rows(task, part)) for task in tasks for part in self.parts
        }

    def count(self, part: str | None) -> int:
        """Judging examples."""
        return len(self._span_of) if part is None else int(self._masks[part].sum())

    def report(self, cell: Cell) -> CellReport:
        """An arm's metrics, and what it costs."""
        of = self._trained[cell.name]
        return CellReport(
            name=cell.name,
            way=cell.way,
            window=cell.window,
            labels=cell.labels,
            rows=float(np.mean(of.rows)),
            seconds=float(np.median([each for seconds in of.seconds.values() for each in seconds])),
            values=[self._value(cell.name, task, part) for part in self.parts for task in self._plan.surface.tasks],
        )

    def differences(self, part: str | None) -> list[SpanDifference]:
        """All differences in a slice; those of a question hold together."""
        asked = [*self._plan.layout.differences()]
        tasks = self._plan.surface.tasks
        family = {each: sum(question is each for question, _, _ in asked) * len(tasks) for each in Question}
        return [
            self._difference(question, arm.name, other.name, task, part, family[question])
            for question, arm, other in asked
            for task in tasks
        ]

    def _rows(self, task: str, part: str | None) -> NDArray[np.int64]:
        present = np.isfinite(self._labels[task])
        return np.flatnonzero(present if part is None else present & self._masks[part])

    def _scored(self, task: str, rows: NDArray[np.int64]) -> _Scores:
        """The scores by arm and seed; None where the metric is not defined."""
        found: _Scores = {}
        for name, seeds in self._said.items():
            scores = [self._score(task, rows, each[task]) for each in seeds]
            known = [each for each in scores if each is not None]
            found[name] = known if len(known) == len(scores) else None
        return found

    def _score(self, task: str, rows: NDArray[np.int64], predictions: NDArray[np.floating]) -> MetricScore | None:
        if not len(rows):
            return None
        metric = main_metric(self._plan.surface.tasks[task].kind)
        return score(metric, self._labels[task][rows], predictions[rows])

    def _value(self, name: str, task: str, part: str | None) -> Value:
        scores, rows = self._scores[task, part][name], self._rows(task, part)
        values = [each.value for each in scores or ()]
        return Value(
            task=task,
            metric=main_metric(self._plan.surface.tasks[task].kind).name,
            slice=part,
            mean=float(np.mean(values)) if values else None,
            std=float(np.std(values, ddof=1)) if len(values) > 1 else None,
            by_span=[
                self._in_span(name, task, rows[self._span_of[rows] == each]) for each in range(len(self._judging))
            ],
        )

    def _in_span(self, name: str, task: str, rows: NDArray[np.int64]) -> float | None:
        scores = [self._score(task, rows, each[task]) for each in self._said[name]]
        values = [each.value for each in scores if each is not None]
        return float(np.mean(values)) if len(values) == len(scores) else None

    def _difference(
        self, question: Question, arm: str, other: str, task: str, part: str | None, family: int
    ) -> SpanDifference:
        scores = self._scores[task, part]
        ours, theirs = scores[arm], scores[other]
        found = None
        if ours is not None and theirs is not None:
            rows = self._rows(task, part)
            found = difference(
                [ours],
                [theirs],
                confidence=corrected_confidence(self._plan.confidence, family),
                clusters=None if self._clusters is None else [self._clusters[rows]],
                others=[[each] for name, each in scores.items() if each is not None and name not in (arm, other)],
            )
        return SpanDifference(
            question=question,
            arm=arm,
            other=other,
            task=task,
            slice=part,
            mean=found.mean if found else None,
            low=found.low if found else None,
            high=found.high if found else None,
            answer=_answer(found, self._plan.margin),
        )


def _codes(judging: Sequence[Judging]) -> NDArray[np.int64] | None:
    """A number for each cluster: a person who comes on two days is one."""
    if judging[0].clusters is None:
        return None
    values = np.concatenate([each.clusters for each in judging if each.clusters is not None])
    return np.unique(values, return_inverse=True)[1]


def _answer(found: Estimate | None, margin: float) -> Answer:
    if found is None:
        return Answer.OPEN
    if found.low > 0:
        return Answer.BETTER
    if found.high < 0:
        return Answer.WORSE
    return Answer.ALIKE if -margin <= found.low and found.high <= margin else Answer.OPEN
