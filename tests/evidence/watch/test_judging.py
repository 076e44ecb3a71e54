"""Which alerts follow from what was promised and what spans showed."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from evidence.watch.judging import Tolerance, alerts
from tests.evidence.watch.handmade import promise, span

AUC, SLICE = ("click", "auc", ""), ("click", "auc", "shelf=3")
CALIBRATION, RMSE, R2 = ("click", "calibration", ""), ("stay", "rmse", ""), ("stay", "r2", "")
PROMISED = {
    AUC: (0.75, 0.002),
    SLICE: (0.72, 0.005),
    CALIBRATION: (1.01, 0.01),
    RMSE: (2.0, 0.02),
    R2: (0.3, 0.01),
}
ERRORS = {AUC: 0.005, SLICE: 0.012, CALIBRATION: 0.02, RMSE: 0.04, R2: 0.02}


def fortnight(rng: np.random.Generator, change: dict | None = None, after: int = 7):
    """Spans around what was promised, with some metrics changed after some days."""
    found = []
    for day in range(1, 15):
        moved = change if change and day > after else {}
        values = {
            key: (rng.normal(value + moved.get(key, 0.0), ERRORS[key]), ERRORS[key])
            for key, (value, _) in PROMISED.items()
        }
        found.append(span(f"day-{day}", values))
    return found


@pytest.mark.parametrize(
    ("key", "change"),
    [(SLICE, -0.08), (AUC, -0.03), (CALIBRATION, 0.2), (CALIBRATION, -0.2), (RMSE, 0.5), (R2, -0.12)],
    ids=["a slice", "all examples", "too high", "too low", "an error that grew", "a regression"],
)
def test_an_alert_names_what_got_worse_and_since_when(key, change):
    found = alerts(promise(PROMISED), fortnight(np.random.default_rng(3), {key: change}), Tolerance())
    assert [(each.subject, each.measure, each.slice) for each in found] == [key]
    (alert,) = found
    assert alert.began in ("day-7", "day-8", "day-9")
    assert int(alert.raised.removeprefix("day-")) >= 8
    assert alert.version == 1 and alert.promised == PROMISED[key][0]
    assert alert.found == pytest.approx(PROMISED[key][0] + change, abs=3 * ERRORS[key])
    for part in (key[0], alert.began, "version 1", alert.raised, key[2]):
        assert part in alert.sentence


@pytest.mark.parametrize(("key", "change"), [(AUC, 0.05), (RMSE, -0.5), (R2, 0.2)])
def test_what_got_better_is_no_alert(key, change):
    assert alerts(promise(PROMISED), fortnight(np.random.default_rng(4), {key: change}), Tolerance()) == []


def test_quiet_fortnights_are_quiet():
    """Without margins: 5% of the promises' fortnights may have an alert of any kind; the bound is not tight."""
    rng = np.random.default_rng(5)
    found = 0
    for _ in range(400):
        promised = {key: (rng.normal(value, error), error) for key, (value, error) in PROMISED.items()}
        found += bool(alerts(promise(promised), fortnight(rng), Tolerance(margin=0.0, share=0.0)))
    assert stats.binomtest(found, 400, 0.05, alternative="greater").pvalue > 0.01


def test_within_the_margins_is_no_alert():
    spans = [span(f"{day}", {AUC: (0.746, 0.0001), CALIBRATION: (1.05, 0.0001)}) for day in range(30)]
    certain = promise({AUC: (0.75, 1e-6), CALIBRATION: (1.01, 1e-6)})
    assert alerts(certain, spans, Tolerance()) == []
    assert len(alerts(certain, spans, Tolerance(margin=0.003, share=0.03))) == 2


def test_more_slices_share_the_error():
    """What is an alert alone may be none among many."""
    spans = [span("1", {AUC: (0.75 - 0.0185, 0.0025)})]
    alone = promise({AUC: (0.75, 0.001)})
    among = promise({AUC: (0.75, 0.001), **{("click", "auc", f"shelf={each}"): (0.7, 0.01) for each in range(200)}})
    assert len(alerts(alone, spans, Tolerance())) == 1
    assert alerts(among, spans, Tolerance()) == []


def test_columns_that_drifted_are_named_since_they_did_without_a_break():
    spans = [
        span("day-1", {}, drifted={"age": 0.3, "prediction/click": 0.01}),
        span("day-2", {}, drifted={"age": 0.02, "prediction/click": 0.02}),
        span("day-3", {}, drifted={"age": 0.25, "prediction/click": 0.03}),
        span("day-4", {}, drifted={"age": 0.27, "prediction/click": 0.11}),
    ]
    found = alerts(promise(PROMISED), spans, Tolerance())
    assert [(each.subject, each.began, each.found) for each in found] == [
        ("age", "day-3", 0.27),
        ("prediction/click", "day-4", 0.11),
    ]
    assert "0.270 away (Jensen-Shannon) since day-3" in found[0].sentence
    assert alerts(promise(PROMISED), spans[:2], Tolerance()) == []


def test_slices_and_spans_that_say_nothing():
    spans = [span("1", {SLICE: (None, None)}), span("2", {})]
    assert alerts(promise(PROMISED), spans, Tolerance()) == []
    assert alerts(promise(PROMISED), [], Tolerance()) == []


def test_the_worst_slice_of_a_task_comes_first():
    bad = {AUC: (0.73, 0.001), SLICE: (0.60, 0.001)}
    found = alerts(promise(PROMISED), [span(str(day), bad) for day in range(5)], Tolerance())
    assert [each.slice for each in found] == ["shelf=3", ""]
