"""Gives `crosskd` commands in processes of their own, forked from a server that has imported the libraries.

Importing TFX takes longer than most of what a command of a test does.  From a server, because what
forks must have used nothing of TensorFlow and have no threads: a child that takes over a lock
which another thread held stands still for ever.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from multiprocessing import forkserver
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from absl import logging as absl_logging

# What commands import before they do anything.
_LIBRARIES = [
    *("crosskd.main", "crosskd.rolling_back", "crosskd.checking.inspection", "evidence.experiment"),
    *("models.preprocessing", "models.trainer", "pipeline.pipeline", "pipeline.runners", "tests.beam_memory"),
]
_NONE: Mapping[str, str] = {}


def crosskd(
    *arguments: object, env: Mapping[str, str] = _NONE, timeout: float = 600.0
) -> subprocess.CompletedProcess[str]:
    """Gives a command, and waits for its end, as `subprocess.run` does.

    Args:
      arguments: After `crosskd`.
      env: Variables that it has beside the tests' own; what PYTHONPATH names is searched first, as Python does.
      timeout: Seconds in which it must end.

    Raises:
      subprocess.TimeoutExpired: It did not, and was killed.
    """
    words = [str(each) for each in arguments]
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        child = start(words, out, err, env)
        try:
            code = wait(child, timeout)
        except TimeoutError as late:
            raise subprocess.TimeoutExpired(words, timeout, err.read_bytes()) from late
        return subprocess.CompletedProcess(words, code, out.read_text("utf-8"), err.read_text("utf-8"))


def start_server() -> None:
    """Starts the process that others are forked from, unless there is one."""
    forkserver.set_forkserver_preload(_LIBRARIES)
    forkserver.ensure_running()


def start(arguments: list[str], out: Path, err: Path, env: Mapping[str, str] = _NONE) -> ForkServerProcess:
    """Gives a command; its output goes into two files, which may be one."""
    start_server()
    place = str(Path.cwd())
    child = multiprocessing.get_context("forkserver").Process(
        target=_give, args=(arguments, out, err, dict(env), place)
    )
    child.start()
    return child


def wait(child: ForkServerProcess, most: float) -> int:
    """The exit code of a command; negative for a signal.

    Raises:
      TimeoutError: It did not end in `most` seconds, and was killed.
    """
    child.join(most)
    if child.exitcode is None:
        end(child)
        raise TimeoutError(f"the command did not end in {most:.0f} s")
    return child.exitcode


def end(child: ForkServerProcess) -> None:
    """Kills a command, and all that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid(child), signal.SIGKILL)
    child.join()


def pid(child: ForkServerProcess) -> int:
    """Its process, which leads a group of its own."""
    assert child.pid is not None  # it was started
    return child.pid


def _give(arguments: list[str], out: Path, err: Path, env: dict[str, str], place: str) -> None:
    code = 1
    try:
        os.setsid()
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell ignores it in the background
        os.environ.update(env)
        sys.path[:0] = [each for each in env.get("PYTHONPATH", "").split(os.pathsep) if each]
        os.chdir(place)
        _redirect(out, err)
        code = _command(arguments)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _redirect(out: Path, err: Path) -> None:
    """The descriptors go to the files, and the streams, whatever a test runner made of them, to the descriptors."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    os.dup2(os.open(out, flags, 0o644), 1)
    os.dup2(os.open(err, flags, 0o644), 2)
    encoding = os.environ.get("PYTHONIOENCODING", "utf-8")
    sys.stdout = os.fdopen(1, "w", buffering=1, encoding=encoding)
    sys.stderr = os.fdopen(2, "w", buffering=1, encoding=encoding, errors="backslashreplace")
    logging.root.handlers.clear()
    absl_logging.use_absl_handler()
    absl_logging.get_absl_handler().python_handler.stream = sys.stderr


def _command(arguments: list[str]) -> int:
    from crosskd import start

    sys.argv = ["crosskd", *arguments]
    try:
        start.main()
    except SystemExit as ended:
        if ended.code is None or isinstance(ended.code, int):
            return ended.code or 0
        sys.stderr.write(f"{ended.code}\n")
        return 1
    return 0
