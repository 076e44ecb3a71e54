"""Two runs, one beside the other: metrics with intervals of the difference, gates, configuration, data, slices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from components.evaluation_report import page, slicer
from components.evaluation_report.configuration import changes
from components.evaluation_report.explore import explorer
from components.evaluation_report.page import Cell, ComparisonPage, Heading, Section, Table
from components.evaluation_report.slicer import SlicedRun
from contracts.decision import Decision, GateResult, Measurement
from contracts.label_report import LabelReport
from schema.metrics import COUNTS, METRICS
from schema.surface import Surface

_LEAD = (
    "Each difference is the second run's student minus the first one's. Its interval takes the two evaluations for "
    "independent: on the same examples it is wider than a paired one would be. One run is one draw; `crosskd "
    "experiment` tells over seeds whether a change helps."
)


@dataclass(frozen=True)
class ComparedRun:
    """What a comparison reads of one run.

    Attributes:
      name: What it is called, for people.
      surface: As it was when the run was judged.
      decision: The gate's.
      labels: The label report; None where there is none.
      sliced: What its Evaluator found.
      seconds: How long each node took, by name; a cached one is left out.
    """

    name: str
    surface: Surface
    decision: Decision
    labels: LabelReport | None
    sliced: SlicedRun
    seconds: Mapping[str, float] = field(default_factory=dict)


def compare(first: ComparedRun, second: ComparedRun) -> ComparisonPage:
    """The page about two runs."""
    names = dict.fromkeys((first.surface.name, second.surface.name))
    content = slicer.data(second.surface, [first.sliced, second.sliced])
    return ComparisonPage(
        title=" and ".join(names),
        first=_headline(first),
        second=_headline(second),
        lead=_LEAD,
        sections=(
            _metrics(first, second),
            _gates(first, second),
            _configuration(first, second),
            _data(first, second),
            _nodes(first, second),
            explorer(content),
        ),
    )


def changed_keys(first: Surface, second: Surface) -> list[tuple[str, str, str]]:
    """Keys of surface.yaml whose values differ, with both values; a dash where one has none."""
    return changes(*(each.model_dump(mode="json", by_alias=True) for each in (first, second)))


def _headline(run: ComparedRun) -> str:
    return f"{run.name}: {'blessed' if run.decision.blessed else 'not blessed'}"


def _metrics(first: ComparedRun, second: ComparedRun) -> Section:
    rows = []
    for task in second.surface.outputs:
        before, after = (_overall(run, task) for run in (first, second))
        for metric, found in after.items():
            if metric in before and metric in METRICS and metric not in COUNTS:
                rows.append((Cell(task), Cell(METRICS[metric].title), *_change(before[metric], found)))
    numbers = ("first", "95% interval", "second", "95% interval", "difference", "95% interval")
    columns = (Heading("task"), Heading("metric"), *(Heading(name, numeric=True) for name in numbers))
    table = Table("All metrics of the student, on the whole evaluation split", columns, tuple(rows), name="metrics")
    notes = () if rows else ("The two runs have no metric of a task in common.",)
    return Section("metrics", "Metrics", "", tables=(table,) if rows else (), notes=notes)


def _overall(run: ComparedRun, task: str) -> Mapping[str, Measurement]:
    control, last = run.sliced.task((), task)
    return control.student or last.student


def _change(first: Measurement, second: Measurement) -> tuple[Cell, ...]:
    shown = (page.measured(first), page.interval(first), page.measured(second), page.interval(second))
    if first.value is None or second.value is None:
        return (*shown, page.NOTHING, page.NOTHING)
    value, lower, upper = slicer.difference(*((each.value, each.lower, each.upper) for each in (first, second)))
    change = Measurement(value=value, lower=lower, upper=upper)
    return (*shown, page.measured(change, signed=True), page.interval(change, signed=True))


def _gates(first: ComparedRun, second: ComparedRun) -> Section:
    before, after = ({_gate_name(gate): gate for gate in run.decision.gates} for run in (first, second))
    names = list(dict.fromkeys([*after, *before]))
    rows = tuple((Cell(name), *_judged(before.get(name)), *_judged(after.get(name))) for name in names)
    columns = tuple(Heading(name, name == "found") for name in ("gate", "first", "found", "second", "found"))
    changed = sum(name in before and name in after and before[name].verdict != after[name].verdict for name in names)
    return Section(
        name="gates",
        title="Gates",
        lead=f"{len(names)} gates, of which {changed} were judged otherwise by the second run.",
        tables=(Table("Gates and verdicts", columns, rows, name="gates"),) if rows else (),
    )


def _gate_name(gate: GateResult) -> str:
    where = gate.slice_key or gate.slice
    return f"{gate.task} {gate.metric}{f', {where}' if where else ''}, {gate.kind.value.replace('_', ' ')}"


def _judged(gate: GateResult | None) -> tuple[Cell, Cell]:
    if gate is None:
        return page.NOTHING, page.NOTHING
    return page.verdict(gate.verdict), page.measured(
        gate.difference or gate.student, signed=gate.difference is not None
    )


def _configuration(first: ComparedRun, second: ComparedRun) -> Section:
    rows = tuple(tuple(Cell(text, kind="code") for text in row) for row in changed_keys(first.surface, second.surface))
    columns = tuple(map(Heading, ("key", "first", "second")))
    return Section(
        name="configuration",
        title="Configuration",
        lead="Keys of surface.yaml whose values differ." if rows else "Both runs had the same surface.yaml.",
        tables=(Table("Keys that differ", columns, rows, name="configuration"),) if rows else (),
    )


def _data(first: ComparedRun, second: ComparedRun) -> Section:
    before, after = (dict(_facts(run)) for run in (first, second))
    names = list(dict.fromkeys([*before, *after]))
    rows = tuple((Cell(name), before.get(name, page.NOTHING), after.get(name, page.NOTHING)) for name in names)
    columns = (Heading("what"), Heading("first", numeric=True), Heading("second", numeric=True))
    return Section(
        name="data",
        title="Data and teacher",
        lead="What was read and labelled.",
        tables=(Table("Examples and labels", columns, rows, name="data"),) if rows else (),
        notes=() if rows else ("Neither run has a label report.",),
    )


def _facts(run: ComparedRun) -> Iterator[tuple[str, Cell]]:
    if run.labels is None:
        return
    yield "teacher", Cell(run.labels.teacher_fingerprint[:12], kind="code")
    for name, split in run.labels.splits.items():
        yield f"examples, {name}", page.count(split.read)
        yield f"labelled, {name}", page.count(split.labelled)
        yield f"teacher's inputs that were filled, {name}", page.share(split.mean_fill_rate)
        for task, found in split.counterparts.items():
            yield f"mean hard label of {task}, {name}", page.number(found.mean_label)
            yield f"mean soft label of {task}, {name}", page.number(split.tasks[found.teacher_task].mean)


def _nodes(first: ComparedRun, second: ComparedRun) -> Section:
    names = list(dict.fromkeys([*first.seconds, *second.seconds]))
    rows = tuple((Cell(name), *(_took(run.seconds.get(name)) for run in (first, second))) for name in names)
    columns = (Heading("node"), Heading("first, s", numeric=True), Heading("second, s", numeric=True))
    return Section(
        name="durations",
        title="Durations",
        lead="How long each node ran, in seconds; one that came from the cache has none.",
        tables=(Table("Seconds by node", columns, rows, sortable=True, name="durations"),) if rows else (),
    )


def _took(seconds: float | None) -> Cell:
    return page.NOTHING if seconds is None else page.number(seconds, 1)
