"""`crosskd label`: the labelling stage alone, span by span."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import BaseModel

from contracts import keys, nodes
from crosskd.intake import at_hand
from crosskd.inventory import whole
from crosskd.launch import (
    EXAMPLES_HELP,
    LOGS,
    BadFractionOption,
    BeamArguments,
    RunnerName,
    RunnerOption,
    SurfaceOption,
    TeacherOption,
    check_surface_and_teacher,
    execute,
    make_settings,
    only_run_in,
    try_teacher_on,
)
from crosskd.terminal import TERMINAL, seconds

if TYPE_CHECKING:
    from pipeline.settings import Settings


class LabellingDone(BaseModel):
    """What became of one span.

    Attributes:
      span: As people write it; None where the examples are not divided into spans.
      now: Whether it was labelled now; False where its labels were there already.
      read: Its examples.
      labelled: Those with soft labels.
      teacher_fingerprint: The fingerprint of the teacher that labelled them.
      label_report: Folder of the report.
      labels: Folder of the labelled examples, or of keys and soft labels.
    """

    span: str | None
    now: bool
    read: int
    labelled: int
    teacher_fingerprint: str
    label_report: str
    labels: str


def command(
    surface: SurfaceOption,
    examples: Annotated[
        Path,
        typer.Option(
            help=f"{EXAMPLES_HELP}; or a folder with one such folder per span (span-1, ...), or a path "
            "with {SPAN} or {YYYY}-{MM}-{DD} in it."
        ),
    ],
    teacher: TeacherOption,
    root: Annotated[Path, typer.Option(help="The --root of the runs that will train on the labels.")],
    span: Annotated[str | None, typer.Option(help="`latest` (the default), a span, or spans A:B.")] = None,
    key_column: Annotated[
        str,
        typer.Option(
            help="Write only this column, which tells examples apart, and the soft labels: for `crosskd store-labels`."
        ),
    ] = "",
    max_bad_fraction: BadFractionOption = None,
    runner: RunnerOption = RunnerName.BEAM,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was labelled as JSON.")] = False,
    beam_args: BeamArguments = None,
) -> None:
    """Label, and train nothing: for days before the first run, to spread the work, or to store labels by key."""
    label(
        surface,
        examples,
        teacher,
        root,
        runner,
        span=span,
        key_column=key_column,
        as_json=as_json,
        beam_args=beam_args or [],
        max_bad_fraction=max_bad_fraction,
    )


def label(
    surface: str,
    examples: Path,
    teacher: Path,
    root: Path,
    runner: RunnerName = RunnerName.BEAM,
    *,
    span: str | None = None,
    key_column: str = "",
    as_json: bool = False,
    beam_args: list[str] | None = None,
    max_bad_fraction: float | None = None,
) -> list[LabellingDone]:
    """Labels examples, span by span where there are spans; further arguments as for `crosskd.run.run`.

    Raises:
      InputError: There are no such spans, or one of them cannot be labelled.
      typer.Exit: Labelling failed otherwise.
    """
    from records.examples import check_examples

    started = time.monotonic()
    check_surface_and_teacher(surface, teacher)
    examples, window = at_hand(surface, examples, root, span)
    spans = window.spans if window else [None]
    counts = {
        each: check_examples(window.folders.folder(each) if window and each is not None else examples) for each in spans
    }
    log = root / LOGS / f"{time.strftime('%Y%m%d-%H%M%S')}-label.log"
    with only_run_in(root), TERMINAL.noise_to(log), whole(root, TERMINAL.say):
        what = f"{len(window.spans)} span(s), {window}" if window else str(examples)
        TERMINAL.say(f"labelling {surface}: {what} (log: {log})")
        settings = make_settings(surface, examples, teacher, root, beam_args or [], window, max_bad_fraction)
        newest = window.folders.folder(window.last) if window else examples
        try_teacher_on(settings, newest)
        found = label_spans(settings, counts, runner, log, key_column)
        TERMINAL.say(f"finished in {seconds(started)}")
    if as_json:
        TERMINAL.json([each.model_dump() for each in found])
    return found


def label_spans(
    settings: Settings,
    spans: Mapping[int | None, Mapping[str, int] | None],
    runner: RunnerName,
    log: Path,
    key_column: str = "",
) -> list[LabellingDone]:
    """Runs the labelling stage for each of `spans`; what is labelled already comes from the cache.

    Args:
      settings: The settings of a run.
      spans: Some of its window's, the oldest first, so that each can be compared with the one
        before; None for examples without spans.  With each, its examples by split as they were
        counted; None where they were not.
      runner: Orchestrator.
      log: Where the libraries' noise goes.
      key_column: The column to write beside the soft labels; empty for whole examples.
    """
    from pipeline.pipeline import create_labelling

    found = []
    for span, announced in spans.items():
        of_span = replace(_of_span(settings, span), announced=announced)
        execute(create_labelling(of_span, key_column), runner, log)
        found.append(_outcome(of_span))
        TERMINAL.say(_sentence(found[-1]))
    return found


def _of_span(settings: Settings, span: int | None) -> Settings:
    if settings.window is None or span is None:
        return settings
    window = settings.window.only(span)
    TERMINAL.say(f"span {window}")
    return replace(settings, window=window)


def _outcome(settings: Settings) -> LabellingDone:
    from contracts.label_report import LabelReport
    from crosskd.runs import mark_labelling_alone, newest_run
    from records import documents

    root = Path(settings.root).parent
    run = newest_run(root)
    mark_labelling_alone(root, run)
    output, labels = (run.output(nodes.TEACHER_LABELER, key) for key in (keys.LABEL_REPORT, keys.LABELLED_EXAMPLES))
    assert output is not None  # the run ended without an error
    assert labels is not None
    read = documents.read(output[0], LabelReport)
    return LabellingDone(
        span=str(settings.window) if settings.window else None,
        now=run.nodes[nodes.TEACHER_LABELER].state == "COMPLETE",
        read=read.overall.read,
        labelled=read.overall.labelled,
        teacher_fingerprint=read.teacher_fingerprint,
        label_report=output[0],
        labels=labels[0],
    )


def _sentence(outcome: LabellingDone) -> str:
    done = "labelled now" if outcome.now else "labelled before"
    what = f"span {outcome.span}: {done}" if outcome.span else done
    return f"{what}, {outcome.labelled:,} of {outcome.read:,} examples, in {outcome.labels}"
