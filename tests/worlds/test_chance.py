from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from worlds.chance import normal, uniform

EVENTS = np.arange(20_000) + 10


def test_an_event_has_its_number_whoever_asks_and_in_any_company():
    alone = uniform(7, 1, 5, 3)
    among = uniform(7, 1, np.arange(10)[:, None], np.arange(4))
    assert among.shape == (10, 4)
    assert among[5, 3] == alone


def test_another_seed_kind_or_order_gives_other_numbers():
    base = uniform(7, 1, EVENTS)
    for other in (uniform(8, 1, EVENTS), uniform(7, 2, EVENTS), uniform(7, EVENTS, 1)):
        assert (other != base).all()
        assert abs(np.corrcoef(base, other)[0, 1]) < 4 / np.sqrt(len(EVENTS))


@pytest.mark.parametrize("seed", [0, 1, 2**64 - 1])
def test_numbers_of_neighbouring_events_are_uniform_and_unrelated(seed: int):
    """Each p-value under one in a thousand would come by chance, in one run of all these, less than once in fifty."""
    found = uniform(seed, 3, EVENTS)
    assert found.min() > 0 and found.max() < 1
    assert stats.kstest(found, "uniform").pvalue > 0.001
    pairs = np.histogram2d(found[:-1], found[1:], bins=8, range=[[0, 1], [0, 1]])[0]
    assert stats.chisquare(pairs.ravel()).pvalue > 0.001
    assert stats.kstest(normal(seed, 3, EVENTS), "norm").pvalue > 0.001
