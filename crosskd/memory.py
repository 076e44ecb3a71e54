"""How much memory a run holds, its worker processes included."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self

import psutil

_SECONDS = 0.2
# Only at each so manieth look it is asked which processes there are: that is read from every process of the machine.
_LOOKS_PER_LIST = 5


class PeakMemory:
    """Watches this process and those that it started, on a thread of its own."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._peak = 0
        self._started: list[psutil.Process] = []
        self._looks = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="peak-memory", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join()

    def begin(self) -> None:
        """Forgets what was seen before."""
        self._looks = 0
        self._peak = self._held()

    def peak(self) -> int:
        """The most that was held since `begin`, in bytes of resident memory."""
        self._peak = max(self._peak, self._held())
        return self._peak

    def _watch(self) -> None:
        while not self._ended.wait(_SECONDS):
            self.peak()

    def _held(self) -> int:
        if self._looks % _LOOKS_PER_LIST == 0:
            self._started = self._process.children(recursive=True)
        self._looks += 1
        return sum(map(_resident, (self._process, *self._started)))


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:  # it ended since it was listed
        return 0
