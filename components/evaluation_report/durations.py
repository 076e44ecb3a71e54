"""How long each node of the run took, how many rows it read in a second, and how much memory the run held."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from components.evaluation_report import page
from components.evaluation_report.charts import CONTROL, STUDENT
from components.evaluation_report.page import Cell, Heading, Section, Table
from components.evaluation_report.sources import Sources
from contracts import nodes
from contracts.history import HARD_LOSS
from contracts.label_report import LabelReport
from contracts.measurements import Measurements, NodeMeasurement
from contracts.roles import ModelRole
from schema.surface import EVAL_SPLIT, TRAIN_SPLIT

_MEBIBYTE = 2**20
# Pairs never shown are made after these nodes; the later ones read them, too.
_BEFORE_PAIRS = (nodes.EXAMPLE_GEN, nodes.RAW_STATISTICS, nodes.CANDIDATE_SAMPLER)
_WITH_PAIRS = (nodes.TEACHER_LABELER, nodes.LABELLED_STATISTICS)
_TRAINERS = {nodes.trainer(ModelRole.STUDENT): STUDENT, nodes.trainer(ModelRole.CONTROL): CONTROL}
_TOTAL = "all of them"


def section(sources: Sources) -> Section:
    """The section on durations; a node that is not finished when the page is written is not in it."""
    found = sources.measurements
    return Section(
        name="durations",
        title="Durations and memory",
        lead="How long each node took, how many rows it read in a second, and the most memory that the run held "
        "meanwhile. EvaluationReport, which writes this page, is not finished yet and has no row.",
        tables=() if isinstance(found, str) else (_table(found, rows_read(sources)),),
        notes=tuple(_notes(sources)),
    )


def rows_read(sources: Sources) -> dict[str, int]:
    """Rows that a node reads, by its id; of a Trainer, those of all epochs.  Nodes that read other things have none."""
    if sources.labels is None:
        return {}
    shown = sum(_read(sources.labels, split) for split in (TRAIN_SPLIT, EVAL_SPLIT))
    found = dict.fromkeys(_BEFORE_PAIRS, shown)
    found.update(dict.fromkeys(_WITH_PAIRS, sources.labels.overall.read))
    found[nodes.EVALUATOR] = _read(sources.labels, EVAL_SPLIT)
    if not _has_several_spans(sources):
        found[nodes.TRANSFORM] = sources.labels.overall.read
        for node, model in _TRAINERS.items():
            epochs = len(sources.histories.get(model, {}).get(HARD_LOSS, ()))
            found[node] = _read(sources.labels, TRAIN_SPLIT) * epochs
    return {node: rows for node, rows in found.items() if rows}


def _read(labels: LabelReport, split: str) -> int:
    return labels.splits[split].read if split in labels.splits else 0


def _has_several_spans(sources: Sources) -> bool:
    """Whether older spans are trained on, too, whose rows no report of this run counts."""
    return ":" in sources.facts.get("data span", "")


def _table(found: Measurements, rows: Mapping[str, int]) -> Table:
    numbers = ("seconds", "rows", "rows per second", "peak memory, MiB")
    ran = [each for each in found.nodes.values() if each.seconds is not None]
    total = NodeMeasurement(
        seconds=sum(each.seconds or 0 for each in ran),
        peak_memory=max((each.peak_memory for each in ran if each.peak_memory is not None), default=None),
    )
    return Table(
        caption="Nodes in the order in which they ran",
        columns=(Heading("node"), *(Heading(name, numeric=True) for name in numbers)),
        rows=(
            *(_row(node, each, rows.get(node)) for node, each in found.nodes.items()),
            _row(_TOTAL, total, None),
        ),
        sortable=True,
        name="durations",
    )


def _row(node: str, found: NodeMeasurement, rows: int | None) -> tuple[Cell, ...]:
    if found.seconds is None:
        return (Cell(node), Cell("cached"), page.count(rows), page.NOTHING, page.NOTHING)
    rate = round(rows / found.seconds) if rows and found.seconds else None
    memory = None if found.peak_memory is None else round(found.peak_memory / _MEBIBYTE)
    return (Cell(node), page.number(found.seconds, 1), page.count(rows), page.count(rate), page.count(memory))


def _notes(sources: Sources) -> Iterator[str]:
    if isinstance(sources.measurements, str):
        yield sources.measurements
        if sources.labels is not None:
            yield (
                f"TeacherLabeler itself measured {sources.labels.seconds:,.1f} s for {sources.labels.overall.read:,} "
                f"rows, {sources.labels.examples_per_second:,.0f} per second."
            )
        return
    yield (
        "Memory is that of the whole process with its workers, so that what a node did not free counts for those "
        "after it. A Trainer's rows are those of all its epochs. A node from the cache did nothing in this run."
    )
    if _has_several_spans(sources):
        yield "Transform and the Trainers read older spans, too, whose rows are not counted here."
