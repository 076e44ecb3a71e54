"""The page of what is watched: alerts, metrics over time, drift, coverage."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import altair as alt

from components.evaluation_report import charts, page
from components.evaluation_report.page import Cell, Fact, Figure, FindingsPage, Heading, Section, Table
from contracts.watch import WatchedMetric, WatchedSpan
from crosskd.monitor import remarks, shown, told
from schema.metrics import METRICS, is_main

if TYPE_CHECKING:
    from crosskd.monitor import Watched

_HEIGHT = 220
_HALF = page.NORMAL_975


def write(found: Watched, path: Path) -> None:
    """Writes the page.

    Args:
      found: What was found.
      path: The file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page.render_findings(_page(found)), encoding="utf-8")


def _page(found: Watched) -> FindingsPage:
    last = found.spans[-1]
    sections = (
        _alerts(found),
        _metrics(found),
        _slices(found),
        _drift(found),
        _coverage(found),
        Section("notes", "Notes", "How to read it, and what is left out.", notes=(*_how(), *remarks(found))),
    )
    alerts = len(found.alerts)
    return FindingsPage(
        title=f"{found.surface}: what serves",
        command="crosskd monitor",
        good=not alerts,
        sentence=f"{alerts} alert(s), up to {last.span}." if alerts else f"Quiet up to {last.span}.",
        facts=(
            Fact("Version", str(found.version), f"pushed {found.pushed_at}"),
            Fact("Spans", str(len(found.spans)), f"{found.spans[0].span} to {last.span}"),
            Fact("Examples", f"{sum(each.rows for each in found.spans):,}", "scored with this version"),
        ),
        sections=sections,
    )


def _how() -> tuple[str, ...]:
    return (
        "Alerts on metrics come from a sequential test, which may be looked at after every span: the probability that "
        "a model that keeps all its promises ever has one is bounded for the whole page. Bars and intervals are of "
        "one span each, and are not what is tested.",
        "Alerts on drift come from thresholds: those of the schema's drift_comparator, or .1.",
    )


def _alerts(found: Watched) -> Section:
    rows = tuple(
        (
            Cell(each.subject),
            Cell(each.slice or "overall"),
            Cell(each.measure),
            Cell(each.began),
            Cell(each.raised),
            Cell(str(each.version)),
            Cell(each.sentence),
        )
        for each in found.alerts
    )
    names = ("task or column", "slice", "measure", "began", "first seen", "version", "what")
    table = Table("Alerts, the worst first", tuple(map(Heading, names)), rows, name="alerts")
    lead = "What got worse since the push." if rows else "Nothing got worse since the push."
    return Section("alerts", "Alerts", lead, tables=(table,) if rows else ())


def _metrics(found: Watched) -> Section:
    promised = [each for each in found.promise.metrics if not each.slice]
    return Section(
        "metrics",
        "Metrics",
        "By span, with 95% intervals; the line is what was promised, the band its interval. Hollow: another version.",
        figures=tuple(_figure(found, each) for each in promised if is_main(each.metric)),
        tables=(_by_span(found, promised),),
    )


def _figure(found: Watched, promised: WatchedMetric) -> Figure:
    points = [(place, span, shown(span, promised)) for place, span in enumerate(_all(found), start=1)]
    rows = [
        {
            "span": place,
            "value": one.value,
            "low": one.value - _HALF * one.error,
            "high": one.value + _HALF * one.error,
            "ours": span.version == found.version,
            "told": f"{span.span}, version {span.version}: {told(one)}",
        }
        for place, span, one in points
        if one is not None and one.value is not None and one.error is not None
    ]
    return Figure(
        title=promised.task,
        note=f"{METRICS[promised.metric].title} by span, all examples.",
        svg=_plot(rows, promised),
        table=Table(
            caption=f"{METRICS[promised.metric].title} of {promised.task} by span",
            columns=(Heading("span"), Heading("version"), Heading("value and standard error", numeric=True)),
            rows=tuple((Cell(span.span), Cell(str(span.version)), Cell(told(one))) for _, span, one in points),
            folded=True,
            name=f"span-{promised.task}",
        ),
    )


def _all(found: Watched) -> list[WatchedSpan]:
    from evidence.watch.state import order

    return sorted([*found.earlier, *found.spans], key=lambda each: order(each.span))


def _plot(rows: list[charts.Row], promised: WatchedMetric) -> str:
    base = alt.Chart(charts.data(rows))
    x = charts.whole("span", rows, "span")
    color = alt.value(charts.color(charts.STUDENT))
    value, error = promised.value or 0.0, promised.error or 0.0
    band = {"value": value, "low": value - _HALF * error, "high": value + _HALF * error}
    line = alt.Chart(charts.data([band]))
    axis = alt.Y("value:Q", title=None, scale=alt.Scale(zero=False))
    return charts.draw(
        line.mark_rect(opacity=0.15).encode(y=alt.Y("low:Q", title=None), y2="high:Q", color=alt.value(charts.MUTED)),
        line.mark_rule(strokeDash=[4, 4]).encode(y=axis, color=alt.value(charts.MUTED)),
        base.mark_rule(strokeWidth=3, opacity=0.35).encode(x=x, y=alt.Y("low:Q", title=None), y2="high:Q", color=color),
        base.mark_point(size=70, strokeWidth=2, ariaRoleDescription="data point").encode(
            x=x,
            y=axis,
            stroke=color,
            fill=alt.condition("datum.ours", color, alt.value("var(--card)")),
            description="told:N",
        ),
        height=_HEIGHT,
    )


def _by_span(found: Watched, promised: list[WatchedMetric]) -> Table:
    headings = [f"{each.task} {each.metric}" for each in promised]
    first = (Cell("promised"), Cell(""), Cell(""), *(Cell(told(each)) for each in promised))
    rows = (
        (
            Cell(span.span),
            Cell(str(span.version)),
            page.count(span.rows),
            *(Cell(told(shown(span, each))) for each in promised),
        )
        for span in reversed(_all(found))
    )
    numbers = (Heading(name, numeric=True) for name in ("examples", *headings))
    return Table(
        "All examples, the newest span first",
        (Heading("span"), Heading("version"), *numbers),
        (first, *rows),
        name="spans",
    )


def _slices(found: Watched) -> Section:
    """What was promised in each slice, and what the spans since the push show together."""
    sliced = [each for each in found.promise.metrics if each.slice]
    alerted = {(each.subject, each.measure, each.slice) for each in found.alerts}
    rows = []
    for each in sliced:
        mean, error, examples = _together([shown(span, each) for span in found.spans])
        bad = (each.task, each.metric, each.slice) in alerted
        rows.append(
            (
                Cell(each.slice),
                Cell(each.task),
                Cell(each.metric),
                page.number(each.value),
                page.number(mean) if mean is not None else Cell("too few"),
                page.number(error) if error is not None else page.NOTHING,
                page.count(examples),
                Cell("alert" if bad else "quiet", kind="fail" if bad else "pass"),
            )
        )
    words = (Heading("slice"), Heading("task"), Heading("metric"))
    numbers = (Heading(name, numeric=True) for name in ("promised", "since the push", "standard error", "examples"))
    table = Table(
        "Slices, all spans of this version together",
        (*words, *numbers, Heading("state")),
        tuple(rows),
        sortable=True,
        name="slices",
    )
    lead = "Per task and slice, against what the gate saw." if rows else "The surface has no slices."
    return Section("slices", "Slices", lead, tables=(table,) if rows else ())


def _together(parts: Iterable[WatchedMetric | None]) -> tuple[float | None, float | None, int]:
    """The mean over examples, its standard error, and how many they are."""
    known = [(each.examples, each.value, each.error) for each in parts if each is not None and each.value is not None]
    examples = sum(count for count, _, _ in known)
    if not examples:
        return None, None, 0
    mean = sum(count * value for count, value, _ in known) / examples
    error = sum((count * (error or 0.0)) ** 2 for count, _, error in known) ** 0.5 / examples
    return mean, error, examples


def _drift(found: Watched) -> Section:
    last = found.spans[-1]
    rows = tuple(
        (
            Cell(each.column),
            Cell(each.distance.value),
            page.number(each.value),
            page.number(each.threshold),
            Cell("over" if each.over else "under", kind="fail" if each.over else "pass"),
        )
        for each in last.drift
    )
    columns = (
        Heading("column"),
        Heading("distance"),
        Heading(last.span, numeric=True),
        Heading("threshold", numeric=True),
    )
    table = Table("Drift in the last span", (*columns, Heading("state")), rows, sortable=True, name="drift")
    lead = "How far columns, predictions and soft labels are from what the gate judged the model on."
    few = () if rows else (f"{last.span} has too few examples to tell drift from chance.",)
    return Section("drift", "Drift", lead, tables=(table,) if rows else (), notes=few)


def _coverage(found: Watched) -> Section:
    features = sorted(found.promise.coverage)
    rows = (
        (Cell(span.span), *(page.share(span.coverage.get(name)) for name in features)) for span in reversed(found.spans)
    )
    first = (Cell("at the push"), *(page.share(found.promise.coverage[name]) for name in features))
    columns = (Heading("span"), *(Heading(name, numeric=True) for name in features))
    table = Table("The share of values that have an embedding", columns, (first, *rows), name="coverage")
    lead = "How much of what comes the vocabularies know." if features else "No feature has a vocabulary."
    return Section("coverage", "Coverage of ids", lead, tables=(table,) if features else ())
