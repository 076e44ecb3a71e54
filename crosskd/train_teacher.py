"""`crosskd train-teacher`: trains and exports the reference teacher on a source domain."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crosskd.terminal import TERMINAL, seconds

if TYPE_CHECKING:
    from models.teacher import TeacherSummary


def command(
    surface: Annotated[Path, typer.Option(help="The source's surface folder (surface.yaml, schema.pbtxt).")],
    examples: Annotated[Path, typer.Option(help="Folder with train/ of the source, gzipped TFRecords.")],
    out: Annotated[Path, typer.Option(help="Where the teacher's SavedModel goes.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print what was trained as JSON.")] = False,
) -> None:
    """Train the reference teacher on a source domain and export it as a SavedModel."""
    trained = train(surface, examples, out)
    if as_json:
        TERMINAL.json({"path": str(trained.path), "parameters": trained.parameters, "rows": trained.rows})


def train(surface: Path, examples: Path, out: Path) -> TeacherSummary:
    """Trains with progress on the terminal and the libraries' noise in a log beside `out`."""
    started = time.monotonic()
    log = out.parent / f"{out.name}.log"
    with TERMINAL.noise_to(log):
        TERMINAL.say(f"training the reference teacher on {examples} (log: {log})")
        from models.teacher import train_teacher

        trained = train_teacher(surface, examples, out, [_progress()])
        TERMINAL.say(
            f"teacher: {trained.parameters:,} parameters, {trained.rows:,} rows, {seconds(started)}; wrote {out}"
        )
    return trained


def _progress() -> Any:
    import keras

    def line(epoch: int, logs: dict[str, float] | None) -> None:
        losses = logs or {}
        TERMINAL.say(f"  epoch {epoch + 1}: loss {losses['loss']:.4f}, validation {losses['val_hard_loss']:.4f}")

    return keras.callbacks.LambdaCallback(on_epoch_end=line)
