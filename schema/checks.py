"""Checks that several rooms make, and the sentences of their errors."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from schema.errors import InputError

Read = TypeVar("Read", bound=BaseModel)


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


def from_json(kind: type[Read], content: str, where: str, expected: str) -> Read:
    """Reads a model of pydantic's from the JSON that one part of the pipeline hands to another.

    Args:
      kind: What is expected.
      content: The JSON.
      where: Who asked, and by which argument: `BlessingGate: surface`.
      expected: What a person calls it, with an article: `a Surface`.

    Raises:
      InputError: It is not one.
    """
    try:
        return kind.model_validate_json(content)
    except ValidationError as error:
        raise InputError(f"{where}: expected {expected} as JSON, found {content[:200]!r}: {error}") from error
