"""Tells whoever listens to the log how far labelling is."""

from __future__ import annotations

import time

from absl import logging

# Attribute of the log record; `crosskd.progress` reads it.
EXAMPLES_LABELLED = "examples_labelled"

_SECONDS = 0.5


class LabelledSoFar:
    """Logs the examples labelled since it last did, every half second and at the end of a shard.

    Each record bears, as its attribute `examples_labelled`, their number and when they were begun
    (of `time.monotonic`), so that a listener in the same process adds up what several threads do.
    Beam workers in other processes log it there.
    """

    def __init__(self) -> None:
        self._count = 0
        self._since = time.monotonic()

    def __enter__(self) -> LabelledSoFar:
        return self

    def __exit__(self, *_: object) -> None:
        self._say()

    def add(self, examples: int) -> None:
        """Counts `examples` more."""
        self._count += examples
        if time.monotonic() - self._since >= _SECONDS:
            self._say()

    def _say(self) -> None:
        extra = {EXAMPLES_LABELLED: (self._count, self._since)}
        logging.info("labelled %d more examples", self._count, extra=extra)
        self._count, self._since = 0, time.monotonic()
