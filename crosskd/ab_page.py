"""The page about a live experiment."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import altair as alt

from components.evaluation_report import charts, page
from components.evaluation_report.page import Cell, Fact, Figure, FindingsPage, Heading, Section, Table
from crosskd.ab import cells, remarks

if TYPE_CHECKING:
    from evidence.ab.readout import LiftToDate, LogLift, Readout

_HEIGHT = 220
_KINDS = {"better": "pass", "worse": "fail", "undecided": "not_judged", "undefined": "not_judged"}


def write(found: Readout, path: Path) -> None:
    """Writes the page.

    Args:
      found: What the log says.
      path: The file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page.render_findings(_page(found)), encoding="utf-8")


def _page(found: Readout) -> FindingsPage:
    worse = [each for each in found.lifts if each.verdict.value == "worse"]
    better = [each for each in found.lifts if each.verdict.value == "better"]
    sections = [
        Section("lifts", "Lifts", f"Over {found.control}, relative.", tables=(_table("lifts", found.lifts),)),
        *([_course(found)] if found.days else []),
        *(
            [Section("slices", "Slices", _of_slices(found), tables=(_table("slices", found.slices),))]
            if found.slices
            else []
        ),
        Section("notes", "Notes", "How to read it, and what does not count.", notes=tuple(remarks(found))),
    ]
    return FindingsPage(
        title="Live experiment",
        command="crosskd ab",
        good=found.sample_ratio.sound and not worse,
        sentence=_sentence(found, better, worse),
        facts=tuple(
            Fact(each.arm, f"{each.units:,}", f"units; expected {each.expected:.1%} of all") for each in found.arms
        ),
        sections=tuple(sections),
    )


def _sentence(found: Readout, better: list[LogLift], worse: list[LogLift]) -> str:
    if not found.sample_ratio.sound:
        return f"The sample ratio is off (p = {found.sample_ratio.p_value:.2g}): no lift below is to be believed."
    named = [f"{each.metric} of {each.arm} is {each.verdict.value} ({each.lift:+.2%})" for each in (*worse, *better)]
    return "; ".join(named) + "." if named else "Nothing is decided: every joint interval holds 0."


def _of_slices(found: Readout) -> str:
    return f"{len(found.slices)} comparisons, corrected for their number; {found.small_slices} small slices left out."


def _table(name: str, lifts: list[LogLift]) -> Table:
    sliced = lifts[0].slice is not None
    names = ("metric", "arm", *(("slice",) if sliced else ()))
    numbers = ("control", "arm's", "lift", "interval", "joint interval", "p", "CUPED")
    return Table(
        caption=f"Lifts over the control, with intervals over units{', by slice' if sliced else ''}",
        columns=(*map(Heading, names), *(Heading(each, numeric=True) for each in numbers), Heading("verdict")),
        rows=tuple(
            (
                Cell(each.metric),
                Cell(each.arm),
                *((Cell(each.slice),) if each.slice else ()),
                *map(Cell, cells(each)),
                Cell(each.verdict.value, kind=_KINDS[each.verdict.value]),
            )
            for each in lifts
        ),
        name=name,
    )


def _course(found: Readout) -> Section:
    pairs = dict.fromkeys((each.metric, each.arm) for each in found.days)
    figures = [
        _figure(number, [each for each in found.days if (each.metric, each.arm) == pair], found.confidence)
        for number, pair in enumerate(pairs)
    ]
    return Section("course", "Course", "Lifts over all days up to each.", figures=tuple(figures))


def _figure(number: int, days: list[LiftToDate], confidence: float) -> Figure:
    metric, arm = days[0].metric, days[0].arm
    rows = [
        {"day": place, "lift": each.lift, "low": each.low, "high": each.high, "told": f"{each.day}: {each.lift:+.2%}"}
        for place, each in enumerate(days, start=1)
        if each.lift is not None
    ]
    return Figure(
        title=f"{metric}, {arm}",
        note=f"Lift by day; the bars are {confidence:.0%} intervals of this metric on this day alone.",
        svg=_plot(rows),
        table=Table(
            caption=f"Lift of {arm} in {metric} up to each day",
            columns=(Heading("day"), *(Heading(name, numeric=True) for name in ("units", "lift", "low", "high"))),
            rows=tuple(
                (Cell(each.day), page.count(each.units), *(page.number(end, signed=True) for end in _ends(each)))
                for each in days
            ),
            folded=True,
            name=f"course-{number}",
        ),
    )


def _ends(each: LiftToDate) -> tuple[float | None, ...]:
    return each.lift, each.low, each.high


def _plot(rows: list[charts.Row]) -> str:
    base = alt.Chart(charts.data(rows))
    x = charts.whole("day", rows, "day of the experiment")
    percent = alt.Axis(format="+.0%")
    zero = (
        alt.Chart(charts.data([{"zero": 0}]))
        .mark_rule(strokeDash=[4, 4])
        .encode(y=alt.Y("zero:Q", title=None), color=alt.value(charts.MUTED))
    )
    color = alt.value(charts.color(charts.STUDENT))
    return charts.draw(
        zero,
        base.mark_rule(strokeWidth=3, opacity=0.35).encode(x=x, y=alt.Y("low:Q", title=None), y2="high:Q", color=color),
        base.mark_point(size=60, ariaRoleDescription="data point").encode(
            x=x, y=alt.Y("lift:Q", title=None, axis=percent), color=color, description="told:N"
        ),
        height=_HEIGHT,
    )
