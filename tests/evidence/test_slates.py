from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from evidence.slates import (
    CANDIDATES,
    DISCOVERY,
    ENGAGEMENT,
    LIVE_TIMES,
    NEW_RELEASES,
    PAGES,
    Slates,
    draw_slates,
    outcome,
    repeated,
)
from worlds import outcomes
from worlds.impressions import POSITIONS
from worlds.simulated import World


def test_people_time_device_and_shelf_are_one_a_slate(live_world: World, slates: Slates):
    shown = slates.candidates
    for column in (shown.users, shown.times, shown.device, shown.shelf):
        by_slate = np.asarray(column).reshape(-1, CANDIDATES)
        assert (by_slate == by_slate[:, :1]).all()
    assert shown.times.min() >= LIVE_TIMES[0] > 1
    assert (shown.items >= live_world.items.videos).all()
    assert (live_world.items.release[shown.items] <= shown.times).all()


def test_an_item_counts_once_a_slate():
    items = np.array([[3, 1, 3, 1], [1, 2, 3, 4], [5, 5, 5, 5]])
    expected = [[False, False, True, True], [False] * 4, [False, True, True, True]]
    np.testing.assert_array_equal(repeated(items), expected)


def test_only_the_eight_best_are_shown_each_at_its_place(live_world: World, slates: Slates):
    page = PAGES["radio"]
    places = []

    def happened(_world, shown, _rng):
        places.append(shown.position.reshape(-1, CANDIDATES))
        return {"shown": np.ones(shown.size), "first": (shown.position == 0).astype(float)}

    values = -np.tile(np.arange(CANDIDATES), len(slates.people)).astype(float)
    whole = replace(slates, repeated=np.zeros_like(slates.repeated))
    found = outcome(replace(page, happened=happened), live_world, whole, values, seed=0)
    np.testing.assert_array_equal(found["shown"], POSITIONS * np.bincount(slates.people))
    np.testing.assert_array_equal(found["first"], np.bincount(slates.people))
    np.testing.assert_array_equal(places[0][0, : POSITIONS + 1], [*range(POSITIONS), POSITIONS - 1])


def test_repeated_items_are_never_shown(live_world: World, slates: Slates):
    nothing_else = replace(slates, repeated=np.ones_like(slates.repeated))
    found = outcome(PAGES["homepage"], live_world, nothing_else, np.zeros(slates.repeated.size), seed=0)
    assert {name: each.sum() for name, each in found.items()} == {ENGAGEMENT: 0, DISCOVERY: 0, NEW_RELEASES: 0}


@pytest.mark.parametrize("surface", ["homepage", "radio"])
def test_the_same_ranking_and_seed_give_the_same_and_another_seed_does_not(live_world, slates, surface):
    values = np.random.default_rng(3).normal(size=slates.repeated.size)
    one, same, other = (outcome(PAGES[surface], live_world, slates, values, seed) for seed in (1, 1, 2))
    for metric in (ENGAGEMENT, DISCOVERY, NEW_RELEASES):
        np.testing.assert_array_equal(one[metric], same[metric])
        assert (one[metric] != other[metric]).any()
        assert one[metric].sum() > 0
    assert (one[NEW_RELEASES] <= one[ENGAGEMENT]).all()


def test_ranking_by_the_truth_is_better_than_by_nothing(live_world: World, slates: Slates):
    x = outcomes.drivers(live_world.people, live_world.items, slates.candidates)
    truth = outcomes.radio_engagement_logit(x, slates.candidates.familiar)
    nothing = np.random.default_rng(0).normal(size=len(truth))
    best, worst = (outcome(PAGES["radio"], live_world, slates, each, 0)[ENGAGEMENT].sum() for each in (truth, nothing))
    assert best > 1.1 * worst


def test_the_value_of_a_home_page_counts_a_discovery_twice():
    predictions = {
        "click": np.array([0.2, 0.2]),
        "discovery": np.array([0.0, 0.1]),
        "trail_engagement": np.log([2.0, 4.0]),
    }
    np.testing.assert_allclose(PAGES["homepage"].value(predictions), [0.4, 1.2])


def test_slates_are_drawn_from_the_generator_alone(live_world: World):
    one, same = (draw_slates(live_world, 20, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(one.candidates.items, same.candidates.items)
