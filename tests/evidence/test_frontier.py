from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from evidence.frontier import VALUES, FrontierResult, Over, Shown, compare, match, read_over
from evidence.live import Pair, Traffic
from evidence.plot import frontier
from evidence.slates import DISCOVERY, ENGAGEMENT, Happened
from evidence.statistics import mean_of
from schema.errors import InputError
from schema.loader import load_surface
from schema.surface import Surface
from tests.evidence.rankers import write_pair
from worlds.simulated import World

HOMEPAGE = load_surface(Path(__file__).parents[2] / "schema" / "homepage").surface
RADIO = load_surface(Path(__file__).parents[2] / "schema" / "radio").surface
VALUES_OF = [0.0, 1.0, 2.0, 3.0]


def page(engagement: NDArray[np.float64], discovery: NDArray[np.float64]) -> Happened:
    return {ENGAGEMENT: engagement, DISCOVERY: discovery}


def flat(engagement: float, discovery: float, people: int = 4) -> Happened:
    return page(np.full(people, engagement), np.full(people, discovery))


def test_engagement_is_compared_where_discovery_is_equal():
    """Of 10 - 2 d minutes at d discoveries, the student's; the control has 8 at 1.5."""
    student = Shown(VALUES_OF, [flat(10 - 2 * each, each) for each in (0.0, 1.0, 2.0, 3.0)])
    found = match(student, flat(8.0, 1.5), near=0.0)
    assert found is not None
    assert found.value == pytest.approx(1.5)
    assert found.lift.value == pytest.approx(7 / 8 - 1)


@pytest.mark.parametrize("place", range(4))
def test_a_frontier_matches_itself_everywhere(place: int):
    rng = np.random.default_rng(0)
    pages = [page(rng.normal(10 - each, 1, 50), rng.normal(each, 0.1, 50)) for each in range(4)]
    found = match(Shown(VALUES_OF, pages), pages[place], VALUES_OF[place])
    assert found is not None
    assert found.value == pytest.approx(VALUES_OF[place])
    assert found.lift.value == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize(("near", "value"), [(0.0, 0.5), (1.4, 1.5), (9.0, 2.5)])
def test_of_several_matches_the_next_one_is_taken(near: float, value: float):
    student = Shown(VALUES_OF, [flat(10.0, each) for each in (1.0, 2.0, 1.0, 2.0)])
    found = match(student, flat(9.0, 1.5), near)
    assert found is not None
    assert found.value == pytest.approx(value)


@pytest.mark.parametrize("discovery", [-0.1, 3.1])
def test_what_the_student_never_holds_has_no_match(discovery: float):
    student = Shown(VALUES_OF, [flat(10 - each, each) for each in (0.0, 1.0, 2.0, 3.0)])
    assert match(student, flat(9.0, discovery), near=0.0) is None


def test_the_interval_of_one_frontier_holds_zero_as_often_as_it_says():
    """Two arms on one frontier, by other values, each with people's chance of its own."""
    rng, held, draws = np.random.default_rng(1), 0, 400

    def drawn(rate: float) -> Happened:
        discovery = rng.poisson(rate, 300).astype(float)
        return page(20 - 3 * discovery + rng.normal(0, 2, 300) + 3 * (discovery - rate), discovery)

    for _ in range(draws):
        student = Shown(VALUES_OF, [drawn(each) for each in (0.5, 1.0, 1.5, 2.0)])
        found = match(student, drawn(1.3), near=1.6)
        assert found is not None
        interval = mean_of([found.lift], confidence=0.9)
        held += interval.low <= 0 <= interval.high
    assert abs(held / draws - 0.9) < 4 * np.sqrt(0.09 / draws)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return write_pair(tmp_path_factory.mktemp("rankers"))


@pytest.fixture(scope="module")
def result(live_world: World, pair: Pair) -> FrontierResult:
    over = read_over("discovery=0:4", HOMEPAGE)
    return compare(HOMEPAGE, live_world, [pair, pair], Traffic(slates=200, draws=3), over, lambda line: None)


def test_every_value_has_a_page_of_each_arm(result: FrontierResult):
    assert [each.value for each in result.points] == [0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4]
    assert len(result.points) == VALUES
    assert all(each.engagement > 0 and each.same_model_held <= each.same_model <= 3 for each in result.points)
    assert len({each.student_engagement for each in result.points}) > 1
    assert FrontierResult.model_validate_json(result.model_dump_json()) == result


def test_a_lift_stands_between_its_ends_and_is_that_of_both_pairs(result: FrontierResult):
    lifts = [each.lift for each in result.points if each.lift is not None]
    assert lifts
    for each in lifts:
        assert each.low <= each.mean <= each.high
        assert each.replicates == pytest.approx([each.mean, each.mean])
        assert 0 <= each.value <= 4


def test_a_model_against_itself_is_exactly_nothing(live_world: World, pair: Pair):
    same = Pair(pair.control, pair.control)
    over = read_over("discovery=0:4", HOMEPAGE)
    found = compare(HOMEPAGE, live_world, [same], Traffic(slates=100, draws=0), over, lambda line: None)
    assert {each.lift.mean for each in found.points if each.lift is not None} == {0.0}
    assert all(each.lift is not None for each in found.points)


def test_a_constant_of_the_score_is_varied_as_a_task_is(live_world: World, pair: Pair):
    text = {"formula": "(click + weight * discovery) * exp(trail_engagement)", "constants": {"weight": 1.0}}
    content = HOMEPAGE.model_dump(by_alias=True) | {"score": text}
    named = Surface.model_validate(content)
    traffic = Traffic(slates=100, draws=0)
    one, other = (
        compare(surface, live_world, [pair], traffic, read_over(f"{name}=0:4", surface), lambda line: None)
        for surface, name in ((HOMEPAGE, "discovery"), (named, "weight"))
    )
    assert other.points == one.points


def test_a_picture_holds_both_frontiers(result: FrontierResult):
    picture = frontier(result)
    assert picture.startswith("<svg")
    for word in ("engagement at equal discovery", "discoveries a slate", "student", "control", "discovery=0:4"):
        assert word in picture


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("discovery", "expected NAME=LOW:HIGH"),
        ("discovery=1", "expected NAME=LOW:HIGH"),
        ("discovery=2:1", "the lower one first"),
        ("discovery=0:inf", "expected NAME=LOW:HIGH"),
        ("discovry=0:4", "click, discovery, trail_engagement.*did you mean 'discovery'"),
    ],
)
def test_a_range_that_cannot_be_varied_is_refused(text: str, message: str):
    with pytest.raises(InputError, match=message):
        read_over(text, HOMEPAGE)


def test_a_surface_without_a_score_is_refused():
    with pytest.raises(InputError, match="surface 'radio': expected a `score:`"):
        read_over("engagement=0:4", RADIO)


def test_values_are_equally_far_apart():
    assert Over("w", 1.0, 3.0).values == [1, 1.25, 1.5, 1.75, 2, 2.25, 2.5, 2.75, 3]
