"""Fresh slates for the people of the simulated world, and what they would do with them.

The world's specification is ``worlds/simulated.md``, section Simulated live experiment.
What is not fixed there is fixed here, and was before any student was ranked: the
candidates of a slate come from the legacy recommender, as the training data did, the
ranker orders them, and the first eight are shown, one a position.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from worlds import outcomes
from worlds.impressions import DEVICES, POSITIONS, SHELVES, Impressions, draw_users, recommend, show
from worlds.population import Product
from worlds.records import ExampleColumn
from worlds.simulated import EVAL_TIMES, HOMEPAGE, RADIO, World, features

# A model is evaluated on [1, 1.1] before it is pushed; people meet it afterwards.
LIVE_TIMES = (EVAL_TIMES[1], EVAL_TIMES[1] + 0.1)
CANDIDATES = 32

ENGAGEMENT = "engagement"
DISCOVERY = "discovery"
NEW_RELEASES = "new_release_engagement"

Predictions = Mapping[str, NDArray[Any]]
# Of each candidate, float [slates, candidates], by name of the metric.
Happened = dict[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Slates:
    """Candidates for people who come at t > 1; all arms rank the same ones.

    Attributes:
      candidates: [slates * candidates], slate by slate, each at position 0, which is where
        a ranker scores them.  Person, time, device and shelf are one a slate.
      repeated: Bool [slates, candidates], whether the slate holds the item before already.
      people: [slates], which of the people that came it was, from 0.
    """

    candidates: Impressions
    repeated: NDArray[np.bool_]
    people: NDArray[np.int64]


@dataclass(frozen=True)
class RankedPage:
    """How one surface ranks, and what counts on it.

    Attributes:
      tasks: The serving heads that the ranking reads.
      columns: The features of candidates, by name.
      value: Predictions by task, float [n], to what candidates are ordered by, [n].
      happened: What would happen to each candidate at its position.
    """

    tasks: tuple[str, ...]
    columns: Callable[[World, Impressions], dict[str, ExampleColumn]]
    value: Callable[[Predictions], NDArray[Any]]
    happened: Callable[[World, Impressions, np.random.Generator], Happened]


def draw_slates(world: World, count: int, rng: np.random.Generator) -> Slates:
    """Draws `count` slates of `CANDIDATES` candidates each."""
    users = draw_users(world.people, Product.MUSIC, count, rng)
    times = rng.uniform(*LIVE_TIMES, size=count)
    users_of, times_of = np.repeat(users, CANDIDATES), np.repeat(times, CANDIDATES)
    drawn = recommend(world.people, world.items, Product.MUSIC, users_of, times_of, rng)
    first = np.zeros(len(drawn), np.int64)
    candidates = show(world.people, world.items, Product.MUSIC, users_of, drawn, times_of, first, rng)
    device, shelf = rng.integers(0, DEVICES, count), rng.integers(0, SHELVES, count)
    return Slates(
        candidates=replace(candidates, device=np.repeat(device, CANDIDATES), shelf=np.repeat(shelf, CANDIDATES)),
        repeated=repeated(drawn.reshape(count, CANDIDATES)),
        people=np.unique(users, return_inverse=True)[1],
    )


def repeated(items: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether an item stands to the left of itself, bool [slates, candidates]."""
    order = np.argsort(items, axis=1, kind="stable")
    ordered = np.take_along_axis(items, order, axis=1)
    again = np.zeros_like(items, bool)
    np.put_along_axis(again, order[:, 1:], ordered[:, 1:] == ordered[:, :-1], axis=1)
    return again


def outcome(page: RankedPage, world: World, slates: Slates, values: NDArray[Any], seed: int) -> Happened:
    """Shows the eight best candidates of each slate and sums what happens, [people] a metric.

    The chance events of a candidate depend on `seed` and its place in the slates alone, not
    on where an arm shows it: arms with the same seed meet common random numbers.

    Args:
      page: The surface.
      world: Whose latents decide.
      slates: What was ranked.
      values: By which candidates are ordered, [slates * candidates].
      seed: The seed of what happens.
    """
    shape = slates.repeated.shape
    ordered = np.where(slates.repeated, -np.inf, values.reshape(shape))
    rank = np.argsort(np.argsort(-ordered, axis=1, kind="stable"), axis=1)
    at = replace(slates.candidates, position=np.minimum(rank, POSITIONS - 1).ravel())
    # A slate with fewer than eight different items shows only those.
    seen = (rank < POSITIONS) & ~slates.repeated
    happened = page.happened(world, at, np.random.default_rng(seed))
    return {
        name: np.bincount(slates.people, weights=(each.reshape(shape) * seen).sum(axis=1)).astype(np.float64)
        for name, each in happened.items()
    }


def _homepage_columns(world: World, shown: Impressions) -> dict[str, ExampleColumn]:
    return {**features(world, shown), "shelf": ExampleColumn(np.asarray(shown.shelf))}


def _homepage_value(predictions: Predictions) -> NDArray[Any]:
    """Expected minutes, those of a discovery counted twice: (P(click) + P(discovery)) exp(trail)."""
    return (predictions["click"] + predictions["discovery"]) * np.exp(predictions["trail_engagement"])


def _homepage_happened(world: World, shown: Impressions, rng: np.random.Generator) -> Happened:
    """Engagement is minutes of listening; its label, trail_engagement, is their logarithm."""
    found = outcomes.homepage_outcomes(world.people, world.items, shown, rng)
    minutes = np.where(found.click, np.exp(found.trail_engagement), 0.0)
    return _with_new_releases(world, shown, minutes, found.discovery)


def _radio_value(predictions: Predictions) -> NDArray[Any]:
    return predictions["engagement"]


def _radio_happened(world: World, shown: Impressions, rng: np.random.Generator) -> Happened:
    """Engagement is items engaged with; discovery, those of them that were not known before."""
    engaged = outcomes.radio_outcomes(world.people, world.items, shown, rng)
    return _with_new_releases(world, shown, engaged, engaged & ~np.asarray(shown.familiar))


def _with_new_releases(world: World, shown: Impressions, engagement: NDArray[Any], discovery: NDArray[Any]) -> Happened:
    new = world.items.is_new_release[shown.items]
    return {
        ENGAGEMENT: engagement.astype(np.float64),
        DISCOVERY: discovery.astype(np.float64),
        NEW_RELEASES: np.where(new, engagement, 0.0),
    }


PAGES = {
    HOMEPAGE: RankedPage(
        ("click", "trail_engagement", "discovery"), _homepage_columns, _homepage_value, _homepage_happened
    ),
    RADIO: RankedPage(("engagement",), features, _radio_value, _radio_happened),
}
