"""`crosskd label`: the labelling stage alone, span by span."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import BaseModel

from crosskd.launch import (
    BeamArguments,
    RunnerName,
    RunnerOption,
    SurfaceOption,
    TeacherOption,
    check_surface_and_teacher,
    choose_window,
    execute,
    make_settings,
    only_run_in,
)
from crosskd.terminal import TERMINAL, seconds
from schema.errors import InputError

if TYPE_CHECKING:
    from pipeline.settings import Settings


class Labelled(BaseModel):
    """What became of one span.

    Attributes:
      span: As people write it.
      now: Whether it was labelled now; False where its labels were there already.
      read: Its examples.
      labelled: Those with soft labels.
      teacher_fingerprint: Of the teacher that labelled them.
      label_report: Folder of the report.
    """

    span: str
    now: bool
    read: int
    labelled: int
    teacher_fingerprint: str
    label_report: str


def command(
    surface: SurfaceOption,
    examples: Annotated[
        Path,
        typer.Option(help="Folder with one folder a span (span-1, ...), or a path with {SPAN} or {YYYY}-{MM}-{DD}."),
    ],
    teacher: TeacherOption,
    root: Annotated[Path, typer.Option(help="The --root of the runs that will train on the labels.")],
    span: Annotated[str | None, typer.Option(help="`latest` (the default), a span, or spans A:B.")] = None,
    runner: RunnerOption = RunnerName.BEAM,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was labelled as JSON.")] = False,
    beam_args: BeamArguments = None,
) -> None:
    """Label spans, and train nothing: for days before the first run, or to spread the work."""
    label(surface, examples, teacher, root, runner, span=span, as_json=as_json, beam_args=beam_args or [])


def label(
    surface: str,
    examples: Path,
    teacher: Path,
    root: Path,
    runner: RunnerName = RunnerName.BEAM,
    *,
    span: str | None = None,
    as_json: bool = False,
    beam_args: list[str] | None = None,
) -> list[Labelled]:
    """Labels spans, the oldest first; arguments as for `crosskd.run.run`.

    Raises:
      InputError: There are no such spans, or one of them cannot be labelled.
      typer.Exit: Labelling failed otherwise.
    """
    from schema.examples import check_examples

    started = time.monotonic()
    check_surface_and_teacher(surface, teacher)
    window = choose_window(examples, span, None)
    if window is None:
        raise InputError(f"{examples}: expected folders named span-1, span-2 and so on, found none")
    for each in window.spans:
        check_examples(window.folders.folder(each))
    log = root / "logs" / f"{time.strftime('%Y%m%d-%H%M%S')}-label.log"
    with only_run_in(root), TERMINAL.noise_to(log):
        TERMINAL.say(f"labelling {surface}: {len(window.spans)} span(s), {window} (log: {log})")
        settings = make_settings(surface, examples, teacher, root, beam_args or [], window)
        found = label_spans(settings, window.spans, runner, log)
        TERMINAL.say(f"finished in {seconds(started)}")
    if as_json:
        TERMINAL.json([each.model_dump() for each in found])
    return found


def label_spans(settings: Settings, spans: Iterable[int], runner: RunnerName, log: Path) -> list[Labelled]:
    """Runs the labelling stage for each of `spans`; what is labelled already comes from the cache.

    Args:
      settings: Of a run over spans.
      spans: Some of them, the oldest first, so that each can be compared with the one before.
      runner: Orchestrator.
      log: Where the libraries' noise goes.
    """
    from pipeline.pipeline import create_labelling

    found = []
    for span in spans:
        assert settings.window is not None
        of_span = replace(settings, window=settings.window.only(span))
        TERMINAL.say(f"span {of_span.window}")
        execute(create_labelling(of_span), runner, log)
        found.append(_outcome(of_span))
        TERMINAL.say(_sentence(found[-1]))
    return found


def _outcome(settings: Settings) -> Labelled:
    from components.teacher_labeler import report
    from crosskd.runs import newest_run

    run = newest_run(Path(settings.metadata).parent)
    output = run.output("TeacherLabeler", "label_report")
    assert output is not None  # the run ended without an error
    read = report.read(output[0])
    return Labelled(
        span=str(settings.window),
        now=run.nodes["TeacherLabeler"].state == "COMPLETE",
        read=read.overall.read,
        labelled=read.overall.labelled,
        teacher_fingerprint=read.teacher_fingerprint,
        label_report=output[0],
    )


def _sentence(outcome: Labelled) -> str:
    done = "labelled now" if outcome.now else "labelled before"
    return f"span {outcome.span}: {done}, {outcome.labelled:,} of {outcome.read:,} examples"
