"""How a run ends, for schedulers."""

from __future__ import annotations

from enum import IntEnum, StrEnum


class Exit(IntEnum):
    """Exit codes of every command, and of the containers that end a run.

    `ALERT`: what serves, or an arm of an experiment, is worse than it should be.  `UNSOUND`: an
    experiment's arms are not of the sizes they should have, so that nothing follows from it.  `NOTHING_BETTER`: a
    search ended, and what it chose is not shown to be better than what there was.
    """

    OK = 0
    FAILED = 1
    BAD_INPUT = 2
    NOT_BLESSED = 3
    NOT_PUSHED = 4
    GOING_ON = 5
    ALERT = 6
    UNSOUND = 7
    NOTHING_BETTER = 8
    INTERRUPTED = 130


class Outcome(StrEnum):
    """What a run may be asked to come to."""

    PUSHED = "pushed"
    BLESSED = "blessed"
