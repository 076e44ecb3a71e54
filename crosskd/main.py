"""The `crosskd` command line.

Commands import what they need when they run: importing TFX takes more than ten seconds,
and `crosskd --help` should not.
"""

from __future__ import annotations

import sys

import click
import typer

from crosskd import demo, run, summary, train_teacher, world
from crosskd.terminal import TERMINAL, Exit
from schema.errors import InputError

app = typer.Typer(
    name="crosskd",
    help="Zero-shot cross-domain knowledge distillation for multi-task ranking models.",
    epilog="Exit codes: 0 done; 1 failed; 2 bad input; 3 finished, and the student was not blessed; 130 interrupted.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(world.app, name="world")
app.command("train-teacher")(train_teacher.command)
app.command("run", context_settings={"allow_extra_args": True, "ignore_unknown_options": False})(run.command)
app.command("summary")(summary.command)
app.command("demo")(demo.command)


def main() -> None:
    """Runs the command line; what a user can mend ends in one clear message."""
    try:
        sys.exit(app(standalone_mode=False) or Exit.OK)
    except InputError as error:
        TERMINAL.complain(str(error))
        sys.exit(Exit.BAD_INPUT)
    except (KeyboardInterrupt, click.Abort):
        TERMINAL.complain("interrupted. Give the same command again to go on from the last finished step.")
        sys.exit(Exit.INTERRUPTED)
    except click.ClickException as error:
        error.show()
        sys.exit(Exit.BAD_INPUT)
