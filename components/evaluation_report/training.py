"""How the losses of student and control fell."""

from __future__ import annotations

from collections.abc import Iterator

import altair as alt

from components.evaluation_report import charts, page
from components.evaluation_report.charts import CONTROL, STUDENT
from components.evaluation_report.page import Cell, Figure, Heading, Section, Table
from components.evaluation_report.sources import Sources
from contracts.held_out import cautions
from contracts.history import HARD_LOSS, SELECTION_LOSS, SOFT_LOSS, VALIDATION_PREFIX

_HEIGHT = 220
_HELD_OUT, _TRAINED = "held-out rows", "training rows"
_NO_HEADS = {"loss", HARD_LOSS, SOFT_LOSS, SELECTION_LOSS.removeprefix(VALIDATION_PREFIX)}
_TITLES = {HARD_LOSS: "Hard loss", SOFT_LOSS: "Soft loss"}
_NOTES = {
    HARD_LOSS: "On hard labels, over all tasks. The mark is the epoch whose weights are kept.",
    SOFT_LOSS: "On the teacher's labels, over all distillation heads; the control has none.",
}


def section(sources: Sources) -> Section:
    """The section on training."""
    histories = {model: found for model, found in sources.histories.items() if found}
    names = [name for name in _names(sources) if any(name in found for found in histories.values())]
    return Section(
        name="training",
        title="Training",
        lead="Losses by epoch. Solid: held-out rows of the training split. Dotted: the rows trained on, "
        "where dropout makes them larger. Evaluation rows play no part here.",
        models=tuple(model for model in (STUDENT, CONTROL) if model in histories),
        figures=tuple(_figure(sources, name) for name in names),
        notes=(
            *cautions(sources.held_out.rows if sources.held_out else ()),
            *(f"{model}: {each.sentence}" for model, each in sources.continued.items()),
            *(() if names else ("There are no losses to show.",)),
        ),
    )


def _names(sources: Sources) -> Iterator[str]:
    """Hard and soft loss first, then each head's, which is named after its kind and task."""
    yield from (HARD_LOSS, SOFT_LOSS)
    found = {name for history in sources.histories.values() for name in history}
    held_out = {name.removeprefix(VALIDATION_PREFIX) for name in found if name.startswith(VALIDATION_PREFIX)}
    yield from sorted(held_out - _NO_HEADS, key=lambda name: (name.startswith("dist"), name))


def best_epoch(losses: list[float]) -> int:
    """The epoch whose weights are kept: the one with the least selection loss, counted from 1."""
    return min(range(len(losses)), key=losses.__getitem__) + 1


def _figure(sources: Sources, name: str) -> Figure:
    rows = list(_rows(sources, name))
    return Figure(
        title=_TITLES.get(name) or _head(name),
        note=_NOTES.get(name, "") or _final(sources, name),
        svg=_plot(rows, list(_kept(sources, name))),
        table=_table(name, rows),
    )


def _head(name: str) -> str:
    """`serving_click` is the loss of the serving head of click."""
    kind, _, task = name.partition("_")
    return f"{task}: {kind} head"


def _final(sources: Sources, name: str) -> str:
    """What each arm's kept weights lose."""
    kept = [f"{row['model']} {row['loss']:.4f}" for row in _kept(sources, name)]
    return f"Held-out loss of the kept weights: {', '.join(kept)}."


def _rows(sources: Sources, name: str) -> Iterator[charts.Row]:
    for model, history in sources.histories.items():
        for rows, key in ((_HELD_OUT, VALIDATION_PREFIX + name), (_TRAINED, name)):
            for epoch, loss in enumerate(history.get(key, ()), start=1):
                yield {"model": model, "rows": rows, "epoch": epoch, "loss": loss, "line": f"{model}, {rows}"}


def _kept(sources: Sources, name: str) -> Iterator[charts.Row]:
    for model, history in sources.histories.items():
        held_out, selection = history.get(VALIDATION_PREFIX + name), history.get(SELECTION_LOSS)
        if held_out and selection:
            epoch = best_epoch(list(selection))
            told = f"{model}: epoch {epoch} is kept, loss {held_out[epoch - 1]:.4f}"
            yield {"model": model, "epoch": epoch, "loss": held_out[epoch - 1], "told": told}


def _plot(rows: list[charts.Row], kept: list[charts.Row]) -> str:
    x = charts.whole("epoch", rows, "epoch")
    y = alt.Y("loss:Q", title=None, scale=alt.Scale(zero=False))
    models = (STUDENT, CONTROL)
    dash = alt.StrokeDash("rows:N", scale=alt.Scale(domain=[_HELD_OUT, _TRAINED], range=[[1, 0], [1, 3]]), legend=None)
    lines = alt.Chart(charts.data(rows)).mark_line(strokeWidth=1.8, strokeCap="round")
    marks = alt.Chart(charts.data(kept)).mark_point(size=80, ariaRoleDescription="data point")
    return charts.draw(
        lines.encode(x=x, y=y, color=charts.model_color(models), strokeDash=dash, detail="line:N"),
        marks.encode(x=x, y=y, color=charts.model_color(models), shape=charts.model_shape(), description="told:N"),
        height=_HEIGHT,
    )


def _table(name: str, rows: list[charts.Row]) -> Table:
    lines = sorted({row["line"] for row in rows}, reverse=True)
    by_epoch: dict[int, dict[str, float]] = {}
    for row in rows:
        by_epoch.setdefault(row["epoch"], {})[row["line"]] = row["loss"]
    return Table(
        caption=f"{name} by epoch",
        columns=(Heading("epoch", numeric=True), *(Heading(line, numeric=True) for line in lines)),
        rows=tuple(
            (
                Cell(str(epoch), epoch),
                *(page.number(found[line]) if line in found else page.NOTHING for line in lines),
            )
            for epoch, found in sorted(by_epoch.items())
        ),
        folded=True,
        name=f"loss-{name}",
    )
