from __future__ import annotations

import numpy as np
import pytest

from worlds.population import Product
from worlds.simulated import World


def correlation(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.corrcoef(first.ravel(), second.ravel())[0, 1])


def test_counts_are_the_specification_s(full_world: World) -> None:
    assert len(full_world.people.activity) == 20_000
    assert full_world.people.music_users == 2_500
    assert full_world.items.videos == 12_000
    assert len(full_world.items.release) == 15_000


def test_people_are_alike_in_both_products_but_not_equal(full_world: World) -> None:
    video, music = (full_world.people.traits[product] for product in Product)
    assert correlation(video.taste, music.taste) == pytest.approx(0.6, abs=0.01)
    for trait in ("click", "engagement", "exploration"):
        assert correlation(getattr(video, trait), getattr(music, trait)) == pytest.approx(0.8, abs=0.01)
        assert getattr(music, trait).std() == pytest.approx(1.0, abs=0.02)
    assert abs(correlation(video.click, video.engagement)) < 0.03


def test_profiles_are_noisier_in_music_and_for_the_less_active(full_world: World) -> None:
    people = full_world.people
    noise = people.profile_music - people.traits[Product.MUSIC].taste
    assert (people.profile_video - people.traits[Product.VIDEO].taste).std() == pytest.approx(0.5, abs=0.005)
    # N / sqrt(activity), undone.
    assert (noise * np.sqrt(people.activity)[:, None]).std() == pytest.approx(1.0, abs=0.01)
    assert np.log(people.activity).std() == pytest.approx(0.8, abs=0.02)


def test_items_quality_popularity_and_content(full_world: World) -> None:
    items = full_world.items
    video, music = items.quality[Product.VIDEO], items.quality[Product.MUSIC]
    assert correlation(video, music) == pytest.approx(0.8, abs=0.01)
    # log popularity = .5 k + .9 N: variance .25 + .81.
    assert np.log(items.popularity[Product.VIDEO]).std() == pytest.approx(np.sqrt(0.25 + 0.81), abs=0.02)
    assert np.polyfit(video, np.log(items.popularity[Product.VIDEO]), 1)[0] == pytest.approx(0.5, abs=0.03)
    assert (items.content - items.topic).std() == pytest.approx(0.7, abs=0.005)


def test_a_tenth_of_the_music_items_are_new_releases(full_world: World) -> None:
    items = full_world.items
    assert items.is_new_release.sum() == 300
    assert not items.is_new_release[: items.videos].any()
    assert items.release[items.is_new_release].min() >= 0.9
    assert items.release[items.is_new_release].max() <= 1.0
    old = items.release[~items.is_new_release]
    assert -4.0 <= old.min() < -3.9
    assert 0.8 < old.max() <= 0.9
