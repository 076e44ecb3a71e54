from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from evidence.feeds import draw_feed
from evidence.frontier import Over
from evidence.live import Pair
from evidence.own_visitors import visitors_of
from evidence.plot import sessions as picture
from evidence.sessions import (
    METRICS,
    MINUTES_A_SESSION,
    Experiment,
    Period,
    halves,
    judged_after_choice,
    lift_of,
    minutes_by_value,
    run,
    same_model,
)
from evidence.sessions_result import SessionsResult
from evidence.statistics import mean_of
from schema.errors import InputError
from schema.loader import load_surface
from tests.evidence.rankers import write_pair
from worlds.simulated import World

SCHEMA = Path(__file__).parents[2] / "schema"
HOMEPAGE = load_surface(SCHEMA / "homepage").surface
OVER = Over("discovery", 0.0, 4.0)


def silent(_: str) -> None:
    pass


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return write_pair(tmp_path_factory.mktemp("rankers"))


@pytest.fixture(scope="module")
def experiment(live_world: World) -> Experiment:
    return Experiment(live_world, HOMEPAGE, visitors_of(None), Period(people=60, days=7, draws=3))


@pytest.fixture(scope="module")
def result(experiment: Experiment, pair: Pair) -> SessionsResult:
    return run(experiment, [pair, pair], OVER, silent)


def test_a_lift_is_a_ratio_of_ratios_with_what_each_person_did_to_it():
    """20 minutes in 4 sessions against 12 in 3: 5 / 4 - 1; the influence, by moving each person's weight a little."""
    ours = {"minutes": np.array([5.0, 15.0, 0.0]), "sessions": np.array([1.0, 3.0, 0.0])}
    theirs = {"minutes": np.array([4.0, 8.0, 0.0]), "sessions": np.array([2.0, 1.0, 0.0])}
    found = lift_of(MINUTES_A_SESSION, ours, theirs)
    assert found.value == pytest.approx(0.25)

    def weighed(weights: np.ndarray) -> float:
        one, other = (weights @ each["minutes"] / (weights @ each["sessions"]) for each in (ours, theirs))
        return one / other

    moved = [(weighed(1 + 1e-6 * np.eye(3)[each]) - weighed(np.ones(3))) / 1e-6 for each in range(3)]
    np.testing.assert_allclose(found.influence, 3 * np.array(moved), atol=1e-4)


def test_nothing_to_compare_with_is_an_error():
    nothing = {"minutes": np.zeros(2), "sessions": np.ones(2)}
    with pytest.raises(InputError, match="no minutes_per_session at all in the control's arm"):
        lift_of(MINUTES_A_SESSION, nothing, nothing)
    with pytest.raises(InputError, match="nobody came whose minutes_per_session could be told"):
        lift_of(MINUTES_A_SESSION, {**nothing, "sessions": np.zeros(2)}, nothing)


def test_intervals_of_a_model_against_itself_hold_zero_as_often_as_they_say(experiment: Experiment):
    """150 A/A runs of 60 people: the number of 90% intervals that hold zero is within 3.5 standard errors of 135."""
    feed = draw_feed(experiment.world, 60, 7, 0)
    values = np.random.default_rng(1).normal(size=feed.repeated.size)
    runs = [same_model(experiment, feed, values, draw, 0.9) for draw in range(150)]
    for metric in METRICS:
        held = sum(each[metric].low <= 0 <= each[metric].high for each in runs)
        assert abs(held - 135) <= 3.5 * np.sqrt(150 * 0.9 * 0.1), metric


def test_intervals_of_equally_good_rankers_hold_zero_under_common_chance(experiment: Experiment):
    feed, rng, held = draw_feed(experiment.world, 60, 7, 0), np.random.default_rng(2), 0
    for draw in range(150):
        ours, theirs = (experiment.browsed(feed, rng.normal(size=feed.repeated.size), draw) for _ in range(2))
        found = mean_of([lift_of(MINUTES_A_SESSION, ours, theirs)], confidence=0.9)
        held += found.low <= 0 <= found.high
    assert abs(held - 135) <= 3.5 * np.sqrt(150 * 0.9 * 0.1)


def test_a_ranker_that_knows_tastes_has_longer_sessions(experiment: Experiment, pair: Pair):
    found = run(replace(experiment, period=Period(people=120, draws=0)), [pair], None, silent)
    by_metric = {each.metric: each for each in found.lifts}
    assert list(by_metric) == list(METRICS)
    lift = by_metric[MINUTES_A_SESSION]
    assert 0 < lift.low <= lift.mean == pytest.approx(lift.student / lift.control - 1)
    assert by_metric["pages_per_session"].control > 1
    assert (found.people, found.choice, found.visitors) == (120, None, "embedded")


def test_a_model_against_itself_by_common_chance_is_exactly_nothing(experiment: Experiment, pair: Pair):
    found = run(experiment, [Pair(pair.control, pair.control)], None, silent)
    assert {(each.mean, each.low, each.high, each.p_value) for each in found.lifts} == {(0.0, 0.0, 0.0, 1.0)}


@pytest.mark.parametrize("people", [20, 61])
def test_everyone_is_in_one_half(people: int):
    choosers, judges = halves(people, seed=3)
    assert sorted([*choosers, *judges]) == list(range(people))
    assert len(judges) - len(choosers) == people % 2
    assert choosers.tolist() != halves(people, seed=4)[0].tolist()


def predicted(experiment: Experiment, seed: int) -> tuple:
    feed = draw_feed(experiment.world, 60, 7, 0)
    rng = np.random.default_rng(seed)
    drawn = {task: rng.random(feed.repeated.size) for task in ("click", "discovery", "trail_engagement")}
    return feed, drawn


def test_what_the_judging_half_is_shown_does_not_influence_the_choice(experiment: Experiment):
    feed, first = predicted(experiment, 0)
    choosers, judges = halves(60, experiment.period.seed)
    shape = feed.repeated.shape

    def mixed(of: np.ndarray) -> dict:
        """Other predictions for these people's candidates, and the same ones for all others."""
        there = np.zeros(shape, np.bool_)
        there[:, of] = True
        other = predicted(experiment, 1)[1]
        return {task: np.where(there.ravel(), other[task], each) for task, each in first.items()}

    def choice(of: dict):
        return judged_after_choice(experiment, feed, [of, of], OVER).choice

    assert choice(mixed(judges)) == choice(first)
    assert choice(mixed(choosers)) != choice(first)


def test_those_who_judge_are_not_those_who_chose(experiment: Experiment):
    feed, drawn = predicted(experiment, 0)
    judged = judged_after_choice(experiment, feed, [drawn, drawn], OVER)
    choosers, judges = halves(60, experiment.period.seed)
    assert set(judged.feed.users) == set(feed.users[judges])
    assert not set(judged.feed.users) & set(feed.users[choosers])
    assert {len(each) for each in judged.ranked} == {judged.feed.repeated.size}


def test_each_model_takes_the_value_with_most_minutes_among_those_who_choose(experiment: Experiment):
    feed, drawn = predicted(experiment, 0)
    judged = judged_after_choice(experiment, feed, [drawn, drawn], OVER)
    choosers, _ = halves(60, experiment.period.seed)
    shape = feed.repeated.shape
    theirs = {task: each.reshape(shape)[:, choosers].ravel() for task, each in drawn.items()}
    expected = minutes_by_value(experiment, feed.of(choosers), theirs, OVER)
    assert judged.choice is not None
    assert judged.choice.student_minutes == expected == judged.choice.control_minutes
    assert judged.choice.students == judged.choice.controls == [OVER.values[int(np.argmax(expected))]]
    assert len(set(expected)) > 1


def test_a_result_says_what_was_chosen_and_reads_back(result: SessionsResult):
    assert result.choice is not None
    assert (result.people, result.choice.people) == (30, 30)
    assert result.choice.values == OVER.values and set(result.choice.students) <= set(OVER.values)
    assert all(each.low <= each.mean <= each.high for each in result.lifts)
    assert all(0 <= each.same_model_held <= 3 for each in result.lifts)
    assert SessionsResult.model_validate_json(result.model_dump_json()) == result


@pytest.mark.parametrize("chosen", [True, False])
def test_a_picture_holds_the_lifts_and_what_was_chosen_by(result: SessionsResult, chosen: bool):
    drawn = picture(result if chosen else result.model_copy(update={"choice": None}))
    assert drawn.startswith("<svg")
    for word in (MINUTES_A_SESSION, "student against control", "7 days"):
        assert word in drawn
    assert ("chosen among these, by people who do not judge" in drawn) == chosen
    # The legend of the curves: without it, nobody knows which is whose.
    assert (">control<" in drawn) == chosen


def test_what_cannot_be_browsed_is_refused(live_world: World, experiment: Experiment, pair: Pair):
    radio = replace(experiment, surface=load_surface(SCHEMA / "radio").surface)
    with pytest.raises(InputError, match="surface 'radio': expected a `score:`"):
        run(radio, [pair], None, silent)
    with pytest.raises(InputError, match="20 people or more, found 19"):
        run(replace(experiment, period=Period(people=19)), [pair], None, silent)
    with pytest.raises(InputError, match=r"more than 3 --days.*found 3"):
        run(replace(experiment, period=Period(days=3)), [pair], None, silent)
    with pytest.raises(InputError, match="need a student and its control"):
        run(experiment, [], None, silent)
