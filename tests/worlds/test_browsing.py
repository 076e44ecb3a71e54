"""What people remember, tire of and leave for, by values that were computed by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from schema.errors import InputError
from worlds import browsing
from worlds.browsing import EmbeddedVisitors, Habits
from worlds.impressions import POSITIONS
from worlds.population import Product
from worlds.simulated import Sizes, World, draw_world
from worlds.visitors import Opening, Page, Setting

NEVER, ALWAYS = 1 - 1e-12, 1e-12
DRAWN = draw_world(Sizes(people=6, music_people=5, videos=4, music_items=40), np.random.default_rng(0))
# Nobody leans to anything and all are as active as the median.
PLAIN = World(
    replace(
        DRAWN.people,
        activity=np.ones(6),
        traits=DRAWN.people.traits
        | {Product.MUSIC: replace(DRAWN.people.traits[Product.MUSIC], exploration=np.zeros(6))},
    ),
    DRAWN.items,
)
ALL = np.arange(3)


def visitors(world: World = PLAIN, habits: Habits | None = None, seed: int = 1) -> EmbeddedVisitors:
    return EmbeddedVisitors(Setting(world, "homepage", np.array([0, 2, 4]), seed), habits)


def begin(people: EmbeddedVisitors, day: int = 0) -> EmbeddedVisitors:
    people.returns(day)
    people.open(Opening(day, ALL, np.full(3, 1.1), np.zeros(3, np.int64)))
    return people


def page(number: int = 0, first: int = 0, familiar: bool = False) -> Page:
    items = np.tile(PLAIN.items.videos + first + np.arange(POSITIONS), (3, 1))
    return Page(number, ALL, items, np.full(items.shape, familiar))


@pytest.fixture
def chance(monkeypatch: pytest.MonkeyPatch):
    """All events happen (`ALWAYS`) or do not (`NEVER`), from the moment on that it is called."""

    def decide(value: float) -> None:
        monkeypatch.setattr(
            browsing.chance, "uniform", lambda seed, *event: np.broadcast_arrays(*event)[-1] * 0 + value
        )

    return decide


def test_an_impression_is_remembered_once_and_once_more_if_listened_to_and_half_forgotten(chance):
    people = visitors(habits=Habits(half_life=2.0))
    chance(NEVER)
    begin(people).view(page(first=0))
    chance(ALWAYS)
    people.view(page(1, first=8))
    np.testing.assert_array_equal(people.remembered[0, :17], [1.0] * 8 + [2.0] * 8 + [0.0])
    np.testing.assert_array_equal(people.heard[0, :17], [False] * 8 + [True] * 8 + [False])
    people.returns(1)
    people.returns(2)
    np.testing.assert_allclose(people.remembered[0, :17], [0.5] * 8 + [1.0] * 8 + [0.0])


def test_three_impressions_remembered_halve_the_odds_of_a_click():
    people = begin(visitors(habits=Habits(variety=0.0)))
    worn = np.tile([0.0, 1.0, 3.0, 8.0, 0.0, 0.0, 0.0, 0.0], (3, 1))
    expected = [0.0, 0.5 * np.log(2), np.log(2), np.log(3), 0, 0, 0, 0]
    np.testing.assert_allclose(people.reluctance(page(), worn), np.tile(expected, 3))


def test_sameness_is_the_mean_cosine_to_what_was_shown_earlier_in_the_session():
    people = begin(visitors())
    assert (people.sameness(ALL, page().items) == 0).all()
    people.view(page(first=0))
    topics = PLAIN.items.topic[PLAIN.items.videos :]
    unit = topics / np.linalg.norm(topics, axis=1, keepdims=True)
    expected = (unit[8:16] @ unit[:8].T).mean(axis=1)
    np.testing.assert_allclose(people.sameness(ALL, page(first=8).items), np.tile(expected, (3, 1)))
    begin(people, 1)
    assert (people.sameness(ALL, page(first=8).items) == 0).all()


def test_who_explores_wishes_for_more_variety():
    keen = World(replace(PLAIN.people, traits=DRAWN.people.traits), PLAIN.items)
    people = begin(visitors(keen))
    people.view(page(first=0))
    leaning = keen.people.traits[Product.MUSIC].exploration[[0, 2, 4]]
    likeness = people.sameness(ALL, page(first=8).items)
    expected = 0.5 * np.exp(0.5 * leaning)[:, None] * likeness
    np.testing.assert_allclose(people.reluctance(page(first=8), np.zeros((3, 8))), expected.ravel())


def test_clicks_keep_people_and_worn_pages_and_hours_send_them_away(chance):
    people = begin(visitors())
    nothing = np.zeros(3)
    np.testing.assert_allclose(people.staying(ALL, nothing, nothing), 0.6)
    np.testing.assert_allclose(people.staying(ALL, np.full(3, 0.25), np.full(3, 2.0)), 0.6 + 3 * 0.25 - 0.5 * 2)
    chance(ALWAYS)
    minutes = people.view(page()).minutes.sum(axis=1)
    assert (minutes > 0).all()
    np.testing.assert_allclose(people.staying(ALL, nothing, nothing), 0.6 - 0.2 - 0.25 * minutes / 60)
    active = World(replace(PLAIN.people, activity=np.full(6, np.e)), PLAIN.items)
    np.testing.assert_allclose(begin(visitors(active)).staying(ALL, nothing, nothing), 0.6 + 0.4)


@pytest.mark.parametrize(("events", "goes_on"), [(ALWAYS, True), (NEVER, False)])
def test_chance_decides_who_leaves(chance, events: float, goes_on: bool):
    people = begin(visitors())
    chance(events)
    assert (people.view(page()).goes_on == goes_on).all()


def test_the_mood_moves_to_what_sessions_were_worth_and_brings_people_back(chance):
    people = begin(visitors())
    chance(ALWAYS)
    people.view(page())
    people.returns(1)
    np.testing.assert_allclose(people.mood, 0.3 * (1 - 0.15))
    people.returns(2)  # No session on day 1: the mood stays.
    np.testing.assert_allclose(people.mood, 0.3 * (1 - 0.15))
    threshold = 1 / (1 + np.exp(1.1 - 1.5 * 0.3 * 0.85))
    chance(threshold - 1e-6)
    assert people.returns(3).all()
    chance(threshold + 1e-6)
    assert not people.returns(4).any()


def test_what_was_listened_to_is_known_and_no_discovery_again(chance):
    people = begin(visitors(habits=Habits(tiring=0.0)))
    chance(ALWAYS)
    first, again = people.view(page()), people.view(page(1))
    assert first.discovered.all() and not again.discovered.any()
    # Known is listened to exp(.3) times as long, by the same chance at the same place.
    np.testing.assert_allclose(again.minutes, first.minutes * np.exp(0.3))


def test_chance_hangs_on_persons_and_items_and_not_on_who_else_is_there():
    together, alone = begin(visitors()), begin(visitors())
    whole = page()
    one = Page(0, np.array([1]), whole.items[1:2], whole.familiar[1:2])
    seen, seen_alone = together.view(whole), alone.view(one)
    np.testing.assert_array_equal(seen.minutes[1], seen_alone.minutes[0])
    assert (begin(visitors(seed=2)).view(whole).minutes != seen.minutes).any()


@pytest.mark.parametrize(
    "wrong",
    [
        {"half_life": 0.0},
        {"half_life": -1.0},
        {"tiring": -0.1},
        {"variety": -1.0},
        {"usual": 1.1},
        {"mood_kept": 1.0},
        {"staying": np.nan},
        {"returning": np.inf},
    ],
    ids=str,
)
def test_constants_out_of_range_are_refused(wrong: dict[str, float]):
    with pytest.raises(InputError, match=rf"habits: .*{next(iter(wrong))}"):
        Habits(**wrong)


def test_another_page_than_the_homepage_is_refused():
    with pytest.raises(InputError, match="browse 'homepage' page by page; found 'radio'"):
        EmbeddedVisitors(Setting(PLAIN, "radio", ALL, 0))
