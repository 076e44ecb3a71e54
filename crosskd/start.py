"""What the `crosskd` script runs: it says in words what keeps the commands from being imported.

At the top, nothing but the standard library is imported: the rest may not be installed, or not be ours.
"""

from __future__ import annotations

import sys

from crosskd import installation, stacks


def main() -> None:
    """Runs a command.

    Raises:
      SystemExit: The command ended; or, with a sentence, another's packages stand in the place of
        ours, or the requirements are not installed, or none are pinned for this Python.
    """
    intruders = installation.intruders()
    if intruders and sys.argv[1:2] != ["doctor"]:
        raise SystemExit("error: " + "\n".join([*intruders, installation.ADVICE]))
    try:
        _run(alone=bool(intruders))
    except ModuleNotFoundError as error:
        try:
            absent = installation.absent()
        except stacks.UnfitError as unfit:
            raise SystemExit(f"error: {unfit}.") from error
        if not absent:
            raise
        raise SystemExit(
            f"error: {len(absent)} of the packages that crosskd {installation.version()} runs on "
            f"are not installed here ({error.name} is asked for first). This command brings them:\n\n"
            f"  {installation.install_command()}\n"
        ) from error


def _run(alone: bool) -> None:
    """Hands over to the command line; `alone`, to the doctor without the other commands, which cannot be imported."""
    if alone:
        from crosskd.doctor import app as doctor

        doctor()
        return
    from crosskd import interrupts
    from crosskd.main import app
    from crosskd.terminal import TERMINAL

    interrupts.listen(lambda: TERMINAL.err.file.fileno())
    try:
        app()
    except SystemExit as ended:
        interrupts.conclude(ended.code)
        raise
