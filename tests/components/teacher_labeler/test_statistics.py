"""Accumulators: merged in any way, they say what the whole would."""

from __future__ import annotations

import numpy as np
import pytest

from components.teacher_labeler.statistics import Agreement, LabelSample, Moments, SplitStatistics, folds_of
from evaluation.jackknife import FOLDS
from evaluation.sums import coefficient_of_determination


def test_moments_of_parts_are_those_of_the_whole() -> None:
    values = np.random.default_rng(0).normal(1e6, 3.0, 10_000)
    merged = Moments()
    for part in np.split(values, [1, 17, 5000]):
        merged.merge(Moments.of(part))
    merged.merge(Moments())

    assert merged.count == 10_000
    assert merged.mean == pytest.approx(values.mean(), rel=1e-12)
    assert merged.std == pytest.approx(values.std(), rel=1e-9)
    assert (merged.low, merged.high) == (values.min(), values.max())


def test_agreement_skips_rows_without_a_label() -> None:
    agreement, other = Agreement(), Agreement()
    agreement.add(np.array([1.0, 2.0, 3.0]), np.array([1.0, np.nan, 5.0]), np.array([0, 1, 2]))
    other.add(np.array([0.0]), np.array([3.0]), np.array([0]))
    agreement.merge(other)
    totals = agreement.sums.total()

    assert totals.count == 3
    assert totals.error == 4.0 + 9.0
    assert totals.deviation == 8.0  # 1, 5, 3 about 3
    assert agreement.sums.count[:3].tolist() == [2, 0, 1]


def test_the_r2_of_labels_that_do_not_vary_is_undefined_however_they_come():
    """The mean of 64-bit labels of .1 is rounded, and the residue of squares once made an R2 of -1e31."""
    labels, agreement = np.full(10, 0.1), Agreement()
    for part in np.split(np.arange(10), [1, 4]):
        agreement.add(np.zeros(len(part)), labels[part], part % FOLDS)

    assert np.isnan(coefficient_of_determination(agreement.sums.total()))


def test_moments_of_nothing():
    assert (Moments().count, Moments().mean, Moments().std) == (0, 0.0, 0.0)


def test_folds_are_equally_likely_whatever_the_sample_keeps():
    keys = np.random.default_rng(3).random(100_000)
    for kept in (keys, keys[keys < 0.01]):
        counts = np.bincount(folds_of(kept), minlength=FOLDS)
        # A chi-squared variable of 19 degrees of freedom stays under 43.8 with a probability of 99.9%.
        assert len(counts) == FOLDS
        assert (np.square(counts - len(kept) / FOLDS) / (len(kept) / FOLDS)).sum() < 43.8


def test_a_sample_within_its_capacity_holds_every_row() -> None:
    sample = LabelSample(10, 1)
    sample.add(np.array([0.9, 0.1]), np.array([[1.0], [2.0]], np.float32))
    sample.settle()

    assert sample.exact
    assert sample.values[:, 0].tolist() == [1.0, 2.0]


def test_a_sample_keeps_the_rows_of_the_least_keys() -> None:
    random = np.random.default_rng(1)
    keys = random.random(1000)
    sample = LabelSample(100, 1)
    for part in np.split(np.arange(1000), 10):
        sample.add(keys[part], part[:, np.newaxis].astype(np.float32))
    sample.settle()

    assert not sample.exact
    assert set(sample.values[:, 0].astype(int)) == set(np.argsort(keys)[:100])


def test_merged_samples_are_uniform_though_one_part_dropped_more() -> None:
    """Shard 0 keeps 50 of its 1,000 rows; shard 1 keeps all its 1,000.  Together they must not favor shard 1."""
    from_first = []
    for seed in range(200):
        random = np.random.default_rng(seed)
        merged = LabelSample(5000, 1)
        for shard, capacity in ((0, 50), (1, 5000)):
            part = LabelSample(capacity, 1)
            part.add(random.random(1000), np.full((1000, 1), shard, np.float32))
            merged.merge(part)
        from_first.append((merged.values[:, 0] == 0).mean())

    assert np.mean(from_first) == pytest.approx(0.5, abs=0.02)


def test_split_statistics_add_up() -> None:
    first, second = (SplitStatistics.empty(1, 1, 0, 10) for _ in range(2))
    for part, count in ((first, 2), (second, 3)):
        part.read, part.labelled = count + 1, count
        part.filled += count
        for number in range(2):
            part.add_fault("non_finite", "click", f"record {number}")
    first.merge(second)

    assert (first.read, first.labelled, first.filled.tolist()) == (7, 5, [[5, 5]])
    assert first.bad == {"non_finite": 4}
    assert first.at_fault == {("non_finite", "click"): 4}
    assert first.examples == ["record 0", "record 1", "record 0"]
