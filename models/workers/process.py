"""One worker of a training, as a process.

    TF_CONFIG='{"cluster": ..., "task": ...}' python -m models.workers.process JOB

Every worker is started so, on whatever machine; JOB is a file that all of them see, and so are the
files that it names.  The exit code is 2 where the input is bad, so that no other attempt is worth it.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from absl import logging

from contracts.outcome import Exit
from models import trainer
from models.workers.job import read_job
from schema.errors import InputError


def main(argv: Sequence[str] | None = None) -> int:
    """Trains as one worker.

    Returns:
      The exit code.
    """
    parser = argparse.ArgumentParser(description="Trains as one worker of those that TF_CONFIG names.")
    parser.add_argument("job", help="The file with what is trained.")
    parser.add_argument("--refusal", type=Path, help="Where to write what is wrong with the input.")
    parser.add_argument("--end-with-stdin", action="store_true", help="End as soon as standard input is closed.")
    given = parser.parse_args(argv)
    logging.set_verbosity(logging.INFO)
    if given.end_with_stdin:
        threading.Thread(target=_end_with_stdin, daemon=True).start()
    try:
        trainer.run_job(read_job(given.job))
    except InputError as error:
        logging.error("%s", error)
        if given.refusal is not None:
            given.refusal.write_text(str(error))
        return Exit.BAD_INPUT
    return Exit.OK


def _end_with_stdin() -> None:
    """Whoever started the process holds its standard input; a worker must not outlive it, however it ended."""
    # Not through `sys.stdin`, whose lock a thread would hold when the interpreter ends.
    while os.read(0, 1):
        pass
    os._exit(Exit.FAILED)


if __name__ == "__main__":
    sys.exit(main())
