"""What people who open the page can be shown, and what comes of letting them browse it.

Each day of each person has its own candidates, from the legacy recommender as those of a slate
(`evidence.slates`), so that whoever opens the page on a day chooses from the same ones in both arms.
A ranker orders them once, when the session begins; its first eight are the first page, the next eight
the second, and so on, as long as the person goes on and there are pages.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evidence.slates import LIVE_TIMES, repeated
from schema.errors import InputError
from worlds import chance
from worlds.impressions import (
    DAYS_PER_UNIT,
    DEVICES,
    POSITIONS,
    SHELVES,
    Impressions,
    familiar_logit,
    recommend,
    show,
    sigmoid,
)
from worlds.population import Bools, Floats, Ints, Product
from worlds.simulated import World
from worlds.visitors import Opening, Page, Reaction, Visitors

# The home page is a stack of six shelves; there is no seventh page.
PAGES = SHELVES
# More than six pages of eight, although the recommender proposes some twice.
POOL = 64
# A session counts as returned from if the person comes again on one of so many days after it.
RETURN_DAYS = 3

SESSIONS = "sessions"
SEEN_PAGES = "pages"
MINUTES = "minutes"
DISCOVERIES = "discoveries"
RETURNS = "returns"
# Sessions after which there are `RETURN_DAYS` days of the experiment.
FOLLOWED = "followed"

# Of each person, float [people], by name of what was counted.
Browsed = dict[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Feed:
    """All that could be shown to people on any day.

    Attributes:
      users: [people], their ids.
      times: [days, people], when each would come.
      device: [days, people], with what.
      candidates: [days * people * POOL], day by day and person by person, each at the first place of
        the first page, where a ranker scores them.
      repeated: Bool [days, people, POOL], whether the item stands before it already.
    """

    users: Ints
    times: Floats
    device: Ints
    candidates: Impressions
    repeated: Bools

    def of(self, people: Ints) -> Feed:
        """The feed of some of the people: places in `users`."""
        shape = self.repeated.shape
        rows = np.arange(self.repeated.size).reshape(shape)[:, people].ravel()
        columns: dict[str, Any] = {
            name: each[rows] for name, each in vars(self.candidates).items() if isinstance(each, np.ndarray)
        }
        return Feed(
            users=self.users[people],
            times=self.times[:, people],
            device=self.device[:, people],
            candidates=replace(self.candidates, **columns),
            repeated=self.repeated[:, people],
        )


def draw_feed(world: World, people: int, days: int, seed: int) -> Feed:
    """Draws who is followed, when they would come, and the candidates of each day.

    Whether a person knows an item is drawn once, for the first day, and holds for all its candidates: it
    is a fact about the two.  What is listened to meanwhile, the people know and the models do not, as
    with a table of listening that is refreshed once a month.

    Args:
      world: Whose people.
      people: How many of those who use music; all of them, where there are fewer.
      days: From `evidence.slates.LIVE_TIMES` on.
      seed: Another seed draws other people, hours and candidates.
    """
    rng = np.random.default_rng([seed, 2])
    followed = min(people, world.people.music_users)
    users = np.sort(rng.choice(world.people.music_users, followed, replace=False))
    times = LIVE_TIMES[0] + (np.arange(days)[:, None] + rng.random((days, followed))) / DAYS_PER_UNIT
    device = np.broadcast_to(rng.integers(0, DEVICES, followed), (days, followed))
    of_users = np.repeat(np.broadcast_to(users, times.shape).ravel(), POOL)
    of_times = np.repeat(times.ravel(), POOL)
    items = recommend(world.people, world.items, Product.MUSIC, of_users, of_times, rng)
    first = np.zeros(len(items), np.int64)
    candidates = show(world.people, world.items, Product.MUSIC, of_users, items, of_times, first, rng)
    known = familiar_logit(world.people, world.items, of_users, items, np.full(len(items), LIVE_TIMES[0]))
    return Feed(
        users=users,
        times=times,
        device=np.array(device),
        candidates=replace(
            candidates,
            device=np.repeat(device.ravel(), POOL),
            shelf=first,
            familiar=chance.uniform(seed, of_users, items) < sigmoid(known),
        ),
        repeated=repeated(items.reshape(-1, POOL)).reshape(days, followed, POOL),
    )


def browse(feed: Feed, values: NDArray[Any], visitors: Visitors) -> Browsed:
    """Lets people browse what a ranker put in order, day by day.

    Args:
      feed: What there is.
      values: By which candidates are ordered, [days * people * POOL].
      visitors: The people, who have seen nothing yet.

    Raises:
      InputError: The visitors answer with something else than their interface says.
    """
    days, people, _ = feed.repeated.shape
    ordered = np.where(feed.repeated, -np.inf, values.reshape(feed.repeated.shape))
    order = np.argsort(-ordered, axis=2, kind="stable")
    opened = np.zeros((days, people), np.bool_)
    counted = {name: np.zeros(people) for name in (SEEN_PAGES, MINUTES, DISCOVERIES)}
    for day in range(days):
        opened[day] = _expect(visitors, "returns", visitors.returns(day), np.bool_, (people,))
        there = np.flatnonzero(opened[day])
        if not len(there):
            continue
        visitors.open(Opening(day, there, feed.times[day, there], feed.device[day, there]))
        for page, seen in _session(feed, order[day], day, there, visitors):
            counted[SEEN_PAGES][page.people] += 1
            counted[MINUTES][page.people] += seen.minutes.sum(axis=1)
            counted[DISCOVERIES][page.people] += seen.discovered.sum(axis=1)
    return {**counted, **_returns(opened)}


def _session(feed: Feed, order: Ints, day: int, there: Ints, visitors: Visitors) -> Iterator[tuple[Page, Reaction]]:
    """Page after page of one day, and what people did with it, until nobody is left."""
    shape = feed.repeated.shape
    items, familiar = (
        np.asarray(each).reshape(shape)[day] for each in (feed.candidates.items, feed.candidates.familiar)
    )
    different = POOL - feed.repeated[day].sum(axis=1)
    for number in range(PAGES):
        there = there[different[there] >= (number + 1) * POSITIONS]
        if not len(there):
            return
        shown = order[there, number * POSITIONS : (number + 1) * POSITIONS]
        page = Page(number, there, items[there[:, None], shown], familiar[there[:, None], shown])
        seen = _checked(visitors, visitors.view(page), len(there))
        yield page, seen
        there = there[seen.goes_on]


def _returns(opened: Bools) -> Browsed:
    """Sessions of each person, those that can be followed, and after how many of these the person came again."""
    last = max(len(opened) - RETURN_DAYS, 0)
    soon = [opened[day + 1 : day + 1 + RETURN_DAYS].any(axis=0) & opened[day] for day in range(last)]
    return {
        SESSIONS: opened.sum(axis=0).astype(np.float64),
        FOLLOWED: opened[:last].sum(axis=0).astype(np.float64),
        RETURNS: np.sum(soon, axis=0, dtype=np.float64) if soon else np.zeros(opened.shape[1]),
    }


def _checked(visitors: Visitors, seen: Any, count: int) -> Reaction:
    """What people did, if it is what a page of so many rows admits."""
    if not isinstance(seen, Reaction):
        raise InputError(f"{_name(visitors)}.view: expected a worlds.visitors.Reaction, found {type(seen).__name__}")
    shape = (count, POSITIONS)
    for name, kind, wanted in (
        ("clicked", np.bool_, shape),
        ("minutes", np.floating, shape),
        ("discovered", np.bool_, shape),
        ("goes_on", np.bool_, (count,)),
    ):
        _expect(visitors, f"view: {name}", getattr(seen, name), kind, wanted)
    if not (np.isfinite(seen.minutes) & (seen.minutes >= 0)).all():
        raise InputError(f"{_name(visitors)}.view: minutes: expected numbers of 0 or more in all places")
    if (~seen.clicked & ((seen.minutes > 0) | seen.discovered)).any():
        raise InputError(f"{_name(visitors)}.view: expected minutes and discoveries only where there is a click")
    return seen


def _expect(visitors: Visitors, where: str, found: Any, kind: type[np.generic], shape: tuple[int, ...]) -> Any:
    """The array, if it has this kind and shape."""
    if not isinstance(found, np.ndarray) or not np.issubdtype(found.dtype, kind) or found.shape != shape:
        wanted = "bool" if kind is np.bool_ else "float"
        shown = f"{found.dtype} {list(found.shape)}" if isinstance(found, np.ndarray) else type(found).__name__
        raise InputError(f"{_name(visitors)}.{where}: expected a numpy array, {wanted} {list(shape)}; found {shown}")
    return found


def _name(visitors: Visitors) -> str:
    return type(visitors).__name__
