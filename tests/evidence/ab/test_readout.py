"""From a log to verdicts: who counts, by what they are adjusted, and what is said of it."""

from __future__ import annotations

import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from evidence.ab.readout import Readout, ReadoutTerms, read_out
from evidence.ab.spec import LogMetric, LogSpec, Wanted, read_metrics, read_shares
from records.logs import read_log
from schema.errors import InputError
from tests.evidence.ab.logs import FIRST, people, write_log

MINUTES = LogMetric("minutes", "minutes")
SPEC = {"unit": "user", "arm": "arm", "day": "day", "metrics": (MINUTES,)}


def read(frame: pd.DataFrame, folder: Path, asked: ReadoutTerms | None = None, **spec: object) -> Readout:
    known = LogSpec(**{**SPEC, **spec})
    return read_out(
        read_log([write_log(frame, folder / "log.parquet")], known.columns), known, asked or ReadoutTerms("control")
    )


def test_a_lift_is_that_of_the_sums_per_person(tmp_path):
    frame = people(800, lift=0.3, seed=1)
    found = read(frame, tmp_path, metrics=(MINUTES, LogMetric("per play", "minutes", "plays")))
    of_arm = frame.groupby("arm")
    mean = of_arm["minutes"].sum() / of_arm["user"].nunique()
    ratio = of_arm["minutes"].sum() / of_arm["plays"].sum()
    minutes, per_play = found.lifts
    assert minutes.lift == pytest.approx(mean["student"] / mean["control"] - 1)
    assert per_play.lift == pytest.approx(ratio["student"] / ratio["control"] - 1)
    assert per_play.low < 0.3 < per_play.high
    assert (minutes.verdict, per_play.verdict) == ("better", "better")
    assert minutes.p_adjusted == pytest.approx(2 * minutes.p_value)
    assert minutes.joint_low < minutes.low < minutes.high < minutes.joint_high
    assert found.sample_ratio.sound and found.rows == len(frame)
    assert (found.first_day, found.last_day) == ("2026-03-02", "2026-03-07")


def test_a_lift_the_wrong_way_is_worse(tmp_path):
    frame = people(800, lift=0.3)
    found = read(frame, tmp_path, metrics=(LogMetric("minutes", "minutes", lower_is_better=True),))
    assert found.lifts[0].verdict == "worse"


def test_people_who_were_left_out_are_counted(tmp_path):
    frame = people(300)
    strange = frame.iloc[:5].assign(user=None)
    timeless = frame.iloc[:4].assign(day=None)
    both = pd.concat([frame.iloc[[0]].assign(user="x", arm=arm) for arm in ("control", "student")])
    nobody = frame.iloc[[0]].assign(user="y", arm=None)
    found = read(pd.concat([frame, strange, timeless, both, nobody]), tmp_path)
    assert found.left_out == {
        "rows_without_unit": 5,
        "rows_without_day": 4,
        "units_without_arm": 1,
        "units_in_several_arms": 1,
    }
    assert found.lifts == read(frame, tmp_path).lifts


def test_exposed_people_count_from_their_first_exposure_on(tmp_path):
    frame = people(300)
    late = FIRST + pd.Timedelta(days=3)
    odd = frame["user"].str[1:].astype(int) % 4 < 2
    found = read(frame.assign(seen=(odd & (frame["day"] >= late)).astype(int)), tmp_path, exposure="seen")
    kept = frame[odd & (frame["day"] >= late)]
    people_there = frame["user"].nunique()
    assert found.left_out["units_not_exposed"] == people_there - kept["user"].nunique()
    gone = frame[frame["user"].isin(kept["user"]) & (frame["day"] < late)]
    assert found.left_out["rows_before_exposure"] == len(gone)
    alone = read(kept, tmp_path)
    assert found.lifts == alone.lifts


def test_rows_and_columns_from_before_adjust_alike(tmp_path):
    frame = people(1000, lift=0.1, warm_up=6)
    start = FIRST.date()
    by_rows = read(frame, tmp_path, start=start).lifts[0]
    early = frame[frame["day"] < FIRST]
    known = early.groupby("user")["minutes"].sum()
    now = frame[frame["day"] >= FIRST]
    by_column = read(
        now.assign(old=now["user"].map(known).fillna(0.0)),
        tmp_path,
        metrics=(LogMetric("minutes", "minutes", before="old"),),
    ).lifts[0]
    assert by_rows.model_copy(update={"reduction": None}) == by_column.model_copy(update={"reduction": None})
    plain = read(now, tmp_path).lifts[0]
    assert plain.reduction is None and by_rows.reduction > 0.08
    width = (by_rows.high - by_rows.low) / (plain.high - plain.low)
    assert width == pytest.approx(np.sqrt(1 - by_rows.reduction), rel=1e-3)


def test_a_column_from_before_has_one_value_a_person(tmp_path):
    frame = people(50).assign(old=lambda each: each["minutes"])
    with pytest.raises(InputError, match=r"--before old: expected one value a unit.*of the unit 'u"):
        read(frame, tmp_path, metrics=(LogMetric("minutes", "minutes", before="old"),))


def test_a_lost_part_of_an_arm_is_noticed(tmp_path):
    frame = people(2000)
    number = frame["user"].str[1:].astype(int)
    found = read(frame[(frame["arm"] == "control") | (number % 10 > 1)], tmp_path)
    assert not found.sample_ratio.sound
    counts = {each.arm: each.units for each in found.arms}
    assert found.sample_ratio.p_value == pytest.approx(stats.chisquare(list(counts.values())).pvalue)
    shares = {"control": counts["control"], "student": counts["student"]}
    assert read(
        frame[(frame["arm"] == "control") | (number % 10 > 1)], tmp_path, ReadoutTerms("control", shares)
    ).sample_ratio.sound


def test_slices_are_corrected_for_all_of_them(tmp_path):
    found = read(people(1200, lift=0.3), tmp_path, slices=("country",))
    assert [each.slice for each in found.slices] == ["country=de", "country=fr"]
    for each in found.slices:
        assert each.p_adjusted == pytest.approx(min(1.0, 2 * each.p_value))
    assert sum(each.units for each in found.slices) == found.lifts[0].units
    small = read(people(240), tmp_path, slices=("country",))
    assert (small.small_slices, {each.slice for each in small.slices}) == (1, {"country=fr"})


def test_three_arms_are_compared_with_the_control(tmp_path):
    found = read(people(900, lift=0.3, arms=("control", "one", "two")), tmp_path)
    assert [each.arm for each in found.lifts] == ["one", "two"]
    assert all(each.p_adjusted == pytest.approx(min(1.0, 2 * each.p_value)) for each in found.lifts)


def test_the_course_ends_with_the_whole(tmp_path):
    found = read(people(500, lift=0.2), tmp_path)
    assert [each.day for each in found.days] == [f"2026-03-0{day}" for day in range(2, 8)]
    last, whole = found.days[-1], found.lifts[0]
    assert (last.lift, last.low, last.high) == pytest.approx((whole.lift, whole.low, whole.high))
    assert last.units == whole.units + whole.control_units
    first = people(500, lift=0.2)
    alone = read(first[first["day"] == FIRST], tmp_path).lifts[0]
    assert found.days[0].lift == pytest.approx(alone.lift)


def test_experiments_without_a_difference_rarely_have_a_verdict(tmp_path):
    """Of 200 A/A logs with three metrics, about 5% come to a verdict on any of them."""
    metrics = (MINUTES, LogMetric("plays", "plays"), LogMetric("skips", "skips"))
    decided = sum(
        any(
            each.verdict != "undecided"
            for each in read(people(200, days=2, seed=seed), tmp_path, metrics=metrics).lifts
        )
        for seed in range(200)
    )
    assert stats.binomtest(decided, 200, 0.05, alternative="greater").pvalue > 0.01


def test_a_metric_without_a_number_is_undefined(tmp_path):
    found = read(people(100).assign(minutes=0.0), tmp_path)
    assert found.lifts[0].verdict == "undefined" and found.lifts[0].lift is None


@pytest.mark.parametrize(
    ("change", "asked", "message"),
    [
        (
            lambda frame: frame[frame["arm"] == "control"],
            ReadoutTerms("control"),
            "expected two arms or more .* 'control' alone",
        ),
        (lambda frame: frame, ReadoutTerms("old"), "--control old: expected one of the arms 'control', 'student'"),
        (lambda frame: frame, ReadoutTerms("control", {"control": 1.0}), "--share: expected one for each arm"),
        (lambda frame: frame.assign(user=None), ReadoutTerms("control"), "expected a row that says whose it is"),
        (lambda frame: frame.assign(arm=None), ReadoutTerms("control"), "expected units in one arm each"),
    ],
    ids=["one arm", "no such control", "half of the shares", "no units", "no arms"],
)
def test_what_is_no_experiment_is_said(tmp_path, change, asked, message):
    with pytest.raises(InputError, match=message):
        read(change(people(40)), tmp_path, asked)


def test_a_start_after_the_end_and_nobody_exposed(tmp_path):
    with pytest.raises(InputError, match=r"rows from 2027-01-01 \(--start\) on"):
        read(people(40), tmp_path, start=datetime.date(2027, 1, 1))
    with pytest.raises(InputError, match="units that are in one arm and were exposed"):
        read(people(40).assign(seen=0), tmp_path, exposure="seen")


def test_metrics_as_people_write_them():
    found = read_metrics(Wanted(["a", "b/c", "ctr=d/e"], lower_is_better=["a"], before=["ctr=old"]))
    assert found == (
        LogMetric("a", "a", lower_is_better=True),
        LogMetric("b/c", "b", "c"),
        LogMetric("ctr", "d", "e", before="old"),
    )
    assert read_shares(["control=9", "a=b=1"]) == {"control": 9.0, "a=b": 1.0}


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (Wanted(["a/b/c"]), "--metric a/b/c: expected a column of numbers"),
        (Wanted(["a", "a"]), "found 'a' twice"),
        (Wanted(["a"], lower_is_better=["b"]), r"--lower-is-better b: expected the name of a --metric \(a\)"),
        (Wanted(["a"], before=["a"]), "--before a: expected METRIC=COLUMN"),
        (Wanted(["a"], before=["b=old"]), "--before b: expected the name"),
    ],
)
def test_metrics_that_are_written_wrong(wanted, message):
    with pytest.raises(InputError, match=message):
        read_metrics(wanted)


@pytest.mark.parametrize("text", ["control", "control=none", "control=0", "=1"])
def test_shares_that_are_written_wrong(text):
    with pytest.raises(InputError, match="expected ARM=NUMBER"):
        read_shares([text])
