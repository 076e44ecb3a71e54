from __future__ import annotations

import math

import numpy as np
import pytest

from worlds.impressions import draw_users, exposure, recommend, show
from worlds.population import Product
from worlds.simulated import Sizes, World, draw_impressions, draw_world

ROWS = 200_000


@pytest.fixture(scope="module")
def few() -> World:
    """Two people who both use music, three videos and four music items."""
    return draw_world(Sizes(people=2, music_people=2, videos=3, music_items=4), np.random.default_rng(3))


def scalar_affinity(world: World, product: Product, user: int, item: int) -> float:
    taste, topic = world.people.traits[product].taste[user], world.items.topic[item]
    return sum(float(a) * float(q) for a, q in zip(taste, topic, strict=True)) / math.sqrt(8)


def shown_probabilities(world: World, user: int, pool: range, time: float, fresh: float) -> list[float]:
    """Chances of each music item, from the specification: the better of two independent draws.

    The difference of two Gumbels is logistic, so that the first of two wins with probability
    sigma((s1 - s2) / 1.5).
    """
    items = world.items
    weights = []
    for item in pool:
        age = time - items.release[item]
        factor = 1 + (fresh - 1) * math.exp(-age / 0.08) if age >= 0 else 0.0
        weights.append(float(items.popularity[Product.MUSIC][item]) * factor)
    chances = [weight / sum(weights) for weight in weights]
    s = [scalar_affinity(world, Product.MUSIC, user, item) for item in pool]
    return [
        sum(2 * chances[i] * chances[j] / (1 + math.exp((s[j] - s[i]) / 1.5)) for j in range(len(pool)))
        for i in range(len(pool))
    ]


def test_the_recommender_keeps_the_better_of_two(few: World) -> None:
    time = 0.95
    users = np.ones(ROWS, dtype=np.int64)
    shown = recommend(
        few.people, few.items, Product.MUSIC, users, np.full(ROWS, time + 0.005), np.random.default_rng(0)
    )
    expected = shown_probabilities(few, user=1, pool=range(3, 7), time=time, fresh=0.3)
    assert sum(expected) == pytest.approx(1.0)
    for item, chance in zip(range(3, 7), expected, strict=True):
        assert (shown == item).mean() == pytest.approx(chance, abs=4 * math.sqrt(0.25 / ROWS))


def test_a_fresh_item_is_pushed_in_video_and_held_back_in_music(full_world: World) -> None:
    items = full_world.items
    fresh = int(np.flatnonzero(items.is_new_release)[0])
    for product, factor in ((Product.VIDEO, 6.0), (Product.MUSIC, 0.3)):
        base = items.popularity[product][fresh]
        at_release = exposure(items, product, items.release[fresh] + 1e-9)[fresh]
        later = exposure(items, product, items.release[fresh] + 0.08)[fresh]
        assert at_release / base == pytest.approx(factor, abs=1e-6)
        assert later / base == pytest.approx(1 + (factor - 1) / math.e, abs=1e-6)
        assert exposure(items, product, items.release[fresh] - 1e-6)[fresh] == 0


def test_nothing_is_shown_before_its_release_and_music_is_a_quarter_of_video(full_world: World) -> None:
    shown = draw_impressions(full_world, Product.VIDEO, ROWS, (0.0, 1.0), np.random.default_rng(1))
    assert (shown.times >= full_world.items.release[shown.items]).all()
    assert (shown.items >= full_world.items.videos).mean() == pytest.approx(0.25, abs=0.004)
    assert shown.shelf is None
    assert shown.familiar is None


def test_music_shows_its_own_items_to_its_own_people_and_new_releases_rarely(full_world: World) -> None:
    music = draw_impressions(full_world, Product.MUSIC, ROWS, (1.0, 1.1), np.random.default_rng(2))
    video = draw_impressions(full_world, Product.VIDEO, ROWS, (1.0, 1.1), np.random.default_rng(2))
    assert music.users.max() < 2_500 <= video.users.max()
    assert music.items.min() >= full_world.items.videos
    assert music.z is None
    new = full_world.items.is_new_release
    share_in_music = new[music.items].mean()
    share_of_music_in_video = new[video.items].sum() / (video.items >= full_world.items.videos).sum()
    assert share_in_music < 0.1 < share_of_music_in_video


def test_people_are_drawn_by_activity(few: World) -> None:
    users = draw_users(few.people, Product.MUSIC, ROWS, np.random.default_rng(4))
    activity = few.people.activity
    assert (users == 0).mean() == pytest.approx(activity[0] / activity.sum(), abs=4 * math.sqrt(0.25 / ROWS))


def test_familiarity_follows_its_formula(full_world: World) -> None:
    rows = 400
    rng = np.random.default_rng(5)
    users = np.repeat(rng.integers(0, 2_500, 40), rows)
    items = np.repeat(rng.integers(12_000, 15_000, 40), rows)
    times = np.full(len(users), 1.05)
    shown = show(full_world.people, full_world.items, Product.MUSIC, users, items, times, np.zeros_like(users), rng)
    assert shown.familiar is not None
    expected = []
    for user, item in zip(users[::rows], items[::rows], strict=True):
        s = scalar_affinity(full_world, Product.MUSIC, user, item)
        k = full_world.items.quality[Product.MUSIC][item]
        e = full_world.people.traits[Product.MUSIC].exploration[user]
        under_one = 1.05 - full_world.items.release[item] < 1
        expected.append(1 / (1 + math.exp(-(-1.2 + 0.9 * s + 0.3 * k - 2.5 * under_one - 0.4 * e))))
    found = shown.familiar.reshape(-1, rows).mean(axis=1)
    assert np.abs(found - expected).max() < 4.5 * math.sqrt(0.25 / rows)
    assert found.mean() == pytest.approx(np.mean(expected), abs=4 * math.sqrt(0.25 / len(users)))


def test_context_is_uniform_and_hours_agree_with_times(full_world: World) -> None:
    shown = draw_impressions(full_world, Product.MUSIC, ROWS, (0.0, 1.0), np.random.default_rng(6))
    assert shown.shelf is not None
    assert np.bincount(shown.position).tolist() == pytest.approx([ROWS / 8] * 8, rel=0.04)
    assert np.bincount(shown.shelf).tolist() == pytest.approx([ROWS / 6] * 6, rel=0.04)
    assert shown.device.mean() == pytest.approx(0.5, abs=0.005)
    assert np.cos(shown.hour).mean() == pytest.approx(0.0, abs=0.01)
    noon = show(
        full_world.people,
        full_world.items,
        Product.MUSIC,
        np.array([0]),
        np.array([12_000]),
        np.array([1.5 / 365]),
        np.array([0]),
        np.random.default_rng(0),
    )
    assert noon.hour[0] == pytest.approx(math.pi)
