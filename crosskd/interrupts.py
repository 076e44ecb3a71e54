"""Ends a command that was interrupted, within seconds, whatever it is doing.

An interrupted run must leave promptly, and say that the same command goes on.  Python alone cannot
promise that: a signal's handler waits until the main thread is back from C++, Beam wraps what is raised
in its own exceptions and then waits for the threads of its workers, and a component's worker may be at
work for minutes.  So a signal does two things: it raises `Interrupted` in the main thread, for an orderly
end, and wakes a thread that ends the process if the main thread has not done so after a short while.

An end without warning is safe at any moment (`python -m benchmarks.kills` tries it): what is published
appears by one rename, and what a run did not finish is made anew.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

import psutil

MESSAGE = "interrupted. Give the same command again to go on from the last finished step."
# Seconds for an orderly end.
_GRACE = 2.0
# Seconds in which the system ends a process that was killed.
_DYING = 1.0
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_SHOW_CURSOR = b"\x1b[?25h"


class Interrupted(KeyboardInterrupt):
    """A signal asks this process to end."""


class _Received:
    """The first signal that asked for an end, whether somebody listens to signals, and whether somebody was told."""

    def __init__(self) -> None:
        self.number: int | None = None
        self.listening = False
        self.told = threading.Lock()


_RECEIVED = _Received()


def exit_code() -> int:
    """128 and the number of the signal, as shells have it: 130 for Ctrl-C, 143 for SIGTERM."""
    return 128 + (_RECEIVED.number or signal.SIGINT)


def received() -> bool:
    """Whether a signal asked for an end; what is raised afterwards may be a consequence of it."""
    return _RECEIVED.number is not None


def tell(say: Callable[[str], None]) -> None:
    """Says once that the command was interrupted."""
    if _RECEIVED.told.acquire(blocking=False):
        say(MESSAGE)


def end() -> None:
    """Ends the process where it listens: with all that a run has in memory, Python's own way takes seconds."""
    end_children()
    if _RECEIVED.listening:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(exit_code())


def listen(error_descriptor: Callable[[], int]) -> None:
    """Makes Ctrl-C and SIGTERM end this process within seconds; what is ignored stays ignored, as in the background.

    Args:
      error_descriptor: Gives the file descriptor on which a person reads errors.
    """
    _RECEIVED.listening = True
    heard = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
    for number in heard:
        signal.signal(number, _raise)
    watcher = threading.Thread(
        target=_watch, args=(ours, theirs, frozenset(heard), error_descriptor), name="interrupts", daemon=True
    )
    watcher.start()
    # Held back meanwhile: until a forked child has its own, it would wake the watcher of its parent.
    os.register_at_fork(before=_hold_back, after_in_parent=_let_through, after_in_child=_as_before)


def conclude(code: object) -> None:
    """The command has ended, and said how: a signal that comes now ends the process with its own exit code.

    Args:
      code: What `SystemExit` carries: an exit code, None for 0, or a message.
    """
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):  # who read it has gone
            stream.flush()
    number = code if isinstance(code, int) else int(code is not None)
    for each in _SIGNALS:
        if signal.getsignal(each) is _raise:
            signal.signal(each, lambda *_: os._exit(number))


def end_children() -> None:
    """Ends what this process started: workers of Beam, a model that is served for a trial.

    They are gone when it returns, unless the system needs longer than a second to end one.
    """
    children = psutil.Process().children(recursive=True)
    for child in children:
        with contextlib.suppress(psutil.NoSuchProcess):
            child.kill()
    psutil.wait_procs(children, timeout=_DYING)


def _raise(number: int, frame: FrameType | None) -> NoReturn:
    del frame
    _RECEIVED.number = _RECEIVED.number or number
    raise Interrupted


def _watch(
    ours: socket.socket, theirs: socket.socket, heard: frozenset[int], error_descriptor: Callable[[], int]
) -> None:
    """Waits for a signal, in a thread: Python's C handler writes it, whatever the main thread does."""
    del theirs  # kept open for as long as this thread is there
    while True:
        asked = [number for number in ours.recv(1) if number in heard]
        if asked:
            break
    _RECEIVED.number = _RECEIVED.number or asked[0]
    ours.settimeout(_GRACE)
    with contextlib.suppress(TimeoutError):
        ours.recv(1)  # a second signal is somebody's impatience
    tell(lambda text: _write(error_descriptor(), text))
    end_children()
    os._exit(exit_code())


def _write(descriptor: int, text: str) -> None:
    """Not through the terminal's own console, whose lock the main thread may hold."""
    start = _SHOW_CURSOR + b"\n" if os.isatty(descriptor) else b""
    os.write(descriptor, start + f"error: {text}\n".encode())


def _hold_back() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)


def _let_through() -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)


def _as_before() -> None:
    """In a forked child, which has no thread that watches: the signals do what they did."""
    signal.set_wakeup_fd(-1)
    for number in _SIGNALS:
        if signal.getsignal(number) is _raise:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    _let_through()
