"""Reads a live experiment out of a log: is the split sound, and what did each arm do to each metric?

Verdicts hold jointly for all metrics and arms, by Bonferroni: an arm is better or worse in a
metric if the joint interval excludes 0.  Holm would decide a little more often, but has no
intervals of its own; with Bonferroni the intervals that are shown, the verdicts and
`evidence.ab.plan` say the same thing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict

from evidence.ab.lifts import MeasuredLift, measure, sample_ratio
from evidence.ab.spec import LogMetric, LogSpec
from evidence.ab.units import Units, units_of
from evidence.verdicts import corrected_confidence
from records.logs import Log
from schema.errors import InputError

# A slice with fewer units in an arm has intervals too wide to read.
LEAST_IN_SLICE = 50
# Whoever looks every day at a sound split should not be told otherwise (Fabijan et al., KDD 2019, section 5).
SOUND = 0.001


class LiftVerdict(StrEnum):
    """What an arm does to a metric, all metrics and arms taken together."""

    BETTER = "better"
    WORSE = "worse"
    UNDECIDED = "undecided"
    UNDEFINED = "undefined"


@dataclass(frozen=True)
class ReadoutTerms:
    """How an experiment is read out.

    Attributes:
      control: The arm that the others are compared with.
      shares: Expected shares of units by arm; empty for equal ones.
      confidence: That of each interval, and of all verdicts jointly.
    """

    control: str
    shares: Mapping[str, float] = field(default_factory=dict)
    confidence: float = 0.95


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ArmCount(_Part):
    """How many units an arm has, and which share of all it was meant to have."""

    arm: str
    units: int
    expected: float


class SampleRatio(_Part):
    """Whether units went to the arms as they were meant to.

    Attributes:
      p_value: The probability of counts this far off by chance alone (chi-square).
      sound: Whether it is .001 or more; if not, no lift below is to be believed.
    """

    p_value: float
    sound: bool


class LogLift(_Part):
    """What an arm does to a metric, relative to the control, in all units or in a slice.

    Attributes:
      metric: The metric.
      arm: The arm.
      slice: `COLUMN=VALUE`; None for all units.
      units: Units of the arm.
      control_units: Units of the control.
      control: The control's value.
      treatment: The arm's.
      lift: (treatment - control) / |control|; None where the metric is not defined.
      low: Lower end of the lift's own interval.
      high: Upper end.
      joint_low: Lower end of the interval that holds together with those of all other metrics and arms
        (Bonferroni); of a slice, with those of all metrics, arms and slices.
      joint_high: Its upper end.
      p_value: Two-sided, not corrected.
      p_adjusted: Corrected likewise (Bonferroni).
      reduction: The share of the variance that CUPED took away; None where nothing was known from before.
      verdict: Whether the joint interval excludes 0, and on which side.
    """

    metric: str
    arm: str
    slice: str | None
    units: int
    control_units: int
    control: float | None = None
    treatment: float | None = None
    lift: float | None = None
    low: float | None = None
    high: float | None = None
    joint_low: float | None = None
    joint_high: float | None = None
    p_value: float | None = None
    p_adjusted: float | None = None
    reduction: float | None = None
    verdict: LiftVerdict = LiftVerdict.UNDEFINED


class LiftToDate(_Part):
    """A lift over the days up to one: for its course, not for looking every day until it pleases.

    Attributes:
      day: The last day that counts, ISO 8601.
      metric: The metric.
      arm: The arm.
      units: Units of both arms that were seen up to then.
      lift: As `LogLift.lift`.
      low: Lower end of its own interval.
      high: Upper end.
    """

    day: str
    metric: str
    arm: str
    units: int
    lift: float | None
    low: float | None
    high: float | None


class Readout(_Part):
    """Everything that an experiment's log says.

    Attributes:
      control: The control's arm.
      confidence: That of each interval, and of all verdicts jointly.
      rows: Rows of the log.
      first_day: First day of the experiment, ISO 8601; None in a log without days.
      last_day: Its last day.
      arms: Units by arm.
      sample_ratio: Whether the split is sound.
      lifts: By arm and metric, all units.
      slices: The same in each slice.
      small_slices: Slices with fewer than 50 units in some arm, which are left out.
      days: The lifts' course.
      left_out: What does not count, by reason; only reasons with something.
      notes: What else a reader should know.
    """

    control: str
    confidence: float
    rows: int
    first_day: str | None
    last_day: str | None
    arms: list[ArmCount]
    sample_ratio: SampleRatio
    lifts: list[LogLift]
    slices: list[LogLift] = []
    small_slices: int = 0
    days: list[LiftToDate] = []
    left_out: dict[str, int] = {}
    notes: list[str] = []


def read_out(log: Log, spec: LogSpec, asked: ReadoutTerms) -> Readout:
    """Reads an experiment out.

    Args:
      log: What `spec.columns` reads.
      spec: What its columns mean.
      asked: Control, shares, confidence.

    Raises:
      InputError: The log has nothing that counts, one arm only, or no such control.
    """
    units = units_of(log, spec)
    _expect_arms(units, spec, asked)
    overall = _lifts(units, spec, asked, {None: np.ones(len(units.arms), bool)})
    slices, small = _slices(units, spec, asked)
    return Readout(
        control=asked.control,
        confidence=asked.confidence,
        rows=log.rows,
        first_day=_iso(units.days[0]) if units.days else None,
        last_day=_iso(units.days[-1]) if units.days else None,
        arms=_arms(units, asked),
        sample_ratio=_sample_ratio(units, asked),
        lifts=overall,
        slices=slices,
        small_slices=small,
        days=list(_course(units, spec, asked)) if len(units.days) > 1 else [],
        left_out={reason: count for reason, count in vars(units.left_out).items() if count},
        notes=list(_notes(units, spec)),
    )


def _expect_arms(units: Units, spec: LogSpec, asked: ReadoutTerms) -> None:
    listed = ", ".join(map(repr, units.names))
    if len(units.names) < 2:
        raise InputError(f"the log: expected two arms or more in the column {spec.arm!r}, found {listed} alone")
    if asked.control not in units.names:
        raise InputError(f"--control {asked.control}: expected one of the arms {listed} of the column {spec.arm!r}")
    unknown = sorted(set(asked.shares) - set(units.names))
    missing = sorted(set(units.names) - set(asked.shares)) if asked.shares else []
    if unknown or missing:
        raise InputError(
            f"--share: expected one for each arm ({listed}); found none for {', '.join(missing) or 'no arm'} and "
            f"{', '.join(unknown) or 'none'} that the log does not have"
        )


def _shares(units: Units, asked: ReadoutTerms) -> list[float]:
    shares = [asked.shares.get(name, 1.0) for name in units.names]
    return [share / sum(shares) for share in shares]


def _counts(units: Units) -> list[int]:
    return [int(count) for count in np.bincount(units.arms, minlength=len(units.names))]


def _arms(units: Units, asked: ReadoutTerms) -> list[ArmCount]:
    found = zip(units.names, _counts(units), _shares(units, asked), strict=True)
    return [ArmCount(arm=arm, units=count, expected=share) for arm, count, share in found]


def _sample_ratio(units: Units, asked: ReadoutTerms) -> SampleRatio:
    p_value = sample_ratio(_counts(units), _shares(units, asked))
    return SampleRatio(p_value=p_value, sound=p_value >= SOUND)


def _treatments(units: Units, asked: ReadoutTerms) -> list[int]:
    return [index for index, name in enumerate(units.names) if name != asked.control]


def _lifts(units: Units, spec: LogSpec, asked: ReadoutTerms, parts: Mapping[str | None, np.ndarray]) -> list[LogLift]:
    """All metrics, arms and parts, corrected for how many they are."""
    control = units.names.index(asked.control)
    found: list[tuple[LogLift, MeasuredLift | None, LogMetric]] = []
    for name, rows in parts.items():
        for arm in _treatments(units, asked):
            ours, theirs = rows & (units.arms == arm), rows & (units.arms == control)
            for metric in spec.metrics:
                whole = units.of(metric)
                empty = LogLift(
                    metric=metric.name,
                    arm=units.names[arm],
                    slice=name,
                    units=int(ours.sum()),
                    control_units=int(theirs.sum()),
                )
                found.append((empty, measure(whole.of(ours), whole.of(theirs)), metric))
    several = sum(measured is not None for _, measured, _ in found)
    return [
        empty if measured is None else _told(empty, measured, metric, several, asked.confidence)
        for empty, measured, metric in found
    ]


def _told(empty: LogLift, measured: MeasuredLift, metric: LogMetric, several: int, confidence: float) -> LogLift:
    low, high = measured.interval(confidence)
    joint_low, joint_high = measured.interval(corrected_confidence(confidence, several))
    good = measured.lift < 0 if metric.lower_is_better else measured.lift > 0
    decided = LiftVerdict.BETTER if good else LiftVerdict.WORSE
    return empty.model_copy(
        update={
            "control": measured.control,
            "treatment": measured.treatment,
            "lift": measured.lift,
            "low": low,
            "high": high,
            "joint_low": joint_low,
            "joint_high": joint_high,
            "p_value": measured.p_value,
            "p_adjusted": min(1.0, several * measured.p_value),
            "reduction": measured.reduction,
            "verdict": decided if joint_low > 0 or joint_high < 0 else LiftVerdict.UNDECIDED,
        }
    )


def _slices(units: Units, spec: LogSpec, asked: ReadoutTerms) -> tuple[list[LogLift], int]:
    parts: dict[str | None, np.ndarray] = {}
    small = 0
    for column in spec.slices:
        values = units.slices[column]
        for value in sorted({value for value in values if value is not None}):
            rows = values == value
            if np.bincount(units.arms[rows], minlength=len(units.names)).min() < LEAST_IN_SLICE:
                small += 1
            else:
                parts[f"{column}={value}"] = rows
    return (_lifts(units, spec, asked, parts) if parts else []), small


def _course(units: Units, spec: LogSpec, asked: ReadoutTerms) -> Iterator[LiftToDate]:
    """The lifts over the days up to each, from those who were seen up to then."""
    control = units.names.index(asked.control)
    for day, (seen, sums) in zip(units.days, units.to_date(), strict=True):
        for arm in _treatments(units, asked):
            ours, theirs = seen & (units.arms == arm), seen & (units.arms == control)
            for metric in spec.metrics:
                whole = units.of(metric, sums)
                measured = measure(whole.of(ours), whole.of(theirs))
                yield _to_date(_iso(day), metric.name, units.names[arm], (ours, theirs), measured, asked.confidence)


def _to_date(
    day: str, metric: str, arm: str, rows: Sequence[np.ndarray], measured: MeasuredLift | None, confidence: float
) -> LiftToDate:
    low, high = (None, None) if measured is None else measured.interval(confidence)
    lift = None if measured is None else measured.lift
    units = int(sum(each.sum() for each in rows))
    return LiftToDate(day=day, metric=metric, arm=arm, units=units, lift=lift, low=low, high=high)


def _notes(units: Units, spec: LogSpec) -> Iterator[str]:
    if len(units.days) > 1:
        yield (
            "Decide once, on the day that `crosskd ab --plan` named: an interval that is looked at every day until it "
            "excludes 0 does so too often."
        )
    for metric in spec.metrics:
        if units.covariates(metric) is not None and metric.before is None:
            yield f"{metric.name} is adjusted by the same of each unit before {spec.start} (CUPED)."
        elif metric.before is not None:
            yield f"{metric.name} is adjusted by {metric.before} (CUPED)."


def _iso(day: pd.Timestamp) -> str:
    return day.date().isoformat()
