"""How far features moved, by statistics that TFDV made, against values by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tfx.dsl.io import fileio  # noqa: F401 - TFDV can be imported only after TFX

from components.evaluation_report.shifts import read_statistics, shifts
from components.evaluation_report.sources import Shift, ShiftEnd
from schema.errors import InputError
from tests.components.evaluation_report import folders

ROWS = 400
EVEN = np.arange(ROWS) % 2 == 0
# Half `de` and half `fr` against `de` alone: (KL((.5, .5), (.75, .25)) + KL((1, 0), (.75, .25))) / 2, to base 2.
HALF_OF_ONE = 0.311278


def statistics(**columns):
    return folders.statistics_of(pd.DataFrame(columns))


@pytest.fixture(scope="module")
def found() -> dict[str, Shift]:
    before = statistics(country=np.where(EVEN, "de", "fr"), age=np.arange(ROWS) % 20 + 0.5, old=np.ones(ROWS))
    now = statistics(
        country=np.full(ROWS, "de"), age=np.where(EVEN, np.arange(ROWS) // 2 % 10 + 0.5, np.nan), fresh=np.ones(ROWS)
    )
    return {each.name: each for each in shifts(before, now)}


def test_what_is_new_or_gone_comes_first_then_what_moved_most(found):
    assert list(found) == ["fresh", "old", "age", "country"]
    assert (found["fresh"].before, found["old"].now) == (None, None)


def test_a_text_is_compared_by_its_values(found):
    country = found["country"]
    assert country.divergence == pytest.approx(HALF_OF_ONE, abs=1e-6)
    assert (country.before, country.now) == (ShiftEnd(0.0, None, 2), ShiftEnd(0.0, None, 1))


def test_a_number_is_compared_by_its_histogram(found):
    age = found["age"]
    assert age.divergence == pytest.approx(HALF_OF_ONE, abs=0.03)  # the ends of the bins do not agree
    assert (age.before, age.now) == (ShiftEnd(0.0, 10.0, None), ShiftEnd(0.5, 5.0, None))


def test_what_did_not_move_has_no_divergence():
    same = statistics(x=np.arange(ROWS) / 7, name=np.where(EVEN, "a", "b"))
    assert {each.name: each.divergence for each in shifts(same, same)} == {"x": 0.0, "name": 0.0}


def test_statistics_that_are_gone_or_damaged_are_named(tmp_path: Path):
    with pytest.raises(InputError, match="expected the statistics of training examples, found no such file"):
        read_statistics(str(tmp_path))
    (tmp_path / "Split-train").mkdir()
    (tmp_path / "Split-train" / "FeatureStats.pb").write_bytes(b"\xff\xff")
    with pytest.raises(InputError, match="found a damaged file"):
        read_statistics(str(tmp_path))
