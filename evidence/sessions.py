"""Sessions: student and control serve page after page to the same people, for two weeks.

A slate is one page for one moment (`evidence.live`).  Here people remember what they were shown, tire
of it, leave, and come back or do not, so that a page also acts through what follows from it.  Both
arms are browsed by the same people, with the same candidates each day, under common random numbers;
an A/A run lets one model be browsed twice, under chance of its own.

Constants of the score can be chosen for the minutes of a session, for each model on one half of the
people; the other half judges.  The people and items of the two halves are of one world, but no person
is in both, and what the judging half does is not looked at before the choice is made.

Where an interval comes from: people, by the delta method on the ratio of two totals of each arm (a
person's sessions belong together), and models, by the variance over pairs of seeds.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluation.influence import MetricScore, ratio
from evidence.feeds import (
    DISCOVERIES,
    FOLLOWED,
    MINUTES,
    RETURN_DAYS,
    RETURNS,
    SEEN_PAGES,
    SESSIONS,
    Browsed,
    Feed,
    browse,
    draw_feed,
)
from evidence.frontier import Over, score_of, value_of
from evidence.live import Pair, Progress, estimated, page_of, predict, score
from evidence.sessions_result import Choice, SessionLift, SessionsResult
from evidence.statistics import Estimate, mean_of
from evidence.verdicts import corrected_confidence
from schema.errors import InputError
from schema.score import Score
from schema.surface import Surface
from worlds.population import Ints
from worlds.simulated import World
from worlds.visitors import MakeVisitors, Setting

PEOPLE = "people"
MINUTES_A_SESSION = "minutes_per_session"
# What is reported: one count over another, both summed over people.
METRICS: Mapping[str, tuple[str, str]] = {
    MINUTES_A_SESSION: (MINUTES, SESSIONS),
    "pages_per_session": (SEEN_PAGES, SESSIONS),
    "returns_per_session": (RETURNS, FOLLOWED),
    "discoveries_per_session": (DISCOVERIES, SESSIONS),
    "sessions_per_person": (SESSIONS, PEOPLE),
    "minutes_per_person": (MINUTES, PEOPLE),
}
_LEAST_PEOPLE = 20
# Predictions by task, of each candidate.
Predicted = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Period:
    """Who is followed, and for how long.

    Attributes:
      people: How many; with a choice, half of them judge.
      days: Of the experiment.
      draws: How many A/A runs.
      seed: Of who is followed, the candidates, and chance.
      confidence: Joint confidence of the intervals of all metrics.
    """

    people: int = 1_000
    days: int = 14
    draws: int = 20
    seed: int = 0
    confidence: float = 0.95


@dataclass(frozen=True)
class Experiment:
    """What stays the same for all arms.

    Attributes:
      world: Whose people come.
      surface: With a score.
      make: Who makes the people of an arm.
      period: Who is followed, and for how long.
    """

    world: World
    surface: Surface
    make: MakeVisitors
    period: Period

    @property
    def formula(self) -> Score:
        """The surface's score."""
        return score_of(self.surface)

    def expect_whole(self) -> None:
        """Checks what can be checked before anything is trained or scored.

        Raises:
          InputError: The surface has no score, the people or days are too few, or the visitors cannot be
            made or answer with something else than their interface says.
        """
        page_of(self.surface.name)
        self.formula.expression()
        followed = min(self.period.people, self.world.people.music_users)
        if followed < _LEAST_PEOPLE:
            raise InputError(f"sessions: expected {_LEAST_PEOPLE} people or more, found {followed}; give more --people")
        if self.period.days <= RETURN_DAYS:
            raise InputError(
                f"sessions: expected more than {RETURN_DAYS} --days, in which people may return; found "
                f"{self.period.days}"
            )
        # One day of a few people, as the recommender has it: what fails here would fail after hours.
        feed = draw_feed(self.world, _LEAST_PEOPLE, 1, self.period.seed)
        self.browsed(feed, np.zeros(feed.repeated.size), 0)

    def browsed(self, feed: Feed, values: NDArray[Any], draw: int) -> Browsed:
        """What people do with a ranking, under the chance of this draw."""
        setting = Setting(self.world, self.surface.name, feed.users, _chance(self.period.seed, draw))
        found = browse(feed, values, self.make(setting))
        return {**found, PEOPLE: np.ones(len(feed.users))}


def run(
    experiment: Experiment, pairs: Sequence[Pair], over: Over | None, progress: Progress, visitors: str = "embedded"
) -> SessionsResult:
    """Lets all pairs be browsed by the same people.

    Args:
      experiment: What stays the same.
      pairs: One or more.
      over: A name of the score and a range: each model takes the value with which a session has most
        minutes, among the half of the people who do not judge.  None leaves the score as it is.
      progress: Told one line at each step.
      visitors: How the visitors are called in the result.

    Raises:
      InputError: There is no pair or no score, an export does not serve what it reads, the world has
        too few people, or the visitors answer with something else than their interface says.
    """
    started = time.monotonic()
    if not pairs:
        raise InputError("sessions need a student and its control")
    experiment.expect_whole()
    period = experiment.period
    feed = draw_feed(experiment.world, period.people, period.days, period.seed)
    predicted = _predicted(experiment, feed, pairs, progress)
    judged = _by_own_score(experiment, feed, predicted)
    if over is not None:
        progress(f"choosing among {len(over.values)} values of {over.name!r}, for the minutes of a session")
        judged = judged_after_choice(experiment, feed, predicted, over)
    progress(f"{len(judged.feed.users):,} people browse {len(predicted)} models, and {period.draws} A/A runs")
    shown = [experiment.browsed(judged.feed, each, 0) for each in judged.ranked]
    level = corrected_confidence(period.confidence, len(METRICS))
    again = [same_model(experiment, judged.feed, judged.ranked[1], draw, level) for draw in range(period.draws)]
    return SessionsResult(
        surface=experiment.surface.name,
        visitors=visitors,
        people=len(judged.feed.users),
        days=period.days,
        sessions=float(np.mean([each[SESSIONS].sum() for each in shown[1::2]])),
        pairs=[(each.student, each.control) for each in pairs],
        confidence=period.confidence,
        draws=period.draws,
        choice=judged.choice,
        lifts=[_lift(metric, shown, level, [each[metric] for each in again]) for metric in METRICS],
        seconds=time.monotonic() - started,
    )


@dataclass(frozen=True)
class Judged:
    """What the lifts are taken from.

    Attributes:
      feed: Of the people who judge.
      ranked: By model, what its candidates are ordered by; student and control of each pair in turn.
      choice: How the scores came about, where something of them was chosen.
    """

    feed: Feed
    ranked: Sequence[NDArray[Any]]
    choice: Choice | None = None


def judged_after_choice(experiment: Experiment, feed: Feed, predicted: Sequence[Predicted], over: Over) -> Judged:
    """Each model's score with the value that suits half of the people; the other half is there to judge it.

    Args:
      experiment: What stays the same.
      feed: Of all people.
      predicted: By model, of all candidates of the feed.
      over: What is varied.
    """
    choosers, judges = halves(len(feed.users), experiment.period.seed)
    asked = feed.of(choosers)
    tried = [minutes_by_value(experiment, asked, _of(feed, choosers, each), over) for each in predicted]
    chosen = [over.values[int(np.argmax(each))] for each in tried]
    ranked = [
        value_of(experiment.formula, _of(feed, judges, each), over.name, value)
        for each, value in zip(predicted, chosen, strict=True)
    ]
    choice = Choice(
        over=f"{over.name}={over.low:g}:{over.high:g}",
        values=over.values,
        people=len(choosers),
        students=chosen[::2],
        controls=chosen[1::2],
        student_minutes=np.mean(tried[::2], axis=0).tolist(),
        control_minutes=np.mean(tried[1::2], axis=0).tolist(),
    )
    return Judged(feed.of(judges), ranked, choice)


def halves(people: int, seed: int) -> tuple[Ints, Ints]:
    """Places of those who choose and of those who judge: everyone in one of them, by lot."""
    order = np.random.default_rng([seed, 3]).permutation(people)
    return np.sort(order[: people // 2]), np.sort(order[people // 2 :])


def minutes_by_value(experiment: Experiment, feed: Feed, predicted: Predicted, over: Over) -> list[float]:
    """Minutes of a session where the score has each value of the range.

    Raises:
      InputError: Nobody came.
    """
    found = []
    for value in over.values:
        happened = experiment.browsed(feed, value_of(experiment.formula, predicted, over.name, value), 0)
        found.append(_metric(happened, MINUTES_A_SESSION).value)
    return found


def same_model(
    experiment: Experiment, feed: Feed, values: NDArray[Any], draw: int, level: float
) -> dict[str, Estimate]:
    """An A/A run: one model browsed twice, under independent chance; lifts by metric."""
    ours, theirs = (experiment.browsed(feed, values, 1 + 2 * draw + arm) for arm in (0, 1))
    return {metric: mean_of([lift_of(metric, ours, theirs)], confidence=level) for metric in METRICS}


def lift_of(metric: str, ours: Browsed, theirs: Browsed) -> MetricScore:
    """The relative difference of one metric between two arms that the same people browsed.

    Each arm's metric is a ratio of two totals over people; the influence of a person on the relative
    difference is that of the delta method, with what the person did in both arms.

    Raises:
      InputError: Nothing of it happened in an arm.
    """
    found, base = _metric(ours, metric), _metric(theirs, metric)
    if not base.value:
        raise InputError(f"sessions: no {metric} at all in the control's arm; give more --people or --days")
    value = found.value / base.value
    return MetricScore(value - 1, (found.influence - value * base.influence) / base.value)


def _metric(happened: Browsed, metric: str) -> MetricScore:
    upper, lower = (happened[name] for name in METRICS[metric])
    found = ratio(upper, lower)
    if found is None:
        raise InputError(f"sessions: nobody came whose {metric} could be told; give more --people or --days")
    return found


def _predicted(
    experiment: Experiment, feed: Feed, pairs: Sequence[Pair], progress: Progress
) -> list[dict[str, NDArray[Any]]]:
    """By model, what it predicts of the tasks that the score reads, of each candidate."""
    surface = experiment.surface
    page, names = page_of(surface.name), experiment.formula.expression().names
    tasks = [name for name in names if name in surface.tasks]
    models = [predict(path, tasks) for pair in pairs for path in (pair.student, pair.control)]
    progress(
        f"{len(feed.users):,} people, {len(feed.times)} days, {len(pairs)} pairs: predicting for "
        f"{feed.repeated.size:,} candidates"
    )
    found = score(page, experiment.world, feed.candidates, models, progress)
    return [dict(zip(tasks, each.T, strict=True)) for each in found]


def _by_own_score(experiment: Experiment, feed: Feed, predicted: Sequence[Predicted]) -> Judged:
    return Judged(feed, [value_of(experiment.formula, each) for each in predicted])


def _of(feed: Feed, people: Ints, predicted: Predicted) -> Predicted:
    """The predictions for the candidates of some of the people."""
    shape = feed.repeated.shape
    return {name: each.reshape(shape)[:, people].ravel() for name, each in predicted.items()}


def _chance(seed: int, draw: int) -> int:
    """The seed of what happens: 0 for the comparison of student and control, others for A/A runs."""
    return int(np.random.SeedSequence([seed, 4, draw]).generate_state(1, np.uint64)[0])


def _lift(metric: str, shown: Sequence[Browsed], level: float, again: Sequence[Estimate]) -> SessionLift:
    students, controls = shown[::2], shown[1::2]
    pairs = zip(students, controls, strict=True)
    found = mean_of([lift_of(metric, ours, theirs) for ours, theirs in pairs], confidence=level)
    return SessionLift(
        metric=metric,
        control=float(np.mean([_metric(each, metric).value for each in controls])),
        student=float(np.mean([_metric(each, metric).value for each in students])),
        **estimated(found, again),
    )
