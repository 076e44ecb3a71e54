"""What a plan promises, experiments keep."""

from __future__ import annotations

import datetime
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from evidence.ab.lifts import ArmUnits, explained, measure
from evidence.ab.plan import LogPlan, Wish, plan, smallest_lift, units_needed
from evidence.ab.spec import LogMetric, LogSpec
from records.logs import read_log
from schema.errors import InputError
from tests.evidence.ab.logs import FIRST, people, write_log


def planned(folder: Path, wish: Wish, frame=None, **spec: object) -> LogPlan:
    known = LogSpec(**{"unit": "user", "day": "day", "metrics": (LogMetric("minutes", "minutes"),), **spec})
    frame = people(400, days=8) if frame is None else frame
    return plan(read_log([write_log(frame, folder / "log.parquet")], known.columns), known, wish)


@pytest.mark.parametrize("shares", [(0.5, 0.5), (0.1, 0.5)], ids=["halves", "a tenth of all against half"])
def test_experiments_find_the_lift_with_the_planned_power(shares):
    rng = np.random.default_rng(0)
    history = ArmUnits(rng.gamma(2, 1, 50_000))
    wish = Wish(lift=0.08, power=0.8, shares=shares)
    units = units_needed(explained(history).variance, wish, 1)
    ours, theirs = (round(units * share / sum(shares)) for share in shares)
    found = sum(
        measure(ArmUnits(rng.gamma(2, 1.08, ours)), ArmUnits(rng.gamma(2, 1, theirs))).p_value < 0.05
        for _ in range(1000)
    )
    assert stats.binomtest(found, 1000, 0.8).pvalue > 0.01


def test_units_and_the_smallest_lift_are_two_sides_of_one_thing():
    wish = Wish(lift=0.03, power=0.9, shares=(0.2, 0.3))
    units = units_needed(1.7, wish, 3)
    assert smallest_lift(1.7, units / 0.5, wish, 3) == pytest.approx(0.03, rel=1e-4)
    quantiles = stats.norm.isf(0.05 / 3 / 2) + stats.norm.ppf(0.9)
    assert units == pytest.approx(1.7 * (1 / 0.2 + 1 / 0.3) * (quantiles * 1.03 / 0.03) ** 2 * 0.5, abs=1)


def test_more_days_find_smaller_lifts(tmp_path):
    found = planned(tmp_path, Wish(lift=0.2))
    (minutes,) = found.metrics
    lifts = [each.lift for each in minutes.course]
    assert lifts == sorted(lifts, reverse=True)
    assert found.days == minutes.days == next(each.days for each in minutes.course if each.lift <= 0.2)
    assert not minutes.extrapolated
    frame = people(400, days=8)
    seen = frame[frame["day"] == FIRST]
    assert minutes.course[0].units == seen["user"].nunique()


def test_the_course_of_a_log_is_what_its_first_days_alone_would_say(tmp_path):
    frame = people(400, days=8)
    whole = planned(tmp_path, Wish(lift=0.2), frame).metrics[0].course
    part = planned(tmp_path, Wish(lift=0.2), frame[frame["day"] < frame["day"].min() + np.timedelta64(4, "D")])
    assert part.metrics[0].course == whole[:4]


def test_beyond_the_log_people_are_taken_to_come_as_before(tmp_path):
    frame = people(4000, days=8)
    number = frame["user"].str[1:].astype(int)
    since = (frame["day"] - frame["day"].min()).dt.days
    growing = frame[number < 500 * (since + 1)]
    found = planned(tmp_path, Wish(lift=0.03), growing)
    (minutes,) = found.metrics
    assert minutes.extrapolated
    there = minutes.course[-1].units
    assert found.days == 8 + int(np.ceil((minutes.units - there) / found.units_per_day))
    assert planned(tmp_path, Wish(lift=0.0001), growing).days is None


def test_what_is_known_from_before_shortens_the_experiment(tmp_path):
    frame = people(1000, days=6, warm_up=8)
    early = planned(tmp_path, Wish(lift=0.03), frame, start=FIRST.date())
    plain = planned(tmp_path, Wish(lift=0.03), frame[frame["day"] >= FIRST])
    reduction = early.metrics[0].reduction
    assert reduction > 0.08
    assert early.metrics[0].units == pytest.approx(plain.metrics[0].units * (1 - reduction), rel=1e-3)


def test_several_metrics_take_longer_each(tmp_path):
    two = (LogMetric("minutes", "minutes"), LogMetric("per play", "minutes", "plays"))
    assert planned(tmp_path, Wish(0.02), metrics=two).metrics[0].units > planned(tmp_path, Wish(0.02)).metrics[0].units


def test_what_cannot_be_planned_is_said(tmp_path):
    with pytest.raises(InputError, match="expected a log of two days or more"):
        planned(tmp_path, Wish(0.1), people(40, days=1))
    with pytest.raises(InputError, match="no lift over it"):
        planned(tmp_path, Wish(0.1), people(40).assign(minutes=0.0))
    with pytest.raises(InputError, match="--start"):
        planned(tmp_path, Wish(0.1), start=datetime.date(2027, 1, 1))
