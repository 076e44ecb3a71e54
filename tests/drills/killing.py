"""Gives a command, and ends it by force."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from tests import forked

FULL_DISK = "the disk is full"
# How the process is ended; a server looks on while it stands still.
WAYS = ("SIGKILL", "SIGKILL of its group", "SIGTERM", "SIGINT", "SIGSTOP, then SIGKILL")
LARGE = 30.0  # seconds, in which most of a run falls
_MOST = 240.0
_DISK = "400m"
_LEFT = 4096  # bytes left on a disk that is full


class SmallDisk:
    """A disk of its own for the root, where this user may mount one; else a folder."""

    def __init__(self, folder: Path):
        self.folder = folder
        folder.mkdir(exist_ok=True)
        if not folder.is_mount():
            command = ["mount", "-t", "tmpfs", "-o", f"size={_DISK}", "tmpfs", str(folder)]
            subprocess.run(command, capture_output=True, check=False)
        self.mounted = folder.is_mount()
        self._ballast = folder / "ballast"

    def unmount(self) -> None:
        """Takes the disk away, with all that is on it."""
        if self.mounted:
            subprocess.run(["umount", "--lazy", str(self.folder)], check=True)

    def fill(self) -> None:
        there = os.statvfs(self.folder)
        with contextlib.suppress(OSError):
            self._ballast.write_bytes(bytes(max(0, there.f_bavail * there.f_frsize - _LEFT)))

    def empty(self) -> None:
        self._ballast.unlink(missing_ok=True)


@dataclass(frozen=True)
class Attempt:
    """How a command ended.

    Attributes:
      code: Its exit code; negative for a signal.
      said: What it printed.
      finished: Whether it came to its end, or said that it did, before it was killed.
      seconds: How long it took.
      ending: How long it took to end after it was struck.
    """

    code: int
    said: str
    finished: bool
    seconds: float
    ending: float


def attempt(arguments: list[str], root: Path, disk: SmallDisk, blow: tuple[str, str] | None, delay: float) -> Attempt:
    """Gives a command, and ends it.

    Args:
      arguments: After `crosskd`.
      root: The root.
      disk: Where it lies.
      blow: In which way, and after what: `the start`, `the intent` of a rollback, or a node that was begun; None
        lets the command through.
      delay: Seconds between the two.
    """
    printed = disk.folder.parent / "printed.txt"
    printed.write_text("")
    since, started = time.time(), time.monotonic()
    child = forked.start(arguments, printed, printed)
    code = None
    struck = started
    if blow is not None:
        code = _wait_for(child, _trigger(blow[1], root, since), delay)
        struck = time.monotonic()
        if code is None:
            code = _strike(child, blow[0], disk)
        elif code:
            raise RuntimeError(f"it failed before it was struck, with {code}: {printed.read_text()[-3000:]}")
    if code is None:
        code = forked.wait(child, _MOST)
    disk.empty()
    said = printed.read_text(errors="replace")
    return Attempt(
        code, said, code == 0 or "is served again" in said, time.monotonic() - started, time.monotonic() - struck
    )


def _trigger(what: str, root: Path, since: float) -> Callable[[], bool]:
    if what == "the start":
        return lambda: True
    if what == "the intent":
        return lambda: any((root / "serving").glob("*/.rollback.json"))

    def begun() -> bool:
        # The newest log: the one of the attempt before may be a moment old.
        logs = sorted((root / "logs").glob("2*.log"), key=lambda path: path.stat().st_mtime)
        return any(
            f"{what} is running" in path.read_text(errors="replace")
            for path in logs[-1:]
            if path.stat().st_mtime >= since
        )

    return begun


def _wait_for(child: ForkServerProcess, happened: Callable[[], bool], delay: float) -> int | None:
    """Waits until something happened, and a while longer; the exit code if the process ended before."""
    ends = time.monotonic() + _MOST
    while not happened():
        if (code := child.exitcode) is not None:
            return code
        if time.monotonic() > ends:
            forked.end(child)
            raise RuntimeError(f"what was waited for did not happen in {_MOST:.0f} s")
        time.sleep(0.002)
    ends = time.monotonic() + delay
    while time.monotonic() < ends:
        if (code := child.exitcode) is not None:
            return code
        time.sleep(0.005)
    return child.exitcode


def _strike(child: ForkServerProcess, way: str, disk: SmallDisk) -> int | None:
    """Ends the process, or fills the disk, with which it ends by itself."""
    if way == FULL_DISK:
        disk.fill()
        return None
    with contextlib.suppress(ProcessLookupError):
        if way == "SIGSTOP, then SIGKILL":
            os.kill(forked.pid(child), signal.SIGSTOP)
            time.sleep(0.2)
        if way == "SIGKILL of its group":
            os.killpg(forked.pid(child), signal.SIGKILL)
        else:
            number = signal.Signals[way] if way in signal.Signals.__members__ else signal.SIGKILL
            os.kill(forked.pid(child), number)
    started = time.monotonic()
    code = forked.wait(child, 60)
    if way in ("SIGTERM", "SIGINT") and code in (130, 143) and time.monotonic() - started > 5:
        raise RuntimeError(f"{way}: it took {time.monotonic() - started:.1f} s to end")
    return code
