"""What people do with what they are shown: the true probabilities, and draws from them.

The specification is ``worlds/simulated.md``, section Outcomes; each formula stands there as
it stands here.  The logits are public, so that a simulated live experiment can rank fresh
slates for the same people and let their true latents decide.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from worlds.impressions import Impressions, affinity, bernoulli
from worlds.population import Bools, Floats, Ints, Items, People

# Context: "shelf 0..5 with logit effects", about 2 points of CTR between first and last.
SHELF_EFFECT = np.array([0.12, 0.06, 0.0, -0.04, -0.08, -0.12])
TRAIL_NOISE = 0.8  # Outcomes: ".8 N" in both trails, log minutes


@dataclass(frozen=True)
class Drivers:
    """What the formulas are written in, one element an impression.

    Attributes:
      s: Affinity of the person to the item.
      k: Quality of the item.
      c: Click propensity.
      g: Engagement propensity.
      e: Exploration propensity.
      pos: Position.
      dev: Device.
      cos_h: Cosine of the hour.
      age: Years since the item's release.
    """

    s: Floats
    k: Floats
    c: Floats
    g: Floats
    e: Floats
    pos: Ints
    dev: Ints
    cos_h: Floats
    age: Floats


@dataclass(frozen=True)
class VideoOutcomes:
    """Click of every impression; the other two mean something only where it is true."""

    click: Bools
    trail_engagement: Floats
    continue_watching: Bools


@dataclass(frozen=True)
class HomepageOutcomes:
    """Click and discovery of every impression; the trail only where there is a click."""

    click: Bools
    trail_engagement: Floats
    discovery: Bools


def drivers(people: People, items: Items, shown: Impressions) -> Drivers:
    """Looks up the latents of `shown`, in the product where it was shown."""
    traits = people.traits[shown.product]
    return Drivers(
        s=affinity(people, items, shown.product, shown.users, shown.items),
        k=items.quality[shown.product][shown.items],
        c=traits.click[shown.users],
        g=traits.engagement[shown.users],
        e=traits.exploration[shown.users],
        pos=shown.position,
        dev=shown.device,
        cos_h=np.cos(shown.hour),
        age=shown.times - items.release[shown.items],
    )


def video_click_logit(x: Drivers, z: Floats) -> Floats:
    """-2.3 + .7 s + .7 k + .9 c - .12 pos + .3 e [age<2] + .4 z1 + .3 z2 + .2 cos h."""
    context = 0.4 * z[:, 0] + 0.3 * z[:, 1] + 0.2 * x.cos_h
    return -2.3 + 0.7 * x.s + 0.7 * x.k + 0.9 * x.c - 0.12 * x.pos + 0.3 * x.e * (x.age < 2) + context


def video_trail_mean(x: Drivers, z: Floats) -> Floats:
    """Log minutes given a click: 1.5 + .4 s + .6 g + .3 k + .3 z3 + .15 dev."""
    return 1.5 + 0.4 * x.s + 0.6 * x.g + 0.3 * x.k + 0.3 * z[:, 2] + 0.15 * x.dev


def video_continue_logit(x: Drivers, z: Floats) -> Floats:
    """Given a click: .1 + .5 s + .7 g + .25 k + .4 z4."""
    return 0.1 + 0.5 * x.s + 0.7 * x.g + 0.25 * x.k + 0.4 * z[:, 3]


def homepage_click_logit(x: Drivers, shelf: Ints, fam: Bools) -> Floats:
    """-2.4 + .6 s + .6 k + .9 c - .10 pos + shelf + .8 fam - .25 (1 - fam)(1 - .5 e) - .2 cos h."""
    known = 0.8 * fam - 0.25 * ~fam * (1 - 0.5 * x.e)
    return -2.4 + 0.6 * x.s + 0.6 * x.k + 0.9 * x.c - 0.10 * x.pos + SHELF_EFFECT[shelf] + known - 0.2 * x.cos_h


def homepage_trail_mean(x: Drivers, fam: Bools) -> Floats:
    """Log minutes given a click: 1.6 + .35 s + .6 g + .25 k + .3 fam - .15 dev."""
    return 1.6 + 0.35 * x.s + 0.6 * x.g + 0.25 * x.k + 0.3 * fam - 0.15 * x.dev


def homepage_discovery_logit(x: Drivers) -> Floats:
    """Given a click on an item that is not familiar: -.2 + .8 e + .5 s + .3 k."""
    return -0.2 + 0.8 * x.e + 0.5 * x.s + 0.3 * x.k


def radio_engagement_logit(x: Drivers, fam: Bools) -> Floats:
    """.6 + .7 s + .4 k + .6 g + .6 fam - .2 e fam."""
    return 0.6 + 0.7 * x.s + 0.4 * x.k + 0.6 * x.g + 0.6 * fam - 0.2 * x.e * fam


def video_outcomes(people: People, items: Items, shown: Impressions, rng: np.random.Generator) -> VideoOutcomes:
    """Draws what happens to impressions in video.

    Raises:
      ValueError: The impressions are not video's.
    """
    if shown.z is None:
        raise ValueError("video's outcomes need video's context z; these impressions have none")
    x = drivers(people, items, shown)
    return VideoOutcomes(
        click=bernoulli(video_click_logit(x, shown.z), rng),
        trail_engagement=video_trail_mean(x, shown.z) + TRAIL_NOISE * rng.standard_normal(shown.size),
        continue_watching=bernoulli(video_continue_logit(x, shown.z), rng),
    )


def homepage_outcomes(people: People, items: Items, shown: Impressions, rng: np.random.Generator) -> HomepageOutcomes:
    """Draws what happens to impressions on music's home page.

    Raises:
      ValueError: The impressions are not music's.
    """
    if shown.shelf is None or shown.familiar is None:
        raise ValueError("the home page's outcomes need shelf and familiar; these impressions have none")
    x = drivers(people, items, shown)
    click = bernoulli(homepage_click_logit(x, shown.shelf, shown.familiar), rng)
    trail = homepage_trail_mean(x, shown.familiar) + TRAIL_NOISE * rng.standard_normal(shown.size)
    discovery = click & ~shown.familiar & bernoulli(homepage_discovery_logit(x), rng)
    return HomepageOutcomes(click=click, trail_engagement=trail, discovery=discovery)


def radio_outcomes(people: People, items: Items, shown: Impressions, rng: np.random.Generator) -> Bools:
    """Draws whether people engage with impressions on music's radio, [n].

    Raises:
      ValueError: The impressions are not music's.
    """
    if shown.familiar is None:
        raise ValueError("radio's outcomes need familiar; these impressions have none")
    return bernoulli(radio_engagement_logit(drivers(people, items, shown), shown.familiar), rng)
