"""What a person at the terminal sees, apart from what libraries print."""

from __future__ import annotations

import io
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO, Any, TextIO

from rich.console import Console

from pipeline.secrets import redact

# Columns of what is written to a file or a pipe.
_FILE_WIDTH = 120


# How a gate's verdict looks, by its name.
VERDICT_MARKS = {"pass": "[green]pass[/]", "fail": "[red]FAIL[/]", "not_judged": "[yellow]not judged[/]"}


class Terminal:
    """Standard output and standard error, kept apart from the libraries' noise.

    TensorFlow and Beam write to the process's file descriptors from C++ threads.  Inside
    `noise_to`, those descriptors point to a log file, and the consoles here to
    duplicates of the original ones.
    """

    def __init__(self) -> None:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        self.out = _wide(Console())
        self.err = _wide(Console(stderr=True))

    @contextmanager
    def noise_to(self, log: Path) -> Iterator[None]:
        """Sends everything but our own lines to `log` for the time being."""
        sys.stdout.flush()
        sys.stderr.flush()
        kept = os.dup(1), os.dup(2)
        before = self.out, self.err
        with _opened(log) as file, _text(kept[0], before[0]) as out, _text(kept[1], before[1]) as err:
            self.out, self.err = _like(before[0], out), _like(before[1], err)
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
            try:
                yield
            finally:
                _let_go(sys.stdout, 1)
                _let_go(sys.stderr, 2)
                out.flush()
                err.flush()
                os.dup2(kept[0], 1)
                os.dup2(kept[1], 2)
                self.out, self.err = before

    def quiet(self) -> AbstractContextManager[None]:
        """Drops everything but our own lines for the time being, where there is no folder for a log."""
        return self.noise_to(Path(os.devnull))

    def say(self, text: str) -> None:
        """One line of progress, on standard error so that --json stays clean."""
        self.err.print(redact(text), markup=False, highlight=False, soft_wrap=True)

    def complain(self, text: str) -> None:
        """An error, without markup: paths and messages may hold brackets."""
        self.err.print("error:", style="bold red", end=" ")
        self.err.print(redact(text), markup=False, highlight=False, soft_wrap=True)

    def json(self, value: Any) -> None:
        """A value for a program, on standard output."""
        self.out.file.write(json.dumps(value, indent=2) + "\n")
        self.out.file.flush()


@contextmanager
def _opened(log: Path) -> Iterator[IO[bytes]]:
    """The log; where it cannot be written, the noise goes nowhere, and what matters says so itself."""
    with _log_or_nothing(log).open("ab", buffering=0) as file:
        yield file


def _log_or_nothing(log: Path) -> Path:
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.touch()
    except OSError:
        return Path(os.devnull)
    return log


def _text(descriptor: int, console: Console) -> IO[str]:
    """What the terminal cannot show, such as an umlaut where there is ASCII alone, is escaped."""
    return os.fdopen(descriptor, "w", encoding=console.encoding, errors="backslashreplace")


def _wide(console: Console) -> Console:
    """Room for whole tables where nobody's window is the limit."""
    if not console.is_terminal:
        console.width = max(console.width, _FILE_WIDTH)
    return console


def _like(console: Console, file: Any) -> Console:
    return Console(file=file, force_terminal=console.is_terminal, width=console.width)


def seconds(started: float) -> str:
    """Time since `started` (of `time.monotonic`), for people."""
    passed = time.monotonic() - started
    return f"{passed:.1f} s" if passed < 60 else f"{int(passed // 60)} min {int(passed % 60):02d} s"


TERMINAL = Terminal()


def _let_go(stream: TextIO, descriptor: int) -> None:
    """Flushes a stream; what the full disk of a log did not take must not come to the terminal afterwards."""
    try:
        stream.flush()
    except OSError:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), descriptor)
            stream.flush()
