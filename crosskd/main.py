"""The `crosskd` command line.

Commands import what they need when they run: importing TFX takes more than ten seconds,
and `crosskd --help` should not.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from contracts.outcome import Exit
from crosskd import (
    ab,
    check,
    compare,
    curve,
    days,
    demo,
    doctor,
    experiment,
    fingerprint,
    gate,
    import_examples,
    init,
    installation,
    interrupts,
    join_teachers,
    label,
    live,
    monitor,
    prune,
    relocate,
    report,
    rollback,
    run,
    store_labels,
    submit,
    summary,
    teachers,
    train_teacher,
    tune,
    world,
)
from crosskd import compile as compile_command
from crosskd.terminal import TERMINAL
from crosskd.troubles import explain
from schema.errors import InputError


class _Commands(TyperGroup):
    """Ends what a user can mend, and an interruption, in one message and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except (Exception, KeyboardInterrupt) as error:
            # What is raised after a signal may be a consequence of it, in the words of another library.
            if interrupts.received() or isinstance(error, KeyboardInterrupt):
                interrupts.tell(TERMINAL.complain)
                interrupts.end()
                raise typer.Exit(interrupts.exit_code()) from error
            known = str(error) if isinstance(error, InputError) else _trouble(error, None)
            if known is None:
                raise
            TERMINAL.complain(known)
            raise typer.Exit(Exit.BAD_INPUT) from error


def _trouble(error: BaseException, root: Path | None) -> str | None:
    """What the machine does not let a command do; None for the ends of commands that spoke for themselves."""
    of_the_command_line = type(error).__module__.partition(".")[0] in ("typer", "click")
    return None if of_the_command_line else explain(error, root)


class _Command(TyperCommand):
    """Says what the machine does not let it do."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except Exception as error:
            known = None if isinstance(error, InputError) else _trouble(error, ctx.params.get("root"))
            if known is None or interrupts.received():
                raise
            raise InputError(known) from error


app = typer.Typer(
    name="crosskd",
    cls=_Commands,
    help="Zero-shot cross-domain knowledge distillation for multi-task ranking models.",
    epilog="Exit codes: 0 done; 1 failed; 2 bad input; 3 finished, and the student was not blessed; 4 blessed, and not "
    "pushed; 5 the newest run is still going on; 6 an alert; 7 an experiment's sample ratio is off; 8 nothing better "
    "was found; 130 interrupted (143: by SIGTERM).",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    # Click cuts descriptions to 80 columns however wide the window is.
    context_settings={"max_content_width": 120},
)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"{installation.NAME} {installation.version()}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Options of `crosskd` itself, before any command."""


app.command("init", cls=_Command)(init.command)
app.command("import", cls=_Command)(import_examples.command)
app.add_typer(world.app, name="world")
app.command("train-teacher", cls=_Command)(train_teacher.command)
app.command("check", cls=_Command)(check.command)
app.command("run", cls=_Command)(run.command)
app.command("label", cls=_Command)(label.command)
app.command("teachers", cls=_Command)(teachers.command)
app.command("store-labels", cls=_Command)(store_labels.command)
app.command("summary", cls=_Command)(summary.command)
app.command("gate", cls=_Command)(gate.command)
app.command("report", cls=_Command)(report.command)
app.command("compare", cls=_Command)(compare.command)
app.command("monitor", cls=_Command)(monitor.command)
app.command("rollback", cls=_Command)(rollback.command)
app.command("prune", cls=_Command)(prune.command)
app.command("relocate", cls=_Command)(relocate.command)
app.command("experiment", cls=_Command)(experiment.command)
app.command("tune", cls=_Command)(tune.command)
app.command("curve", cls=_Command)(curve.command)
app.command("days", cls=_Command)(days.command)
app.command("live", cls=_Command)(live.command)
app.command("ab", cls=_Command)(ab.command)
app.command("demo", cls=_Command)(demo.command)
app.command("doctor", cls=_Command)(doctor.command)
app.command("fingerprint", cls=_Command)(fingerprint.command)
app.command("join-teachers", cls=_Command)(join_teachers.command)
app.command("compile", cls=_Command)(compile_command.command)
app.command("submit", cls=_Command)(submit.command)
