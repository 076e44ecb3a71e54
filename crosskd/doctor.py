"""`crosskd doctor`: whether this machine can run the pipeline, and what to do if not."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from contracts.outcome import Exit
from crosskd.terminal import TERMINAL

_MARKS = {"ok": "[green]ok     [/]", "warning": "[yellow]warning[/]", "broken": "[bold red]BROKEN [/]"}


def command(
    root: Annotated[Path, typer.Option(help="Where runs will be kept; it need not exist.")] = Path("runs"),
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Check the environment: Python, system, versions, disk, memory, Beam without network."""
    from crosskd.checks import State, checks

    found = []
    for check in checks(root):
        found.append(check)
        if not as_json:
            TERMINAL.out.print(_MARKS[check.state.value], end="  ")
            TERMINAL.out.print(f"{check.name}: {check.found}", markup=False, highlight=False, soft_wrap=True)
            if check.advice:
                TERMINAL.out.print(f"         {check.advice}", markup=False, highlight=False, soft_wrap=True)
    healthy = all(check.state is not State.BROKEN for check in found)
    if as_json:
        TERMINAL.json({"healthy": healthy, "checks": [check.model_dump(mode="json") for check in found]})
    raise typer.Exit(Exit.OK if healthy else Exit.FAILED)


# The doctor without the other commands, for an environment in which those cannot be imported.
app = typer.Typer(name="crosskd", pretty_exceptions_enable=False, rich_markup_mode=None)
app.command("doctor")(command)


@app.callback()
def _alone() -> None:
    """Other commands do not start here: see what the doctor says."""
