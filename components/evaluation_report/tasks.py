"""Each task at a glance: its metric for every model, with intervals."""

from __future__ import annotations

import altair as alt

from components.evaluation_report import charts, page
from components.evaluation_report.charts import CONTROL, LAST_BLESSED, MODELS, STUDENT, TEACHER
from components.evaluation_report.page import Cell, Figure, Heading, Section, Table
from components.evaluation_report.sources import Sources
from contracts.decision import BoundKind, Measurement
from contracts.roles import PHRASES, ModelRole
from schema.surface import EVAL_SPLIT

# Room for the axis below the rows.
_AXIS = 32


def section(sources: Sources) -> Section:
    """The section on tasks: one dot plot each."""
    found = {task: _measured(sources, task) for task in sources.judged}
    return Section(
        name="tasks",
        title="Tasks",
        lead="Each task's own metric on the evaluation split. Bars are 95% intervals; further right is better.",
        models=tuple(model for model in MODELS if any(model in each for each in found.values())),
        figures=tuple(_figure(sources, task, rows) for task, rows in found.items() if rows),
        notes=_notes(sources, found),
    )


def _measured(sources: Sources, task: str) -> dict[str, Measurement]:
    """By model, in the order of the legend."""
    found = sources.measured(task)
    teacher = teacher_measured(sources, task)
    if teacher is not None:
        found[TEACHER] = teacher
    return {model: found[model] for model in (STUDENT, CONTROL, LAST_BLESSED, TEACHER) if model in found}


def teacher_measured(sources: Sources, task: str) -> Measurement | None:
    """The teacher's own metric on a task's hard labels, as the label report has it."""
    split = sources.labels.splits.get(EVAL_SPLIT) if sources.labels else None
    found = split.counterparts.get(task) if split else None
    if found is None or found.value is None or found.metric != sources.metric(task).name:
        return None
    return Measurement(value=found.value, lower=found.lower, upper=found.upper)


def teacher_is_worse(sources: Sources, task: str) -> bool:
    """Whether the teacher's own metric lies under the control's: its interval where it has one, or its value."""
    teacher, control = teacher_measured(sources, task), sources.measured(task).get(CONTROL)
    if teacher is None or control is None or teacher.value is None or control.value is None:
        return False
    best = teacher.value if teacher.upper is None else teacher.upper
    return best < control.value


def _figure(sources: Sources, task: str, found: dict[str, Measurement]) -> Figure:
    metric = sources.metric(task).title
    examples, positives = sources.counts(task)
    of_them = "" if positives is None else f", {positives:,} of them positive"
    change = sources.change(task, CONTROL)
    against = "" if change is None else f" Student minus control: {page.in_words(change, signed=True)}."
    return Figure(
        title=task,
        note=f"{metric} of {examples:,} labelled examples{of_them}.{against}",
        svg=_plot(found, _bound(sources, task)),
        table=_table(sources, task, metric, found),
    )


def _bound(sources: Sources, task: str) -> float | None:
    """The absolute bound on the whole split."""
    bounds = [
        gate.bound
        for gate in sources.decision.gates
        if (gate.task, gate.metric) == (task, sources.metric(task).name)
        and gate.kind is BoundKind.ABSOLUTE
        and gate.slice is None
        and gate.bound is not None
    ]
    return max(bounds, default=None)


def _plot(found: dict[str, Measurement], bound: float | None) -> str:
    rows = [
        {
            "model": model,
            "value": each.value,
            "lower": each.lower,
            "upper": each.upper,
            "told": f"{model}: {page.in_words(each)}",
        }
        for model, each in found.items()
        if each.value is not None
    ]
    x = alt.X("value:Q", title=None, scale=alt.Scale(zero=False, nice=True))
    y = charts.names("model", rows)
    base = alt.Chart(charts.data(rows))
    layers: list[alt.Chart] = [
        base.mark_rule(strokeWidth=3, opacity=0.45).encode(
            x=alt.X("lower:Q", title=None), x2="upper:Q", y=y, color=charts.model_color()
        ),
        base.mark_point(ariaRoleDescription="data point").encode(
            x=x, y=y, color=charts.model_color(), shape=charts.model_shape(), description="told:N"
        ),
    ]
    if bound is not None:
        told = [{"bound": bound, "told": f"at least {bound:g} is asked"}]
        rule = alt.Chart(charts.data(told)).mark_rule(
            strokeDash=[4, 3], color=charts.MUTED, ariaRoleDescription="data point"
        )
        layers.insert(0, rule.encode(x="bound:Q", description="told:N"))
    return charts.draw(*layers, height=charts.ROW * len(rows) + _AXIS)


def _table(sources: Sources, task: str, metric: str, found: dict[str, Measurement]) -> Table:
    rows = []
    for model, each in found.items():
        change = sources.change(task, model) if model in (CONTROL, LAST_BLESSED) else None
        rows.append(
            (
                Cell(model),
                page.measured(each),
                page.interval(each),
                page.measured(change, signed=True),
                page.interval(change, signed=True),
            )
        )
    numbers = (metric, "95% interval", "student minus it", "95% interval")
    return Table(
        caption=f"{metric} of {task} by model",
        columns=(Heading("model"), *(Heading(name, numeric=True) for name in numbers)),
        rows=tuple(rows),
        folded=True,
        name=f"task-{task}",
    )


def _without_interval(sources: Sources, teachers: list[Measurement]) -> str:
    """A further sentence that says why the teacher has no interval somewhere; empty where it has all of them."""
    if all(each.lower is not None for each in teachers):
        return ""
    if sources.surface.group is not None:
        return f" It has no interval: rows of one {sources.surface.group} depend on each other."
    return " Where it has no interval, the label report has none."


def _notes(sources: Sources, found: dict[str, dict[str, Measurement]]) -> tuple[str, ...]:
    notes = [f"{task}: there is no metric to show." for task, rows in found.items() if not rows]
    if any(_bound(sources, task) is not None for task in found):
        notes.append("The dashed line is the gate's bound.")
    for task in found:
        if teacher_is_worse(sources, task):
            notes.append(
                f"{task}: the teacher is worse than the control. Its labels may do harm here: try a smaller `weight`, "
                "or no `distil`, and let `crosskd experiment` tell."
            )
    teachers = [rows[TEACHER] for rows in found.values() if TEACHER in rows]
    if teachers:
        notes.append("The teacher is run as it is." + _without_interval(sources, teachers))
    evaluations = {
        PHRASES[ModelRole.LAST_BLESSED]: sources.against_last,
        PHRASES[ModelRole.CONTROL]: sources.against_control,
    }
    for what, evaluation in evaluations.items():
        if isinstance(evaluation, str):
            notes.append(f"There is no evaluation against {what}: {evaluation}")
    if sources.decision.first_run:
        notes.append("There is no blessed model yet to compare with.")
    return tuple(notes)
