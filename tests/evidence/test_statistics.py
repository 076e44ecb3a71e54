from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from evaluation.influence import MetricScore
from evidence.statistics import difference, lift, mean_of, units_to_decide


def _flat(value: float, examples: int = 10) -> MetricScore:
    return MetricScore(value, np.zeros(examples))


def test_difference_over_seeds_is_a_paired_t_interval():
    found = difference(
        [[_flat(0.70), _flat(0.72), _flat(0.75)]], [[_flat(0.69), _flat(0.70), _flat(0.72)]], confidence=0.95
    )
    expected = stats.ttest_1samp([0.01, 0.02, 0.03], 0)
    interval = expected.confidence_interval(0.95)
    assert found.replicates == pytest.approx((0.01, 0.02, 0.03))
    assert found.mean == pytest.approx(0.02)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert found.p_value == pytest.approx(expected.pvalue)


def test_difference_over_examples_is_normal_when_seeds_agree():
    ours = MetricScore(0.8, np.array([1.0, -1.0, 1.0, -1.0]))
    found = difference([[ours, ours]], [[_flat(0.5, 4), _flat(0.5, 4)]], confidence=0.95)
    # The squared error is 4 / 4^2.
    assert found.mean == pytest.approx(0.3)
    assert found.high - found.mean == pytest.approx(1.959964 * 0.5)


def test_clusters_of_alike_examples_widen_the_interval():
    ours = MetricScore(0.8, np.array([1.0, 1.0, -1.0, -1.0]))
    theirs = _flat(0.5, 4)
    alone = difference([[ours, ours]], [[theirs, theirs]], confidence=0.95)
    together = difference([[ours, ours]], [[theirs, theirs]], confidence=0.95, clusters=[np.array([0, 0, 1, 1])])
    # Two clusters of sums 2 and -2: 8 / 4^2 in place of 4 / 4^2.
    assert (together.high - together.mean) / (alone.high - alone.mean) == pytest.approx(np.sqrt(2))


def test_several_runs_are_the_replicates():
    ours = [[_flat(0.7), _flat(0.9)], [_flat(0.6), _flat(0.6)], [_flat(0.7), _flat(0.7)]]
    theirs = [[_flat(0.5), _flat(0.5)]] * 3
    found = difference(ours, theirs, confidence=0.9)
    interval = stats.ttest_1samp([0.3, 0.1, 0.2], 0).confidence_interval(0.9)
    assert len(found.replicates) == 6
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))


def test_no_difference_at_all_has_no_width():
    found = difference([[_flat(0.5), _flat(0.6)]], [[_flat(0.5), _flat(0.6)]], confidence=0.95)
    assert (found.mean, found.low, found.high, found.p_value) == (0.0, 0.0, 0.0, 1.0)


def test_one_seed_of_one_run_has_no_interval():
    with pytest.raises(ValueError, match="two seeds"):
        difference([[_flat(0.5)]], [[_flat(0.6)]], confidence=0.95)


def test_intervals_cover_the_truth_with_few_seeds():
    """Five seeds and 200 examples: the interval must hold the true 0 at least 95 times in 100."""
    rng = np.random.default_rng(3)
    held = 0
    for _ in range(400):
        shared = rng.normal(size=200) * 0.02 * np.sqrt(200)
        seeds = rng.normal(size=5) * 0.02
        ours = [[MetricScore(float(shared.mean() + seed), shared - shared.mean()) for seed in seeds]]
        found = difference(ours, [[_flat(0.0, 200)] * 5], confidence=0.95)
        held += found.low <= 0 <= found.high
    assert held / 400 > 0.93


def test_lift_by_hand():
    found = lift(np.array([2.0, 4.0]), np.array([1.0, 3.0]))
    assert found.value == pytest.approx(0.5)
    # n (a - R b) / B: 2 (2 - 1.5) / 4 and 2 (4 - 4.5) / 4.
    np.testing.assert_allclose(found.influence, [0.25, -0.25])
    assert lift(np.ones(3), np.zeros(3)) is None


def test_the_interval_of_a_lift_is_the_bootstraps():
    rng = np.random.default_rng(4)
    theirs = rng.gamma(2, size=500)
    ours = theirs * rng.normal(1.1, 0.5, size=500)
    found = mean_of([lift(ours, theirs)], confidence=0.9)
    boot = stats.bootstrap(
        (ours, theirs),
        lambda a, b, axis: a.sum(axis) / b.sum(axis) - 1,
        paired=True,
        confidence_level=0.9,
        n_resamples=4000,
        method="percentile",
        rng=rng,
    )
    assert found.low == pytest.approx(boot.confidence_interval.low, abs=0.006)
    assert found.high == pytest.approx(boot.confidence_interval.high, abs=0.006)


def test_lifts_of_several_pairs_vary_by_pair_as_well():
    flat = np.zeros(100)
    found = mean_of([MetricScore(0.1, flat), MetricScore(0.3, flat)], confidence=0.95)
    # Two pairs: t with one degree of freedom, standard error .1.
    assert found.mean == pytest.approx(0.2)
    assert found.high - found.mean == pytest.approx(stats.t.ppf(0.975, 1) * 0.1)


def _seeds(values: np.ndarray) -> list[list[MetricScore]]:
    return [[_flat(float(each)) for each in values]]


def test_more_arms_tell_more_of_a_seeds_variance():
    """Alike arms: the interval of four seeds is narrower, and errs no more often than it says."""
    rng = np.random.default_rng(5)
    widths, errors = [], 0
    for _ in range(2000):
        ours, theirs, *others = rng.normal(size=(4, 4))
        alone = difference(_seeds(ours), _seeds(theirs), confidence=0.98)
        pooled = difference(_seeds(ours), _seeds(theirs), confidence=0.98, others=[_seeds(each) for each in others])
        widths.append([pooled.high - pooled.low, alone.high - alone.low])
        errors += pooled.low > 0
    narrow, wide = np.mean(widths, axis=0)
    assert narrow < 0.75 * wide
    assert errors / 2000 <= 0.01


@pytest.mark.parametrize("deviations", [(1, 2, 1, 1), (2, 1, 1, 1), (1, 3, 1, 1), (3, 3, 1, 1)])
def test_a_pair_that_varies_more_than_the_rest_is_not_taken_for_certain(deviations):
    """False gains under a two-sided 95%: never more than 5% of the time."""
    rng = np.random.default_rng(6)
    errors = 0
    for _ in range(1000):
        ours, theirs, *others = (rng.normal(size=5) * each for each in deviations)
        found = difference(_seeds(ours), _seeds(theirs), confidence=0.95, others=[_seeds(each) for each in others])
        errors += found.low > 0
    assert errors / 1000 <= 0.05


def test_the_number_of_seeds_that_would_decide():
    found = difference(
        _seeds(np.array([0.70, 0.76, 0.71, 0.75])), _seeds(np.array([0.70, 0.70, 0.70, 0.70])), confidence=0.95
    )
    assert found.low < 0 < found.high
    units = units_to_decide(found, margin=0.005)
    assert units is not None
    # By the definition of a t interval: the first number whose half width is less than the mean.
    of_one = np.var([0.0, 0.06, 0.01, 0.05], ddof=1)

    def half(count: int) -> float:
        return float(stats.t.ppf(0.975, count - 1) * np.sqrt(of_one / count))

    assert half(units) < 0.03 <= half(units - 1)


def test_no_number_of_seeds_makes_up_for_too_few_examples():
    ours = MetricScore(0.53, np.array([1.0, -1.0, 1.0, -1.0]))
    found = difference([[ours] * 4], [[_flat(0.5, 4)] * 4], confidence=0.95)
    assert units_to_decide(found, margin=0.005) is None
