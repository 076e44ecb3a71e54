"""`crosskd summary`: what a run found, decided and pushed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import BaseModel, Field
from rich.box import SIMPLE_HEAD
from rich.table import Table

from contracts import keys, nodes, properties
from contracts.held_out import HeldOut, HeldOutRows, cautions
from contracts.outcome import Exit
from contracts.roles import HEADINGS, ModelRole
from crosskd.launch import in_use
from crosskd.places import serving_folder
from crosskd.terminal import TERMINAL, VERDICT_MARKS
from records.manifest import damage
from records.versions import Versions
from schema.errors import InputError
from schema.metrics import is_main
from schema.surface import EVAL_SPLIT

if TYPE_CHECKING:
    from contracts.candidate_report import CandidateReport
    from contracts.continuation import Continued
    from contracts.decision import Decision, GateResult, Measurement
    from contracts.label_report import LabelReport
    from crosskd.runs import Run

_METRIC_NUMBERS = ("examples", "control", "student", "change", "teacher", HEADINGS[ModelRole.LAST_BLESSED])


class PushOfRun(BaseModel):
    """Where the student went.

    Attributes:
      pushed: Whether this run pushed its student, or found it pushed before, unchanged.
      now: Whether this run pushed it; False when an unchanged run found it pushed.
      destination: The folder of the pushed version.
      sentence: What became of the student, and why.
      serves: The version that serves now; None where nothing does.
      damage: What is wrong with that version, as a sentence; None where it is what was pushed.
    """

    pushed: bool
    now: bool
    destination: str | None
    sentence: str
    serves: int | None
    damage: str | None


class NodeSummary(BaseModel):
    """One node of the run.

    Attributes:
      state: The state of its execution: `COMPLETE`, `CACHED`, `FAILED`, ...
      seconds: How long it ran; of one that came from the cache, how long looking there took.
      peak_memory: Most memory that the run held meanwhile, in bytes, its worker processes included; None
        where it was not measured, as of a node that came from the cache.
    """

    state: str
    seconds: float
    peak_memory: int | None


class RunSummary(BaseModel):
    """Everything that `crosskd summary` shows; the shape of its `--json`.

    `pairs` is the `contracts.candidate_report.CandidateReport`; None where there are no pairs.
    `held_out_rows` is how new users and items are to the rows that chose the epochs and to those that judged, a
    `contracts.held_out.HeldOutRows` each; empty where it is not known.
    `continued` is what went on in each arm, by its role, a `contracts.continuation.Continued` each; empty where
    the surface does not continue.
    """

    surface: str
    run_id: str
    root: str
    teacher: dict[str, float | None]
    decision: Any
    push: PushOfRun
    label_report: str
    pairs: Any = None
    continued: dict[str, Any] = Field(default_factory=dict)
    held_out_rows: list[HeldOutRows] = Field(default_factory=list)
    report: str | None
    nodes: dict[str, NodeSummary]


def command(
    root: Annotated[Path, typer.Option(help="The --root that was given to `crosskd run`.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Show the newest run: metrics of all models, every gate, the decision, the push."""
    summary = quiet_summary(root, as_json)
    print_summary(summary, as_json)
    raise typer.Exit(exit_code(summary))


def exit_code(summary: RunSummary) -> Exit:
    """How a run ended: blessed and pushed, blessed and not pushed, or not blessed."""
    if not summary.decision.blessed:
        return Exit.NOT_BLESSED
    return Exit.OK if summary.push.pushed else Exit.NOT_PUSHED


def quiet_summary(root: Path, as_json: bool) -> RunSummary:
    """`summarize`, with what libraries print in a log.

    Args:
      root: The root.
      as_json: Whether it is a program to which is told that the run is still going on.

    Raises:
      InputError: As `summarize`.
      typer.Exit: The newest run is still going on.
    """
    if not root.is_dir():
        raise InputError(f"{root}: no such folder. Expected the --root of a `crosskd run`.")
    with TERMINAL.noise_to(root / "logs" / "summary.log"):
        if in_use(root):
            from crosskd.going_on import expect_finished

            expect_finished(root, as_json)
        return summarize(root)


def summarize(root: Path) -> RunSummary:
    """Reads the newest run under `root`.

    Raises:
      InputError: There is no run, or it did not come as far as a decision.
    """
    from contracts.decision import Decision
    from contracts.label_report import LabelReport
    from crosskd.runs import newest_run
    from records import documents

    run = newest_run(root)
    decided = run.output(nodes.BLESSING_GATE, keys.DECISION)
    labels = run.output(nodes.TEACHER_LABELER, keys.LABEL_REPORT)
    if decided is None or labels is None:
        failed = run.unfinished()
        at = f"; it stopped at {', '.join(failed)}" if failed else ""
        raise InputError(
            f"{root}: the newest run ({run.run_id}) came to no decision{at}. Nothing was pushed by it. "
            f"The logs are in {root / 'logs'}; give the same `crosskd run` again to go on."
        )
    found = documents.read(decided[0], Decision)
    return RunSummary(
        surface=found.surface,
        run_id=run.run_id,
        root=str(root),
        teacher=_teacher_metrics(documents.read(labels[0], LabelReport)),
        decision=found,
        push=_push(run, serving_folder(root, found.surface), found.blessed),
        label_report=labels[0],
        pairs=_pairs(run),
        continued=_continued(run),
        held_out_rows=_held_out(run),
        report=_report(run),
        nodes={
            name: NodeSummary(state=node.state, seconds=node.seconds, peak_memory=node.peak_memory)
            for name, node in run.nodes.items()
        },
    )


def print_summary(summary: RunSummary, as_json: bool) -> None:
    """Prints for a program, or for a person."""
    if as_json:
        TERMINAL.json(summary.model_dump(mode="json"))
        return
    out = TERMINAL.out
    out.print()
    out.print(summary.surface, style="bold", markup=False)
    out.print(_metrics_table(summary))
    out.print(_gates_table(summary.decision))
    for check in summary.decision.checks:
        out.print(f"{VERDICT_MARKS[check.verdict.value]}  {check.name}: {check.sentence}", highlight=False)
    if summary.pairs:
        out.print(_pairs_sentence(summary.pairs), markup=False, highlight=False, soft_wrap=True)
    for role, each in summary.continued.items():
        out.print(f"{role}: {each.sentence}", markup=False, highlight=False, soft_wrap=True)
    for line in cautions(summary.held_out_rows):
        out.print(line, markup=False, highlight=False, soft_wrap=True)
    out.print()
    style = "bold green" if summary.decision.blessed else "bold red"
    out.print(summary.decision.sentence, style=style, markup=False, highlight=False)
    out.print(summary.push.sentence, markup=False, highlight=False, soft_wrap=True)
    if summary.push.damage:
        out.print(summary.push.damage, style="bold red", markup=False, highlight=False, soft_wrap=True)
    if summary.report:
        out.print(f"Report: {summary.report}", markup=False, highlight=False, soft_wrap=True)


def _teacher_metrics(labels: LabelReport) -> dict[str, float | None]:
    split = labels.splits.get(EVAL_SPLIT)
    return {task: found.value for task, found in split.counterparts.items()} if split else {}


def _pairs(run: Run) -> CandidateReport | None:
    from contracts.candidate_report import CandidateReport
    from records import documents

    found = run.output(nodes.CANDIDATE_SAMPLER, keys.CANDIDATE_REPORT)
    return documents.read(found[0], CandidateReport) if found else None


def _continued(run: Run) -> dict[str, Continued]:
    """What went on in each arm."""
    from contracts.continuation import Continued
    from records import documents

    runs = {
        role.value: run.output(nodes.trainer(role), keys.MODEL_RUN) for role in (ModelRole.STUDENT, ModelRole.CONTROL)
    }
    found = {role: documents.find(each[0], Continued) for role, each in runs.items() if each}
    return {role: each for role, each in found.items() if each}


def _held_out(run: Run) -> list[HeldOutRows]:
    """What the control's training noted of held-out rows, which are the student's as well."""
    from records import documents

    left = run.output(nodes.trainer(ModelRole.CONTROL), keys.MODEL_RUN)
    noted = documents.find(left[0], HeldOut) if left else None
    return list(noted.rows) if noted else []


def _pairs_sentence(pairs: CandidateReport) -> str:
    """Of whom and of what the pairs are, and where these come from."""
    listed = "".join(
        f" The catalogue of {which} lists {each.listed:,}, of which {each.with_row:,} have a training row."
        for which, each in pairs.catalogues.items()
    )
    return (
        f"Pairs never shown: {pairs.kept:,}, of {pairs.unique_users:,} users ({pairs.users_without_row:,} without a "
        f"training row) and {pairs.unique_items:,} items ({pairs.items_without_row:,} without).{listed}"
    )


def _push(run: Run, serving: Path, blessed: bool) -> PushOfRun:
    pushed = run.output(nodes.PUSHER, keys.PUSHED_MODEL)
    said = pushed[1] if pushed else {}
    done = said.get(properties.PUSHED) == 1
    now = done and said.get(properties.COPIED) == 1 and run.nodes[nodes.PUSHER].state == "COMPLETE"
    where = said.get(properties.PUSHED_DESTINATION)
    gone = done and not Path(str(where)).exists()
    if gone:
        sentence = f"Pushed to {where}, which is gone. Give the same `crosskd run` again to push it anew."
    elif done:
        sentence = f"Pushed to {where}" if now else f"Unchanged: already pushed to {where}"
    elif blessed:
        reason = said.get(properties.SENTENCE) or "the run ended before. Give the same `crosskd run` again to push it."
        sentence = f"Blessed, and not pushed: {reason.removeprefix('Not pushed: ')}"
    else:
        sentence = "Nothing was pushed."
    serves = next(reversed(Versions(str(serving)).versions()), None)
    return PushOfRun(
        pushed=done and not gone,
        now=now,
        destination=where,
        sentence=sentence,
        serves=serves,
        damage=None if serves is None else _damage(f"{serving}/{serves}"),
    )


def _damage(folder: str) -> str | None:
    from contracts.provenance import Provenance
    from records import documents

    provenance = documents.find_whole(folder, Provenance)
    problem = damage(folder, provenance.model_fingerprint if provenance else None)
    if problem is None:
        return None
    return (
        f"{folder}, which serves, is damaged: {problem}. The next push repairs it, also that of the same `crosskd run` "
        "again; `crosskd rollback` serves what was served before."
    )


def _report(run: Run) -> str | None:
    """The path of the page about a run; None where there is none."""
    page = run.output(nodes.EVALUATION_REPORT, keys.PAGE)
    return f"{page[0]}/{keys.PAGE_FILE}" if page else None


def _metrics_table(summary: RunSummary) -> Table:
    """The main metric of each task, and what else is gated: overall, and in the slices that are gated."""
    decision = summary.decision
    metrics = {(gate.task, gate.metric) for gate in decision.gates}
    slices = {(gate.task, gate.slice_key) for gate in decision.gates if gate.slice}
    table = _table("offline metrics on the evaluation split", ("task", "metric", "slice"), _METRIC_NUMBERS)
    for row in decision.metrics:
        main = is_main(row.metric)
        if not main and (row.task, row.metric) not in metrics:
            continue
        if row.slice and (row.task, row.slice) not in slices:
            continue
        teacher = summary.teacher.get(row.task) if main and not row.slice else None
        table.add_row(
            row.task,
            row.metric,
            row.slice or "overall",
            f"{row.examples:,}",
            _number(row.control),
            _number(row.student),
            _change(row.student, row.control),
            "-" if teacher is None else f"{teacher:.4f}",
            _number(row.last_blessed),
        )
    return table


def _gates_table(decision: Decision) -> Table:
    table = _table("gates", ("task", "metric", "slice", "against", "verdict"), ("asked", "found"))
    for gate in decision.gates:
        table.add_row(
            gate.task,
            gate.metric,
            gate.slice_key or gate.slice or "overall",
            "" if gate.kind.value == "absolute" else gate.kind.value.replace("_", " "),
            VERDICT_MARKS[gate.verdict.value],
            _asked(gate),
            _found(gate),
        )
    return table


def _asked(gate: GateResult) -> str:
    sign = "" if gate.kind.value == "absolute" else "+"
    ends = {">=": gate.bound, "<=": gate.at_most}
    return " ".join(f"{end} {bound:{sign}.4f}" for end, bound in ends.items() if bound is not None)


def _table(title: str, words: tuple[str, ...], numbers: tuple[str, ...]) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    for heading in words:
        table.add_column(heading, no_wrap=True)
    for heading in numbers:
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def _found(gate: GateResult) -> str:
    if gate.kind.value == "absolute":
        return _number(gate.student)
    return "-" if gate.difference is None or gate.difference.value is None else f"{gate.difference.value:+.4f}"


def _number(measurement: Measurement | None) -> str:
    if measurement is None:
        return "-"
    return "undefined" if measurement.value is None else f"{measurement.value:.4f}"


def _change(student: Measurement | None, control: Measurement | None) -> str:
    if student is None or control is None or student.value is None or control.value is None:
        return "-"
    return f"{student.value - control.value:+.4f}"
