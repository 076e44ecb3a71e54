"""The spans before a run's own one, where the run is given the name of that one alone.

On one machine the folders say which spans there are.  A compiled pipeline knows the names of
its folders when a run starts, and each span of its window is a run parameter of its own: so a
task on a span has the same inputs in the run of that day and in those of the days after it, and
the backend's cache knows it again.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping

from schema.errors import InputError

SPAN = "span"
_EARLIER = re.compile(rf"{SPAN}_minus_([1-9]\d*)")
_DAY_FORMS = ("%Y%m%d", "%Y-%m-%d")


def name_of(before: int) -> str:
    """The run parameter that holds the span `before` spans older than the run's own."""
    return f"{SPAN}_minus_{before}" if before else SPAN


def spans_before(name: str) -> int:
    """How many spans older than the run's own the span of a run parameter is; 0 for any other parameter."""
    found = _EARLIER.fullmatch(name)
    return int(found[1]) if found else 0


def earlier(span: str, before: int) -> str:
    """The span `before` spans older.

    Args:
      span: A day, as 20260131 or 2026-01-31, or a whole number; leading zeros are kept.
      before: How many spans.

    Raises:
      InputError: It is neither, or there is no such span.
    """
    for form in _DAY_FORMS:
        day = _day(span, form)
        if day is not None:
            return (day - datetime.timedelta(days=before)).strftime(form)
    if not re.fullmatch(r"\d+", span) or int(span) < before:
        raise InputError(
            f"run parameter {SPAN!r}: expected a day (20260131 or 2026-01-31), or a whole number of at least {before}, "
            f"since {before} earlier span{'s' if before > 1 else ''} are trained on as well; found {span!r}"
        )
    return str(int(span) - before).zfill(len(span) if span.startswith("0") else 0)


def check_window(values: Mapping[str, object]) -> None:
    """Checks that the spans of a window follow on each other.

    Args:
      values: Values of run parameters; without `span` there is nothing to check.

    Raises:
      InputError: They do not.
    """
    for name, value in values.items():
        before = spans_before(name)
        if before and SPAN in values and earlier(str(values[SPAN]), before) != str(value):
            raise InputError(
                f"run parameter {name!r}: expected {earlier(str(values[SPAN]), before)!r}, which is {before} before "
                f"{str(values[SPAN])!r}, found {str(value)!r}. `crosskd submit` computes it where it is not given."
            )


def _day(span: str, form: str) -> datetime.date | None:
    try:
        day = datetime.datetime.strptime(span, form).replace(tzinfo=datetime.UTC).date()
    except ValueError:
        return None
    # %m and %d take one digit, too, and then other numbers would be days.
    return day if day.strftime(form) == span else None
