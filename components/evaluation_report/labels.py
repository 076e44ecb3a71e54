"""What the teacher saw of the target, and what it said beside the hard labels."""

from __future__ import annotations

import math

import altair as alt

from components.evaluation_report import charts, page
from components.evaluation_report.charts import TEACHER
from components.evaluation_report.page import Cell, Figure, Heading, Section, Table
from components.evaluation_report.sources import HardLabels, Sources
from contracts.label_report import LabelReport, SplitReport, TaskReport
from schema.base import TaskKind
from schema.metrics import main_metric
from schema.surface import EVAL_SPLIT, Surface

_ROW, _AXIS = 34, 52
METRIC_OF_BINARY = main_metric(TaskKind.BINARY).name
# Of a multiclass task one number for each row is kept.
_AXES: dict[TaskKind | None, str] = {
    TaskKind.BINARY: "probability",
    TaskKind.MULTICLASS: "log of the likeliest class's probability",
}
_MOST_FILLED = 20
_SOFT, _HARD = "soft labels", "hard labels"
# Outer and inner ends of the bars, and the middle, as the label report and TFDV name them.
_PLACES = ("lowest", "lower", "middle", "upper", "highest")
_SOFT_PLACES = ("0.05", "0.25", "0.5", "0.75", "0.95")


def section(sources: Sources) -> Section:
    """The section on soft labels."""
    if sources.labels is None:
        return _bare(notes=("There is no label report.",))
    split = sources.labels.splits.get(EVAL_SPLIT, sources.labels.overall)
    figures = [_fill_figure(sources.labels.overall)] if sources.labels.overall.features else []
    figures += [_task_figure(sources, task, found, split) for task, found in split.tasks.items() if found.quantiles]
    return _bare(
        lead=_lead(sources.labels), figures=tuple(figures), tables=(_agreement_table(sources.labels),), notes=()
    )


def _bare(
    *,
    lead: str = "",
    figures: tuple[Figure, ...] = (),
    tables: tuple[Table, ...] = (),
    notes: tuple[str, ...] = (),
) -> Section:
    return Section("soft-labels", "Soft labels", lead, figures=figures, tables=tables, notes=notes)


def _lead(labels: LabelReport) -> str:
    overall = labels.overall
    bad = sum(overall.bad.values())
    set_aside = f" {bad:,} were set aside as dead letters." if bad else ""
    return f"The teacher labelled {overall.labelled:,} of {overall.read:,} examples.{set_aside}"


def _fill_figure(overall: SplitReport) -> Figure:
    ordered = sorted(overall.features.items(), key=lambda item: -(item[1].fill_rate or 0))
    filled = [(name, each.fill_rate) for name, each in ordered if each.fill_rate]
    always = sum(rate == 1 for _, rate in filled)
    note = (
        f"Of the teacher's {len(ordered)} inputs, {always} never exist on the target and always take their default; "
        f"{len(ordered) - len(filled)} are always there."
    )
    rows = [
        {"input": name, "rate": rate, "told": f"{name}: filled in {rate:.1%}"} for name, rate in filled[:_MOST_FILLED]
    ]
    return Figure(
        title="Filled inputs",
        note=note,
        svg=_fill_plot(rows) if rows else "",
        table=Table(
            caption="The teacher's inputs, and how often a default stood in",
            columns=(
                Heading("input"),
                *(Heading(name, numeric=True) for name in ("fill rate", "filled", "present")),
            ),
            rows=tuple(
                (Cell(name), page.share(each.fill_rate), page.count(each.filled), page.count(each.present))
                for name, each in ordered
            ),
            folded=True,
            name="fill-rates",
        ),
    )


def _fill_plot(rows: list[charts.Row]) -> str:
    bars = (
        alt.Chart(charts.data(rows))
        .mark_bar(color=charts.color(TEACHER), height=12, ariaRoleDescription="data point")
        .encode(
            x=alt.X("rate:Q", title="fill rate", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="%")),
            y=charts.names("input", rows),
            description="told:N",
        )
    )
    return charts.draw(bars, height=22 * len(rows) + _AXIS)


def _task_figure(sources: Sources, teacher_task: str, found: TaskReport, split: SplitReport) -> Figure:
    """One teacher task: its soft labels, and the hard labels of the task that distils it."""
    teacher = sources.surface.teacher
    kind = teacher.tasks[teacher_task].kind if teacher is not None else None
    binary = kind is TaskKind.BINARY
    task = _learner(sources.surface, teacher_task)
    rows = [_soft_row(found, binary)]
    counterpart = split.counterparts.get(task)
    hard = sources.hard_labels.get(task)
    if hard is not None and not binary and hard.deciles:
        rows.append(_hard_row(hard))
    elif counterpart is not None and counterpart.mean_label is not None:
        rows.append(_mean_row(counterpart.mean_label, binary))
    return Figure(
        title=teacher_task,
        note=_task_note(task, rows),
        svg=_spread_plot(rows, _AXES.get(kind, "value")),
        table=_spread_table(teacher_task, rows),
    )


def _learner(surface: Surface, teacher_task: str) -> str:
    """The task or non-serving head that distils a teacher task; empty if none does."""
    names = [name for name, each in surface.distillations().items() if each.teacher_task == teacher_task]
    return names[0] if names else ""


def _task_note(task: str, rows: list[charts.Row]) -> str:
    learner = f"Learned by {task}." if task else "No task learns it."
    alone = "" if len(rows) > 1 else " The target has no hard label of it."
    return " ".join([learner, *(row["drawn"] for row in rows)]) + alone


def _soft_row(found: TaskReport, binary: bool) -> charts.Row:
    values = [found.quantiles[place] for place in _SOFT_PLACES]
    if binary:
        values = [1 / (1 + math.exp(-value)) for value in values]
    unit = ", as probabilities" if binary else ""
    drawn = f"Soft labels{unit}: the median, 25% to 75%, and 5% to 95%."
    return _row(_SOFT, values, "5%, 25%, 50%, 75%, 95%", drawn)


def _hard_row(hard: HardLabels) -> charts.Row:
    values = [hard.deciles[place] for place in (1, 3, 5, 7, 9)]
    return _row(_HARD, values, "10%, 30%, 50%, 70%, 90%", "Hard labels: the median, 30% to 70%, and 10% to 90%.")


def _row(name: str, values: list[float], places: str, drawn: str) -> charts.Row:
    told = f"{name}, at {places}: {', '.join(f'{value:.4g}' for value in values)}"
    return {"labels": name, **dict(zip(_PLACES, values, strict=True)), "places": places, "told": told, "drawn": drawn}


def _mean_row(mean: float, binary: bool) -> charts.Row:
    """All that is known of a hard label whose distribution is not."""
    what = "positive rate" if binary else "mean"
    return {"labels": _HARD, "middle": mean, "told": f"{what} {mean:.4f}", "drawn": f"Hard labels: the {what}."}


def _spread_plot(rows: list[charts.Row], unit: str) -> str:
    base = alt.Chart(charts.data(rows))
    y = charts.names("labels", rows)
    x = alt.Scale(zero=False)
    told = alt.Description("told:N")
    color = alt.Color(
        "labels:N", scale=alt.Scale(domain=[_SOFT, _HARD], range=[charts.color(TEACHER), charts.INK]), legend=None
    )
    return charts.draw(
        base.mark_rule(strokeWidth=2, opacity=0.5).encode(
            x=alt.X("lowest:Q", title=unit, scale=x), x2="highest:Q", y=y, color=color
        ),
        base.mark_rule(strokeWidth=8, opacity=0.5).encode(
            x=alt.X("lower:Q", title=unit), x2="upper:Q", y=y, color=color
        ),
        base.mark_point(size=70, ariaRoleDescription="data point").encode(
            x=alt.X("middle:Q", title=unit), y=y, color=color, description=told
        ),
        height=_ROW * len(rows) + _AXIS,
    )


def _spread_table(teacher_task: str, rows: list[charts.Row]) -> Table:
    return Table(
        caption=f"Distribution of {teacher_task}; where there is one number, it is the mean",
        columns=(Heading("labels"), Heading("at"), *(Heading(name, numeric=True) for name in _PLACES)),
        rows=tuple(
            (
                Cell(row["labels"]),
                Cell(row.get("places", "mean")),
                *(page.number(row[key]) if key in row else page.NOTHING for key in _PLACES),
            )
            for row in rows
        ),
        folded=True,
        name=f"labels-{teacher_task}",
    )


def _as_probability(logit: float | None) -> Cell:
    """A mean logit as the probability that it stands for; not the mean of the probabilities."""
    return page.NOTHING if logit is None else page.number(1 / (1 + math.exp(-logit)))


def _agreement_table(labels: LabelReport) -> Table:
    """How the soft labels agree with the hard ones, split by split."""
    numbers = (
        *("agreement", "rows", "mean hard label", "mean soft label", "mean as a probability", "std of soft labels"),
    )
    rows = []
    for name, split in labels.splits.items():
        for task, found in split.counterparts.items():
            soft = split.tasks[found.teacher_task]
            rows.append(
                (
                    Cell(task),
                    Cell(name),
                    Cell(found.metric or "\N{EN DASH}"),
                    page.number(found.value),
                    page.count(found.rows),
                    page.number(found.mean_label),
                    page.number(soft.mean),
                    _as_probability(soft.mean) if found.metric == METRIC_OF_BINARY else page.NOTHING,
                    page.number(soft.std),
                )
            )
    return Table(
        caption="Soft labels against hard labels (binary soft labels are logits)",
        columns=(
            *map(Heading, ("task", "split", "metric")),
            *(Heading(name, numeric=True) for name in numbers),
        ),
        rows=tuple(rows),
        name="agreement",
    )
