"""The formulas are written here a second time, from the specification, one number at a time."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from worlds.impressions import Impressions
from worlds.outcomes import homepage_outcomes, radio_outcomes, video_outcomes
from worlds.population import Product
from worlds.simulated import World, draw_impressions

ROWS = 60_000
SHELF = (0.12, 0.06, 0.0, -0.04, -0.08, -0.12)


def sigma(x: float) -> float:
    return 1 / (1 + math.exp(-x))


class Row:
    """The drivers of one impression, looked up one at a time."""

    def __init__(self, world: World, shown: Impressions, row: int):
        user, item = int(shown.users[row]), int(shown.items[row])
        traits = world.people.traits[shown.product]
        pairs = zip(traits.taste[user], world.items.topic[item], strict=True)
        self.s = sum(float(a) * float(q) for a, q in pairs) / math.sqrt(8)
        self.k = float(world.items.quality[shown.product][item])
        self.c, self.g, self.e = (float(t[user]) for t in (traits.click, traits.engagement, traits.exploration))
        self.pos, self.dev = int(shown.position[row]), int(shown.device[row])
        self.age = float(shown.times[row]) - float(world.items.release[item])
        self.cos_h = math.cos(2 * math.pi * (float(shown.times[row]) * 365 % 1))
        self.shelf = SHELF[shown.shelf[row]] if shown.shelf is not None else 0.0
        self.fam = int(shown.familiar[row]) if shown.familiar is not None else 0
        self.z = [float(z) for z in shown.z[row]] if shown.z is not None else []


def rows_of(world: World, shown: Impressions) -> list[Row]:
    return [Row(world, shown, row) for row in range(shown.size)]


def assert_follows(outcome: np.ndarray, probabilities: list[float]) -> None:
    """Binary outcomes agree with their probabilities: overall, by decile, and in correlation."""
    p = np.array(probabilities)
    assert outcome.mean() == pytest.approx(p.mean(), abs=4 * math.sqrt((p * (1 - p)).mean() / len(p)))
    for part in np.array_split(np.argsort(p), 10):
        error = math.sqrt((p[part] * (1 - p[part])).mean() / len(part))
        assert outcome[part].mean() == pytest.approx(p[part].mean(), abs=4.5 * error)
    # corr(outcome, p) of independent draws is sd(p) / sd(outcome).
    expected = p.std() / math.sqrt(p.mean() * (1 - p.mean()))
    assert np.corrcoef(outcome, p)[0, 1] == pytest.approx(expected, abs=0.02)


@pytest.fixture(scope="module")
def video(full_world: World) -> tuple[Impressions, list[Row]]:
    shown = draw_impressions(full_world, Product.VIDEO, ROWS, (0.0, 1.0), np.random.default_rng(11))
    return shown, rows_of(full_world, shown)


@pytest.fixture(scope="module")
def music(full_world: World) -> tuple[Impressions, list[Row]]:
    shown = draw_impressions(full_world, Product.MUSIC, ROWS, (0.0, 1.1), np.random.default_rng(12))
    return shown, rows_of(full_world, shown)


def test_video(full_world: World, video: tuple[Impressions, list[Row]]) -> None:
    shown, rows = video
    found = video_outcomes(full_world.people, full_world.items, shown, np.random.default_rng(0))
    assert_follows(
        found.click,
        [
            sigma(
                -2.3 + 0.7 * x.s + 0.7 * x.k + 0.9 * x.c - 0.12 * x.pos + 0.3 * x.e * (x.age < 2)
                + 0.4 * x.z[0] + 0.3 * x.z[1] + 0.2 * x.cos_h
            )
            for x in rows
        ],
    )  # fmt: skip
    trail = np.array([1.5 + 0.4 * x.s + 0.6 * x.g + 0.3 * x.k + 0.3 * x.z[2] + 0.15 * x.dev for x in rows])
    assert (found.trail_engagement - trail).mean() == pytest.approx(0.0, abs=4 * 0.8 / math.sqrt(ROWS))
    assert (found.trail_engagement - trail).std() == pytest.approx(0.8, abs=0.01)
    goes_on = [sigma(0.1 + 0.5 * x.s + 0.7 * x.g + 0.25 * x.k + 0.4 * x.z[3]) for x in rows]
    assert_follows(found.continue_watching, goes_on)


def test_homepage(full_world: World, music: tuple[Impressions, list[Row]]) -> None:
    shown, rows = music
    found = homepage_outcomes(full_world.people, full_world.items, shown, np.random.default_rng(0))
    click = [
        sigma(
            -2.4 + 0.6 * x.s + 0.6 * x.k + 0.9 * x.c - 0.10 * x.pos + x.shelf
            + 0.8 * x.fam - 0.25 * (1 - x.fam) * (1 - 0.5 * x.e) - 0.2 * x.cos_h
        )
        for x in rows
    ]  # fmt: skip
    assert_follows(found.click, click)
    trail = np.array([1.6 + 0.35 * x.s + 0.6 * x.g + 0.25 * x.k + 0.3 * x.fam - 0.15 * x.dev for x in rows])
    assert (found.trail_engagement - trail).mean() == pytest.approx(0.0, abs=4 * 0.8 / math.sqrt(ROWS))
    assert (found.trail_engagement - trail).std() == pytest.approx(0.8, abs=0.01)
    discovery = [
        p * (1 - x.fam) * sigma(-0.2 + 0.8 * x.e + 0.5 * x.s + 0.3 * x.k) for p, x in zip(click, rows, strict=True)
    ]
    assert_follows(found.discovery, discovery)
    assert not (found.discovery & ~found.click).any()
    assert not (found.discovery & shown.familiar).any()


def test_radio(full_world: World, music: tuple[Impressions, list[Row]]) -> None:
    shown, rows = music
    found = radio_outcomes(full_world.people, full_world.items, shown, np.random.default_rng(0))
    expected = [sigma(0.6 + 0.7 * x.s + 0.4 * x.k + 0.6 * x.g + 0.6 * x.fam - 0.2 * x.e * x.fam) for x in rows]
    assert_follows(found, expected)


def test_shelves_make_about_two_points_of_ctr(full_world: World, music: tuple[Impressions, list[Row]]) -> None:
    shown, _ = music
    rates = []
    for shelf in (0, 5):
        here = replace(shown, shelf=np.full(shown.size, shelf))
        rates.append(
            homepage_outcomes(full_world.people, full_world.items, here, np.random.default_rng(0)).click.mean()
        )
    assert rates[0] - rates[1] == pytest.approx(0.025, abs=0.01)


def test_outcomes_of_another_product_are_refused(
    full_world: World, video: tuple[Impressions, list[Row]], music: tuple[Impressions, list[Row]]
) -> None:
    people, items, rng = full_world.people, full_world.items, np.random.default_rng(0)
    with pytest.raises(ValueError, match="video's context z"):
        video_outcomes(people, items, music[0], rng)
    with pytest.raises(ValueError, match="shelf and familiar"):
        homepage_outcomes(people, items, video[0], rng)
    with pytest.raises(ValueError, match="familiar"):
        radio_outcomes(people, items, video[0], rng)
