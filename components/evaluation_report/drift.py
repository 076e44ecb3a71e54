"""How soft labels move from one labelling to the next."""

from __future__ import annotations

from datetime import datetime

import altair as alt

from components.evaluation_report import charts, page
from components.evaluation_report.charts import TEACHER
from components.evaluation_report.page import Cell, Figure, Heading, Section, Table
from components.evaluation_report.sources import Sources
from components.evaluation_report.times import when_text
from contracts.label_report import LabelReport, TaskReport
from schema.surface import TRAIN_SPLIT

_HEIGHT = 200
Labelling = tuple[datetime | None, LabelReport]


def section(sources: Sources) -> Section:
    """The section on drift: one band per teacher task, over all labellings so far."""
    reports = list(sources.label_reports)
    tasks = list(_split_tasks(reports[-1][1])) if reports else []
    if len(reports) < 2:
        return Section(
            "drift",
            "Drift of soft labels",
            "How the teacher's labels move from one span of examples to the next.",
            notes=("This is the first labelling: there is nothing to compare with yet.",),
        )
    return Section(
        "drift",
        "Drift of soft labels",
        f"The teacher's labels of the training split over {len(reports)} labellings, the newest last.",
        figures=tuple(_figure(task, reports) for task in tasks),
        tables=(_table(tasks, reports),),
        notes=_notes(reports),
    )


def _split_tasks(report: LabelReport) -> dict[str, TaskReport]:
    return report.splits.get(TRAIN_SPLIT, report.overall).tasks


def shift(newest: TaskReport, before: TaskReport) -> float | None:
    """The change of the mean, in standard deviations of the labelling before."""
    if newest.mean is None or before.mean is None or not before.std:
        return None
    return (newest.mean - before.mean) / before.std


def _figure(task: str, reports: list[Labelling]) -> Figure:
    found = [(place + 1, when, _split_tasks(report).get(task)) for place, (when, report) in enumerate(reports)]
    rows: list[charts.Row] = [
        {
            "labelling": place,
            "low": each.quantiles["0.05"],
            "middle": each.quantiles["0.5"],
            "high": each.quantiles["0.95"],
            "told": f"labelling {place}, {when_text(when)}: median {each.quantiles['0.5']:.4f}",
        }
        for place, when, each in found
        if each is not None and each.quantiles
    ]
    newest, before = (_split_tasks(report).get(task) for _, report in (reports[-1], reports[-2]))
    moved = shift(newest, before) if newest and before else None
    note = "Median, and the band from 5% to 95%."
    if moved is not None:
        note += f" The mean moved by {moved:+.3f} standard deviations since the labelling before."
    return Figure(
        title=task,
        note=note,
        svg=_plot(rows),
        table=Table(
            caption=f"Soft labels of {task} by labelling",
            columns=(Heading("labelling"), *(Heading(name, numeric=True) for name in ("5%", "median", "95%"))),
            rows=tuple(
                (Cell(str(row["labelling"])), *(page.number(row[key]) for key in ("low", "middle", "high")))
                for row in rows
            ),
            folded=True,
            name=f"drift-{task}",
        ),
    )


def _plot(rows: list[charts.Row]) -> str:
    base = alt.Chart(charts.data(rows))
    x = charts.whole("labelling", rows, "labelling")
    scale = alt.Scale(zero=False)
    return charts.draw(
        base.mark_area(opacity=0.2, color=charts.color(TEACHER)).encode(
            x=x, y=alt.Y("low:Q", title=None, scale=scale), y2="high:Q"
        ),
        base.mark_line(color=charts.color(TEACHER)).encode(x=x, y=alt.Y("middle:Q", title=None)),
        base.mark_point(color=charts.color(TEACHER), size=50, ariaRoleDescription="data point").encode(
            x=x, y=alt.Y("middle:Q", title=None), description="told:N"
        ),
        height=_HEIGHT,
    )


def _table(tasks: list[str], reports: list[Labelling]) -> Table:
    rows = []
    for task in tasks:
        before = None
        for place, (when, report) in enumerate(reports):
            found = _split_tasks(report).get(task)
            if found is None:
                continue
            rows.append(
                (
                    Cell(task),
                    Cell(str(place + 1), place + 1),
                    Cell(when_text(when)),
                    page.count(found.count),
                    page.number(found.mean),
                    page.number(found.std),
                    page.NOTHING if before is None else page.number(shift(found, before), 3, signed=True),
                    page.share(report.overall.mean_fill_rate),
                )
            )
            before = found
    numbers = ("examples", "mean", "std", "shift of the mean, in std", "mean fill rate")
    return Table(
        caption="Soft labels of the training split, labelling by labelling",
        columns=(
            Heading("teacher task"),
            Heading("labelling", numeric=True),
            Heading("when"),
            *(Heading(name, numeric=True) for name in numbers),
        ),
        rows=tuple(rows),
        sortable=True,
        name="drift",
    )


def _notes(reports: list[Labelling]) -> tuple[str, ...]:
    if len({report.teacher_fingerprint for _, report in reports}) == 1:
        return ()
    return ("The teacher changed between these labellings: part of what moved is the teacher, not the data.",)
