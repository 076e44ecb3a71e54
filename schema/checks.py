"""Checks that several rooms make, and the sentences of their errors."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from schema.errors import InputError

Read = TypeVar("Read", bound=BaseModel)
# What is likelier to be another word than a slip has less than this in common with it.
_LIKE = 0.6
# Words that mean the opposite of each other, however alike they are written.
_OPPOSITES = tuple(frozenset(pair.split()) for pair in ("least most", "min max", "low high", "lower upper", "from to"))


class Problems:
    """What several checks find, so that all of it is said at once and not one after the other."""

    def __init__(self) -> None:
        self.found: list[str] = []

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Notes what a check within it finds, and goes on behind it."""
        try:
            yield
        except InputError as error:
            self.found.extend(error.problems)

    def raise_any(self) -> None:
        """Ends here if anything was found.

        Raises:
          InputError: All of it, each once.
        """
        if self.found:
            raise InputError(*dict.fromkeys(self.found))


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
    close = [each for each in names if _is_slip(name, each)]
    best = difflib.get_close_matches(name, close, n=1, cutoff=0.0)
    if best:
        return f"; did you mean {best[0]!r}?"
    return f"; expected one of {', '.join(names)}" if names else ""


def nearest_and_end(name: str, candidates: Iterable[str]) -> str:
    """The same where another sentence follows."""
    hint = nearest(name, candidates)
    return hint if hint.endswith("?") else f"{hint}."


def _is_slip(written: str, meant: str) -> bool:
    """Whether one may stand where the other is meant; not with a whole word too much, or with the opposite one."""
    mine, theirs = set(written.lower().split("_")), set(meant.lower().split("_"))
    opposite = any(len(mine & pair) == len(theirs & pair) == 1 and mine & pair != theirs & pair for pair in _OPPOSITES)
    return not mine > theirs and not opposite and difflib.SequenceMatcher(None, written, meant).ratio() >= _LIKE


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
