"""The world day by day: who comes and goes, how tastes move, and that the world without days is what it was."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from schema.errors import InputError
from schema.loader import load_surface
from tests.worlds.conftest import Example, read_examples
from tests.worlds.test_simulated import digests
from worlds import simulated
from worlds.days import ITEM_TURNOVER, MUSIC_TURNOVER, NEW_DAYS, TASTE_PER_DAY, DaySizes, draw_calendar, write_days
from worlds.impressions import DAYS_PER_UNIT
from worlds.population import TASTE_CORRELATION, Product

DAYS = 9
SIZES = DaySizes(500, 120, 40, 100, 60, 80, 50, 60, 50, 4, (16,), 2)
# Of the whole numbers of `crosskd world simulated --size tiny` as it was before it had days.
AS_IT_WAS = "6f42ea75a66becc6f6441748a0cc3218f27812af8570908fce2608530af800ce"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("days")
    write_days(out, SIZES, DAYS, seed=3, progress=lambda _: None)
    return out


@pytest.fixture(scope="module")
def calendar():
    return draw_calendar(DaySizes(people=4000, music_people=2000, videos=500, music_items=500), 14, _rng())


def _rng() -> np.random.Generator:
    return np.random.default_rng(0)


def of_day(written: Path, surface: str, day: int) -> list[Example]:
    folder = written / surface / f"span-{day}"
    return read_examples(folder / "train") + read_examples(folder / "eval")


def test_without_days_the_world_is_what_it_was():
    domains = simulated.draw_domains(simulated.SIZES["tiny"], seed=0)
    digest = hashlib.sha256()
    for name, splits in sorted(domains.items()):
        for split, columns in sorted(splits.items()):
            for column, of in sorted(columns.items()):
                if of.values.dtype.kind == "i":
                    digest.update(f"{name}/{split}/{column}".encode() + of.values.tobytes())
    assert digest.hexdigest() == AS_IT_WAS


def test_every_day_is_a_span_and_the_source_has_its_history(written: Path):
    for name, first in (("homepage", 1), ("radio", 1), ("video", 0)):
        loaded = load_surface(written / name)
        assert loaded.surface.slices["new_person"].features == {"new_person": 1}
        spans = sorted(int(each.name.removeprefix("span-")) for each in (written / name).glob("span-*"))
        assert spans == [*range(first, DAYS + 1)]
    assert load_surface(written / "homepage").surface.training.continue_from == "served"
    assert len(read_examples(written / "video" / "span-0" / "train")) == 500
    assert len(read_examples(written / "homepage" / "span-4" / "train")) == 100
    assert len(read_examples(written / "homepage" / "span-4" / "eval")) == 60


def test_the_same_seed_gives_the_same_bytes(written: Path, tmp_path: Path):
    write_days(tmp_path, SIZES, DAYS, seed=3, progress=lambda _: None)
    assert digests(tmp_path) == digests(written)


def test_impressions_are_of_their_day(written: Path):
    for day in (1, DAYS):
        times = [(each["timestamp"][0] - simulated.EPOCH) / 86_400 for each in of_day(written, "homepage", day)]
        assert DAYS_PER_UNIT + day - 1 < min(times) < max(times) < DAYS_PER_UNIT + day


def test_who_is_new_came_in_the_last_days(written: Path):
    seen: set[int] = set()
    for day in range(1, DAYS + 1):
        rows = of_day(written, "homepage", day)
        new = {each["user_id"][0] for each in rows if each["new_person"] == [1]}
        old = {each["user_id"][0] for each in rows if each["new_person"] == [0]}
        assert not new & old
        assert new
        if day <= NEW_DAYS:
            # They came after the start, so that those who are there from the start are never among them.
            assert max(old) < min(new)
        seen |= new | old
    assert len(seen) > SIZES.music_people


def test_a_new_release_is_shown_from_the_day_after_on(written: Path):
    ages = [
        np.expm1(each["item_age"][0]) / simulated.AGE_SCALE * DAYS_PER_UNIT
        for day in range(1, DAYS + 1)
        for each in of_day(written, "video", day)
        if each["new_release"] == [1]
    ]
    assert ages
    assert min(ages) > 0
    assert max(ages) < NEW_DAYS + 1


def test_nobody_is_shown_anything_before_or_after_and_nothing_withdrawn_is_shown(calendar):
    for day in (0, 5, 14):
        world = calendar.world(Product.MUSIC, day)
        shown = simulated.draw_impressions(world, Product.MUSIC, 3000, calendar.times(day), _rng())
        assert calendar.stays[Product.MUSIC].there(day)[shown.users].all()
        assert calendar.items_stay.there(day)[shown.items].all()
        assert (shown.times > world.items.release[shown.items]).all()


def test_as_many_come_as_go(calendar):
    for stay, count, turnover in (
        (calendar.stays[Product.MUSIC], 2000, MUSIC_TURNOVER),
        (calendar.items_stay, 1000, ITEM_TURNOVER),
    ):
        there = [stay.there(day).sum() for day in range(15)]
        assert there[0] == count
        assert np.abs(np.array(there) - count).max() < 0.1 * count
        stayed = (stay.there(0) & stay.there(14)).sum() / count
        assert stayed == pytest.approx((1 - turnover) ** 14, abs=0.05)


def test_whoever_uses_music_uses_video(calendar):
    for day in range(15):
        music, video = (calendar.stays[each].there(day) for each in (Product.MUSIC, Product.VIDEO))
        assert not (music & ~video).any()


def test_tastes_move_and_stay_alike_in_both_products(calendar):
    first, week = calendar.tastes[0], calendar.tastes[7]
    for product in Product:
        moved = np.corrcoef(first[product].ravel(), week[product].ravel())[0, 1]
        assert moved == pytest.approx(TASTE_PER_DAY**7, abs=0.01)
        assert week[product].std() == pytest.approx(1, abs=0.01)
    both = np.corrcoef(week[Product.VIDEO].ravel(), week[Product.MUSIC].ravel())[0, 1]
    assert both == pytest.approx(TASTE_CORRELATION, abs=0.02)


def test_profiles_follow_the_tastes(calendar):
    people = calendar.world(Product.MUSIC, 7).people
    noise = people.profile_video - people.traits[Product.VIDEO].taste
    np.testing.assert_allclose(noise, calendar.people.profile_video - calendar.tastes[0][Product.VIDEO])


def test_what_makes_no_world_is_refused(tmp_path: Path, written: Path):
    with pytest.raises(InputError, match="--days 1: expected 2 or more"):
        write_days(tmp_path, "tiny", 1, 0, lambda _: None)
    with pytest.raises(InputError, match="expected one of tiny, small with --days; found 'paper'"):
        write_days(tmp_path, "paper", 3, 0, lambda _: None)
    with pytest.raises(InputError, match="expected a simulated world, whose people can be asked"):
        simulated.read_world(written / "homepage")
    assert not list(tmp_path.iterdir())
