"""Who was shown what, when and how: the legacy recommender and the context.

The specification is ``worlds/simulated.md``; the words in quotes are its lines.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from worlds.population import DIMENSIONS, Bools, Floats, Ints, Items, People, Product

MUSIC_SHARE_IN_VIDEO = 0.25  # Items: "music items are also shown in video, as 25% of its impressions"
FRESHNESS_DECAY = 0.08  # Items: "While fresh (decay .08)"
FRESH_EXPOSURE = {Product.VIDEO: 6.0, Product.MUSIC: 0.3}  # Items: "multiplied by 6 in video and by .3 in music"
CHOICE_NOISE = 1.5  # Impressions: "keeps the better by s + 1.5 Gumbel"
# The recommender reads the age of items from a table that is refreshed this often.  Ours to
# choose, an eighth of the decay; it makes 1,000,000 draws a matter of 110 sorted tables.
REFRESH = 0.01

POSITIONS = 8  # Context: "position 0..7"
SHELVES = 6  # Context: "shelf 0..5"
DEVICES = 2  # Context: "device"; 0 a phone, 1 a large screen
VIDEO_ONLY_CONTEXT = 4  # What models see: "Only in video: z1..z4"
DAYS_PER_UNIT = 365  # One unit of time is a year, so that hours exist: hour = 24 frac(365 t)

FAMILIAR_BIAS = -1.2  # Context: "fam ~ Bernoulli(sigma(-1.2 + .9 s + .3 k - 2.5 [age<1] - .4 e))"
FAMILIAR_AFFINITY = 0.9
FAMILIAR_QUALITY = 0.3
FAMILIAR_UNDER_ONE = -2.5
FAMILIAR_EXPLORATION = -0.4


@dataclass(frozen=True)
class Impressions:
    """Items shown to people in one product, one element an impression.

    Attributes:
      product: Where they were shown.
      users: [n], user ids.
      items: [n], item ids.
      times: [n], in years; training is [0, 1], evaluation [1, 1.1].
      position: [n], 0..7.
      hour: [n], angle of the hour of the day, radians in [0, 2 pi).
      device: [n], 0 or 1.
      shelf: [n], 0..5; in music only.
      familiar: [n], whether the person knows the item already; in music only.
      z: [n, 4], context that only video logs.
    """

    product: Product
    users: Ints
    items: Ints
    times: Floats
    position: Ints
    hour: Floats
    device: Ints
    shelf: Ints | None = None
    familiar: Bools | None = None
    z: Floats | None = None

    @property
    def size(self) -> int:
        return len(self.users)


def sigmoid(logits: Floats) -> Floats:
    """sigma(x) = 1 / (1 + exp(-x))."""
    return 1 / (1 + np.exp(-logits))


def bernoulli(logits: Floats, rng: np.random.Generator) -> Bools:
    """One draw for each logit."""
    return bernoulli_at(logits, rng.random(len(logits)))


def bernoulli_at(logits: Floats, uniform: Floats) -> Bools:
    """What happens with these numbers in [0, 1): that much of chance for each logit."""
    return uniform < sigmoid(logits)


def hour_of(times: Floats) -> Floats:
    """The angle of the hour of the day, radians in [0, 2 pi)."""
    return 2 * np.pi * np.mod(times * DAYS_PER_UNIT, 1)


def affinity(people: People, items: Items, product: Product, users: Ints, shown: Ints) -> Floats:
    """s = taste . q / sqrt(d), for each pair of `users` and `shown`."""
    taste = people.traits[product].taste[users]
    return np.einsum("nd,nd->n", taste, items.topic[shown]) / np.sqrt(DIMENSIONS)


def draw_users(people: People, product: Product, count: int, rng: np.random.Generator) -> Ints:
    """Draws the people of `count` impressions, each in proportion to their activity."""
    eligible = len(people.activity) if product is Product.VIDEO else people.music_users
    return _draw_weighted(people.activity[:eligible], count, rng)


def recommend(
    people: People,
    items: Items,
    product: Product,
    users: Ints,
    times: Floats,
    rng: np.random.Generator,
    refresh: float = REFRESH,
) -> Ints:
    """The legacy recommender: of two items drawn by popularity and age, the better one.

    "Better" is the larger s + 1.5 Gumbel.  In video, both come from the music items with
    probability .25, so that music is exactly that share of what is shown.

    Args:
      people: Everyone.
      items: Everything.
      product: Where the item will be shown.
      users: [n], for whom.
      times: [n], when; at least 0.
      rng: Every draw comes from it.
      refresh: How often the table of ages is made anew, in years.

    Returns:
      [n], item ids.
    """
    of_music = np.ones(len(users), dtype=np.bool_)
    if product is Product.VIDEO:
        of_music = rng.random(len(users)) < MUSIC_SHARE_IN_VIDEO
    candidates = [_draw_candidates(items, product, of_music, times, rng, refresh) for _ in range(2)]
    scores = [
        affinity(people, items, product, users, shown) + CHOICE_NOISE * rng.gumbel(size=len(users))
        for shown in candidates
    ]
    return np.where(scores[0] >= scores[1], candidates[0], candidates[1])


def exposure(items: Items, product: Product, time: float) -> Floats:
    """Relative frequency with which each item is a candidate at `time`, [items].

    While an item is fresh its popularity is multiplied by 6 in video and by .3 in music, an
    effect that decays as exp(-age / .08); before its release it is 0.
    """
    age = time - items.release
    freshness = np.exp(-np.maximum(age, 0) / FRESHNESS_DECAY)
    return items.popularity[product] * (1 + (FRESH_EXPOSURE[product] - 1) * freshness) * (age >= 0)


def show(
    people: People,
    items: Items,
    product: Product,
    users: Ints,
    shown: Ints,
    times: Floats,
    position: Ints,
    rng: np.random.Generator,
) -> Impressions:
    """Shows `shown` to `users` and draws the rest of the context.

    Args:
      people: Everyone.
      items: Everything.
      product: Where.
      users: [n], user ids.
      shown: [n], item ids.
      times: [n], in years.
      position: [n], 0..7.
      rng: Every draw comes from it.

    Returns:
      The impressions, with what only this product has.
    """
    count = len(users)
    common = Impressions(
        product=product,
        users=users,
        items=shown,
        times=times,
        position=position,
        hour=hour_of(times),
        device=rng.integers(0, DEVICES, count),
    )
    if product is Product.VIDEO:
        return _replace(common, z=rng.standard_normal((count, VIDEO_ONLY_CONTEXT)))
    familiar = bernoulli(familiar_logit(people, items, users, shown, times), rng)
    return _replace(common, shelf=rng.integers(0, SHELVES, count), familiar=familiar)


def familiar_logit(people: People, items: Items, users: Ints, shown: Ints, times: Floats) -> Floats:
    """Logit of a music item being known to the person already, [n]."""
    return (
        FAMILIAR_BIAS
        + FAMILIAR_AFFINITY * affinity(people, items, Product.MUSIC, users, shown)
        + FAMILIAR_QUALITY * items.quality[Product.MUSIC][shown]
        + FAMILIAR_UNDER_ONE * (times - items.release[shown] < 1)
        + FAMILIAR_EXPLORATION * people.traits[Product.MUSIC].exploration[users]
    )


def _replace(impressions: Impressions, **changes: object) -> Impressions:
    return Impressions(**{**vars(impressions), **changes})


def _draw_weighted(weights: Floats, count: int, rng: np.random.Generator) -> Ints:
    """Draws `count` indices in proportion to `weights`, with replacement."""
    bounds = np.cumsum(weights)
    drawn = np.searchsorted(bounds, rng.random(count) * bounds[-1], side="right")
    return np.minimum(drawn, len(weights) - 1)


def _draw_candidates(
    items: Items, product: Product, of_music: Bools, times: Floats, rng: np.random.Generator, refresh: float
) -> Ints:
    drawn = np.empty(len(times), dtype=np.int64)
    refreshes = np.floor(times / refresh).astype(np.int64)
    order = np.lexsort((of_music, refreshes))
    groups = refreshes[order] * 2 + of_music[order]
    starts = np.flatnonzero(np.diff(groups, prepend=-1))
    for rows in np.split(order, starts[1:]):
        weights = exposure(items, product, refreshes[rows[0]] * refresh)
        first, pool = (items.videos, weights[items.videos :]) if of_music[rows[0]] else (0, weights[: items.videos])
        drawn[rows] = first + _draw_weighted(pool, len(rows), rng)
    return drawn
