"""Starts the workers of a training as processes of this machine, and starts them again if one dies."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from absl import logging

from contracts.outcome import Exit
from models.workers.cluster import VARIABLE, named
from models.workers.job import Job
from schema.errors import InputError

_PROCESS = "models.workers.process"
# How often they are all started before it is given up.
_ATTEMPTS = 4
_BETWEEN_LOOKS = 0.2
# What a worker has to end in before it is killed.
_SECONDS_TO_END = 10.0


def run(job: Job, count: int) -> None:
    """Trains on so many workers of this machine; what they say goes where this process's own messages go.

    If a worker dies the others cannot go on.  Then all are started anew, and go on after the last
    whole epoch.

    Args:
      job: What is trained.
      count: How many workers.

    Raises:
      InputError: What a worker found wrong with the input.
      RuntimeError: A worker ended otherwise, in every attempt.
    """
    with tempfile.TemporaryDirectory(prefix="crosskd-workers-") as folder:
        job.write(f"{folder}/job.json")
        for attempt in range(1, _ATTEMPTS + 1):
            ended = _together(Path(folder), count)
            if not any(ended):
                return
            first = next(place for place, code in enumerate(ended) if code)
            told = f"worker {first} of {count} ended with exit code {ended[first]}"
            logging.warning("%s in attempt %d of %d", told, attempt, _ATTEMPTS)
    raise RuntimeError(f"{told} in the last of {_ATTEMPTS} attempts; the log has what it said")


def _together(folder: Path, count: int) -> list[int]:
    """Runs all workers once, and ends the others when one has failed; the exit code of each, 0 for those ended."""
    places = addresses(count)
    with ExitStack() as stack:
        workers = []
        for index in range(count):
            workers.append(start(folder, places, index))
            stack.callback(_end, workers[-1])
        codes = _watched(workers)
    refused = next((each for each in sorted(folder.glob("refusal-*")) if Exit.BAD_INPUT in codes), None)
    if refused is not None:
        raise InputError(refused.read_text())
    return codes


def start(folder: Path, places: tuple[str, ...], index: int) -> subprocess.Popen[bytes]:
    """Starts one worker of those at these addresses; it ends when this process does."""
    refusal = str(folder / f"refusal-{index}")
    command = [sys.executable, "-m", _PROCESS, str(folder / "job.json"), "--end-with-stdin", "--refusal", refusal]
    # Code of the user's own is found where this process finds it.
    around = {VARIABLE: named(places, index), "PYTHONPATH": os.pathsep.join(each for each in sys.path if each)}
    return subprocess.Popen(command, stdin=subprocess.PIPE, env={**os.environ, **around})


def _watched(workers: Sequence[subprocess.Popen[bytes]]) -> list[int]:
    """Waits until all have ended well or one has not."""
    while True:
        codes = [each.poll() for each in workers]
        if any(codes) or all(code == 0 for code in codes):
            return [code or 0 for code in codes]
        time.sleep(_BETWEEN_LOOKS)


def _end(worker: subprocess.Popen[bytes]) -> None:
    if worker.poll() is None:
        worker.terminate()
        try:
            worker.wait(_SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            worker.kill()
    worker.wait()
    if worker.stdin is not None:
        worker.stdin.close()


def addresses(count: int) -> tuple[str, ...]:
    """Free ports of this machine; all are held until the last one is found, so that they differ."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return tuple(f"127.0.0.1:{each.getsockname()[1]}" for each in sockets)
