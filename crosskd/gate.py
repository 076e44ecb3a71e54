"""`crosskd gate`: why the newest student may serve, or may not."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from contracts.outcome import Exit
from crosskd.terminal import TERMINAL, VERDICT_MARKS


def command(
    root: Annotated[Path, typer.Option(help="The --root that was given to `crosskd run`.")],
    explain: Annotated[bool, typer.Option("--explain", help="Say for every gate what was asked and found.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole decision as JSON.")] = False,
) -> None:
    """Show the decision about the newest student: blessed or not, and by which gates."""
    from crosskd.summary import quiet_summary

    decision = quiet_summary(root, as_json).decision
    if as_json:
        TERMINAL.json(decision.model_dump(mode="json"))
    else:
        TERMINAL.out.print(decision.sentence, markup=False, highlight=False, soft_wrap=True)
        for part in (*decision.gates, *decision.checks) if explain else ():
            TERMINAL.out.print(VERDICT_MARKS[part.verdict.value], end="  ")
            TERMINAL.out.print(part.sentence, markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(Exit.OK if decision.blessed else Exit.NOT_BLESSED)
