"""`crosskd report`: where the page about the newest run is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crosskd.terminal import TERMINAL
from schema.errors import InputError


def command(
    root: Annotated[Path, typer.Option(help="The --root that was given to `crosskd run`.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Print the path of the newest run's report, a page to open in a browser."""
    from crosskd.summary import quiet_summary

    page = quiet_summary(root, as_json).report
    if page is None:
        raise InputError(
            f"{root}: the newest run has no report: it ended before EvaluationReport, or was made by a version "
            "without it. Give the same `crosskd run` again to make it."
        )
    if as_json:
        TERMINAL.json({"report": page})
    else:
        TERMINAL.out.print(page, markup=False, highlight=False, soft_wrap=True)
