"""`crosskd run`: the whole pipeline, from examples and a teacher to a pushed student."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from contracts.outcome import Exit
from crosskd.candidates import pairs_from, with_pairs_from
from crosskd.check import checked
from crosskd.checking.inspection import RunInputs
from crosskd.intake import at_hand, pairs_from_at_hand
from crosskd.inventory import whole
from crosskd.label import label_spans
from crosskd.launch import (
    LOGS,
    BadFractionOption,
    BeamArguments,
    CandidatesOption,
    ExamplesOption,
    ItemsOption,
    PeopleOption,
    RunnerName,
    RunnerOption,
    SpanOption,
    SurfaceOption,
    TeacherOption,
    TrainerWorkersOption,
    WindowOption,
    execute,
    expect_free,
    expect_saved_model,
    make_settings,
    only_run_in,
)
from crosskd.rollback import finish_pending
from crosskd.terminal import TERMINAL, seconds


def command(
    surface: SurfaceOption,
    examples: ExamplesOption,
    teacher: TeacherOption,
    root: Annotated[Path, typer.Option(help="Folder for artifacts, metadata, logs and pushed models.")],
    span: SpanOption = None,
    window: WindowOption = None,
    candidates: CandidatesOption = None,
    people: PeopleOption = None,
    items: ItemsOption = None,
    runner: RunnerOption = RunnerName.BEAM,
    trainer_workers: TrainerWorkersOption = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
    max_bad_fraction: BadFractionOption = None,
    metadata: Annotated[str | None, typer.Option(help="Database that keeps metadata: its URL.")] = None,
    beam_args: BeamArguments = None,
) -> None:
    """Run the pipeline: label, train student and control, evaluate, gate, push."""
    if metadata is not None:
        from crosskd.runs import remember_server

        remember_server(root, metadata)
    raise typer.Exit(
        run(
            surface,
            examples,
            teacher,
            root,
            runner,
            span=span,
            length=window,
            of_pairs=pairs_from(candidates, people, items),
            as_json=as_json,
            beam_args=beam_args or [],
            max_bad_fraction=max_bad_fraction,
            trainer_workers=trainer_workers,
        )
    )


def run(
    surface: str,
    examples: Path,
    teacher: Path,
    root: Path,
    runner: RunnerName = RunnerName.BEAM,
    *,
    span: str | None = None,
    length: int | None = None,
    of_pairs: Mapping[str, Path] | None = None,
    as_json: bool = False,
    beam_args: list[str] | None = None,
    max_bad_fraction: float | None = None,
    trainer_workers: int = 1,
) -> Exit:
    """Runs the pipeline, shows its progress, and prints the summary.

    Args:
      surface: Surface folder, or the name of a shipped surface.
      examples: Folder of examples, or of spans, or a path with placeholders.
      teacher: The teacher's SavedModel.
      root: Folder for everything that runs make.
      runner: Orchestrator.
      span: As `records.spans.choose` takes it, like `length`.
      length: Spans in the window.
      of_pairs: Folders that unlabelled pairs are made of, by `schema.candidates.PAIRS_FROM`.
      as_json: Print the summary as JSON.
      beam_args: Arguments for Beam.
      max_bad_fraction: Part of a split's records that may be without soft labels; None takes
        the surface's bound.
      trainer_workers: Processes of this machine that train a model together.

    Raises:
      InputError: Something that the user gave cannot be used.
      typer.Exit: The run failed otherwise.
    """
    from records.examples import check_examples

    started = time.monotonic()
    expect_free(root)
    # Before a large log is taken in for nothing.
    expect_saved_model(teacher)
    examples, window = at_hand(surface, examples, root, span, length)
    folders = pairs_from_at_hand(surface, of_pairs or {}, root)
    chosen = (str(window), None) if window else (span, length)
    checked(RunInputs(surface, examples, teacher, *chosen, folders, beam_args or [], max_bad_fraction, root=root))
    counts = check_examples(window.folders.folder(window.last) if window else examples)
    log = root / LOGS / f"{time.strftime('%Y%m%d-%H%M%S')}.log"
    with only_run_in(root), TERMINAL.noise_to(log), whole(root, TERMINAL.say):
        of_spans = f" of span {window.folders.title(window.last)}, trained on {window}" if window else ""
        TERMINAL.say(
            f"running {surface}: {counts['train']:,} train and {counts['eval']:,} eval examples{of_spans} (log: {log})"
        )
        for done in finish_pending(root):
            TERMINAL.say(f"completed a rollback that was stopped: {done.surface}, version {done.version}")
        from pipeline.pipeline import create_pipeline

        settings = make_settings(surface, examples, teacher, root, beam_args or [], window, max_bad_fraction)
        settings = replace(settings, announced=counts, trainer_workers=trainer_workers)
        settings = with_pairs_from(settings, folders)
        label_spans(settings, dict.fromkeys(window.spans[:-1] if window else []), runner, log)
        execute(create_pipeline(settings), runner, log)
        TERMINAL.say(f"finished in {seconds(started)}")
    return _summarize(root, as_json)


def _summarize(root: Path, as_json: bool) -> Exit:
    from crosskd.summary import exit_code, print_summary, summarize

    summary = summarize(root)
    print_summary(summary, as_json)
    return exit_code(summary)
