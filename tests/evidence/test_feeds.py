from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from evidence.feeds import PAGES, POOL, Feed, browse, draw_feed
from evidence.own_visitors import visitors_of
from evidence.slates import LIVE_TIMES
from schema.errors import InputError
from tests.evidence.foreign import Punctual
from worlds.browsing import EmbeddedVisitors
from worlds.impressions import POSITIONS
from worlds.simulated import Sizes, World, draw_world
from worlds.visitors import MakeVisitors, Page, Reaction, Setting

DAYS = 6
MADE_BY = "tests.evidence.foreign"


@pytest.fixture(scope="module")
def feed(live_world: World) -> Feed:
    return draw_feed(live_world, 30, DAYS, seed=0)


@pytest.fixture
def setting(live_world: World, feed: Feed) -> Setting:
    return Setting(live_world, "homepage", feed.users, 0)


def values(feed: Feed) -> np.ndarray:
    return np.random.default_rng(4).normal(size=feed.repeated.size)


def test_each_person_has_candidates_of_each_day(live_world: World, feed: Feed):
    assert feed.repeated.shape == (DAYS, 30, POOL)
    users = feed.candidates.users.reshape(feed.repeated.shape)
    assert (users == feed.users[None, :, None]).all()
    assert len(np.unique(feed.users)) == 30 and feed.users.max() < live_world.people.music_users
    assert (np.diff(feed.times, axis=0) > 0).all() and feed.times.min() >= LIVE_TIMES[0]
    assert (feed.candidates.position == 0).all() and (np.asarray(feed.candidates.shelf) == 0).all()


def test_a_person_knows_an_item_on_all_days_or_on_none(feed: Feed):
    pair = feed.candidates.users * 10_000 + feed.candidates.items
    known: dict[int, set[bool]] = {}
    for each, familiar in zip(pair.tolist(), np.asarray(feed.candidates.familiar).tolist(), strict=True):
        known.setdefault(each, set()).add(familiar)
    assert {len(each) for each in known.values()} == {1}
    assert len(known) < len(pair)
    assert {True} in known.values() and {False} in known.values()


def test_the_feed_of_some_people_is_theirs(feed: Feed):
    some = np.array([3, 17])
    part = feed.of(some)
    np.testing.assert_array_equal(part.users, feed.users[some])
    expected = feed.candidates.items.reshape(feed.repeated.shape)[:, some]
    np.testing.assert_array_equal(part.candidates.items.reshape(expected.shape), expected)
    np.testing.assert_array_equal(part.repeated, feed.repeated[:, some])
    assert set(part.candidates.users) == set(feed.users[some])


def test_foreign_people_plug_in_and_their_sessions_are_counted(feed: Feed, setting: Setting):
    """Days 0, 2 and 4; two pages; five minutes on each; the first three days have three days after them."""
    people = Punctual(setting)
    found = browse(feed, values(feed), people)
    for name, expected in (("sessions", 3), ("pages", 6), ("minutes", 30), ("followed", 2), ("returns", 2)):
        np.testing.assert_array_equal(found[name], np.full(30, expected), err_msg=name)
    known = sum(int(page.familiar[:, 0].sum()) for page in people.pages)
    assert found["discoveries"].sum() == 30 * 6 - known
    assert [each.day for each in people.opened] == [0, 2, 4]


def test_pages_follow_the_order_of_the_ranking_and_show_nothing_twice(feed: Feed, setting: Setting):
    people, order = Punctual(setting), values(feed)
    browse(feed, order, people)
    first, second = people.pages[:2]
    shown = np.concatenate([first.items, second.items], axis=1)
    assert all(len(set(row)) == 2 * POSITIONS for row in shown.tolist())
    rows = slice(0, POOL)
    by_item = dict(zip(feed.candidates.items[rows][::-1], order[rows][::-1], strict=True))
    best = sorted(by_item, key=lambda item: -by_item[item])[: 2 * POSITIONS]
    assert shown[0].tolist() == best


def test_a_session_ends_with_the_last_page_or_the_last_item(feed: Feed, setting: Setting):
    class Tireless(Punctual):
        def view(self, page: Page) -> Reaction:
            return replace(super().view(page), goes_on=np.ones(len(page.people), np.bool_))

    whole = replace(feed, repeated=np.zeros_like(feed.repeated))
    found = browse(whole, values(feed), Tireless(setting))
    np.testing.assert_array_equal(found["pages"], np.full(30, 3 * PAGES))
    few = np.broadcast_to(np.arange(POOL) >= 2 * POSITIONS + 3, feed.repeated.shape)
    found = browse(replace(feed, repeated=few), values(feed), Tireless(setting))
    np.testing.assert_array_equal(found["pages"], np.full(30, 3 * 2))


def test_two_arms_that_rank_alike_are_browsed_alike(feed: Feed, setting: Setting):
    make = visitors_of(None)
    one, same, other = (
        browse(feed, order, make(replace(setting, seed=seed)))
        for order, seed in ((values(feed), 1), (3 * values(feed), 1), (values(feed), 2))
    )
    for name in one:
        np.testing.assert_array_equal(one[name], same[name])
    assert (one["minutes"] != other["minutes"]).any()


def test_sessions_in_an_order_of_chance_are_as_the_specification_says():
    """What the constants were set by, before any ranker: `worlds/simulated.md`, section Sessions."""
    world = draw_world(Sizes(), np.random.default_rng(0))
    whole = draw_feed(world, 1_000, 14, seed=0)
    people = EmbeddedVisitors(Setting(world, "homepage", whole.users, 1))
    view, seen, clicks = people.view, np.zeros(PAGES), []

    def counted(page: Page) -> Reaction:
        reaction = view(page)
        seen[page.number] += len(page.people)
        clicks.append(reaction.clicked.ravel())
        return reaction

    people.view = counted
    found = {name: each.sum() for name, each in browse(whole, values(whole), people).items()}
    assert seen[2] / seen[0] > 0.5 > seen[3] / seen[0]  # The median session has 3 pages.
    assert found["pages"] / found["sessions"] == pytest.approx(2.95, abs=0.05)
    assert found["minutes"] / found["sessions"] == pytest.approx(60, abs=3)
    assert found["returns"] / found["followed"] == pytest.approx(0.66, abs=0.02)
    assert np.concatenate(clicks).mean() == pytest.approx(0.17, abs=0.01)


def broken(change) -> MakeVisitors:
    class Broken(Punctual):
        def view(self, page: Page) -> Reaction:
            return change(super().view(page))

    return Broken


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda seen: None, "Broken.view: expected a worlds.visitors.Reaction, found NoneType"),
        (
            lambda seen: replace(seen, minutes=seen.minutes[:, :3]),
            r"view: minutes: expected a numpy array, float \[30, 8\]; found float64 \[30, 3\]",
        ),
        (
            lambda seen: replace(seen, goes_on=seen.goes_on[:1]),
            r"goes_on: expected a numpy array, bool \[30\]; found bool \[1\]",
        ),
        (lambda seen: replace(seen, clicked=seen.clicked * 1.0), r"clicked: expected a numpy array, bool .*float64"),
        (lambda seen: replace(seen, goes_on=[True] * 30), "goes_on: expected a numpy array, .*; found list"),
        (lambda seen: replace(seen, minutes=-seen.minutes), "expected numbers of 0 or more"),
        (lambda seen: replace(seen, minutes=seen.minutes + np.nan), "expected numbers of 0 or more"),
        (lambda seen: replace(seen, minutes=seen.minutes + 1), "only where there is a click"),
        (lambda seen: replace(seen, discovered=~seen.clicked), "only where there is a click"),
    ],
)
def test_foreign_people_who_answer_something_else_are_named(feed: Feed, setting: Setting, change, message: str):
    with pytest.raises(InputError, match=message):
        browse(feed, values(feed), broken(change)(setting))


def test_who_returns_is_looked_at_too(feed: Feed, setting: Setting):
    class Short(Punctual):
        def returns(self, day: int) -> np.ndarray:
            return super().returns(day)[:-1]

    with pytest.raises(InputError, match=r"Short.returns: expected a numpy array, bool \[30\]; found bool \[29\]"):
        browse(feed, values(feed), Short(setting))


def test_foreign_people_come_by_import_path(feed: Feed, setting: Setting):
    found = browse(feed, values(feed), visitors_of(f"{MADE_BY}:Punctual")(setting))
    np.testing.assert_array_equal(found["minutes"], np.full(30, 30.0))


def test_errors_of_foreign_people_say_whose_they_are(feed: Feed, setting: Setting):
    with pytest.raises(InputError, match=rf"--visitors {MADE_BY}:Forgetful: Forgetful.returns raised KeyError"):
        browse(feed, values(feed), visitors_of(f"{MADE_BY}:Forgetful")(setting))
    with pytest.raises(InputError, match=r"foreign.py:.*found object without returns, open, view"):
        visitors_of(f"{MADE_BY}:nobody")(setting)
    with pytest.raises(InputError, match="has no function 'nothing'"):
        visitors_of(f"{MADE_BY}:nothing")
    with pytest.raises(InputError, match=r"expected an import path, `package.module:function`"):
        visitors_of("people")
