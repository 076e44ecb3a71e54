"""What pairs are drawn from, without Beam."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import tensorflow as tf

from components.candidate_sampler.sides import Source, read_sides
from components.candidate_sampler.stock import Stock
from schema.errors import InputError
from schema.pairs import pair_plan
from tests.components.candidate_sampler.conftest import ITEMS, SCHEMA, surface, write


@pytest.fixture(scope="module")
def sources(rows, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sources")
    found = []
    for split in ("train", "eval"):
        for path in sorted(write(folder / split, rows[split]).glob("*.gz")):
            found.append(Source(split, str(path), len(found)))
    return found


def stock(sources, *, backwards=False, **unlabelled):
    plan = pair_plan(surface(**unlabelled))
    parts = [read_sides(each, plan, SCHEMA) for each in sources]
    return Stock(parts[::-1] if backwards else parts, plan)


def in_order(rows):
    """The training rows as their two files have them."""
    return rows["train"][0::2] + rows["train"][1::2]


@pytest.mark.parametrize("weights", ["popularity", "uniform", "new_release"])
def test_items_are_drawn_by_the_weights_asked_for(weights, sources, rows):
    more = {"new_release": {"column": "new", "value": 1}} if weights == "new_release" else {}
    drawn = stock(sources, weights=weights, **more).draw(200_000, np.random.default_rng(0))
    items = [row["item"] for row in in_order(rows)]
    shown = Counter(items)
    eligible = [row["item"] for row in in_order(rows) if row["new"] or weights != "new_release"]
    total = len(items) if weights == "popularity" else len(set(eligible))
    expected = {item: (shown[item] if weights == "popularity" else 1) / total for item in eligible}
    found = Counter(items[row] for row in drawn.tolist())
    assert set(found) == set(expected)
    assert 3 < len(expected) < ITEMS
    for item, share in expected.items():
        assert found[item] / len(drawn) == pytest.approx(share, abs=0.004)


def test_the_order_in_which_files_arrive_does_not_matter(sources):
    one, other = stock(sources), stock(sources, backwards=True)
    # Features may come in any order in a record; what counts is what they are.
    parsed = [[tf.train.Example.FromString(each) for each in which.items.records] for which in (one, other)]
    assert parsed[0] == parsed[1]
    rngs = [np.random.default_rng(1) for _ in range(2)]
    np.testing.assert_array_equal(one.draw(50, rngs[0]), other.draw(50, rngs[1]))


def test_no_new_item_is_an_error(sources):
    with pytest.raises(InputError, match="no training example has 'new' = 7"):
        stock(sources, weights="new_release", new_release={"column": "new", "value": 7})


def test_another_scale_than_the_data_s_is_an_error(sources):
    cross = {"match": {"dot": ["taste", "content"], "scale": 1.0}, "seen": {"value": 0}}
    with pytest.raises(InputError, match=r"cross\.match: expected 1 times the scalar product .* Mend `dot:`"):
        stock(sources, cross=cross)
