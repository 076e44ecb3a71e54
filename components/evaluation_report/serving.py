"""What the student costs a server, beside other models."""

from __future__ import annotations

import altair as alt

from components.evaluation_report import charts, page
from components.evaluation_report.charts import STUDENT
from components.evaluation_report.page import Cell, Figure, Heading, Section, Table
from components.evaluation_report.sources import Sources
from contracts.decision import Verdict
from contracts.serving_report import Latency, ServingReport

_ROW, _AXIS = 30, 52


def section(sources: Sources) -> Section:
    """The section on serving."""
    report = sources.serving
    if report is None:
        return Section("serving", "Serving", "", notes=("There is no serving report.",))
    others = dict.fromkeys(each.against for each in report.latencies)
    return Section(
        name="serving",
        title="Serving",
        lead=f"{report.sentence} Latencies are measured in turn in one process, as a server loads the models.",
        figures=tuple(_figure(other, [e for e in report.latencies if e.against == other]) for other in others),
        tables=(_latency_table(report), _cost_table(report), *([_budget_table(report)] if report.budgets else [])),
    )


def _figure(other: str, found: list[Latency]) -> Figure:
    name = other.replace("_", " ")
    worst = max(each.p99_ratio for each in found)
    rows = [
        {
            "batch": _batch(each),
            "ratio": each.p99_ratio,
            "limit": each.limit,
            "told": f"{_batch(each)}: {each.p99_ratio:.3f} times the {name}'s p99; at most {each.limit:g} is allowed",
        }
        for each in found
    ]
    return Figure(
        title=f"p99 against the {name}",
        note=f"Student / {name}: at worst {worst:.3f}. Dashed: the limit, {found[0].limit:g}.",
        svg=_plot(rows),
        table=Table(
            caption=f"Ratio of the student's latency to the {name}'s",
            columns=(
                Heading("requests"),
                *(Heading(each, numeric=True) for each in ("p50 ratio", "p99 ratio", "limit")),
            ),
            rows=tuple(
                (
                    Cell(_batch(each)),
                    page.number(each.p50_ratio, 3),
                    page.number(each.p99_ratio, 3),
                    page.number(each.limit, 2),
                )
                for each in found
            ),
            folded=True,
            name=f"latency-{other}",
        ),
    )


def _batch(each: Latency) -> str:
    return f"{each.batch_size} at a time"


def _plot(rows: list[charts.Row]) -> str:
    base = alt.Chart(charts.data(rows))
    y = charts.names("batch", rows)
    x = alt.X("ratio:Q", title="ratio", scale=alt.Scale(zero=False))
    limit = alt.Chart(charts.data(rows[:1])).mark_rule(color=charts.MUTED, strokeDash=[4, 3])
    even = alt.Chart(charts.data([{"ratio": 1}])).mark_rule(color=charts.MUTED)
    return charts.draw(
        even.encode(x=x),
        limit.encode(x=alt.X("limit:Q", title="ratio")),
        base.mark_point(color=charts.color(STUDENT), ariaRoleDescription="data point").encode(
            x=x, y=y, description="told:N"
        ),
        height=_ROW * len(rows) + _AXIS,
    )


def _latency_table(report: ServingReport) -> Table:
    numbers = ("student p50, ms", "other p50, ms", "student p99, ms", "other p99, ms", "p99 ratio", "limit", "calls")
    return Table(
        caption="Latency",
        columns=(
            Heading("against"),
            Heading("requests"),
            *(Heading(name, numeric=True) for name in numbers),
        ),
        rows=tuple(
            (
                Cell(each.against.replace("_", " ")),
                Cell(_batch(each)),
                page.number(each.student_p50_ms, 3),
                page.number(each.other_p50_ms, 3),
                page.number(each.student_p99_ms, 3),
                page.number(each.other_p99_ms, 3),
                page.number(each.p99_ratio, 3),
                page.number(each.limit, 2),
                page.count(each.calls),
            )
            for each in report.latencies
        ),
        name="latency",
    )


def _cost_table(report: ServingReport) -> Table:
    numbers = ("size, MB", "loading, s", "first request, s")
    return Table(
        caption="Before the first answer",
        columns=(Heading("model"), *(Heading(name, numeric=True) for name in numbers)),
        rows=tuple(
            (
                Cell(model.replace("_", " ")),
                page.number(cost.megabytes, 2),
                page.NOTHING if cost.load_seconds is None else page.number(cost.load_seconds, 3),
                page.NOTHING if cost.first_request_seconds is None else page.number(cost.first_request_seconds, 3),
            )
            for model, cost in report.models.items()
        ),
        name="costs",
    )


def _budget_table(report: ServingReport) -> Table:
    return Table(
        caption="Budgets of the student",
        columns=(
            Heading("budget"),
            Heading("unit"),
            Heading("found", numeric=True),
            Heading("allowed", numeric=True),
            Heading("verdict"),
        ),
        rows=tuple(
            (
                Cell(each.what),
                Cell(each.unit),
                page.number(each.found, 3),
                page.number(each.most, 3),
                page.verdict(Verdict.PASS if each.found <= each.most else Verdict.FAIL),
            )
            for each in report.budgets
        ),
        name="budgets",
    )
