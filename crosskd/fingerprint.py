"""`crosskd fingerprint`: what a teacher is, as the run parameter of a compiled pipeline takes it."""

from __future__ import annotations

from typing import Annotated

import typer

from crosskd.terminal import TERMINAL


def command(
    teacher: Annotated[str, typer.Argument(help="The teacher's SavedModel: a folder, or a URI of a bucket.")],
) -> None:
    """Print the fingerprint of a teacher."""
    with TERMINAL.quiet():
        from records.fingerprint import fingerprint

        found = fingerprint(teacher)
    typer.echo(found)
