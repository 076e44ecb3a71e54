"""How each task's metric went from run to run."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import altair as alt

from components.evaluation_report import charts, page
from components.evaluation_report.charts import CONTROL, STUDENT
from components.evaluation_report.page import Cell, Figure, Heading, Section, Table
from components.evaluation_report.sources import Sources
from components.evaluation_report.times import when_text
from contracts.decision import Decision, Measurement, MetricRow

_HEIGHT = 220
Dated = tuple[int, datetime | None, Decision]


def section(sources: Sources) -> Section:
    """The section on earlier runs."""
    decisions: list[Dated] = [(place, *each) for place, each in enumerate(sources.decisions, start=1)]
    blessed = sum(decision.blessed for _, _, decision in decisions)
    if len(decisions) < 2:
        lead = "Each run's metrics beside those of the runs before it."
        figures: tuple[Figure, ...] = ()
        notes = ("This is the first run under this root.",)
    else:
        lead = f"{len(decisions)} runs, {blessed} of them blessed; the last one is this run. Hollow: not blessed."
        figures = tuple(_figure(sources, task, decisions) for task in sources.judged)
        notes = ("Each run is judged on its own evaluation examples, so that what moves may be the data.",)
    return Section(
        name="history",
        title="Runs",
        lead=lead,
        models=(STUDENT, CONTROL) if figures else (),
        figures=figures,
        tables=(_table(sources, decisions),),
        notes=notes,
    )


def _row_of(decision: Decision, task: str, metric: str) -> MetricRow | None:
    rows = (row for row in decision.metrics if (row.task, row.metric, row.slice) == (task, metric, ""))
    return next(rows, None)


def _points(task: str, metric: str, decisions: list[Dated]) -> Iterator[tuple[Dated, str, Measurement]]:
    for dated in decisions:
        row = _row_of(dated[2], task, metric)
        for model, found in ((STUDENT, row.student), (CONTROL, row.control)) if row else ():
            if found is not None and found.value is not None:
                yield dated, model, found


def _figure(sources: Sources, task: str, decisions: list[Dated]) -> Figure:
    metric = sources.metric(task)
    points = list(_points(task, metric.name, decisions))
    rows = [
        {
            "run": place,
            "model": model,
            "value": found.value,
            "lower": found.lower,
            "upper": found.upper,
            "blessed": decision.blessed or model == CONTROL,
            "told": f"run {place}, {when_text(when)}, {model}: {page.in_words(found)}",
        }
        for (place, when, decision), model, found in points
    ]
    return Figure(
        title=task,
        note=f"{metric.title} by run; bars are 95% intervals of the student.",
        svg=_plot(rows),
        table=Table(
            caption=f"{metric.title} of {task} by run",
            columns=(Heading("run", numeric=True), Heading("model"), Heading(metric.title, numeric=True)),
            rows=tuple(
                (Cell(str(place), place), Cell(model), page.measured(found)) for (place, _, _), model, found in points
            ),
            folded=True,
            name=f"history-{task}",
        ),
    )


def _plot(rows: list[charts.Row]) -> str:
    base = alt.Chart(charts.data(rows))
    x = charts.whole("run", rows, "run")
    y = alt.Y("value:Q", title=None, scale=alt.Scale(zero=False))
    color = charts.model_color((STUDENT, CONTROL))
    return charts.draw(
        base.mark_rule(strokeWidth=3, opacity=0.35)
        .transform_filter(f"datum.model === '{STUDENT}'")
        .encode(x=x, y=alt.Y("lower:Q", title=None), y2="upper:Q", color=color),
        base.mark_line(strokeWidth=1.5, opacity=0.8).encode(x=x, y=y, color=color),
        base.mark_point(size=70, strokeWidth=2, ariaRoleDescription="data point").encode(
            x=x,
            y=y,
            stroke=alt.Stroke("model:N", scale=color["scale"], legend=None),
            fill=alt.condition("datum.blessed", color, alt.value("var(--card)")),
            shape=charts.model_shape(),
            description="told:N",
        ),
        height=_HEIGHT,
    )


def _table(sources: Sources, decisions: list[Dated]) -> Table:
    metrics = [(task, sources.metric(task).name) for task in sources.judged]
    rows = []
    for place, when, decision in reversed(decisions):
        found = [_row_of(decision, task, metric) for task, metric in metrics]
        rows.append(
            (
                Cell(str(place), place),
                Cell(when_text(when)),
                Cell("blessed" if decision.blessed else "not blessed", kind="pass" if decision.blessed else "fail"),
                *(page.measured(row.student) if row else page.NOTHING for row in found),
                Cell(decision.sentence),
            )
        )
    return Table(
        caption="All runs, the newest first: the student's metrics, and why",
        columns=(
            Heading("run", numeric=True),
            Heading("when"),
            Heading("decision"),
            *(Heading(f"{task} {metric}", numeric=True) for task, metric in metrics),
            Heading("why"),
        ),
        rows=tuple(rows),
        sortable=True,
        name="history",
    )
