"""Which of the target's columns a teacher's input may be: by name, type and values; always to be confirmed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from crosskd.draft import guesses, names
from crosskd.draft.sample import SampledColumn

# Words that products use for one thing.
_FAMILIES = (
    names.USERS,
    (
        *("item", "product", "sku", "article", "track", "song", "video", "book", "movie", "game", "job", "story"),
        *("doc", "content", "listing", "film", "podcast", "asin", "isbn", "ean", "offer"),
    ),
    ("weekday", "dow", "dayofweek"),
    ("price", "cost", "amount"),
    ("country", "geo", "region", "market"),
    ("device", "platform", "client_type"),
    ("category", "genre", "topic", "section", "department"),
    ("duration", "length", "seconds", "runtime"),
    ("position", "rank", "slot"),
    ("language", "lang", "locale"),
)
_MEANINGS = {word: family[0] for family in _FAMILIES for word in family}
_FILLERS = {
    *("of", "the", "day", "is", "num", "value", "feature", "x", "id", "uid", "uuid", "guid", "key", "hash"),
    *("no", "nr", "number", "code", "ref", "eur", "euro", "usd", "gbp", "chf", "jpy"),
}
# What a column's values must lie between, for what a name says.
_RANGES = {"hour": (0, 24), "weekday": (0, 7), "month": (1, 12)}


@dataclass(frozen=True)
class Match:
    """A column that a teacher's input may be.

    Attributes:
      column: Its name.
      why: What the match rests on.
      ids: Whether both are names of things, which the two products may number differently.
      misfit: Why the column cannot be handed on as it is; empty if it can.
    """

    column: str
    why: str
    ids: bool
    misfit: str = ""


def match(name: str, dtype: str, size: int, columns: Mapping[str, SampledColumn]) -> Match | None:
    """The one column that `name` may be; None if there is none, or several by their meaning.

    Args:
      name: The teacher's input.
      dtype: `float`, `int` or `string`.
      size: Values per example.
      columns: The target's.
    """
    same = guesses.same(name, list(columns))
    if same is not None:
        return _matched(
            name, dtype, size, columns[same], "the same name" if same == name else "the same but for spelling"
        )
    # `is_member` has the meaning of a user, and is no name of one.
    named = set(names.words(name)) & names.ID_WORDS
    close = [
        each
        for each in columns.values()
        if _meaning(each.name) == _meaning(name)
        and not _misfit(each, dtype, size)
        and (not named or guesses.names_things(each))
    ]
    if len(close) != 1 or not _meaning(name):
        return None
    low, high = _RANGES.get(next(iter(_meaning(name))), (-math.inf, math.inf))
    if not (low <= (close[0].lowest or 0) and (close[0].highest or 0) <= high):
        return None
    values = f" and values from {close[0].lowest:g} to {close[0].highest:g}" if close[0].is_number else ""
    return _matched(name, dtype, size, close[0], f"a name of like meaning, its type{values}")


def fitting(dtype: str, size: int, columns: Mapping[str, SampledColumn]) -> list[str]:
    """The columns that an input may be given by their type, whatever their names mean."""
    return [name for name, column in columns.items() if not _misfit(column, dtype, size)]


def _matched(name: str, dtype: str, size: int, column: SampledColumn, why: str) -> Match:
    words = {*names.words(name), *names.words(column.name)}
    ids = bool(words & names.ID_WORDS) or guesses.names_things(column)
    return Match(column.name, why, ids and dtype != "float", _misfit(column, dtype, size))


def _misfit(column: SampledColumn, dtype: str, size: int) -> str:
    if (column.type == "BYTES") != (dtype == "string"):
        return f"the target's {column.name} is {column.type}, the teacher's input {dtype}"
    if column.type == "FLOAT" and dtype == "int":
        return f"the target's {column.name} has real numbers, the teacher's input whole ones"
    if column.size is None:
        return f"the target's {column.name} has up to {column.longest} values, differently many in each example"
    if column.size != size:
        return f"the target's {column.name} has {column.size} values, the teacher's input {size}"
    return ""


def _meaning(name: str) -> frozenset[str]:
    if names.words(name) == ["uid"]:
        return frozenset({"user"})
    return frozenset(_MEANINGS.get(word, word) for word in names.words(name) if word not in _FILLERS)
