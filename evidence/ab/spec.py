"""What an experiment's log has, and what is asked of it."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from records.logs import LogColumns
from schema.errors import InputError

_METRIC = re.compile(r"(?:(?P<name>[^=]+)=)?(?P<upper>[^=/]+)(?:/(?P<lower>[^=/]+))?")


@dataclass(frozen=True)
class LogMetric:
    """A metric of units.

    Attributes:
      name: What it is called.
      upper: The column that is added up over a unit's rows.
      lower: The column that the sum is divided by, over all units; None for the mean over units.
      lower_is_better: Whether a negative lift is good.
      before: The column with the unit's value of before the experiment; None where there is none.
    """

    name: str
    upper: str
    lower: str | None = None
    lower_is_better: bool = False
    before: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that are added up."""
        return (self.upper,) if self.lower is None else (self.upper, self.lower)


@dataclass(frozen=True)
class LogSpec:
    """The columns of a log, and what they mean.

    Attributes:
      unit: The column that says who: what was assigned to an arm at random, as a person.
      metrics: What is measured.
      arm: The column that says which arm; None for a log without arms, from which an experiment is planned.
      day: The column that says when; None where nobody wrote it down.
      exposure: The column that says whether the unit met what differs between the arms; None counts all units.
      slices: Columns by whose values units are told apart.
      start: The first day of the experiment; rows from before it are what CUPED adjusts by.
    """

    unit: str
    metrics: tuple[LogMetric, ...]
    arm: str | None = None
    day: str | None = None
    exposure: str | None = None
    slices: tuple[str, ...] = ()
    start: datetime.date | None = None

    @property
    def columns(self) -> LogColumns:
        """What is read."""
        sums = [column for metric in self.metrics for column in metric.columns]
        before = [metric.before for metric in self.metrics if metric.before is not None]
        return LogColumns(
            texts=(self.unit, *((self.arm,) if self.arm else ()), *self.slices),
            days=(self.day,) if self.day else (),
            flags=(self.exposure,) if self.exposure else (),
            sums=tuple(dict.fromkeys(sums)),
            constants=tuple(dict.fromkeys(before)),
        )


@dataclass(frozen=True)
class Wanted:
    """Columns as they stand on a command line.

    Attributes:
      metrics: `COLUMN`, `COLUMN/COLUMN`, or either as `NAME=...`.
      lower_is_better: Names of metrics.
      before: `METRIC=COLUMN`.
    """

    metrics: Sequence[str]
    lower_is_better: Sequence[str] = field(default=())
    before: Sequence[str] = field(default=())


def read_metrics(wanted: Wanted) -> tuple[LogMetric, ...]:
    """The metrics that are meant.

    Raises:
      InputError: One is not written as it should be, or named twice, or an option names none of them.
    """
    parsed = [_parsed(text) for text in wanted.metrics]
    names = [name for name, _, _ in parsed]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise InputError(f"--metric: expected different names, found {doubled[0]!r} twice; give one as NAME=COLUMN")
    before = _before(wanted.before, names)
    for name in wanted.lower_is_better:
        _expect_metric("--lower-is-better", name, names)
    return tuple(
        LogMetric(name, upper, lower, name in wanted.lower_is_better, before.get(name)) for name, upper, lower in parsed
    )


def read_shares(texts: Sequence[str]) -> dict[str, float]:
    """The expected shares of arms, `ARM=NUMBER` each; they need not add up to 1.

    Raises:
      InputError: One is not written so, or is not above 0.
    """
    shares = {}
    for text in texts:
        arm, _, number = text.rpartition("=")
        try:
            shares[arm] = float(number)
        except ValueError:
            shares[arm] = 0.0
        if not arm or shares[arm] <= 0:
            raise InputError(f"--share {text}: expected ARM=NUMBER with a number above 0, such as control=0.9")
    return shares


def _parsed(text: str) -> tuple[str, str, str | None]:
    match = _METRIC.fullmatch(text)
    if match is None:
        raise InputError(
            f"--metric {text}: expected a column of numbers (clicks), a ratio of two (clicks/impressions), or either "
            "with a name (ctr=clicks/impressions)"
        )
    upper, lower = match["upper"], match["lower"]
    return match["name"] or (upper if lower is None else f"{upper}/{lower}"), upper, lower


def _before(texts: Sequence[str], names: Sequence[str]) -> Mapping[str, str]:
    found = {}
    for text in texts:
        name, equals, column = text.rpartition("=")
        if not equals or not column:
            raise InputError(f"--before {text}: expected METRIC=COLUMN, such as clicks=clicks_of_last_month")
        _expect_metric("--before", name, names)
        found[name] = column
    return found


def _expect_metric(option: str, name: str, names: Sequence[str]) -> None:
    if name not in names:
        raise InputError(f"{option} {name}: expected the name of a --metric ({', '.join(names)})")
