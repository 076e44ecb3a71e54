"""How the features of the training examples moved since the last run."""

from __future__ import annotations

from collections.abc import Sequence

from components.evaluation_report import page
from components.evaluation_report.page import Cell, Heading, Section, Table
from components.evaluation_report.sources import Shift, ShiftEnd, Sources

MOST_LISTED = 200
_ALL_DIGITS = 1000


def section(sources: Sources) -> Section:
    """The section on drift of features: one row for each feature, the one that moved most first."""
    found = sources.shifts
    return Section(
        name="feature-drift",
        title="Drift of features",
        lead="How the examples of the training split moved since the last run, before anything was made of them.",
        tables=() if isinstance(found, str) else (_table(found[:MOST_LISTED]),),
        notes=(found,) if isinstance(found, str) else _notes(found),
    )


def _notes(found: Sequence[Shift]) -> tuple[str, ...]:
    notes = [
        "The Jensen-Shannon divergence of the two distributions, as TensorFlow Data Validation computes it: 0 where "
        "they are alike, 1 where they have nothing in common. A run that must stop at some value says so by "
        "drift_comparator in schema.pbtxt."
    ]
    if len(found) > MOST_LISTED:
        notes.append(f"These are {MOST_LISTED:,} of {len(found):,} features, those that moved most first.")
    return tuple(notes)


def _table(found: Sequence[Shift]) -> Table:
    has_texts = any(
        side is not None and side.distinct is not None for each in found for side in (each.before, each.now)
    )
    numbers = ["divergence", "missing, last run", "missing, now", "mean, last run", "mean, now"]
    numbers += ["values, last run", "values, now"] if has_texts else []
    columns = (Heading("feature"), *(Heading(name, numeric=True) for name in numbers))
    return Table(
        caption="Features of the training examples: new ones and those that are gone, then the one that moved most",
        columns=columns,
        rows=tuple(_row(each)[: len(columns)] for each in found),
        sortable=True,
        name="feature-drift",
    )


def _row(each: Shift) -> tuple[Cell, ...]:
    name = each.name + (" (new)" if each.before is None else " (gone)" if each.now is None else "")
    sides = (each.before, each.now)
    return (
        Cell(name),
        page.NOTHING if each.divergence is None else page.number(each.divergence),
        *(page.NOTHING if side is None else page.share(side.missing) for side in sides),
        *(_mean(side) for side in sides),
        *(page.NOTHING if side is None else page.count(side.distinct) for side in sides),
    )


def _mean(side: ShiftEnd | None) -> Cell:
    """A mean with four digits, or all that stand before the point."""
    if side is None or side.mean is None:
        return page.NOTHING
    text = f"{side.mean:,.0f}" if abs(side.mean) >= _ALL_DIGITS else f"{side.mean:.4g}"
    return Cell(text.replace("-", "\N{MINUS SIGN}"), side.mean)
