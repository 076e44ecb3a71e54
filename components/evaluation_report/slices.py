"""Where the student is better or worse than the control: slice by slice."""

from __future__ import annotations

import altair as alt

from components.evaluation_report import charts, page
from components.evaluation_report.charts import CONTROL, LAST_BLESSED, STUDENT
from components.evaluation_report.page import Cell, Figure, Heading, Section, Table
from components.evaluation_report.sources import Sources
from evaluation.results import OVERALL, SliceKey, slice_text

# More slices than this are no picture any more; the table has the others.
MOST_DRAWN = 24
# With more rows than this, the page would be too large to send around.
MOST_LISTED = 1500
_ROW, _AXIS = 24, 32
_SIGNED = "datum.value === 0 ? '0' : format(datum.value, '+.3~f')"
_NUMBERS = (
    "examples",
    "positives",
    "control",
    "student",
    "student minus control",
    "95% interval",
    "student minus last blessed",
    "95% interval",
)


def section(sources: Sources) -> Section:
    """The section on slices: a forest plot per task, and one table of everything."""
    keys = sources.slice_keys()
    drawn = [OVERALL, *_largest(sources, keys, MOST_DRAWN - 1)]
    listed = [OVERALL, *_largest(sources, keys, MOST_LISTED // len(sources.judged) - 1)]
    notes = []
    if not keys:
        notes.append("The surface names no slice; `slices:` in surface.yaml adds some.")
    for what, some in (("plots show", drawn), ("table holds", listed)):
        if len(some) <= len(keys):
            notes.append(f"The {what} the {len(some) - 1:,} largest of {len(keys):,} slices.")
    figures = [_figure(sources, task, drawn) for task in sources.judged]
    return Section(
        name="slices",
        title="Slices",
        lead="Student minus control, with the paired 95% interval, in each part of the evaluation split. "
        "Right of the line, the student is better.",
        figures=tuple(figure for figure in figures if figure is not None) if keys else (),
        tables=(_table(sources, listed),),
        notes=tuple(notes),
    )


def _largest(sources: Sources, keys: list[SliceKey], most: int) -> list[SliceKey]:
    """The slices with the most examples, in the order they had."""
    largest = set(sorted(keys, key=lambda key: -_examples(sources, key))[:most])
    return [key for key in keys if key in largest]


def _examples(sources: Sources, key: SliceKey) -> int:
    return max(sources.counts(task, key)[0] for task in sources.judged)


def _figure(sources: Sources, task: str, keys: list[SliceKey]) -> Figure | None:
    found = {key: change for key in keys if (change := sources.change(task, CONTROL, key)) and change.value is not None}
    if not found:
        return None
    metric = sources.metric(task).title
    below = [key for key, change in found.items() if change.upper is not None and change.upper < 0]
    note = f"{metric}, {len(found)} slices with the overall one."
    if below:
        note += f" Worse, beyond the interval: {'; '.join(_name(key) for key in below)}."
    rows = [
        {
            "slice": _name(key),
            "change": change.value,
            "lower": change.lower,
            "upper": change.upper,
            "told": f"{_name(key)}: {page.in_words(change, signed=True)}",
            "size": 110 if key == OVERALL else 60,
        }
        for key, change in found.items()
    ]
    return Figure(
        title=task,
        note=note,
        svg=_plot(rows),
        table=Table(
            caption=f"Student minus control in {metric} of {task}, by slice",
            columns=(
                Heading("slice"),
                Heading("change", numeric=True),
                Heading("95% interval", numeric=True),
            ),
            rows=tuple(
                (Cell(_name(key)), page.measured(change, signed=True), page.interval(change, signed=True))
                for key, change in found.items()
            ),
            folded=True,
            name=f"forest-{task}",
        ),
    )


def _plot(rows: list[charts.Row]) -> str:
    base = alt.Chart(charts.data(rows))
    y = charts.names("slice", rows)
    layers = (
        alt.Chart(charts.data([{"zero": 0}])).mark_rule(color=charts.MUTED).encode(x="zero:Q"),
        base.mark_rule(strokeWidth=3, opacity=0.45, color=charts.color(STUDENT)).encode(
            x=alt.X("lower:Q", title=None, axis=alt.Axis(labelExpr=_SIGNED)), x2="upper:Q", y=y
        ),
        base.mark_point(color=charts.color(STUDENT), ariaRoleDescription="data point").encode(
            x="change:Q", y=y, size=alt.Size("size:Q", scale=None, legend=None), description="told:N"
        ),
    )
    return charts.draw(*layers, height=_ROW * len(rows) + _AXIS)


def _name(key: SliceKey) -> str:
    return slice_text(key) or "overall"


def _table(sources: Sources, keys: list[SliceKey]) -> Table:
    return Table(
        caption="All tasks in all slices; a click on a column's name sorts",
        columns=(Heading("slice"), Heading("task"), *(Heading(name, numeric=True) for name in _NUMBERS)),
        rows=tuple(_row(sources, key, task) for key in keys for task in sources.judged),
        sortable=True,
        name="slices",
    )


def _row(sources: Sources, key: SliceKey, task: str) -> tuple[Cell, ...]:
    examples, positives = sources.counts(task, key)
    models = sources.measured(task, key)
    against_control, against_last = (sources.change(task, model, key) for model in (CONTROL, LAST_BLESSED))
    return (
        Cell(_name(key)),
        Cell(task),
        page.count(examples),
        page.count(positives),
        page.measured(models.get(CONTROL)),
        page.measured(models.get(STUDENT)),
        page.measured(against_control, signed=True),
        page.interval(against_control, signed=True),
        page.measured(against_last, signed=True),
        page.interval(against_last, signed=True),
    )
