"""How much memory something takes, in a process of its own."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal


def resident(which: Literal["VmRSS", "VmHWM"]) -> int:
    """Bytes of this process in memory: now (`VmRSS`), or at most since `forget_peak` (`VmHWM`)."""
    line = next(each for each in Path("/proc/self/status").read_text().splitlines() if each.startswith(which))
    return int(line.split()[1]) * 1024


def forget_peak() -> None:
    """Lets the most that this process has had in memory be what it has now."""
    Path("/proc/self/clear_refs").write_text("5")


def in_a_process(function: Callable[..., dict[str, float]], *given: Any) -> dict[str, float]:
    """Calls a function in a new process."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, given)
