"""Guesses what a column is from its name and its values.  Each guess says what it rests on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from crosskd.draft.sample import FROM_TIMES, SampledColumn
from schema.base import TaskKind
from schema.surface import FeatureKind, Side

# A word of a column's name that begins with one of these; one that ends with a line is the whole word.
_SIDES = {
    Side.CROSS: ("match", "affinity", "similarity", "cross", "familiar", "overlap"),
    Side.USER: (
        *("user", "viewer", "member", "customer", "reader", "listener", "account", "visitor", "player"),
        *("person", "buyer", "shopper", "client"),
    ),
    Side.ITEM: (
        *("item", "track", "song", "album", "artist", "video", "book", "product", "article", "doc_", "movie", "job"),
        *("game", "sku", "story", "news_", "listing", "film", "podcast", "ad_", "document", "asin", "isbn", "ean_"),
        *("content", "candidate", "genre", "category", "author"),
    ),
}
# What a user does with what is shown, in the forms that a log has: `click`, `clicks`, `clicked`.
_DONE = re.compile(
    "(click|like|dislike|label|target|watch|listen|engage|purchase|borrow|rate|skip|skipp|share|save|follow|convert|"
    "discover|dwell|complete|play|help|order|cart|install|finish|reply|replie|subscribe|download|view|return|refund|"
    "hire|interview|churn)(s|es|d|ed)?|engagement|buy|buys|bought|read|reads|rating|ratings|conversion|helpful|"
    "trail|apply|applied|completion"
)
# What may tell of it: asked, as `subscriber`, `playlist` or `installments` may be of the user or the item.
_LABELS = (
    *("click", "like", "dislike", "label", "target", "watch", "listen", "engage", "purchase", "buy", "bought"),
    *("borrow", "rating", "rate", "skip", "share", "save", "follow", "convert", "conversion", "discover"),
    *("dwell", "complet", "play", "help", "trail", "order", "cart", "apply", "applied", "install", "finish", "reply"),
    *("subscrib", "download", "read", "view", "return", "refund", "hire", "interview", "churn"),
    *("revenue", "spend", "spent", "paid", "payment", "basket", "checkout", "stars", "scroll", "vote", "comment"),
    *("after_", "afterwards", "later_", "next_"),
)
# Where it stood among what was shown.
_PLACES = {"position", "pos", "rank", "slot"}
_TIMES = ("timestamp", "time", "date", "datetime", "ts", "at")
# What lists of a user's events begin with.
_PAST = (
    *("recent", "last", "latest", "history", "hist", "past", "previous", "prev", "seq"),
    *("clicked", "watched", "played"),
)
_REQUESTS = ("request", "session", "query", "impression", "ranking", "pageview", "visit", "serp")
_THINGS = tuple(each.removesuffix("_") for each in (*_SIDES[Side.USER], *_SIDES[Side.ITEM]))
_ID_WORDS = {"id", "uid", "key", "uuid", "guid"}
# Of a thing they make its id: `article_no`, but not `seat_no`.
_NUMBER_WORDS = {"no", "nr", "number", "code", "hash", "ref"}
# Whole numbers with such a name stand for something, and are no amount.
_CODES = {
    *("category", "genre", "brand", "city", "zip", "postcode", "region", "country", "department", "section", "topic"),
    *("store", "seller", "vendor", "artist", "author", "album", "channel", "publisher", "code", "type", "class"),
}
# A word that says that a column sums up what was before.
_SUMS = ("count", "counts", "num", "rate", "ratio", "avg", "mean", "total", "sum", "history", "prior", "past")
# Such a column is of what was before, and so no label.
_BEFORE = {*_SUMS, "before", "ever", "already", "previous", "previously", "last"}
# The column that pandas adds to a table whose index is not plain.
_PANDAS_INDEX = "__index_level_"
# An integer with so few values, each seen so often, is taken for a name rather than an amount.
_FEW_VALUES = 50
_OFTEN = 20


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


def words(name: str) -> list[str]:
    """The words of a column's name: `userId` and `user_id` are both user, id."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().replace("-", "_").split("_")


def labels(columns: Iterable[SampledColumn]) -> list[str]:
    """Columns that look like hard labels: numbers with an action's name, 0/1 or not always there."""
    return [
        each.name
        for each in columns
        if each.is_number
        and each.size == 1
        and (each.is_flag or not each.required)
        and any(_DONE.fullmatch(word) for word in words(each.name))
        and not _begins(each.name, _SIDES[Side.USER])
        and not _is_id(each)
        and not set(words(each.name)) & {*_BEFORE, *_TIMES}
        and each.note != FROM_TIMES
    ]


def task_kind(label: SampledColumn) -> TaskKind:
    """Binary if it holds 0 and 1 alone."""
    flag = {label.lowest, label.highest} <= {0.0, 1.0} and label.distinct <= len((0, 1))
    return TaskKind.BINARY if flag else TaskKind.REGRESSION


def group(columns: Iterable[SampledColumn]) -> str | None:
    """The column that names the request in which examples were ranked together."""
    return next((each.name for each in columns if _is_id(each) and _begins(each.name, _REQUESTS)), None)


def left_out(column: SampledColumn) -> str | None:
    """Why a column cannot be, or should not be, a feature; None if it can, or if that is to be asked."""
    if column.size is None and column.type == "FLOAT" and _events(column) is None:
        return "different numbers of real numbers in the examples, and by its name no sequence of events"
    if set(words(column.name)) & set(_TIMES) and column.distinct > _FEW_VALUES:
        return "a point in time, by its name"
    if column.note == FROM_TIMES or column.reads_as == "dates":
        return column.note or "dates, as text"
    if _is_id(column) and _begins(column.name, _REQUESTS):
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
    line = line_of(column)
    if column.is_flag:
        return "0 or 1: a feature that a server knows, or what happened afterwards (a label)?", line
    if column.is_number and column.size == 1 and _PLACES & set(words(column.name)):
        return "where it was shown, by its name: a server knows it after ranking; name it in a task's `bias:`", line
    if column.is_number and column.size == 1 and _is_of_an_action(column):
        return "an action, by its name: what happened afterwards (a label), or a sum over the past (a feature)?", line
    if column.reads_as == "numbers" and not _is_id(column):
        return "numbers as text: write INT or FLOAT for its type in schema.pbtxt, and it is read as numbers", line
    if _names_neighbours(column):
        return "its rows stand together, and no value comes back: a request's name (`group:`), or a feature?", line
    if column.type == "BYTES" and column.distinct > column.rows // 2 and not _names_users_or_items(column):
        return "nearly every example has another text, of which nothing can be looked up", line
    return None


def _names_neighbours(column: SampledColumn) -> bool:
    """Whether each of many values has some rows, one after the other, as a request has; users and items come back."""
    often = len((0, 1)) * column.distinct <= column.rows
    return column.stands_together and often and column.distinct > _FEW_VALUES and not _names_users_or_items(column)


def _names_users_or_items(column: SampledColumn) -> bool:
    return _is_id(column) or _begins(column.name, (*_SIDES[Side.USER], *_SIDES[Side.ITEM]))


def _is_of_an_action(column: SampledColumn) -> bool:
    of_user = _begins(column.name, _SIDES[Side.USER])
    return _begins(column.name, _LABELS) and not of_user and not _is_id(column)


def line_of(column: SampledColumn) -> str:
    """The line of surface.yaml that makes a column a feature."""
    guess = feature(column)
    default = f", default: {guess.default}" if guess.default is not None else ""
    return f"{{kind: {guess.kind}, side: {guess.side}{default}}}"


def times(columns: Iterable[SampledColumn]) -> str | None:
    """A column of numbers by which examples can be put in order of time."""
    return next(
        (
            each.name
            for each in columns
            if each.type == "INT" and each.required and each.size == 1 and each.distinct > 1 and _is_time(each)
        ),
        None,
    )


def _is_time(column: SampledColumn) -> bool:
    return column.note == FROM_TIMES or bool(set(words(column.name)) & set(_TIMES) and column.distinct > _FEW_VALUES)


def names_things(column: SampledColumn) -> bool:
    """Whether its values name users, items or the like, by its name or by how many strings there are."""
    return _is_id(column) or (column.type == "BYTES" and column.distinct > _FEW_VALUES)


def person(columns: Iterable[SampledColumn]) -> str | None:
    """The column that names the user."""
    return next((each.name for each in columns if _is_id(each) and _begins(each.name, _SIDES[Side.USER])), None)


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
    first = words(column.name)[0]
    return first if first.startswith(_PAST) and first.isidentifier() else None


def _ids_of(column: SampledColumn, beside: Iterable[SampledColumn]) -> str | None:
    """The id that a list holds many of: `item_id` for `recent_items` and `recent_item_ids`."""
    held = {word.removesuffix("s") for word in words(column.name)}
    for each in beside:
        named = [word for word in words(each.name) if word not in ("id", "uid", "key")]
        if _is_id(each) and each.type == column.type and named and set(named) <= held:
            return each.name
    return None


def same(name: str, names: Sequence[str]) -> str | None:
    """The one of `names` that is `name` but for case, underscores and hyphens."""
    return next((each for each in names if words(each) == words(name)), None)


def _kind(column: SampledColumn) -> tuple[FeatureKind, str]:
    if column.type == "BYTES":
        return FeatureKind.CATEGORICAL, "a string"
    if column.type == "FLOAT" or column.size != 1:
        return FeatureKind.NUMERIC, "real numbers" if column.type == "FLOAT" else "several numbers"
    if _is_id(column):
        return FeatureKind.CATEGORICAL, "an id by its name"
    if not column.is_flag and words(column.name)[-1] in _CODES:
        return FeatureKind.CATEGORICAL, "a code by its name"
    if not column.is_flag and column.distinct <= min(_FEW_VALUES, column.rows // _OFTEN):
        return FeatureKind.CATEGORICAL, f"an integer of {column.distinct} values"
    return FeatureKind.NUMERIC, "0 or 1" if column.is_flag else f"an integer of {column.distinct:,} values"


def _side(name: str) -> tuple[Side, str]:
    for side, beginnings in _SIDES.items():
        if _begins(name, beginnings):
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
    found = words(column.name)
    # `customer` alone names it, too; `customer_age` does not.
    numbered = found[-1] in _NUMBER_WORDS and found[0] in _THINGS
    named = found[-1] in _ID_WORDS or numbered or (len(found) == 1 and found[0] in _THINGS)
    return column.type in ("INT", "BYTES") and column.size == 1 and named


def _begins(name: str, beginnings: tuple[str, ...]) -> bool:
    return any(f"{word}_".startswith(beginnings) for word in words(name))
