"""Guesses what a column is from its name and its values.  Each guess says what it rests on."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crosskd.draft import names
from crosskd.draft.sample import FROM_TIMES, SampledColumn
from schema.base import TaskKind
from schema.surface import FeatureKind, Side

_SIDES = {Side.CROSS: names.CROSSES, Side.USER: names.USERS, Side.ITEM: names.ITEMS}
# What lists of a user's events begin with.
_PAST = (
    *("recent", "last", "latest", "history", "hist", "past", "previous", "prev", "seq"),
    *("clicked", "watched", "played"),
)
# The column that pandas adds to a table whose index is not plain.
_PANDAS_INDEX = "__index_level_"
# An integer with so few values, each seen so often, is taken for a name rather than an amount.
_FEW_VALUES = 50
_OFTEN = 20
# Rows that a request has at least, on average: it ranks one item against another.
_ROWS_OF_A_REQUEST = 2
# The part of the training rows that is held out, and the part of rows that may be out of order.
_LAST, _FEW = 0.1, 0.1


@dataclass(frozen=True)
class FeatureGuess:
    """What ``surface.yaml`` says of a feature, and why.

    Attributes:
      kind: Numeric or categorical.
      side: What it describes.
      size: Values per example.
      default: What fills it where it is absent; None where every example of the sample has it.
      embedding: Width of the embedding of a categorical feature; None for a numeric one.
      why: What kind and side were guessed from.
      many: Whether examples have different numbers of values.
      sequence: The sequence of events that it is a part of.
      embedding_of: The column whose embedding it shares.
    """

    kind: FeatureKind
    side: Side
    size: int
    default: int | float | str | None
    embedding: int | None
    why: str
    many: bool = False
    sequence: str | None = None
    embedding_of: str | None = None


def labels(columns: Iterable[SampledColumn]) -> list[str]:
    """Columns that look like hard labels: numbers with an action's name, 0/1 or not always there."""
    return [
        each.name
        for each in columns
        if each.is_number
        and each.size == 1
        and (each.is_flag or not each.required)
        and names.of_an_action(each.name)
        and not _is_id(each)
        and each.note != FROM_TIMES
    ]


def task_kind(label: SampledColumn) -> TaskKind:
    """Binary if it holds 0 and 1 alone."""
    flag = {label.lowest, label.highest} <= {0.0, 1.0} and label.distinct <= len((0, 1))
    return TaskKind.BINARY if flag else TaskKind.REGRESSION


def group(columns: Iterable[SampledColumn]) -> str | None:
    """The column that names, in every example, the request in which examples were ranked together."""
    return next(
        (each.name for each in columns if each.required and _is_id(each) and names.of_a_request(each.name)), None
    )


def left_out(column: SampledColumn) -> str | None:
    """Why a column cannot be, or should not be, a feature; None if it can, or if that is to be asked."""
    if column.size is None and column.type == "FLOAT" and _events(column) is None:
        return "different numbers of real numbers in the examples, and by its name no sequence of events"
    if names.of_a_time(column.name) and column.distinct > _FEW_VALUES:
        return "a point in time, by its name"
    if column.note == FROM_TIMES or column.reads_as == "dates":
        return column.note or "dates, as text"
    if _is_id(column) and names.of_a_request(column.name):
        return "the name of a request, by its name"
    if column.name.startswith(_PANDAS_INDEX) or _counts_rows(column):
        return "a number of the row"
    if _is_id(column) and column.distinct == column.rows > _FEW_VALUES and _side(column.name)[0] is Side.CONTEXT:
        return "another value in every example: it names the example"
    if column.distinct == 1 and column.required and column.size == 1:
        return "the same value in every example"
    return None


def _counts_rows(column: SampledColumn) -> bool:
    """Whether it goes up by one from example to example."""
    whole = column.type == "INT" and column.size == 1 and column.distinct == column.rows > _FEW_VALUES
    return whole and (column.highest or 0) - (column.lowest or 0) == column.rows - 1


def unknown(column: SampledColumn) -> tuple[str, str] | None:
    """What is to be asked of a column, and the line that makes it a feature; None where its meaning can be guessed."""
    if _is_list(column):
        return None
    question = _unknown_number(column) or _unknown_text(column)
    if question is None and _names_neighbours(column):
        question = "its rows stand together, and no value comes back: a request's name (`group:`), or a feature?"
    return None if question is None else (question, line_of(column))


def _unknown_number(column: SampledColumn) -> str | None:
    if not column.is_number or column.size != 1:
        return None
    if column.is_flag:
        return "0 or 1: a feature that a server knows, or what happened afterwards (a label)?"
    if column.starts_again or names.of_a_place(column.name):
        rests_on = "as it counts up and starts again" if column.starts_again else "by its name"
        return f"where it was shown, {rests_on}: a server knows it after ranking; name it in a task's `bias:`"
    if names.of_a_duration(column.name):
        return "how long something took, by its name: known when it ranks (a feature), or afterwards (a label)?"
    if names.tells_of_an_action(column.name) and not _is_id(column):
        return "an action, by its name: what happened afterwards (a label), or a sum over the past (a feature)?"
    return None


def _unknown_text(column: SampledColumn) -> str | None:
    if column.reads_as == "numbers" and not _is_id(column):
        return "numbers as text: write INT or FLOAT for its type in schema.pbtxt, and it is read as numbers"
    if column.type == "BYTES" and column.distinct > column.rows // 2 and not _names_users_or_items(column):
        return "nearly every example has another text, of which nothing can be looked up"
    return None


def _names_neighbours(column: SampledColumn) -> bool:
    """Whether each of many values has some rows, one after the other, as a request has; users and items come back."""
    repeated = _ROWS_OF_A_REQUEST * column.distinct <= column.rows
    return column.stands_together and repeated and column.distinct > _FEW_VALUES and not _names_users_or_items(column)


def _names_users_or_items(column: SampledColumn) -> bool:
    return _is_id(column) or names.begins(column.name, (*names.USERS, *names.ITEMS))


def line_of(column: SampledColumn) -> str:
    """The line of surface.yaml that makes a column a feature."""
    guess = feature(column)
    default = f", default: {guess.default}" if guess.default is not None else ""
    return f"{{kind: {guess.kind}, side: {guess.side}{default}}}"


def times(columns: Iterable[SampledColumn]) -> str | None:
    """A column of numbers by which examples can be put in order of time; one of an item or a user only for want."""
    found = [
        each.name
        for each in columns
        if each.type == "INT" and each.required and each.size == 1 and each.distinct > 1 and _is_time(each)
    ]
    return min(found, key=names.of_long_ago, default=None)


def in_order(times: NDArray[np.float64]) -> bool:
    """Whether the last tenth of some rows, but for a few of them, is later than the rows before it, but for a few."""
    before, last = np.split(times, [len(times) - math.ceil(len(times) * _LAST)])
    return bool(len(before) and np.quantile(last, _FEW) >= np.quantile(before, 1 - _FEW))


def _is_time(column: SampledColumn) -> bool:
    return column.note == FROM_TIMES or (names.of_a_time(column.name) and column.distinct > _FEW_VALUES)


def names_things(column: SampledColumn) -> bool:
    """Whether its values name users, items or the like, by its name or by how many strings there are."""
    return _is_id(column) or (column.type == "BYTES" and column.distinct > _FEW_VALUES)


def person(columns: Iterable[SampledColumn]) -> str | None:
    """The column that names the user, in every example."""
    return next((each.name for each in columns if each.required and _is_id(each) and names.of_a_user(each.name)), None)


def feature(column: SampledColumn, beside: Iterable[SampledColumn] = ()) -> FeatureGuess:
    """How the model might read a column that `left_out` does not rule out.

    Args:
      column: The column.
      beside: All columns, among which are those whose ids a list may hold.
    """
    if _is_list(column):
        return _list(column, beside)
    kind, why_kind = _kind(column)
    side, why_side = _side(column.name)
    categorical = kind is FeatureKind.CATEGORICAL
    return FeatureGuess(
        kind=kind,
        side=side,
        size=column.size or 1,
        default=None if column.required else _default(column, kind),
        embedding=_embedding(column.distinct) if categorical else None,
        why=f"{why_kind}; {why_side}",
    )


def _list(column: SampledColumn, beside: Iterable[SampledColumn]) -> FeatureGuess:
    """A list: events if its name says so, and else values to be pooled."""
    sequence, numeric = _events(column), column.type == "FLOAT"
    side, why_side = (Side.USER, "what a user did") if sequence else _side(column.name)
    shared = None if numeric else _ids_of(column, beside)
    what = f"events of {sequence!r} by its name" if sequence else "different numbers of values in the examples"
    return FeatureGuess(
        kind=FeatureKind.NUMERIC if numeric else FeatureKind.CATEGORICAL,
        side=side,
        size=1,
        default=None,
        embedding=None if numeric or shared else _embedding(column.distinct),
        why="; ".join([what, why_side, *([f"ids as those of {shared} by its name"] if shared else [])]),
        many=sequence is None,
        sequence=sequence,
        embedding_of=shared,
    )


def _is_list(column: SampledColumn) -> bool:
    return column.size is None or (column.type == "BYTES" and column.size > 1)


def _events(column: SampledColumn) -> str | None:
    """The sequence that a list is a part of: the word for the past that its name begins with."""
    first = names.words(column.name)[0]
    return first if first.startswith(_PAST) and first.isidentifier() else None


def _ids_of(column: SampledColumn, beside: Iterable[SampledColumn]) -> str | None:
    """The id that a list holds many of: `item_id` for `recent_items` and `recent_item_ids`."""
    held = {word.removesuffix("s") for word in names.words(column.name)}
    for each in beside:
        named = [word for word in names.words(each.name) if word not in ("id", "uid", "key")]
        if _is_id(each) and each.type == column.type and named and set(named) <= held:
            return each.name
    return None


def same(name: str, among: Sequence[str]) -> str | None:
    """The one of `among` that is `name` but for case, underscores and hyphens."""
    return next((each for each in among if names.words(each) == names.words(name)), None)


def _kind(column: SampledColumn) -> tuple[FeatureKind, str]:
    if column.type == "BYTES":
        return FeatureKind.CATEGORICAL, "a string"
    if column.type == "FLOAT" or column.size != 1:
        return FeatureKind.NUMERIC, "real numbers" if column.type == "FLOAT" else "several numbers"
    if _is_id(column):
        return FeatureKind.CATEGORICAL, "an id by its name"
    if not column.is_flag and names.of_a_code(column.name):
        return FeatureKind.CATEGORICAL, "a code by its name"
    if not column.is_flag and column.distinct <= min(_FEW_VALUES, column.rows // _OFTEN):
        return FeatureKind.CATEGORICAL, f"an integer of {column.distinct} values"
    return FeatureKind.NUMERIC, "0 or 1" if column.is_flag else f"an integer of {column.distinct:,} values"


def _side(name: str) -> tuple[Side, str]:
    if names.of_a_user(name) and not names.begins(name, names.CROSSES):
        return Side.USER, f"{Side.USER} by its name"
    for side, beginnings in _SIDES.items():
        if names.begins(name, beginnings):
            return side, f"{side} by its name"
    return Side.CONTEXT, "nothing in its name tells the side"


def _default(column: SampledColumn, kind: FeatureKind) -> int | float | str:
    if column.type == "BYTES":
        return "unknown"
    if kind is FeatureKind.CATEGORICAL:
        return -1
    middle = column.median or 0.0
    return round(middle) if column.type == "INT" else float(f"{middle:.4g}")


def _embedding(distinct: int) -> int:
    """Wider for more values, in powers of two, as the fourth root of their number grows."""
    wanted = 2 * distinct**0.25
    return next(width for width in (2, 4, 8, 16, 32) if width >= min(wanted, 32))


def _is_id(column: SampledColumn) -> bool:
    return column.type in ("INT", "BYTES") and column.size == 1 and names.of_an_id(column.name)
