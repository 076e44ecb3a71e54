"""Who falls when, and what it costs."""

from __future__ import annotations

import pytest

from evidence.search.halving import Entrant, OutOfTimeError, better, cost, gain, halve, rungs
from evidence.search.space import Way
from schema.errors import InputError
from tests.evidence.conftest import SURFACE

WEIGHTS = {"click": 1.0, "minutes": 1.0}


def entrants(*worth: float) -> list[Entrant]:
    """The reference, worth 0, and ways that are worth more or less."""
    return [Entrant(Way(f"{each:g}", (), (), SURFACE), distil=True) for each in (0.0, *worth)]


class Drawn:
    """Scores with noise that all entrants of a training share; counts the trainings."""

    def __init__(self, refuse: str = "", end: int | None = None):
        self.trained: list[tuple[str, int]] = []
        self._refuse, self._end = refuse, end

    def __call__(self, entrant: Entrant, number: int) -> None:
        if self._end is not None and len(self.trained) >= self._end:
            raise OutOfTimeError
        if entrant.way.name == self._refuse:
            raise InputError("no such thing")
        self.trained.append((entrant.way.name, number))
        worth = float(entrant.way.name) + (number * 7 % 5)
        entrant.scores[number] = {"click": worth, "minutes": worth}


@pytest.mark.parametrize(
    ("ways", "trainings", "expected"),
    [
        (9, 20, [(9, 1), (3, 2)]),
        (9, 60, [(9, 4), (3, 8)]),
        (20, 40, [(20, 1), (7, 2), (3, 4)]),
        (2, 6, [(2, 2)]),
        (0, 100, []),
        (5, 1, []),
    ],
)
def test_as_many_trainings_as_there_are(ways, trainings, expected):
    steps = rungs(ways, trainings)
    assert [(each.ways, each.trainings) for each in steps] == expected
    assert cost(steps) <= trainings


def test_too_few_trainings_leave_out_the_last_ways():
    assert [(each.ways, each.trainings) for each in rungs(9, 12)] == [(7, 1), (3, 2)]


def test_the_best_comes_through_whatever_noise_all_share():
    all_of_them, train = entrants(-0.2, 0.1, 0.4, -0.1, 0.3, 0.2, -0.3), Drawn()
    steps = rungs(7, 100)
    falls = halve(all_of_them, steps, WEIGHTS, train, lambda _: None)
    assert len(train.trained) == len(set(train.trained)) == cost(steps)
    assert [each.name for each in falls if each.rung == 1] == ["0.4", "0.3", "0.2", "0.1", "-0.1", "-0.2", "-0.3"]
    assert [each.name for each in falls if each.rung == 1 and each.stays] == ["0.4", "0.3", "0.2"]
    assert [each.name for each in falls if each.rung == 2 and each.stays] == ["0.4"]
    assert falls[0].gain == pytest.approx(0.4)


def test_a_way_that_cannot_be_trained_falls_and_says_why():
    all_of_them = entrants(0.1, 0.4)
    falls = halve(all_of_them, rungs(2, 9), WEIGHTS, Drawn(refuse="0.4"), lambda _: None)
    assert [(each.name, each.gain, each.stays) for each in falls] == [
        ("0.1", pytest.approx(0.1), True),
        ("0.4", None, False),
    ]
    assert all_of_them[2].refused == "no such thing"


def test_a_surface_that_cannot_be_trained_as_it_is_is_an_error():
    with pytest.raises(InputError, match="no such thing"):
        halve(entrants(0.1), rungs(1, 9), WEIGHTS, Drawn(refuse="0"), lambda _: None)


def test_a_loss_that_is_no_number_falls():
    all_of_them = entrants(0.1, float("nan"))
    falls = halve(all_of_them, rungs(2, 3), WEIGHTS, Drawn(), lambda _: None)
    assert [each.name for each in falls if each.stays] == ["0.1"]


def test_when_time_is_over_what_is_known_counts():
    all_of_them = entrants(-0.1, 0.2, 0.3)
    with pytest.raises(OutOfTimeError):
        halve(all_of_them, rungs(3, 40), WEIGHTS, Drawn(end=32), lambda _: None)
    assert [each.way.name for each in better(all_of_them[1:], all_of_them[0], WEIGHTS)] == ["0.2", "0.3"]
    assert gain(all_of_them[3], all_of_them[0], WEIGHTS) == pytest.approx(0.3)


def test_tasks_count_by_their_weights():
    of_tasks = Entrant(Way("a", (), (), SURFACE), distil=True, scores={0: {"click": 1.0, "minutes": 0.0}})
    assert of_tasks.score(0, {"click": 3.0, "minutes": 1.0}) == pytest.approx(0.75)
