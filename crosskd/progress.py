"""Follows a pipeline's run from what TFX's launchers log."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager

from absl import logging as absl_logging
from rich.live import Live
from rich.spinner import Spinner

from crosskd.terminal import Terminal, seconds

# What the runners of TFX 1.21 log: beam_dag_runner.py, local_dag_runner.py, launcher.py.
_STARTED = re.compile(r"^(?:node|Component) (\S+) is running\.$")
_FINISHED = re.compile(r"^(?:node|Component) (\S+) is finished\.$")
_CACHED = re.compile(r"^A cached execution \d+ is used\.$")


class NodeProgress(logging.Handler):
    """Prints a line when a node is done; `current` is the node that runs now."""

    def __init__(self, terminal: Terminal, total: int):
        super().__init__(logging.INFO)
        self.current: str | None = None
        self._terminal = terminal
        self._total = total
        self._done = 0
        self._cached = False
        self._started = time.monotonic()
        self._live: Live | None = None

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if match := _STARTED.match(message):
            self._start(match[1])
        elif _CACHED.match(message):
            self._cached = True
        elif match := _FINISHED.match(message):
            self._finish(match[1])

    def close(self) -> None:
        self._stop_live()
        super().close()

    def _start(self, node: str) -> None:
        self.current, self._cached, self._started = node, False, time.monotonic()
        if self._terminal.err.is_terminal:
            self._live = Live(
                Spinner("dots", f"[{self._done + 1}/{self._total}] {node}"),
                console=self._terminal.err,
                transient=True,
                # The libraries' noise stays in the log.
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start()

    def _finish(self, node: str) -> None:
        self._stop_live()
        self._done += 1
        took = "cached" if self._cached else seconds(self._started)
        self._terminal.err.print(
            f"  {self._done:>2}/{self._total} {node:<24} {took:>10}", markup=False, highlight=False
        )
        self.current = None

    def _stop_live(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None


@contextmanager
def follow(terminal: Terminal, total: int) -> Iterator[NodeProgress]:
    """Shows the progress of a run of `total` nodes for the time being."""
    handler = NodeProgress(terminal, total)
    logger = absl_logging.get_absl_logger()
    verbosity = absl_logging.get_verbosity()
    # Not logger.setLevel: TFX's Beam executors parse absl's flags, which sets the level anew.
    absl_logging.set_verbosity(absl_logging.INFO)
    logger.addHandler(handler)
    try:
        yield handler
    finally:
        logger.removeHandler(handler)
        absl_logging.set_verbosity(verbosity)
        handler.close()
