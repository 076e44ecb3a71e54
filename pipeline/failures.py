"""Turns what a pipeline raised into what a person can act on."""

from __future__ import annotations

import re
from collections.abc import Iterator

from schema.errors import InputError

_QUALIFIED = f"{InputError.__module__}.{InputError.__qualname__}"
# Beam raises the traceback of a worker as text; the message ends where Beam's words begin.
_IN_TEXT = re.compile(
    re.escape(_QUALIFIED) + r": (.*?)(?=\s*\[while running|\n\s*\n(?:The above|During handling)|\Z)", re.S
)
_BEAM_SUFFIX = re.compile(r"\s*\[while running .*?\]", re.S)


def input_error(error: BaseException) -> InputError | None:
    """The `InputError` at the root of `error`, also where Beam has turned it into text."""
    for each in chain(error):
        if isinstance(each, InputError):
            return InputError(_BEAM_SUFFIX.sub("", str(each)).strip())
        found = _IN_TEXT.findall(str(each))
        if found:
            return InputError(_BEAM_SUFFIX.sub("", found[-1]).strip())
    return None


def last_line(error: BaseException) -> str:
    """The line of an exception that says what went wrong."""
    root = list(chain(error))[-1]
    lines = [line.strip() for line in _BEAM_SUFFIX.sub("", str(root)).splitlines() if line.strip()]
    return f"{type(root).__name__}: {lines[-1]}" if lines else type(root).__name__


def chain(error: BaseException) -> Iterator[BaseException]:
    """An exception, and those that it came from, the newest first."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__
