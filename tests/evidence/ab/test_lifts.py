"""Lifts by simulation: nominal error, coverage, the delta method against a bootstrap, CUPED's variance."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from evidence.ab.lifts import ArmUnits, explained, measure, sample_ratio

EXPERIMENTS = 1000


def clicks(rng: np.random.Generator, units: int, rate: float = 1.0) -> ArmUnits:
    """People who see pages and click, each with a taste of their own."""
    pages = 1.0 + rng.poisson(4, units)
    taste = rng.beta(2, 8, units)
    return ArmUnits(rng.binomial(pages.astype(int), np.clip(taste * rate, 0, 1)).astype(float), pages)


@pytest.mark.parametrize("ratio", [False, True], ids=["a mean over people", "a ratio of sums"])
def test_experiments_without_a_difference_are_significant_at_the_nominal_rate(ratio):
    rng = np.random.default_rng(0)
    p_values = []
    for _ in range(EXPERIMENTS):
        ours, theirs = (clicks(rng, units) for units in (400, 600))
        if not ratio:
            ours, theirs = ArmUnits(ours.upper), ArmUnits(theirs.upper)
        p_values.append(measure(ours, theirs).p_value)
    found = sum(p < 0.05 for p in p_values)
    assert stats.binomtest(found, EXPERIMENTS, 0.05).pvalue > 0.01
    assert stats.kstest(p_values, "uniform").pvalue > 0.01


def test_intervals_hold_the_true_lift():
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(EXPERIMENTS):
        low, high = measure(clicks(rng, 500, 1.2), clicks(rng, 500)).interval(0.95)
        held += low <= 0.2 <= high
    assert stats.binomtest(held, EXPERIMENTS, 0.95).pvalue > 0.01


def test_the_delta_method_is_what_a_bootstrap_over_people_says():
    rng = np.random.default_rng(2)
    ours, theirs = clicks(rng, 800, 1.1), clicks(rng, 700)
    measured = measure(ours, theirs)
    lifts = []
    for _ in range(2000):
        a, b = rng.integers(800, size=800), rng.integers(700, size=700)
        numbers = (each.upper[rows].sum() / each.lower[rows].sum() for each, rows in ((ours, a), (theirs, b)))
        top, bottom = numbers
        lifts.append(top / bottom - 1)
    assert measured.lift == pytest.approx(
        (ours.upper.sum() / ours.lower.sum()) / (theirs.upper.sum() / theirs.lower.sum()) - 1
    )
    assert measured.error == pytest.approx(np.std(lifts), rel=0.06)


def test_the_spread_within_people_is_not_taken_for_rows():
    """Of a ratio, rows of one person belong together: as many clicks of fewer people tell less."""
    rng = np.random.default_rng(3)
    taste = rng.beta(1, 3, 400)
    ours = ArmUnits(rng.binomial(100, taste).astype(float), np.full(400, 100.0))
    rate = ours.upper.sum() / ours.lower.sum()
    of_rows = np.sqrt(rate * (1 - rate) / ours.lower.sum()) / rate * np.sqrt(2)
    assert measure(ours, ours).error > 4 * of_rows


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
def test_cuped_takes_away_the_share_of_the_variance_that_rho_squared_says(rho):
    rng = np.random.default_rng(4)
    before = rng.normal(size=20_000)
    now = 10 + rho * before + np.sqrt(1 - rho**2) * rng.normal(size=20_000)
    half = np.arange(20_000) < 10_000
    whole = ArmUnits(now, None, before[:, np.newaxis])
    measured = measure(whole.of(half), whole.of(~half))
    sample = np.corrcoef(before, now)[0, 1]
    assert measured.reduction == pytest.approx(sample**2, abs=1e-3)
    assert measured.reduction == pytest.approx(rho**2, abs=0.015)
    assert explained(whole).reduction == pytest.approx(sample**2, abs=1e-12)


def test_cuped_keeps_error_and_lift_and_takes_away_what_was_there_before():
    rng = np.random.default_rng(5)
    p_values, lifts, plain = [], [], []
    for _ in range(EXPERIMENTS):
        before = rng.gamma(2, 1, 600)
        now = before + rng.gamma(2, 1, 600)
        arm = rng.random(600) < 0.5
        now = np.where(arm, now * 1.1, now)
        whole = ArmUnits(now, None, before[:, np.newaxis])
        measured = measure(whole.of(arm), whole.of(~arm))
        low, high = measured.interval(0.95)
        p_values.append(low <= 0.1 <= high)
        lifts.append(measured.lift)
        plain.append(measure(ArmUnits(now[arm]), ArmUnits(now[~arm])).lift)
    assert stats.binomtest(sum(p_values), EXPERIMENTS, 0.95).pvalue > 0.01
    assert np.mean(lifts) == pytest.approx(0.1, abs=3 * np.std(lifts) / np.sqrt(EXPERIMENTS))
    assert np.var(lifts) < 0.65 * np.var(plain)


def test_a_ratio_is_adjusted_by_both_its_sums():
    rng = np.random.default_rng(6)
    taste, pages = rng.beta(2, 8, 5000), 1.0 + rng.poisson(4, 5000)
    before = np.stack([rng.binomial(pages.astype(int), taste), pages], axis=1).astype(float)
    now = ArmUnits(rng.binomial(pages.astype(int), taste).astype(float), pages, before)
    half = np.arange(5000) < 2500
    assert 0.02 < measure(now.of(half), now.of(~half)).reduction < 0.6


def test_a_lift_over_a_negative_control_is_up_where_it_is_better():
    measured = measure(ArmUnits(np.array([-1.0, -3.0])), ArmUnits(np.array([-4.0, -4.0])))
    assert (measured.control, measured.treatment, measured.lift) == (-4.0, -2.0, 0.5)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [([1.0, 2.0], [0.0, 0.0]), ([1.0], [1.0, 2.0]), ([1.0, 2.0], [1.0])],
    ids=["nothing to divide by", "one treated unit", "one control"],
)
def test_what_is_not_defined_is_none(ours, theirs):
    assert measure(ArmUnits(np.array(ours)), ArmUnits(np.array(theirs))) is None


def test_numbers_without_spread_are_certain():
    same = ArmUnits(np.full(5, 2.0))
    assert measure(same, same).p_value == 1.0
    assert measure(ArmUnits(np.full(5, 3.0)), same).p_value == 0.0


def test_the_sample_ratio_is_pearsons_chi_square():
    assert sample_ratio([500, 500], [1, 1]) == 1.0
    assert sample_ratio([460, 540], [0.5, 0.5]) == pytest.approx(stats.chi2.sf(6.4, 1))
    assert sample_ratio([900, 100], [0.9, 0.1]) == 1.0
    assert sample_ratio([10_300, 9_700], [2, 2]) < 0.001
