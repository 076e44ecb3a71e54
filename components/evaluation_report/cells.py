"""Numbers and verdicts as a page shows them."""

from __future__ import annotations

from components.evaluation_report.page import Cell
from contracts.decision import Measurement, Verdict

# A normal variable stays below it with a probability of 97.5%: half of a 95% interval, in standard errors.
NORMAL_975 = 1.959964
NOTHING = Cell("\N{EN DASH}")
_VERDICTS = {Verdict.PASS: "pass", Verdict.FAIL: "fail", Verdict.NOT_JUDGED: "not judged"}


def number(value: float | None, digits: int = 4, *, signed: bool = False) -> Cell:
    """A number, with its full value to sort by."""
    if value is None:
        return Cell("undefined")
    return Cell(_formatted(value, digits, signed), value)


def count(value: int | None) -> Cell:
    """A whole number with its thousands set apart; None where there can be none."""
    return NOTHING if value is None else Cell(f"{value:,}", float(value))


def share(part: float | None) -> Cell:
    """A part of one as a percentage."""
    return NOTHING if part is None else Cell(f"{part:.1%}", part)


def measured(found: Measurement | None, *, signed: bool = False) -> Cell:
    """A measurement without its interval."""
    return NOTHING if found is None else number(found.value, signed=signed)


def interval(found: Measurement | None, *, signed: bool = False) -> Cell:
    """The 95% interval of a measurement; sorted by its lower end."""
    if found is None or found.lower is None or found.upper is None:
        return NOTHING
    return Cell(f"[{_formatted(found.lower, 4, signed)}, {_formatted(found.upper, 4, signed)}]", found.lower)


def verdict(found: Verdict) -> Cell:
    """A verdict, told by its word and its sign as well as by its color."""
    return Cell(_VERDICTS[found], kind=found.value)


def in_words(found: Measurement | None, *, signed: bool = False) -> str:
    """A measurement with its interval, within a sentence."""
    if found is None or found.value is None:
        return "undefined"
    ends = interval(found, signed=signed)
    return _formatted(found.value, 4, signed) + ("" if ends is NOTHING else f" {ends.text}")


def _formatted(value: float, digits: int, signed: bool) -> str:
    # The minus sign that is as wide as the plus sign.
    return f"{value:{'+' if signed else ''}.{digits}f}".replace("-", "\N{MINUS SIGN}")
