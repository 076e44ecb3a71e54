"""`crosskd demo`: the whole method on the embedded world, with nothing to download."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from crosskd import run as run_command
from crosskd import train_teacher
from crosskd.terminal import TERMINAL, seconds


def command(
    out: Annotated[Path, typer.Option(help="Folder for everything that the demonstration makes.")] = Path("runs/demo"),
    surface: Annotated[str, typer.Option(help="Target surface: homepage or radio.")] = "homepage",
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Make the embedded world, train a teacher on video, distil into a music ranker, push it."""
    started = time.monotonic()
    world, teacher = out / "world", out / "teacher"
    if not world.exists():
        TERMINAL.say("1. the world: two products with the same people")
        with TERMINAL.noise_to(out / "world.log"):
            from worlds import simulated

            simulated.write(world, size="small", seed=0, progress=TERMINAL.say)
    if not teacher.exists():
        TERMINAL.say("2. the teacher: trained on video, the data-rich product")
        train_teacher.train(world / "video", world / "video", teacher)
    TERMINAL.say(f"3. the pipeline: from music {surface} examples to a pushed student")
    code = run_command.run(str(world / surface), world / surface, teacher, out / surface, as_json=as_json)
    TERMINAL.say(f"demonstration done in {seconds(started)}; everything is in {out}")
    raise typer.Exit(code)
