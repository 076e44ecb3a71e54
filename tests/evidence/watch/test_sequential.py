"""The test that may be looked at daily, by simulation: quiet for years, and soon awake."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from evidence.watch.sequential import evidence, lower_limit, watch

FORTNIGHT = 14
ERROR, EXAMPLES = 0.01, 2000.0


def quiet(sequences: int, spans: int, *, seed: int = 0, promised_error: float = ERROR) -> np.ndarray:
    """Values by sequence and span, less what was promised with an error of its own."""
    rng = np.random.default_rng(seed)
    promised = rng.normal(0, promised_error, (sequences, 1)) if promised_error else 0.0
    return rng.normal(0, ERROR, (sequences, spans)) - promised


@pytest.mark.parametrize("spans", [FORTNIGHT, 100])
@pytest.mark.parametrize("promised_error", [0.0, ERROR], ids=["known", "measured"])
def test_quiet_sequences_hardly_ever_alarm_though_each_day_is_looked_at(spans, promised_error):
    """With the promise known and no margin, the model is as bad as it may be: the hardest quiet case."""
    sequences = 5_000 if spans == FORTNIGHT else 500
    limit = lower_limit(0.0, promised_error, 0.0, 0.05)
    assert limit.alpha == 0.025
    values = quiet(sequences, spans, promised_error=promised_error)
    found = int(
        (evidence(values, np.array(ERROR), np.array(EXAMPLES), limit.value).max(axis=1) >= -np.log(limit.alpha)).sum()
    )
    assert stats.binomtest(found, sequences, 0.05, alternative="greater").pvalue > 0.01
    if not promised_error:
        assert found > 0  # it could alarm


def test_looking_daily_with_a_test_for_one_day_would_alarm_ten_times_as_often():
    values = quiet(20_000, FORTNIGHT, promised_error=0.0)
    means = np.cumsum(values, axis=1) / np.arange(1, FORTNIGHT + 1)
    naive = (means / (ERROR / np.sqrt(np.arange(1, FORTNIGHT + 1))) < -stats.norm.isf(0.025)).any(axis=1).mean()
    ours = (evidence(values, np.array(ERROR), np.array(EXAMPLES), 0.0).max(axis=1) >= -np.log(0.025)).mean()
    assert naive > 0.09
    assert ours < 0.025


def test_the_mixture_starts_at_one_in_expectation():
    """What makes Ville's inequality hold: E[M(t)] <= 1 at every t, and is about 1 where the limit is just kept."""
    values = quiet(200_000, 2, promised_error=0.0)
    mixed = np.exp(evidence(values, np.array(ERROR), np.array(EXAMPLES), 0.0))
    assert mixed.mean(axis=0) == pytest.approx(np.ones(2), abs=0.03)


def test_the_formula_is_the_integral_over_the_half_normal():
    """E(1, 1) against numerical integration, by M(1) = E / 2 + 1 / 2."""
    shortfall, variance = 0.03 * EXAMPLES, (EXAMPLES * ERROR) ** 2
    log_error = -np.log(0.02)
    rho = 7 * variance / (2 * log_error + np.log1p(2 * log_error))
    rates = np.linspace(0, 60 / np.sqrt(variance), 400_001)
    density = 2 * np.sqrt(rho / (2 * np.pi)) * np.exp(-(rates**2) * rho / 2)
    integral = np.trapezoid(density * np.exp(rates * shortfall - rates**2 * variance / 2), rates)
    found = np.exp(evidence(np.array([-0.03]), np.array([ERROR]), np.array([EXAMPLES]), 0.0)[0])
    assert found == pytest.approx(integral / 2 + 0.5, rel=1e-6)


@pytest.mark.parametrize(("after", "days"), [(0, 4), (10, 6), (60, 7)])
def test_a_fall_is_found_soon_however_long_it_was_quiet_before(after, days):
    """A fall by .02, four standard errors of a day, is found within a week, though ten metrics share the error."""
    rng = np.random.default_rng(1)
    raised, began = [], []
    for _ in range(200):
        values = rng.normal(0.75, ERROR / 2, after + FORTNIGHT)
        values[after:] -= 0.02
        spans = len(values)
        alarm = watch(values, [ERROR / 2] * spans, [8000] * spans, lower_limit(0.75, 0.002, 0.0, 0.05 / 10))
        raised.append(np.inf if alarm is None or alarm.raised < after else alarm.raised - after)
        began.append(np.nan if alarm is None else alarm.began - after)
    assert np.mean(np.array(raised) < days) > 0.9
    assert np.isfinite(raised).mean() > 0.99
    assert np.nanmedian(np.abs(began)) <= 1


def test_a_fall_within_the_margin_is_none():
    values = quiet(2000, 60, promised_error=0.0) - 0.005
    limit = lower_limit(0.0, 0.0, 0.005, 0.05)
    assert (
        evidence(values, np.array(ERROR), np.array(EXAMPLES), limit.value).max(axis=1) >= -np.log(limit.alpha)
    ).mean() < 0.05


def test_an_alarm_says_where_it_began_and_how_bad_it_is():
    values = [0.75, 0.751, 0.749, 0.70, 0.701, 0.699]
    alarm = watch(values, [0.004] * 6, [1000, 1000, 1000, 1000, 3000, 1000], lower_limit(0.75, 0.001, 0.005, 0.01))
    assert (alarm.raised, alarm.began) == (3, 3)
    assert alarm.mean == pytest.approx((0.70 + 3 * 0.701 + 0.699) / 5)
    assert alarm.error == pytest.approx(0.004 * np.sqrt(1 + 9 + 1) / 5)


def test_spans_without_the_metric_say_nothing():
    limit = lower_limit(0.75, 0.001, 0.0, 0.05)
    gaps = watch([np.nan, 0.75, np.nan, 0.60, np.nan], [0.0, 0.01, np.nan, 0.01, 0.01], [0, 900, 5, 900, 0], limit)
    plain = watch([0.75, 0.60], [0.01, 0.01], [900, 900], limit)
    assert (gaps.raised, gaps.began in (2, 3), gaps.mean) == (3, True, plain.mean)
    assert watch([np.nan], [0.1], [10], limit) is None
    assert watch([], [], [], limit) is None


def test_larger_spans_weigh_more():
    rng = np.random.default_rng(2)
    examples = rng.integers(100, 5000, (5000, 30)).astype(float)
    errors = 0.4 / np.sqrt(examples)
    values = rng.normal(0, errors)
    assert (evidence(values, errors, examples, 0.0).max(axis=1) >= -np.log(0.025)).mean() < 0.025
