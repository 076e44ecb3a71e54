from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from evidence.levels import LEVELS, Over, levels, noisy, part, resized
from schema.errors import InputError
from tests.evidence.conftest import SURFACE


def test_noise_keeps_the_scale_and_takes_the_meaning():
    rng = np.random.default_rng(0)
    columns = {"teacher/click": rng.normal(size=50_000), "match": np.ones(50_000)}
    columns["teacher/click"][:100] = np.nan
    found = noisy(2.0)(columns, rng)
    np.testing.assert_array_equal(found["match"], columns["match"])
    np.testing.assert_array_equal(np.isnan(found["teacher/click"]), np.isnan(columns["teacher/click"]))
    known = found["teacher/click"][100:]
    assert known.std() == pytest.approx(1, abs=0.02)
    assert np.corrcoef(known, columns["teacher/click"][100:])[0, 1] == pytest.approx(1 / math.sqrt(5), abs=0.02)


def test_no_noise_changes_nothing():
    columns = {"teacher/click": np.array([0.5, -1.0], np.float32)}
    np.testing.assert_array_equal(noisy(0.0)(columns, np.random.default_rng(0))["teacher/click"], [0.5, -1.0])


def test_all_widths_are_resized():
    small = resized(SURFACE, 0.25)
    assert small.model.trunk == (4,)
    assert small.model.tower == (2,)
    assert small.features["user"].embedding == 1
    assert resized(SURFACE, 0.01).model.tower == (1,)
    assert resized(SURFACE, 3).model.trunk == (48,)


def test_a_part_is_within_a_larger_part(knowing):
    small, large = part(knowing, 0.1), part(knowing, 0.5)
    assert (len(small.fitted), len(small.held_out)) == (32, 8)
    assert (len(large.fitted), len(large.held_out)) == (160, 40)
    assert set(small.fitted) < set(large.fitted) < set(knowing.fitted)
    assert set(small.held_out) < set(large.held_out) < set(knowing.held_out)
    whole = part(knowing, 1.0)
    np.testing.assert_array_equal(whole.fitted, knowing.fitted)


def test_levels_of_noise_share_a_control_and_a_placebo(knowing):
    found = levels(SURFACE, knowing, Over.NOISE, [2.0, 0.0])
    assert [each.value for each in found] == [0.0, 2.0]
    assert [each.group.candidate.name for each in found] == ["noise=0", "noise=2"]
    assert {each.group.control.name for each in found} == {"control"}
    assert {placebo.name for each in found for placebo in each.group.placebos} == {"shuffled"}


def test_other_levels_have_their_own(knowing):
    size, data = (levels(SURFACE, knowing, over, [0.5])[0] for over in (Over.SIZE, Over.DATA))
    assert [arm.name for arm in size.group.arms()] == ["size=0.5/control", "size=0.5", "size=0.5/shuffled"]
    assert {arm.surface.model.trunk for arm in size.group.arms()} == {(8,)}
    assert [arm.name for arm in data.group.arms()] == ["data=0.5/control", "data=0.5", "data=0.5/shuffled"]
    assert len(data.data.fitted) == 160
    assert replace(data.data, fitted=knowing.fitted, held_out=knowing.held_out).training is knowing.training


@pytest.mark.parametrize(
    ("over", "values"),
    [(Over.NOISE, [-1.0]), (Over.SIZE, [0.0]), (Over.DATA, [1.5]), (Over.DATA, []), (Over.SIZE, [1.0, 1.0])],
)
def test_levels_that_make_no_sense_are_refused(knowing, over, values):
    with pytest.raises(InputError, match=f"levels of {over}: expected different numbers"):
        levels(SURFACE, knowing, over, values)


@pytest.mark.parametrize("over", list(Over))
def test_the_default_levels_make_sense(knowing, over):
    assert len(levels(SURFACE, knowing, over, LEVELS[over])) == len(LEVELS[over])
