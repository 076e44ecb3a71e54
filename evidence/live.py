"""The simulated live experiment: student and control rank slates for the same people.

Both arms of a pair rank the same candidates, and the true latents of people and items
decide what is clicked, listened to and discovered, by common random numbers: the arms
differ in what they show, and in nothing else.  An A/A run shows the slates of one model
twice, with chance events of their own; its lifts must hold zero.

Where an interval comes from: people, by the delta method on their totals (a person's
slates belong together), and models, by the variance over pairs of seeds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from contracts.held_out import HeldOutRows
from evidence.slates import PAGES, Happened, RankedPage, Slates, draw_slates, outcome
from evidence.statistics import Estimate, lift, mean_of
from evidence.verdicts import corrected_confidence
from models.export import EXAMPLES_INPUT, SIGNATURE
from records.saved_model import find_saved_model
from schema.errors import InputError
from schema.score import SCORE
from worlds.impressions import Impressions
from worlds.records import encode
from worlds.simulated import World

Progress = Callable[[str], None]
# Candidates that are encoded and scored at a time.
_BLOCK = 16_384


@dataclass(frozen=True)
class Pair:
    """A student and its control, SavedModels that serve `serving_default` on examples."""

    student: str
    control: str


@dataclass(frozen=True)
class Traffic:
    """How much is shown to whom.

    Attributes:
      slates: How many slates each arm ranks.
      draws: How many A/A runs.
      seed: The seed of people who come, candidates, and chance.
      confidence: Joint confidence of the three lifts' intervals.
    """

    slates: int = 10_000
    draws: int = 20
    seed: int = 0
    confidence: float = 0.95


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Lift(_Part):
    """What the student does to one metric, relative to the control.

    Attributes:
      metric: `engagement`, `discovery` or `new_release_engagement`.
      control: The control's total a slate, mean over pairs.
      mean: Relative difference, mean over pairs; .01 is one percent more.
      low: The lower end of the joint interval.
      high: Its other end.
      p_value: Two-sided, not corrected.
      replicates: The replicates of each pair.
      same_model: The first A/A run: mean and the ends of its interval.
      same_model_held: In how many A/A runs the interval held zero.
    """

    metric: str
    control: float
    mean: float
    low: float
    high: float
    p_value: float
    replicates: list[float]
    same_model: tuple[float, float, float]
    same_model_held: int


class LiveResult(_Part):
    """Everything a live experiment found.

    Attributes:
      surface: `homepage` or `radio`.
      slates: Shown by each arm.
      people: Who saw them.
      pairs: Student and control of each pair.
      confidence: Joint confidence of the lifts' intervals.
      draws: Number of A/A runs.
      lifts: One a metric.
      held_out_rows: How new users and items are to held-out rows, and to the run's evaluation; empty for pairs that
        were given, of whose training nothing is known.
      seconds: All of it.
    """

    surface: str
    slates: int
    people: int
    pairs: list[tuple[str, str]]
    confidence: float
    draws: int
    lifts: list[Lift]
    held_out_rows: list[HeldOutRows] = []
    seconds: float


def run(surface: str, world: World, pairs: Sequence[Pair], traffic: Traffic, progress: Progress) -> LiveResult:
    """Lets all pairs rank the same slates.

    Args:
      surface: A key of `PAGES`.
      world: Whose people come.
      pairs: One or more; more of them tell the luck of one training from the method.
      traffic: How much.
      progress: Told one line at each step.

    Raises:
      InputError: The surface is not of the world, there is no pair, or an export does not
        serve the surface's tasks.
    """
    started = time.monotonic()
    page = page_of(surface)
    if not pairs:
        raise InputError("a live experiment needs a student and its control")
    models = [_load(path, page) for pair in pairs for path in (pair.student, pair.control)]
    slates = draw_slates(world, traffic.slates, np.random.default_rng([traffic.seed, 0]))
    progress(f"{traffic.slates:,} slates, {len(pairs)} pairs: scoring {slates.repeated.size:,} candidates")
    values = score(page, world, slates.candidates, models)
    progress("showing what was ranked")
    shown = [outcome(page, world, slates, each, chance(traffic, 0)) for each in values]
    level = corrected_confidence(traffic.confidence, len(shown[0]))
    again = [same_model(page, world, slates, values[1], traffic, draw, level) for draw in range(traffic.draws)]
    return LiveResult(
        surface=surface,
        slates=traffic.slates,
        people=len(np.unique(slates.people)),
        pairs=[(each.student, each.control) for each in pairs],
        confidence=traffic.confidence,
        draws=traffic.draws,
        lifts=[_lift(metric, shown, level, [each[metric] for each in again], traffic.slates) for metric in shown[0]],
        seconds=time.monotonic() - started,
    )


def page_of(surface: str) -> RankedPage:
    """How the surface ranks.

    Raises:
      InputError: It is none of the simulated world's.
    """
    if surface not in PAGES:
        raise InputError(
            f"live experiment: expected a surface of the simulated world ({', '.join(PAGES)}); found {surface!r}"
        )
    return PAGES[surface]


def score(
    page: RankedPage,
    world: World,
    candidates: Impressions,
    models: Iterable[Callable[[NDArray[Any]], NDArray[Any]]],
    progress: Progress | None = None,
) -> list[NDArray[Any]]:
    """What each model says of the candidates, [candidates, ...] of each model.

    Candidates are sent as a server would get them: serialized tf.Examples without labels.

    Args:
      page: Of the surface.
      world: Whose people and items.
      candidates: Of slates, or of a feed.
      models: What a model says of serialized examples.
      progress: Told after each quarter of the candidates.
    """
    columns = page.columns(world, candidates)
    models = list(models)
    found: list[list[NDArray[Any]]] = [[] for _ in models]
    told = 0
    for first in range(0, candidates.size, _BLOCK):
        last = min(first + _BLOCK, candidates.size)
        records = np.array(list(encode(columns, first, last)), dtype=object)
        for parts, model in zip(found, models, strict=True):
            parts.append(model(records))
        quarter = 4 * last // candidates.size
        if progress and quarter > told:
            told = quarter
            progress(f"{last:,} of {candidates.size:,} candidates")
    return [np.concatenate(parts) for parts in found]


def same_model(
    page: RankedPage, world: World, slates: Slates, values: NDArray[Any], traffic: Traffic, draw: int, level: float
) -> dict[str, Estimate]:
    """An A/A run: one model's slates shown twice, with independent chance; lifts by metric."""
    ours, theirs = (outcome(page, world, slates, values, chance(traffic, 1 + 2 * draw + arm)) for arm in (0, 1))
    return {metric: _estimate(metric, [(ours, theirs)], level) for metric in ours}


def chance(traffic: Traffic, draw: int) -> int:
    """The seed of what happens: 0 for the comparison of student and control, others for A/A runs."""
    return int(np.random.SeedSequence([traffic.seed, 1, draw]).generate_state(1)[0])


def _lift(metric: str, shown: Sequence[Happened], level: float, again: Sequence[Estimate], slates: int) -> Lift:
    found = _estimate(metric, list(zip(shown[::2], shown[1::2], strict=True)), level)
    control = float(np.mean([each[metric].sum() for each in shown[1::2]])) / slates
    return Lift(metric=metric, control=control, **estimated(found, again))


def estimated(found: Estimate, again: Sequence[Estimate]) -> dict[str, Any]:
    """What a `Lift` says of the difference, and of the A/A runs beside it."""
    first = again[0] if again else None
    return {
        "mean": found.mean,
        "low": found.low,
        "high": found.high,
        "p_value": found.p_value,
        "replicates": list(found.replicates),
        "same_model": (first.mean, first.low, first.high) if first else (0.0, 0.0, 0.0),
        "same_model_held": sum(each.low <= 0 <= each.high for each in again),
    }


def _estimate(metric: str, pairs: Sequence[tuple[Happened, Happened]], level: float) -> Estimate:
    found = [lift(ours[metric], theirs[metric]) for ours, theirs in pairs]
    known = [each for each in found if each is not None]
    if len(known) < len(found):
        raise InputError(f"live experiment: no {metric} at all in the control's arm; give more --slates")
    return mean_of(known, confidence=level)


def _load(path: str, page: RankedPage) -> Callable[[NDArray[Any]], NDArray[Any]]:
    """What a model ranks by: the score that it serves, or the page's own formula where it serves none."""
    serve, served = _served(path)
    if SCORE not in served:
        _expect(path, page.tasks, served)

    def ranked(records: NDArray[Any]) -> NDArray[Any]:
        found = serve(records)
        return found[SCORE] if SCORE in found else page.value({task: found[task] for task in page.tasks})

    return ranked


def predict(path: str, tasks: Sequence[str]) -> Callable[[NDArray[Any]], NDArray[Any]]:
    """What a model predicts of these tasks, [examples, tasks], of serialized examples.

    Raises:
      InputError: It is no SavedModel, or does not serve them.
    """
    serve, served = _served(path)
    _expect(path, tasks, served)

    def predicted(records: NDArray[Any]) -> NDArray[Any]:
        found = serve(records)
        return np.stack([found[task] for task in tasks], axis=1)

    return predicted


def _served(path: str) -> tuple[Callable[[NDArray[Any]], dict[str, NDArray[Any]]], list[str]]:
    """A model's outputs of serialized examples, and their names; none where it lacks the signature."""
    # The loaded object must outlive its signatures: it owns their variables.
    model = tf.saved_model.load(find_saved_model(path, "the SavedModel that a run exports"))
    signature = model.signatures.get(SIGNATURE)

    def serve(records: NDArray[Any], _keep: object = model) -> dict[str, NDArray[Any]]:
        found = signature(**{EXAMPLES_INPUT: tf.constant(records)})
        return {name: np.asarray(each.numpy()) for name, each in found.items()}

    return serve, [] if signature is None else sorted(signature.structured_outputs)


def _expect(path: str, tasks: Sequence[str], served: Sequence[str]) -> None:
    if set(tasks) - set(served):
        raise InputError(
            f"{path}: expected {SIGNATURE} to serve {', '.join(tasks)}; "
            f"it serves {', '.join(served) or 'nothing'}. Give exports of this surface."
        )
