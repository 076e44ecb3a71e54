"""The page of `crosskd teachers`: two teachers side by side."""

from __future__ import annotations

from pathlib import Path

from components.evaluation_report import page
from components.evaluation_report.page import Cell, Fact, FindingsPage, Heading, Section, Table
from contracts.two_teachers import SideBySide
from crosskd.teachers import TwoTeachers, remarks

_OVERALL = "overall"


def write(told: TwoTeachers, path: Path) -> None:
    """Writes the page.

    Args:
      told: What both said.
      path: The file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page.render_findings(_page(told)), encoding="utf-8")


def _page(told: TwoTeachers) -> FindingsPage:
    found = told.compared.side_by_side
    span = f"of span {told.span}" if told.span else "given"
    return FindingsPage(
        title=f"{told.surface}: two teachers",
        command="crosskd teachers",
        good=not found.worse,
        sentence=f"The new one is worse on {', '.join(found.worse)}." if found.worse else "It is worse on no task.",
        facts=(
            Fact("Examples", f"{told.compared.examples:,}", f"{span}; {told.compared.left_out:,} left out"),
            Fact("Old", told.old[1][:12], told.old[0]),
            Fact("New", told.new[1][:12], told.new[0]),
        ),
        sections=(_quality(found), _agreement(found), Section("notes", "Notes", "How to read it.", notes=_notes(told))),
    )


def _notes(told: TwoTeachers) -> tuple[str, ...]:
    how = (
        "Intervals are of 95%, over groups; who is worse or better is told by intervals that are joint over the tasks."
    )
    return (how, *remarks(told))


def _quality(found: SideBySide) -> Section:
    rows = tuple(
        (
            Cell(each.task),
            Cell(each.slice or _OVERALL),
            Cell(each.metric),
            page.count(each.examples),
            page.measured(each.old),
            page.measured(each.new),
            page.measured(each.difference, signed=True),
            page.interval(each.difference, signed=True),
        )
        for each in found.quality
    )
    columns = (*_texts("task", "slice", "metric"), *_numbers("labelled", "old", "new", "new - old", "95% interval"))
    table = Table("What each is worth on hard labels", columns, rows, sortable=True, name="quality")
    lead = "Tasks that learn from a teacher: which of the two is nearer to what happened?"
    return Section("quality", "Quality", lead, tables=(table,))


def _agreement(found: SideBySide) -> Section:
    rows = tuple(
        (
            Cell(each.task),
            Cell(each.slice or _OVERALL),
            page.count(each.examples),
            page.measured(each.correlation),
            page.interval(each.correlation),
            page.measured(each.shift, signed=True),
            page.interval(each.shift, signed=True),
            page.number(each.spread, 2),
        )
        for each in found.agreement
    )
    numbers = ("examples", "correlation", "95% interval", "new - old, mean", "its 95% interval", "spread, new / old")
    columns = (*_texts("task of the teacher", "slice"), *_numbers(*numbers))
    table = Table("How far they say the same", columns, rows, sortable=True, name="agreement")
    return Section("agreement", "Agreement", "How far do both say the same of each example?", tables=(table,))


def _texts(*names: str) -> tuple[Heading, ...]:
    return tuple(map(Heading, names))


def _numbers(*names: str) -> tuple[Heading, ...]:
    return tuple(Heading(name, numeric=True) for name in names)
