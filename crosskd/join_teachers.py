"""`crosskd join-teachers`: several teachers as one, for labelling with all of them in one pass."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crosskd.terminal import TERMINAL
from schema.errors import InputError


def command(
    teacher: Annotated[list[str], typer.Option(help="NAME=FOLDER of a SavedModel; twice or more.")],
    out: Annotated[Path, typer.Option(help="Where the joined SavedModel goes.")],
    signature: Annotated[str, typer.Option(help="The signature of each to call.")] = "serving_default",
    as_json: Annotated[bool, typer.Option("--json", help="Print the names of inputs and outputs as JSON.")] = False,
) -> None:
    """Join teachers into one SavedModel, whose inputs and outputs are called NAME__INPUT and NAME__OUTPUT."""
    with TERMINAL.quiet():
        from components.teacher_labeler.joining import join_teachers

        names = join_teachers(dict(_split(each) for each in teacher), str(out), signature)
    TERMINAL.say(f"joined into {out}\ninputs: {', '.join(names['inputs'])}\noutputs: {', '.join(names['outputs'])}")
    if as_json:
        TERMINAL.json({name: list(of) for name, of in names.items()})


def _split(text: str) -> tuple[str, str]:
    name, _, folder = text.partition("=")
    if not name.isidentifier() or not folder:
        raise InputError(f"--teacher {text}: expected NAME=FOLDER, the name in letters, digits and underscores")
    return name, folder
