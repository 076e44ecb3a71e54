"""People and items of the simulated two-surface world, with their true latents.

The specification is ``worlds/simulated.md``; the words in quotes beside the constants are
its lines.  The constants are fixed: none is ever tuned to make a student look better.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

DIMENSIONS = 8  # Notation: "d = 8"

TASTE_CORRELATION = 0.6  # People: "b_u = corr(a_u, .6) for music"
PROPENSITY_CORRELATION = 0.8  # People: "c, g, e per product, correlated .8 between the two"
ACTIVITY_SPREAD = 0.8  # People: "activity exp(.8 N)"

QUALITY_CORRELATION = 0.8  # Items: "quality k per product, correlated .8"
POPULARITY_OF_QUALITY = 0.5  # Items: "popularity exp(.5 k + .9 N)"
POPULARITY_SPREAD = 0.9  # Items: "popularity exp(.5 k + .9 N)"
RELEASES = (-4.0, 0.9)  # Items: "Release time uniform in [-4, .9]"
NEW_RELEASES = (0.9, 1.0)  # Items: "new releases, in [.9, 1]"
NEW_RELEASE_SHARE = 0.1  # Items: "10% of the music items are new releases"

CONTENT_NOISE = 0.7  # What models see: "item content vector (q + .7 N)"
VIDEO_PROFILE_NOISE = 0.5  # What models see: "user profile vector (a + .5 N)"


class Product(StrEnum):
    """The two products of the world; homepage and radio are surfaces of `MUSIC`."""

    VIDEO = "video"
    MUSIC = "music"


@dataclass(frozen=True)
class Traits:
    """What people are like in one product.

    Attributes:
      taste: [people, 8], a_u in video and b_u in music.
      click: [people], propensity c.
      engagement: [people], propensity g.
      exploration: [people], propensity e.
    """

    taste: Floats
    click: Floats
    engagement: Floats
    exploration: Floats


@dataclass(frozen=True)
class People:
    """Everyone; the first `music_users` ids use music as well.

    Attributes:
      traits: What people are like, for each product.
      activity: [people], the relative frequency of a person's impressions.
      profile_video: [people, 8], what video knows of a person's taste.
      profile_music: [people, 8], what music knows: the less, the less active the person.
      music_users: How many people use music.
    """

    traits: dict[Product, Traits]
    activity: Floats
    profile_video: Floats
    profile_music: Floats
    music_users: int


@dataclass(frozen=True)
class Items:
    """All items in one id space: first the videos, then the music items.

    Attributes:
      topic: [items, 8], q_j.
      quality: k for each product, [items]; a video's quality in music means nothing.
      popularity: Relative exposure of an item that is not fresh, for each product, [items].
      release: [items], release time.
      is_new_release: [items], the music items released in [.9, 1].
      content: [items, 8], what models see of the topic.
      videos: How many of the items are videos; the ids from there on are music items.
    """

    topic: Floats
    quality: dict[Product, Floats]
    popularity: dict[Product, Floats]
    release: Floats
    is_new_release: Bools
    content: Floats
    videos: int


def correlated(values: Floats, correlation: float, rng: np.random.Generator) -> Floats:
    """corr(x, r) = r x + sqrt(1 - r^2) N, elementwise."""
    return correlation * values + np.sqrt(1 - correlation**2) * rng.standard_normal(values.shape)


def draw_people(people: int, music_users: int, rng: np.random.Generator) -> People:
    """Draws `people` people, of whom the first `music_users` use music."""
    video = Traits(rng.standard_normal((people, DIMENSIONS)), *rng.standard_normal((3, people)))
    music = Traits(
        taste=correlated(video.taste, TASTE_CORRELATION, rng),
        click=correlated(video.click, PROPENSITY_CORRELATION, rng),
        engagement=correlated(video.engagement, PROPENSITY_CORRELATION, rng),
        exploration=correlated(video.exploration, PROPENSITY_CORRELATION, rng),
    )
    activity = np.exp(ACTIVITY_SPREAD * rng.standard_normal(people))
    noise = rng.standard_normal((2, people, DIMENSIONS))
    return People(
        traits={Product.VIDEO: video, Product.MUSIC: music},
        activity=activity,
        profile_video=video.taste + VIDEO_PROFILE_NOISE * noise[0],
        # What models see: "a noisier user profile (b + N / sqrt(activity))"
        profile_music=music.taste + noise[1] / np.sqrt(activity)[:, None],
        music_users=music_users,
    )


def draw_items(videos: int, music_items: int, rng: np.random.Generator) -> Items:
    """Draws `videos` videos and `music_items` music items, 10% of them new releases."""
    count = videos + music_items
    topic = rng.standard_normal((count, DIMENSIONS))
    video_quality = rng.standard_normal(count)
    quality = {
        Product.VIDEO: video_quality,
        Product.MUSIC: correlated(video_quality, QUALITY_CORRELATION, rng),
    }
    # One draw for both products: an item that is widely known is so in both.
    renown = POPULARITY_SPREAD * rng.standard_normal(count)
    is_new_release = _choose_new_releases(videos, music_items, rng)
    release = rng.uniform(*RELEASES, size=count)
    release[is_new_release] = rng.uniform(*NEW_RELEASES, size=int(is_new_release.sum()))
    return Items(
        topic=topic,
        quality=quality,
        popularity={product: np.exp(POPULARITY_OF_QUALITY * k + renown) for product, k in quality.items()},
        release=release,
        is_new_release=is_new_release,
        content=topic + CONTENT_NOISE * rng.standard_normal(topic.shape),
        videos=videos,
    )


def _choose_new_releases(videos: int, music_items: int, rng: np.random.Generator) -> Bools:
    chosen = rng.choice(music_items, size=round(NEW_RELEASE_SHARE * music_items), replace=False)
    is_new_release = np.zeros(videos + music_items, dtype=np.bool_)
    is_new_release[videos + chosen] = True
    return is_new_release
