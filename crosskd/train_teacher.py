"""`crosskd train-teacher`: trains and exports the reference teacher on a source domain."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from crosskd.intake import for_now
from crosskd.launch import EXAMPLES_HELP
from crosskd.terminal import TERMINAL, seconds
from schema.metrics import main_metric, title_of
from schema.surface import EVAL_SPLIT

if TYPE_CHECKING:
    from models.teacher import TeacherSummary


def command(
    surface: Annotated[Path, typer.Option(help="The source's surface folder (surface.yaml, schema.pbtxt).")],
    examples: Annotated[Path, typer.Option(help=f"Of the source: {EXAMPLES_HELP}.")],
    out: Annotated[Path, typer.Option(help="Where the teacher's SavedModel goes.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print what was trained as JSON.")] = False,
) -> None:
    """Train the reference teacher on a source domain and export it as a SavedModel."""
    trained, quality = train(surface, examples, out)
    if as_json:
        found = {"path": str(trained.path), "parameters": trained.parameters, "rows": trained.rows}
        TERMINAL.json(found | {"eval": [each._asdict() for each in quality]})


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
    started = time.monotonic()
    log = out.parent / f"{out.name}.log"
    with for_now(str(surface), examples, "train") as at_hand, TERMINAL.noise_to(log):
        TERMINAL.say(f"training the reference teacher on {examples} (log: {log})")
        from models.teacher import train_teacher

        trained = train_teacher(surface, at_hand, out, [_progress()])
        TERMINAL.say(
            f"teacher: {trained.parameters:,} parameters, {trained.rows:,} rows, {seconds(started)}; wrote {out}"
        )
        quality = _quality(surface, examples / EVAL_SPLIT, out) if (examples / EVAL_SPLIT).is_dir() else []
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
