"""The embedded world's people as they browse: what they remember, tire of and wish for, and when they leave.

The specification is ``worlds/simulated.md``, section Sessions; each formula stands there as it stands
here.  What they would do with a single impression stays as `worlds.outcomes` has it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from schema.errors import InputError
from worlds import chance, outcomes
from worlds.impressions import POSITIONS, SHELVES, Impressions, bernoulli_at, hour_of
from worlds.population import Bools, Floats, Ints, Product
from worlds.simulated import HOMEPAGE
from worlds.visitors import Opening, Page, Reaction, Setting

MINUTES_PER_HOUR = 60
# What an event is about, the first part of its name: `worlds.chance`.
_RETURN, _CLICK, _TRAIL, _DISCOVERY, _GO_ON = range(5)


@dataclass(frozen=True)
class Habits:
    """The constants of browsing; the defaults are the specification's.

    Attributes:
      half_life: Sessions: days until an impression is half forgotten; above 0.
      tiring: Sessions: what the logarithm of remembered impressions takes from a click's logit; 0 or more.
      variety: Sessions: what likeness to the session so far takes from it, of a person without
        leaning; 0 or more.
      variety_of_exploration: Sessions: how that grows with the propensity to explore.
      staying: Sessions: logit of going on after a first page without clicks.
      staying_of_activity: Sessions: by the logarithm of activity.
      staying_of_clicks: Sessions: by the share of the page that was clicked.
      staying_of_pages: Sessions: by each page seen before.
      staying_of_worn: Sessions: by impressions remembered of an item, mean over the page.
      staying_of_hours: Sessions: by each hour listened in the session.
      returning: Sessions: logit of opening the page on a day.
      returning_of_activity: Sessions: by the logarithm of activity.
      returning_of_mood: Sessions: by the mood.
      usual: Sessions: the share of clicks that leaves the mood as it is; in [0, 1].
      mood_kept: Sessions: how much of the mood a session leaves; in [0, 1).
    """

    half_life: float = 3.0
    tiring: float = 0.5
    variety: float = 0.5
    variety_of_exploration: float = 0.5
    staying: float = 0.6
    staying_of_activity: float = 0.4
    staying_of_clicks: float = 3.0
    staying_of_pages: float = -0.2
    staying_of_worn: float = -0.5
    staying_of_hours: float = -0.25
    returning: float = -1.1
    returning_of_activity: float = 0.8
    returning_of_mood: float = 1.5
    usual: float = 0.15
    mood_kept: float = 0.7

    def __post_init__(self) -> None:
        """Checks the ranges.

        Raises:
          InputError: A constant is out of range.
        """
        ranges = {"half_life": (0.0, np.inf), "tiring": (0.0, np.inf), "variety": (0.0, np.inf)}
        ranges |= {"usual": (0.0, 1.0), "mood_kept": (0.0, 1.0)}
        for each in fields(self):
            value = getattr(self, each.name)
            low, high = ranges.get(each.name, (-np.inf, np.inf))
            if not (np.isfinite(value) and low <= value <= high):
                raise InputError(f"habits: {each.name}: expected a number in [{low:g}, {high:g}]; found {value:g}")
        if self.half_life == 0 or self.mood_kept == 1:
            raise InputError("habits: expected half_life above 0 and mood_kept under 1")


class EmbeddedVisitors:
    """The embedded world's people, all at once.

    Attributes:
      remembered: [people, music items], impressions of an item that a person still remembers.
      heard: [people, music items], what was listened to since the first day.
      mood: [people], 0 for a person as satisfied as usual.
    """

    def __init__(self, setting: Setting, habits: Habits | None = None) -> None:
        """Nobody has seen anything yet.

        Args:
          setting: Who is followed.
          habits: By default the specification's.

        Raises:
          InputError: The surface is not the homepage, whose pages alone have minutes.
        """
        if setting.surface != HOMEPAGE:
            raise InputError(
                f"sessions: the embedded world's people browse {HOMEPAGE!r} page by page; found {setting.surface!r}"
            )
        self._setting = setting
        self._habits = habits or Habits()
        self._items = setting.world.items
        self._log_activity = np.log(setting.world.people.activity[setting.users])
        people, count = len(setting.users), len(self._items.release) - self._items.videos
        length = np.linalg.norm(self._items.topic, axis=1, keepdims=True)
        self._directions = self._items.topic / length
        self.remembered = np.zeros((people, count))
        self.heard = np.zeros((people, count), np.bool_)
        self.mood = np.zeros(people)
        # Of the session that runs; each person opens at most once a day.
        self._day = 0
        self._times, self._device = np.zeros(people), np.zeros(people, np.int64)
        self._pages, self._clicks, self._minutes = np.zeros((3, people))
        self._topics = np.zeros((people, self._items.topic.shape[1]))

    def returns(self, day: int) -> Bools:
        """Who opens the page on this day; whoever was there the day before has made up their mood since."""
        habits = self._habits
        self._end_sessions()
        self._day = day
        self.remembered *= 0.5 ** (1 / habits.half_life)
        logit = habits.returning + habits.returning_of_activity * self._log_activity
        logit = logit + habits.returning_of_mood * self.mood
        return bernoulli_at(logit, chance.uniform(self._setting.seed, _RETURN, self._setting.users, day))

    def open(self, sessions: Opening) -> None:
        """Their sessions begin, with nothing seen yet."""
        self._times[sessions.people], self._device[sessions.people] = sessions.times, sessions.device
        for each in (self._pages, self._clicks, self._minutes, self._topics):
            each[...] = 0

    def view(self, page: Page) -> Reaction:
        """They look at all eight items, click what they click, remember, and go on or leave."""
        people, places = page.people, page.items - self._items.videos
        rows = people[:, None]
        worn = self.remembered[rows, places]
        known = page.familiar | self.heard[rows, places]
        clicked, minutes, discovered = self._outcomes(page, known, worn)
        self._remember(rows, places, clicked)
        goes_on = self._goes_on(page, clicked.mean(axis=1), worn.mean(axis=1), minutes.sum(axis=1))
        self._topics[people] += self._directions[page.items].sum(axis=1)
        return Reaction(clicked=clicked, minutes=minutes, discovered=discovered, goes_on=goes_on)

    def sameness(self, people: Ints, items: Ints) -> Floats:
        """How alike items are to what was shown earlier in the session, [n, 8], in [-1, 1]; 0 on a first page.

        It is the mean cosine of their topics.
        """
        seen = np.maximum(self._pages[people] * POSITIONS, 1)
        return np.einsum("nid,nd->ni", self._directions[items], self._topics[people] / seen[:, None])

    def _outcomes(self, page: Page, known: Bools, worn: Floats) -> tuple[Bools, Floats, Bools]:
        """Clicks, minutes and discoveries, [n, 8] each."""
        shown = self._impressions(page, known)
        x = outcomes.drivers(self._setting.world.people, self._items, shown)
        events = (shown.users, self._day, shown.items)
        seed = self._setting.seed
        logit = outcomes.homepage_click_logit(x, np.asarray(shown.shelf), known.ravel()) - self.reluctance(page, worn)
        clicked = bernoulli_at(logit, chance.uniform(seed, _CLICK, *events))
        noise = outcomes.TRAIL_NOISE * chance.normal(seed, _TRAIL, *events)
        minutes = np.where(clicked, np.exp(outcomes.homepage_trail_mean(x, known.ravel()) + noise), 0.0)
        liked = bernoulli_at(outcomes.homepage_discovery_logit(x), chance.uniform(seed, _DISCOVERY, *events))
        discovered = clicked & ~known.ravel() & liked
        return clicked.reshape(known.shape), minutes.reshape(known.shape), discovered.reshape(known.shape)

    def reluctance(self, page: Page, worn: Floats) -> Floats:
        """What tiring and the wish for variety take from a click's logit, [n * 8]."""
        habits, users = self._habits, self._setting.users[page.people]
        leaning = self._setting.world.people.traits[Product.MUSIC].exploration[users]
        wish = habits.variety * np.exp(habits.variety_of_exploration * leaning)
        likeness = self.sameness(page.people, page.items)
        return (habits.tiring * np.log1p(worn) + wish[:, None] * likeness).ravel()

    def _impressions(self, page: Page, known: Bools) -> Impressions:
        count = page.items.size
        times = np.repeat(self._times[page.people], POSITIONS)
        return Impressions(
            product=Product.MUSIC,
            users=np.repeat(self._setting.users[page.people], POSITIONS),
            items=page.items.ravel(),
            times=times,
            position=np.tile(np.arange(POSITIONS), len(page.people)),
            hour=hour_of(times),
            device=np.repeat(self._device[page.people], POSITIONS),
            # The home page is a stack of shelves: who goes on sees the next one.
            shelf=np.full(count, min(page.number, SHELVES - 1)),
            familiar=known.ravel(),
        )

    def _remember(self, rows: Ints, places: Ints, clicked: Bools) -> None:
        """An impression counts once, and once more if it was listened to."""
        self.remembered[rows, places] += 1.0 + clicked
        self.heard[rows, places] |= clicked

    def _goes_on(self, page: Page, share: Floats, worn: Floats, minutes: Floats) -> Bools:
        people = page.people
        self._minutes[people] += minutes
        self._clicks[people] += share
        logit = self.staying(people, share, worn)
        self._pages[people] += 1
        users = self._setting.users[people]
        return bernoulli_at(logit, chance.uniform(self._setting.seed, _GO_ON, users, self._day, page.number))

    def staying(self, people: Ints, share: Floats, worn: Floats) -> Floats:
        """The logit of going on after a page of which this share was clicked and which was this worn, [n]."""
        habits = self._habits
        return (
            habits.staying
            + habits.staying_of_activity * self._log_activity[people]
            + habits.staying_of_clicks * share
            + habits.staying_of_pages * self._pages[people]
            + habits.staying_of_worn * worn
            + habits.staying_of_hours * self._minutes[people] / MINUTES_PER_HOUR
        )

    def _end_sessions(self) -> None:
        """The mood moves to what the day's session was worth, if there was one."""
        habits, there = self._habits, self._pages > 0
        worth = self._clicks[there] / self._pages[there] - habits.usual
        self.mood[there] = habits.mood_kept * self.mood[there] + (1 - habits.mood_kept) * worth
        self._pages[there] = 0
