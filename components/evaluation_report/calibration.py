"""Whether predictions mean what they say: mean prediction against mean label, bin by bin."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import altair as alt

from components.evaluation_report import charts, page
from components.evaluation_report.charts import CONTROL, LAST_BLESSED, STUDENT
from components.evaluation_report.page import Cell, Figure, Heading, Section, Table
from components.evaluation_report.sources import Bin, Sources
from contracts.decision import Measurement
from schema.base import TaskKind
from schema.metrics import CALIBRATION

_HEIGHT = 300


def section(sources: Sources) -> Section:
    """The section on calibration: one curve per model and task."""
    curves = {
        task: {m: sources.curves[m, task] for m in (CONTROL, LAST_BLESSED, STUDENT) if (m, task) in sources.curves}
        for task in sources.surface.tasks
    }
    missing = [task for task, models in curves.items() if STUDENT not in models]
    return Section(
        name="calibration",
        title="Calibration",
        lead="Mean label against mean prediction, in bins that hold about equally many examples. "
        "On the diagonal, predictions are right on average; below it, they are too high.",
        models=tuple(m for m in (STUDENT, CONTROL, LAST_BLESSED) if any(m in models for models in curves.values())),
        figures=tuple(_figure(sources, task, models) for task, models in curves.items() if task not in missing),
        notes=(f"There is no curve of {', '.join(missing)}.",) if missing else (),
    )


def _figure(sources: Sources, task: str, models: Mapping[str, Sequence[Bin]]) -> Figure:
    binary = sources.surface.tasks[task].kind is TaskKind.BINARY
    ratio = sources.student(task, CALIBRATION.name)
    sums = f"The student predicts {page.in_words(ratio)} times what the labels add up to." if ratio else ""
    bars = " Bars are Wilson's 95% intervals of the student's bins." if binary else ""
    return Figure(
        title=task,
        note=(sums + bars).strip(),
        svg=_plot(models, binary),
        table=Table(
            caption=f"Calibration of {task}, bin by bin",
            columns=(
                Heading("model"),
                *(
                    Heading(name, numeric=True)
                    for name in ("examples", "mean prediction", "mean label", "95% interval")
                ),
            ),
            rows=tuple(_row(model, each, binary) for model, bins in models.items() for each in bins),
            folded=True,
            name=f"calibration-{task}",
        ),
    )


def wilson(rate: float, count: float) -> tuple[float, float]:
    """The 95% interval of a rate of `count` trials (Wilson 1927)."""
    z = page.NORMAL_975
    middle = (rate + z * z / (2 * count)) / (1 + z * z / count)
    half = z * math.sqrt(rate * (1 - rate) / count + z * z / (4 * count * count)) / (1 + z * z / count)
    return middle - half, middle + half


def _interval(each: Bin, binary: bool) -> Measurement | None:
    if not binary:
        return None
    lower, upper = wilson(min(max(each.label, 0.0), 1.0), each.examples)
    return Measurement(value=each.label, lower=lower, upper=upper)


def _row(model: str, each: Bin, binary: bool) -> tuple[Cell, ...]:
    return (
        Cell(model),
        page.count(round(each.examples)),
        page.number(each.prediction),
        page.number(each.label),
        page.interval(_interval(each, binary)),
    )


def _plot(models: Mapping[str, Sequence[Bin]], binary: bool) -> str:
    rows: list[charts.Row] = []
    for model, bins in models.items():
        for each in bins:
            found = _interval(each, binary) if model == STUDENT else None
            rows.append(
                {
                    "model": model,
                    "prediction": each.prediction,
                    "label": each.label,
                    "lower": found.lower if found else None,
                    "upper": found.upper if found else None,
                    "told": f"{model}: predicted {each.prediction:.4f}, found {each.label:.4f}",
                }
            )
    values = [row[name] for row in rows for name in ("prediction", "label", "lower", "upper") if row[name] is not None]
    ends = [min(0.0, *values) if binary else min(values), max(values)]
    scale = alt.Scale(domain=ends, nice=True)
    x = alt.X("prediction:Q", title="mean prediction", scale=scale)
    y = alt.Y("label:Q", title="mean label", scale=scale)
    base = alt.Chart(charts.data(rows))
    diagonal = alt.Chart(charts.data([{"prediction": end, "label": end} for end in ends]))
    return charts.draw(
        diagonal.mark_line(color=charts.MUTED, strokeDash=[4, 3], strokeWidth=1).encode(x=x, y=y),
        base.mark_rule(strokeWidth=3, opacity=0.35, color=charts.color(STUDENT)).encode(
            x=x, y=alt.Y("lower:Q", title="mean label"), y2="upper:Q"
        ),
        base.mark_line(strokeWidth=1.5, opacity=0.8).encode(x=x, y=y, color=charts.model_color()),
        base.mark_point(size=50, ariaRoleDescription="data point").encode(
            x=x, y=y, color=charts.model_color(), shape=charts.model_shape(), description="told:N"
        ),
        height=_HEIGHT,
    )
