"""`crosskd train-teacher`: trains and exports the reference teacher on a source domain."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from crosskd.intake import at_hand_for_now, for_now
from crosskd.launch import EXAMPLES_HELP, choose_window
from crosskd.terminal import TERMINAL, seconds
from records.spans import DEFAULT_NAME, Window, choose, span_folders
from schema.errors import InputError
from schema.metrics import main_metric, title_of
from schema.surface import EVAL_SPLIT, TRAIN_SPLIT

if TYPE_CHECKING:
    from models.teacher import TeacherSummary


def command(
    surface: Annotated[Path, typer.Option(help="The source's surface folder (surface.yaml, schema.pbtxt).")],
    examples: Annotated[Path, typer.Option(help=f"Of the source: {EXAMPLES_HELP}.")],
    out: Annotated[Path, typer.Option(help="Where the teacher's SavedModel goes.")],
    span: Annotated[
        str | None, typer.Option(help="Of examples in spans: A:B, the spans to train on. Default: all of them.")
    ] = None,
    each_span: Annotated[
        bool,
        typer.Option(
            "--each-span",
            help="Train one teacher as of each of these spans, on it and those before it; `--out` gets a folder "
            "span-N for each.",
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was trained as JSON.")] = False,
) -> None:
    """Train the reference teacher on a source domain and export it as a SavedModel."""
    window = _window(examples, span)
    if each_span and window is None:
        raise InputError(f"--each-span: expected examples in spans, found none in {examples}")
    found: Any
    if window is None:
        found = _document(*train(surface, examples, out))
    elif not each_span:
        found = _document(*_train_spans(surface, examples, out, window))
    else:
        found = [
            {"span": last, **_document(*_train_spans(surface, examples, out / DEFAULT_NAME.format(SPAN=last), until))}
            for last, until in ((each, replace(window, last=each)) for each in window.spans)
        ]
    if as_json:
        TERMINAL.json(found)


def _window(examples: Path, span: str | None) -> Window | None:
    """The spans to train on; None where the examples are not in spans.

    Raises:
      InputError: Spans are asked for, and there are none, or one is missing.
    """
    folders = span_folders(examples)
    if folders is None:
        if span is not None:
            raise InputError(f"--span {span}: expected examples in spans, found none in {examples}")
        return None
    available = folders.available()
    everything = f"{folders.title(available[0])}:{folders.title(available[-1])}" if available else None
    return choose(folders, span or everything, None)


def _train_spans(surface: Path, examples: Path, out: Path, window: Window) -> tuple[TeacherSummary, list[Quality]]:
    """Trains on all spans of a window; the quality is that on the newest."""
    with at_hand_for_now(str(surface), examples, str(window), None) as (found, title, _):
        taken = choose_window(found, title, None)
        return _train(surface, [taken.folders.folder(each) for each in taken.spans] if taken else [found], out)


def _document(trained: TeacherSummary, quality: list[Quality]) -> dict[str, Any]:
    found = {"path": str(trained.path), "parameters": trained.parameters, "rows": trained.rows}
    return found | {"eval": [each._asdict() for each in quality]}


class Quality(NamedTuple):
    """How well a teacher predicts a task of the source's evaluation split.

    Attributes:
      task: The task.
      metric: Name of the task's metric.
      value: None where it is not defined.
      examples: Labelled examples.
    """

    task: str
    metric: str
    value: float | None
    examples: int


def train(surface: Path, examples: Path, out: Path) -> tuple[TeacherSummary, list[Quality]]:
    """Trains with progress on the terminal and the libraries' noise in a log beside `out`.

    Returns:
      What was made, and its metrics on the source's `eval/`; none of these if there is no such folder.
    """
    with for_now(str(surface), examples, TRAIN_SPLIT) as at_hand:
        return _train(surface, [at_hand], out, judged=examples)


def _train(
    surface: Path, folders: list[Path], out: Path, judged: Path | None = None
) -> tuple[TeacherSummary, list[Quality]]:
    started = time.monotonic()
    log = out.parent / f"{out.name}.log"
    with TERMINAL.noise_to(log):
        where = str(folders[0]) if len(folders) == 1 else f"{folders[0]} to {folders[-1].name}"
        TERMINAL.say(f"training the reference teacher on {where} (log: {log})")
        from models.teacher import train_teacher

        trained = train_teacher(surface, folders, out, [_progress()])
        TERMINAL.say(
            f"teacher: {trained.parameters:,} parameters, {trained.rows:,} rows, {seconds(started)}; wrote {out}"
        )
        evaluation = (judged or folders[-1]) / EVAL_SPLIT
        quality = _quality(surface, evaluation, out) if evaluation.is_dir() else []
        for each in quality:
            value = "not defined" if each.value is None else f"{each.value:.4f}"
            TERMINAL.say(f"  {each.task}: {title_of(each.metric)} {value} on {each.examples:,} examples of the source")
    return trained, quality


def _quality(surface: Path, split: Path, out: Path) -> list[Quality]:
    import numpy as np

    from evaluation.registry import score
    from models.teacher import predict
    from schema.loader import load_surface

    loaded = load_surface(surface)
    found = []
    for task, (labels, predictions) in predict(loaded, split, out).items():
        metric, present = main_metric(loaded.surface.tasks[task].kind), np.isfinite(labels)
        value = score(metric, labels[present], predictions[present])
        found.append(Quality(task, metric.name, None if value is None else value.value, int(present.sum())))
    return found


def _progress() -> Any:
    import keras

    def line(epoch: int, logs: dict[str, float] | None) -> None:
        losses = logs or {}
        TERMINAL.say(f"  epoch {epoch + 1}: loss {losses['loss']:.4f}, validation {losses['val_hard_loss']:.4f}")

    return keras.callbacks.LambdaCallback(on_epoch_end=line)
