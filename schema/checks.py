"""Errors about names that match nothing, with the nearest one that exists."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path

from schema.errors import InputError


def expect_known(path: Path, where: str, expected: str, name: str, known: Iterable[str]) -> None:
    """Checks that the name found under the key `where` of the file `path` is one of `known`.

    Raises:
      InputError: It is none of them; the message names the nearest.
    """
    if name not in set(known):
        raise InputError(f"{path}: {where}: expected {expected}, found {name!r}{nearest(name, known)}")


def nearest(name: str, candidates: Iterable[str]) -> str:
    """The end of a message about an unknown name: the nearest candidate, or else all of them."""
    names = sorted(candidates)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; expected one of {', '.join(names)}" if names else ""
