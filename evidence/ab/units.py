"""From a log to units: who was in which arm, from when on, and what came of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evidence.ab.lifts import ArmUnits, Floats
from evidence.ab.spec import LogMetric, LogSpec
from records.logs import ROWS, Log
from schema.errors import InputError

Frame = pd.DataFrame
_FIRST = pd.Timestamp("1970-01-01")


@dataclass(frozen=True)
class LeftOut:
    """What does not count, and why.

    Attributes:
      rows_without_unit: Rows that do not say whose they are.
      rows_without_day: Rows that do not say when, in a log with days.
      units_without_arm: Units that no row gives an arm.
      units_in_several_arms: Units that were seen in more than one arm.
      units_not_exposed: Units that never met what differs between the arms.
      rows_before_exposure: Rows of exposed units from days before they were exposed.
    """

    rows_without_unit: int = 0
    rows_without_day: int = 0
    units_without_arm: int = 0
    units_in_several_arms: int = 0
    units_not_exposed: int = 0
    rows_before_exposure: int = 0


@dataclass(frozen=True)
class Units:
    """The units of an experiment.

    Attributes:
      names: The arms, in order.
      arms: The arm of each unit, an index into `names`, [units].
      sums: Each unit's sum of each column, [units].
      before: What is known of each unit from before, by column, likewise; 0 where rows from before tell
        nothing of it, and the mean over units where a column does.
      slices: Each unit's value of each slicing column, likewise; None where absent.
      rows: A row per unit and day: `#unit` (its index), `#day` (its number), and the columns' sums.
      days: The days of the experiment, ascending, as `rows` has them; empty in a log without days.
      left_out: What does not count.
      covered: Whether there are rows from before the experiment.
    """

    names: tuple[str, ...]
    arms: NDArray[np.intp]
    sums: dict[str, Floats]
    before: dict[str, Floats]
    slices: dict[str, NDArray[np.object_]]
    rows: Frame
    days: tuple[pd.Timestamp, ...]
    left_out: LeftOut
    covered: bool

    def of(self, metric: LogMetric, sums: dict[str, Floats] | None = None) -> ArmUnits:
        """All units as a metric sees them, by the sums of all days or those that are given."""
        values = self.sums if sums is None else sums
        lower = None if metric.lower is None else values[metric.lower]
        return ArmUnits(values[metric.upper], lower, self.covariates(metric))

    def to_date(self) -> Iterator[tuple[NDArray[np.bool_], dict[str, Floats]]]:
        """By day: who was seen up to then, [units], and everyone's sums up to then."""
        sums: dict[str, Floats] = {name: np.zeros(len(self.arms)) for name in self.sums}
        seen = np.zeros(len(self.arms), bool)
        for _, rows in self.rows.groupby("#day", sort=True):
            who = rows["#unit"].to_numpy()
            seen = seen.copy()
            seen[who] = True
            sums = {name: total + np.bincount(who, rows[name], len(total)) for name, total in sums.items()}
            yield seen, sums

    def covariates(self, metric: LogMetric) -> Floats | None:
        """What a metric is adjusted by, [units, covariates]; None for nothing."""
        columns = [metric.before] if metric.before else list(metric.columns) if self.covered else []
        return np.stack([self.before[column] for column in columns], axis=1) if columns else None


def units_of(log: Log, spec: LogSpec) -> Units:
    """Finds the units of an experiment.

    Args:
      log: What `spec.columns` reads.
      spec: What its columns mean.

    Raises:
      InputError: There is nothing that counts, or a column contradicts itself.
    """
    frame = _frame(log, spec)
    known = frame[frame["#unit"].notna()]
    dated = known[known["#day"].notna()] if spec.day else known
    _expect_rows(dated, "a row that says whose it is, and when")
    early = dated["#day"] < _number(spec.start) if spec.start else pd.Series(False, index=dated.index)
    main = dated[~early]
    _expect_rows(main, f"rows from {spec.start} (--start) on, which is when the experiment began")
    arms, without, several = _arms(main, spec)
    kept = main[main["#unit"].isin(arms.index)]
    exposed, unexposed, too_early = _exposed(kept, spec)
    _expect_rows(exposed, "units that are in one arm and were exposed")
    left_out = LeftOut(
        rows_without_unit=int(frame[ROWS].sum() - known[ROWS].sum()),
        rows_without_day=int(known[ROWS].sum() - dated[ROWS].sum()),
        units_without_arm=without,
        units_in_several_arms=several,
        units_not_exposed=unexposed,
        rows_before_exposure=too_early,
    )
    return _units(exposed, dated[early], arms, spec, left_out)


def _number(start: date) -> int:
    return (pd.Timestamp(start) - _FIRST).days


def _frame(log: Log, spec: LogSpec) -> Frame:
    """The log under names of its own: `#unit`, `#arm`, `#day` (a number), `#exposed`, `#slice/COLUMN`, and the sums."""
    table = log.groups
    named = {
        "#unit": table.column(spec.unit).to_pandas(),
        "#arm": table.column(spec.arm).to_pandas() if spec.arm else "",
        "#exposed": table.column(spec.exposure).to_pandas() if spec.exposure else True,
        ROWS: table.column(ROWS).to_pandas(),
        **{f"#slice/{name}": table.column(name).to_pandas() for name in spec.slices},
        **{name: table.column(name).to_pandas() for name in spec.columns.sums},
    }
    for name in spec.columns.constants:
        named |= {f"{name}_{end}": table.column(f"{name}_{end}").to_pandas() for end in ("min", "max")}
    day = (pd.to_datetime(table.column(spec.day).to_pandas()) - _FIRST).dt.days if spec.day else 0
    return Frame({**named, "#day": day})


def _expect_rows(frame: Frame, what: str) -> None:
    if frame.empty:
        raise InputError(f"the log: expected {what}, found none")


def _arms(frame: Frame, spec: LogSpec) -> tuple[pd.Series, int, int]:
    """The arm of each unit that has one, and how many have none or several."""
    pairs = frame[["#unit", "#arm"]].drop_duplicates()
    known = pairs[pairs["#arm"].notna()]
    times = known["#unit"].value_counts()
    one = known[known["#unit"].map(times) == 1].set_index("#unit")["#arm"]
    without = pairs["#unit"].nunique() - len(times)
    if one.empty:
        raise InputError(f"the log: expected units in one arm each, by the column {spec.arm!r}; found none")
    return one, int(without), int((times > 1).sum())


def _exposed(frame: Frame, spec: LogSpec) -> tuple[Frame, int, int]:
    """The rows of exposed units from the day of their first exposure on."""
    if spec.exposure is None:
        return frame, 0, 0
    first = frame[frame["#exposed"]].groupby("#unit")["#day"].min()
    of_exposed = frame[frame["#unit"].isin(first.index)]
    late = of_exposed["#day"] >= of_exposed["#unit"].map(first)
    return of_exposed[late], frame["#unit"].nunique() - len(first), int(of_exposed.loc[~late, ROWS].sum())


def _units(frame: Frame, early: Frame, arms: pd.Series, spec: LogSpec, left_out: LeftOut) -> Units:
    codes, found = pd.factorize(frame["#unit"], sort=True)
    columns = list(spec.columns.sums)
    rows = frame.assign(**{"#unit": codes}).groupby(["#unit", "#day"], sort=True)[columns].sum().reset_index()
    names, numbers = np.unique(arms.loc[found].to_numpy(str), return_inverse=True)
    units = len(found)
    days: list[int] = sorted(map(int, rows["#day"].unique())) if spec.day else []
    return Units(
        names=tuple(map(str, names)),
        arms=numbers.astype(np.intp),
        sums={name: np.bincount(rows["#unit"], rows[name], units).astype(np.float64) for name in columns},
        before={**_sums_before(early, found, columns), **_columns_before(frame, codes, spec)},
        slices={name: _slice(frame, codes, name) for name in spec.slices},
        rows=rows,
        days=tuple(_FIRST + pd.Timedelta(days=day) for day in days),
        left_out=left_out,
        covered=not early.empty,
    )


def _sums_before(early: Frame, found: pd.Index, columns: list[str]) -> dict[str, Floats]:
    """Each unit's sums over the rows from before; 0 for who was not there."""
    sums = early.groupby("#unit")[columns].sum().reindex(found, fill_value=0.0)
    return {name: sums[name].to_numpy(np.float64) for name in columns}


def _columns_before(frame: Frame, codes: NDArray[np.intp], spec: LogSpec) -> dict[str, Floats]:
    """Each unit's value of a column of before, the mean over units where it is absent.

    Raises:
      InputError: A unit has several values, or no unit has any.
    """
    found = {}
    for name in spec.columns.constants:
        grouped = frame.groupby(codes)
        least, most = grouped[f"{name}_min"].min(), grouped[f"{name}_max"].max()
        if (most > least).any():
            unit = frame["#unit"][codes == least.index[(most > least).to_numpy()][0]].iloc[0]
            raise InputError(
                f"--before {name}: expected one value a unit, which was known before the experiment; found "
                f"{least[most > least].iloc[0]:g} and {most[most > least].iloc[0]:g} of the unit {unit!r}"
            )
        if least.isna().all():
            raise InputError(f"--before {name}: expected numbers, found no value at all")
        found[name] = least.fillna(least.mean()).to_numpy(np.float64)
    return found


def _slice(frame: Frame, codes: NDArray[np.intp], name: str) -> NDArray[np.object_]:
    """Each unit's value on its first day, which what it was shown later cannot have changed."""
    ordered = frame.assign(**{"#unit": codes}).sort_values(["#unit", "#day"], kind="stable")
    values = ordered.groupby("#unit")[f"#slice/{name}"].first()
    return np.array([None if pd.isna(value) else str(value) for value in values], object)
