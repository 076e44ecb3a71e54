"""`crosskd fingerprint`: what a teacher is, as the run parameter of a compiled pipeline takes it."""

from __future__ import annotations

from typing import Annotated

import typer


def command(
    teacher: Annotated[str, typer.Argument(help="The teacher's SavedModel: a folder, or a URI of a bucket.")],
) -> None:
    """Print the fingerprint of a teacher."""
    from records.fingerprint import fingerprint

    typer.echo(fingerprint(teacher))
