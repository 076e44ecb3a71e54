"""What breaks in the simulation breaks by what it says, and alerts that come and go are counted once."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from benchmarks.watching import (
    FILLED,
    REGRESSIONS,
    SLICE_COLUMN,
    SLICE_VALUE,
    daily_alerts,
    filled_feature,
    more_clicks,
    quiet_figures,
    worse_slice,
)
from contracts.watch import Promise, WatchedSpan
from tests.evidence.watch.handmade import promise, span
from worlds.records import Columns, ExampleColumn

ROWS = 60_000
PART = f"{SLICE_COLUMN}={SLICE_VALUE}"
AUC, CALIBRATION = ("click", "auc", PART), ("click", "calibration", "")
# Errors as of a gate that judged many rows, so that falls of .02 can be told from chance.
PROMISED = {AUC: (0.74, 0.002), CALIBRATION: (1.0, 0.005)}


def day(seed: int) -> tuple[Columns, np.ndarray]:
    """A day of which a model knows the probabilities, and these."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(-1, 1, ROWS)
    return {
        "click": ExampleColumn((rng.random(ROWS) < 1 / (1 + np.exp(-logits))).astype(np.int64)),
        SLICE_COLUMN: ExampleColumn(rng.integers(0, 2, ROWS)),
        FILLED: ExampleColumn(rng.normal(size=ROWS).astype(np.float32)),
    }, 1 / (1 + np.exp(-logits))


def aucs(columns: Columns, told: np.ndarray) -> list[float]:
    """In the slice, and outside of it."""
    inside = columns[SLICE_COLUMN].values == SLICE_VALUE
    return [float(roc_auc_score(columns["click"].values[rows], told[rows])) for rows in (inside, ~inside)]


@pytest.mark.parametrize("fall", [0.02, 0.05])
def test_one_slice_falls_by_what_is_said_and_no_other(fall):
    columns, told = day(0)
    right = aucs(columns, told)
    given = promise({AUC: (right[0], 0.002)})
    broken = [aucs(worse_slice(fall)(columns, given, np.random.default_rng(seed)), told) for seed in range(20)]
    means = np.mean(broken, axis=0)
    assert right[0] - means[0] == pytest.approx(fall, abs=0.002)
    assert means[1] == pytest.approx(right[1], abs=1e-9)


def test_more_clicks_are_more_by_what_is_said_and_nothing_else_changes():
    columns, _ = day(1)
    broken = more_clicks(0.2)(columns, promise(PROMISED), np.random.default_rng(0))
    assert broken["click"].values.sum() == round(1.2 * columns["click"].values.sum())
    assert np.all(broken["click"].values >= columns["click"].values)
    assert all(broken[name] is columns[name] for name in (SLICE_COLUMN, FILLED))


def test_a_filled_feature_is_zero_everywhere():
    columns, _ = day(2)
    broken = filled_feature(columns, promise(PROMISED), np.random.default_rng(0))
    assert not broken[FILLED].values.any() and broken[FILLED].values.dtype == np.float32
    assert broken["click"] is columns["click"]


def watched(number: int, changes: dict, drifted: float | None = None) -> WatchedSpan:
    """A day's metrics by chance around what was promised, less what broke."""
    rng = np.random.default_rng(number)
    values = {
        AUC: (0.74 - changes.get(AUC, 0.0) + rng.normal(0, 0.005), 0.005),
        CALIBRATION: (1 / (1 + changes.get(CALIBRATION, 0.0)) + rng.normal(0, 0.01), 0.01),
    }
    return span(f"day-{number}", values, drifted={FILLED: drifted} if drifted else None)


@pytest.mark.parametrize(
    ("changes", "drifted", "name", "within"),
    [
        ({AUC: 0.02}, None, "AUC of click where shelf=0 falls by 0.02", 7),
        ({}, 0.4, f"{FILLED} is filled with its default", 1),
        ({CALIBRATION: 0.2}, None, "20% more clicks", 1),
    ],
    ids=["slice", "feature", "calibration"],
)
def test_each_kind_is_named_soon_after_a_quiet_week(changes, drifted, name, within):
    of = next(each for each in REGRESSIONS if each.name == name)
    week = [watched(number, {}) for number in range(7)]
    assert daily_alerts(promise(PROMISED), week) == []
    spans = [*week, *(watched(number, changes, drifted) for number in range(7, 7 + within))]
    found = [each for each in daily_alerts(promise(PROMISED), spans) if of.names(each)]
    assert [each.began for each in found] == ["day-7"]
    assert not [each for each in daily_alerts(promise(PROMISED), spans) if not of.names(each)]


def test_twenty_quiet_fortnights_alarm_no_more_than_nominally():
    fortnights = [[watched(100 * number + day, {}) for day in range(14)] for number in range(20)]
    found = quiet_figures(promise(PROMISED), fortnights)
    assert (found["fortnights"], found["metrics_watched"], found["with_an_alert_on_drift"]) == (20, 2, 0)
    assert stats.binomtest(found["with_an_alert_on_a_metric"], 20, 0.05, alternative="greater").pvalue > 0.01


def test_an_alert_on_drift_that_goes_away_again_counts_once():
    given: Promise = promise(PROMISED)
    spans = [watched(0, {}), watched(1, {}, 0.3), watched(2, {}), watched(3, {}, 0.3)]
    found = quiet_figures(given, [spans, spans[:1]])
    assert (found["with_an_alert_on_drift"], found["with_an_alert_on_a_metric"]) == (1, 0)
    assert len(found["sentences"]) == 1
