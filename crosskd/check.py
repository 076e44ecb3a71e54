"""`crosskd check`: everything that is wrong with what a run would be given, in seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from contracts.outcome import Exit
from crosskd.candidates import pairs_from
from crosskd.checking.findings import CheckReport, Severity
from crosskd.checking.inspection import SAMPLED_RECORDS, RunInputs, inspect_inputs
from crosskd.intake import at_hand_for_now, pairs_from_for_now
from crosskd.launch import (
    BadFractionOption,
    BeamArguments,
    CandidatesOption,
    ExamplesOption,
    ItemsOption,
    PeopleOption,
    SpanOption,
    SurfaceOption,
    TeacherOption,
    WindowOption,
)
from crosskd.terminal import TERMINAL
from schema.errors import InputError

_SHOWN = 15  # problems in a message: it must fit on one screen


def command(
    surface: SurfaceOption,
    examples: ExamplesOption,
    teacher: TeacherOption,
    span: SpanOption = None,
    window: WindowOption = None,
    candidates: CandidatesOption = None,
    people: PeopleOption = None,
    items: ItemsOption = None,
    root: Annotated[
        Path | None, typer.Option(help="The --root of runs: also check that clients of what it serves can go on.")
    ] = None,
    rows: Annotated[int, typer.Option(min=1, help="Records of each split to look at.")] = SAMPLED_RECORDS,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
    max_bad_fraction: BadFractionOption = None,
    beam_args: BeamArguments = None,
) -> None:
    """Check surface, schema, data and teacher on a sample, and say all that is wrong; a run does so first, too."""
    of_pairs = pairs_from_for_now(surface, pairs_from(candidates, people, items))
    with TERMINAL.quiet(), at_hand_for_now(surface, examples, span, window) as found, of_pairs as folders:
        given = RunInputs(surface, found[0], teacher, *found[1:], folders, beam_args or [], max_bad_fraction, root=root)
        report = inspect_inputs(given, rows)
    problems = report.of(Severity.PROBLEM)
    if as_json:
        TERMINAL.json({"ok": not problems, **report.model_dump(mode="json")})
    else:
        print_report(report)
    raise typer.Exit(Exit.BAD_INPUT if problems else Exit.OK)


def checked(given: RunInputs) -> None:
    """Checks what a run is given, and says what looks wrong, before anything takes its time.

    Raises:
      InputError: The run would fail, or be worthless; all problems are named.
    """
    with TERMINAL.quiet():
        report = inspect_inputs(given)
    for sentence in report.of(Severity.WARNING):
        TERMINAL.say(f"warning: {sentence}")
    problems = report.of(Severity.PROBLEM)
    more = len(problems) - _SHOWN
    if problems:
        raise InputError(*problems[:_SHOWN], *([f"... and {more} more; `crosskd check` shows all"] if more > 0 else []))


def print_report(report: CheckReport) -> None:
    """Prints the rates that were found, and then what is wrong."""
    out = TERMINAL.out
    for split in report.splits:
        part = "all" if split.whole else "a sample of"
        files = f"{split.files:,} file{'' if split.files == 1 else 's'}"
        out.print(f"{split.split}: {part} {split.rows:,} records of {files}", markup=False, highlight=False)
    if report.serves is not None:
        out.print(f"compared with version {report.serves}, which serves", markup=False, highlight=False)
    if report.starts is not None:
        out.print(report.starts, markup=False, highlight=False, soft_wrap=True)
    for table in (_inputs(report), _labels(report), _slices(report)):
        if table.row_count:
            out.print(table)
    for severity, style in ((Severity.WARNING, "yellow"), (Severity.PROBLEM, "bold red")):
        for sentence in report.of(severity):
            out.print(f"{severity.value}:", style=style, end=" ", highlight=False)
            out.print(sentence, markup=False, highlight=False, soft_wrap=True)
    problems, warnings = (len(report.of(each)) for each in (Severity.PROBLEM, Severity.WARNING))
    found = [_counted(problems, "problem"), _counted(warnings, "warning")]
    out.print("Nothing is wrong." if problems + warnings == 0 else f"{' and '.join(found)}.", highlight=False)


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _inputs(report: CheckReport) -> Table:
    numbers = ("filled", "not in vocabulary", "ids known")
    table = _table("inputs of the teacher", ("split", "input"), numbers)
    for each in report.inputs:
        table.add_row(
            each.split, each.name, _rate(each.fill_rate), _rate(each.unmapped_rate or None), _rate(each.known_rate)
        )
    return table


def _labels(report: CheckReport) -> Table:
    table = _table("labels", ("split", "task"), ("labelled", "of all", "mean"))
    for each in report.labels:
        mean = "-" if each.mean_label is None else f"{each.mean_label:.4f}"
        table.add_row(each.split, each.task, f"{each.labelled:,}", _rate(each.label_rate), mean)
    return table


def _slices(report: CheckReport) -> Table:
    table = _table("slices of the evaluation split", ("slice",), ("examples", "values"))
    for each in report.slices:
        table.add_row(each.name, f"{each.rows:,}", f"{each.values:,}")
    return table


def _rate(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def _table(title: str, words: tuple[str, ...], numbers: tuple[str, ...]) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    for heading in words:
        table.add_column(heading, overflow="fold")
    for heading in numbers:
        table.add_column(heading, justify="right", no_wrap=True)
    return table
