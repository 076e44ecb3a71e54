"""Trains all arms span by span: cold ones from nothing, continued ones from what they left a span ago.

The trainings are the experiment's and the Trainer's, and what continues is found by the Trainer's own
`models.continuing`.  A span's arms share the traced graphs, so spans are the outer loop.
"""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
from numpy.typing import NDArray

from contracts.continuation import StartingPoint
from contracts.held_out import HeldOutRows
from contracts.roles import ModelRole
from evidence.choosing import Progress
from evidence.days.cells import Cell, Way
from evidence.days.examples import Day, Examples
from evidence.fitting import Fitted, Fitter, GoingOn
from models.continuing import Start
from models.terms import scaled_columns
from models.training_state import Left, read_left
from records.training_states import SPAN_PREFIX, STATE_FOLDER, lineage_after
from schema.surface import Surface

Predictions = Mapping[str, NDArray[Any]]


@dataclass
class Trained:
    """What became of an arm.

    Attributes:
      predictions: By seed, the predictions by task for each judged span in order.
      rows: Rows of the training before each judged span.
      seconds: By seed, what the training before each judged span took.
    """

    predictions: dict[int, list[Predictions]] = field(default_factory=lambda: defaultdict(list))
    rows: list[int] = field(default_factory=list)
    seconds: dict[int, list[float]] = field(default_factory=lambda: defaultdict(list))


@dataclass(frozen=True)
class Judging:
    """The examples that judged what was trained up to a span.

    Attributes:
      columns: Transformed columns.
      slices: Which are in each slice.
      clusters: What they are clustered by; None where nothing is.
      held_out_rows: For each window, how new users and items are to its held-out rows, and to these.
    """

    columns: Mapping[str, NDArray[Any]]
    slices: Mapping[str, NDArray[Any]]
    clusters: NDArray[Any] | None
    held_out_rows: tuple[list[HeldOutRows], ...] = ()


def train(
    surface: Surface,
    cells: Sequence[Cell],
    examples: Examples,
    spans: Sequence[int],
    judged_from: int,
    seeds: int,
    folder: Path,
    progress: Progress,
) -> tuple[dict[str, Trained], dict[int, Judging]]:
    """Trains all arms on all spans but the last.

    Args:
      surface: The surface.
      cells: The arms.
      examples: The spans' examples.
      spans: All spans, in order.
      judged_from: The first span after which arms are judged; cold arms are trained from there on.
      seeds: Paired seeds: arms of one seed begin alike.
      folder: For what trainings leave, and Transform's graphs; both go when they are not needed any more.
      progress: Told one line for each span and window.

    Returns:
      What became of each arm by name; and the examples that judged, by the span that trainings ended with.
    """
    trained: dict[str, Trained] = defaultdict(Trained)
    judging: dict[int, Judging] = {}
    chains = {cell.name: Chain(cell, folder) for cell in cells if cell.way is Way.CONTINUED}
    for span in spans[:-1]:
        judged = span >= judged_from
        due = [each for each in cells if judged or each.way is Way.CONTINUED]
        for window in dict.fromkeys(each.window for each in due):
            of_window = [each for each in due if each.window == window]
            teachers = list(dict.fromkeys(each.teacher.by_span[span] for each in of_window if each.teacher))
            day = examples.day(span, window, teachers, str(folder / f"transform-{span}-{window}"))
            others = judging[span].held_out_rows if span in judging else ()
            found = (*others, day.held_out_rows(surface))
            judging[span] = Judging(day.data.evaluation, day.slices, day.clusters, found)
            arms = SpanArms(surface, span, judged, day)
            for cell in of_window:
                for seed in range(seeds):
                    arms.train(cell, seed, chains.get(cell.name), trained[cell.name])
            progress(
                f"span {span}, window {window}: {len(of_window)} arms, {seeds} seeds, {len(day.data.fitted):,} rows"
            )
            shutil.rmtree(folder / f"transform-{span}-{window}")
    return trained, {span: each for span, each in judging.items() if span >= judged_from}


class Chain:
    """What a continued arm left, by seed."""

    def __init__(self, cell: Cell, folder: Path):
        self.role = ModelRole.STUDENT if cell.teacher else ModelRole.CONTROL
        self._folder = folder / "states" / cell.name.replace(" ", "-")
        self._left: dict[int, tuple[int, Left]] = {}

    def left(self, seed: int) -> Left:
        """What the newest training left."""
        return self._left[seed][1]

    def start(self, seed: int, span: int) -> Start:
        """What a training on a span starts from."""
        data = f"{SPAN_PREFIX}{span}"
        if seed not in self._left:
            return Start(StartingPoint(role=self.role, version=None, sentence="", data=data, lineage=()), None)
        before, left = self._left[seed]
        lineage = lineage_after(left.state.data, left.state.lineage)
        return Start(StartingPoint(role=self.role, version=before, sentence="", data=data, lineage=lineage), left)

    def train(self, seed: int, span: int, fit: Callable[[GoingOn], Fitted]) -> Fitted:
        """Trains, and keeps what that left for the next span."""
        place = self._folder / str(seed)
        found = fit(GoingOn(self.start(seed, span), str(place)))
        self._left[seed] = span, read_left(str(place / STATE_FOLDER))
        shutil.rmtree(place)
        return found


class SpanArms:
    """The trainings of one window; arms whose losses need no teacher's scale share their graphs."""

    def __init__(self, surface: Surface, span: int, judged: bool, day: Day):
        self._surface, self._span, self._judged, self._day = surface, span, judged, day
        self._fitters: dict[int | None, Fitter] = {}
        self._scaled = bool(scaled_columns(surface))

    def train(self, cell: Cell, seed: int, chain: Chain | None, into: Trained) -> None:
        """Trains an arm under a seed, and notes what it says of the span after."""
        teacher = cell.teacher.by_span[self._span] if cell.teacher else None
        data = self._day.of(teacher)
        fitter = self._fitters.setdefault(teacher if self._scaled else None, Fitter(data))
        distil = teacher is not None
        surface = _surface(self._surface, seed, continues=chain is not None)
        keras.utils.set_random_seed(seed)

        def fit(going_on: GoingOn | None) -> Fitted:
            return fitter.fit(surface, data.training, distil=distil, going_on=going_on)

        fitted = fit(None) if chain is None else chain.train(seed, self._span, fit)
        if self._judged:
            into.predictions[seed].append(fitter.predict(surface, fitted, data.evaluation, distil=distil))
            into.seconds[seed].append(fitted.seconds)
            if not seed:
                into.rows.append(len(data.fitted))


def _surface(surface: Surface, seed: int, *, continues: bool) -> Surface:
    change: dict[str, Any] = {"seed": seed, "continue_from": "served" if continues else None}
    if not continues:
        change["continue_optimizer"] = False
    return surface.model_copy(update={"training": surface.training.model_copy(update=change)})
