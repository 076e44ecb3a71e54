"""The `crosskd` command line.

Commands import what they need when they run: importing TFX takes more than ten seconds,
and `crosskd --help` should not.
"""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from crosskd import (
    check,
    compare,
    curve,
    demo,
    doctor,
    experiment,
    fingerprint,
    gate,
    import_examples,
    init,
    installation,
    join_teachers,
    label,
    live,
    report,
    rollback,
    run,
    store_labels,
    submit,
    summary,
    train_teacher,
    world,
)
from crosskd import compile as compile_command
from crosskd.terminal import TERMINAL, Exit
from schema.errors import InputError


class _Commands(TyperGroup):
    """Ends what a user can mend, and an interruption, in one message and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except InputError as error:
            TERMINAL.complain(str(error))
            raise typer.Exit(Exit.BAD_INPUT) from error
        except KeyboardInterrupt as error:
            TERMINAL.complain("interrupted. Give the same command again to go on from the last finished step.")
            raise typer.Exit(Exit.INTERRUPTED) from error


app = typer.Typer(
    name="crosskd",
    cls=_Commands,
    help="Zero-shot cross-domain knowledge distillation for multi-task ranking models.",
    epilog="Exit codes: 0 done; 1 failed; 2 bad input; 3 finished, and the student was not blessed; 4 blessed, and not "
    "pushed; 5 the newest run is still going on; 130 interrupted.",
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


app.command("init")(init.command)
app.command("import")(import_examples.command)
app.add_typer(world.app, name="world")
app.command("train-teacher")(train_teacher.command)
app.command("check")(check.command)
app.command("run")(run.command)
app.command("label")(label.command)
app.command("store-labels")(store_labels.command)
app.command("summary")(summary.command)
app.command("gate")(gate.command)
app.command("report")(report.command)
app.command("compare")(compare.command)
app.command("rollback")(rollback.command)
app.command("experiment")(experiment.command)
app.command("curve")(curve.command)
app.command("live")(live.command)
app.command("demo")(demo.command)
app.command("doctor")(doctor.command)
app.command("fingerprint")(fingerprint.command)
app.command("join-teachers")(join_teachers.command)
app.command("compile")(compile_command.command)
app.command("submit")(submit.command)
