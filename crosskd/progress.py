"""Follows a pipeline's run from what TFX's launchers and the components log."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from absl import logging as absl_logging
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table

from contracts.history import HARD_LOSS, SOFT_LOSS, VALIDATION_PREFIX
from contracts.measurements import Measurements, NodeMeasurement
from crosskd.memory import PeakMemory
from crosskd.terminal import Terminal, seconds
from records import documents

# What the runners of TFX 1.21 log: beam_dag_runner.py, local_dag_runner.py, launcher.py.
_STARTED = re.compile(r"^(?:node|Component) (\S+) is running\.$")
_FINISHED = re.compile(r"^(?:node|Component) (\S+) is finished\.$")
_CACHED = re.compile(r"^A cached execution \d+ is used\.$")
# Attributes of log records, set by components/teacher_labeler/progress.py and models/progress.py;
# importing those would import TensorFlow.
_LABELLED = "examples_labelled"
_EPOCH = "training_epoch"
# The losses that are shown, by their names in a training history.  Hard and soft ones stay apart: a
# student's total holds what its control's does not, and the two stand below each other.
_LOSSES = {name: (loss, VALIDATION_PREFIX + loss) for name, loss in (("hard", HARD_LOSS), ("soft", SOFT_LOSS))}


class _Labelling:
    """Examples labelled so far, and how fast, from records that several threads log."""

    def __init__(self) -> None:
        self._examples = 0
        self._first: float | None = None
        self._last = 0.0

    def add(self, examples: int, since: float) -> None:
        """Counts examples that were begun at `since` and are done now."""
        self._examples += examples
        self._first = since if self._first is None else min(since, self._first)
        self._last = time.monotonic()

    def __str__(self) -> str:
        if self._first is None:
            return ""
        took = max(self._last - self._first, 1e-9)
        shown = f"{took:.1f}" if took >= 1 else f"{took:.2f}"
        return f"{self._examples:,} examples labelled in {shown} s, {self._examples / took:,.0f}/s"


class _Running:
    """The node that runs now; drawn anew by rich, several times a second."""

    def __init__(self, node: str, label: str):
        self.node = node
        self.cached = False
        self.labelling = _Labelling()
        self.epoch = ""
        self._label = label
        self._started = time.monotonic()
        self._spinner = Spinner("line")

    def read(self, record: logging.LogRecord) -> None:
        """Takes from a log record what it says of labelling and of training."""
        if (labelled := getattr(record, _LABELLED, None)) is not None:
            self.labelling.add(*labelled)
        if (epoch := getattr(record, _EPOCH, None)) is not None:
            self.epoch = _epoch(*epoch)

    @property
    def detail(self) -> str:
        return str(self.labelling) or self.epoch

    @property
    def seconds(self) -> float:
        """How long it has been running."""
        return time.monotonic() - self._started

    @property
    def took(self) -> str:
        return "cached" if self.cached else seconds(self._started)

    def __rich__(self) -> Table:
        row = Table.grid(padding=(0, 1))
        row.add_row(self._spinner, self._label, self.took, self.detail)
        return row


class NodeProgress(logging.Handler):
    """Prints a line when a node is done; on a terminal, a live line shows the one that runs.

    Attributes:
      measured: What was measured of each finished node.
    """

    def __init__(self, terminal: Terminal, total: int, memory: PeakMemory, folder: Path | None = None):
        super().__init__(logging.INFO)
        self._terminal = terminal
        self._total = total
        self._done = 0
        self._running: _Running | None = None
        self._live: Live | None = None
        self._memory = memory
        self._folder = folder
        self.measured: dict[str, NodeMeasurement] = {}
        self._write()  # nothing yet, in place of what an earlier run left

    @property
    def current(self) -> str | None:
        """The node that runs now."""
        return self._running.node if self._running else None

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if match := _STARTED.match(message):
            self._start(match[1])
        elif self._running is None:
            return
        elif _CACHED.match(message):
            self._running.cached = True
        elif _FINISHED.match(message):
            self._finish(self._running)
        else:
            self._running.read(record)

    def close(self) -> None:
        self._stop_live()
        super().close()

    def _start(self, node: str) -> None:
        self._running = _Running(node, f"[{self._done + 1}/{self._total}] {node}")
        self._memory.begin()
        if self._terminal.err.is_terminal:
            self._live = Live(
                self._running,
                console=self._terminal.err,
                transient=True,
                # The libraries' noise stays in the log.
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start()

    def _finish(self, running: _Running) -> None:
        self._stop_live()
        measured = (None, None) if running.cached else (running.seconds, self._memory.peak())
        self.measured[running.node] = NodeMeasurement(seconds=measured[0], peak_memory=measured[1])
        self._write()
        self._done += 1
        line = f"  {self._done:>2}/{self._total} {running.node:<24} {running.took:>10}  {running.detail}"
        self._terminal.err.print(line.rstrip(), markup=False, highlight=False, soft_wrap=True)
        self._running = None

    def _write(self) -> None:
        """Leaves what was measured so far where the run's report finds it; a full disk ends no run here."""
        if self._folder is not None:
            with suppress(OSError):
                documents.write(str(self._folder), Measurements(nodes=self.measured))

    def _stop_live(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None


def _epoch(done: int, of: int, losses: dict[str, Any]) -> str:
    known = {name: pair for name, pair in _LOSSES.items() if all(losses.get(key) for key in pair)}
    shown = [f"{name} loss {losses[seen]:.4f}, held out {losses[held]:.4f}" for name, (seen, held) in known.items()]
    return "; ".join([f"epoch {done}/{of}", *shown])


@contextmanager
def follow(terminal: Terminal, total: int, folder: Path | None = None) -> Iterator[NodeProgress]:
    """Shows the progress of a run for the time being.

    Args:
      terminal: Where it is shown.
      total: How many nodes the run has.
      folder: Where a `contracts.measurements.Measurements` of the finished nodes is kept; None keeps none.
    """
    logger = absl_logging.get_absl_logger()
    verbosity = absl_logging.get_verbosity()
    # Not logger.setLevel: TFX's Beam executors parse absl's flags, which sets the level anew.
    absl_logging.set_verbosity(absl_logging.INFO)
    with PeakMemory() as memory:
        handler = NodeProgress(terminal, total, memory, folder)
        logger.addHandler(handler)
        try:
            yield handler
        finally:
            logger.removeHandler(handler)
            absl_logging.set_verbosity(verbosity)
            handler.close()
