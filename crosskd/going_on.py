"""What is said of a root while somebody is at work under it."""

from __future__ import annotations

from pathlib import Path

import typer

from contracts import nodes
from contracts.outcome import Exit
from crosskd.runs import Run, metadata_for, newest_run
from crosskd.terminal import TERMINAL
from pipeline.metadata import is_server
from schema.errors import InputError

# A run that came to the end has these.
_LAST = (nodes.PUSHER, nodes.EVALUATION_REPORT)


def expect_finished(root: Path, as_json: bool) -> None:
    """Goes on where the newest run is finished, so that it is another one, or a rollback, that is at work.

    Args:
      root: A root whose lock is taken.
      as_json: Whether to tell a program.

    Raises:
      typer.Exit: The newest run is still going on; that was said.
    """
    run = _newest(root)
    if run is not None and not run.unfinished() and all(name in run.nodes for name in _LAST):
        TERMINAL.say(f"{root}: a run or a rollback is at work here now; this is of the run before ({run.run_id}).")
        return
    running = run.unfinished() if run else []
    done = len(run.nodes) - len(running) if run else 0
    if as_json:
        TERMINAL.json({"going_on": True, "run_id": run.run_id if run else None, "running": running, "done": done})
    else:
        which = f"the newest run ({run.run_id})" if run else "the first run"
        what = f": {', '.join(running)} is running" if running else ""
        TERMINAL.say(
            f"{root}: {which} is still going on{what}; {done} node(s) are done. There is no decision yet: ask again "
            "when it has ended."
        )
    raise typer.Exit(Exit.GOING_ON)


def _newest(root: Path) -> Run | None:
    where = metadata_for(root)
    if not is_server(where) and not Path(where).is_file():
        return None
    try:
        return newest_run(root)
    except InputError:  # no run has come to its first node
        return None
