"""What a column's name says by itself: its words, and whether they name a thing, a request, a place or a time."""

from __future__ import annotations

import re

USERS = (
    *("user", "viewer", "member", "customer", "reader", "listener", "account", "visitor", "player"),
    *("person", "buyer", "shopper", "client", "cookie"),
)
# One that ends with a line is the whole word.
ITEMS = (
    *("item", "track", "song", "album", "artist", "video", "book", "product", "article", "doc_", "movie", "job"),
    *("game", "sku", "story", "news_", "listing", "film", "podcast", "ad_", "document", "asin", "isbn", "ean_"),
    *("content", "candidate", "genre", "category", "author", "clip_", "posting"),
)
CROSSES = ("match", "affinity", "similarity", "cross", "familiar", "overlap")
TIMES = ("timestamp", "time", "date", "datetime", "ts", "at")
# What a user does with what is shown, in the forms that a log has: `click`, `clicks`, `clicked`.
_DONE = re.compile(
    "(click|like|dislike|label|target|watch|listen|engage|purchase|borrow|rate|skip|skipp|share|save|follow|convert|"
    "discover|dwell|complete|play|help|order|cart|install|finish|reply|replie|subscribe|download|view|return|refund|"
    "hire|interview|churn)(s|es|d|ed)?|engagement|buy|buys|bought|read|reads|rating|ratings|conversion|helpful|"
    "trail|apply|applied|completion"
)
# What may tell of it: asked, as `subscriber`, `playlist` or `installments` may be of the user or the item.
_ACTIONS = (
    *("click", "like", "dislike", "label", "target", "watch", "listen", "engage", "purchase", "buy", "bought"),
    *("borrow", "rating", "rate", "skip", "share", "save", "follow", "convert", "conversion", "discover"),
    *("dwell", "complet", "play", "help", "trail", "order", "cart", "apply", "applied", "install", "finish", "reply"),
    *("subscrib", "download", "read", "view", "return", "refund", "hire", "interview", "churn"),
    *("revenue", "spend", "spent", "paid", "payment", "basket", "checkout", "stars", "scroll", "vote", "comment"),
    *("after_", "afterwards", "later_", "next_"),
)
# A word that says that a column sums up what was before.
_SUMS = ("count", "counts", "num", "rate", "ratio", "avg", "mean", "total", "sum", "history", "prior", "past")
# Such a column is of what was before, and so no label.
_BEFORE = {*_SUMS, "before", "ever", "already", "previous", "previously", "last"}
_REQUESTS = ("request", "session", "query", "impression", "ranking", "pageview", "visit", "serp")
_THINGS = tuple(each.removesuffix("_") for each in (*USERS, *ITEMS))
ID_WORDS = {"id", "uid", "key", "uuid", "guid"}
# Of a thing they make its id: `article_no`, but not `seat_no`.
_NUMBER_WORDS = {"no", "nr", "number", "code", "hash", "ref"}
# Whole numbers with such a name stand for something, and are no amount.
_CODES = {
    *("category", "genre", "brand", "city", "zip", "postcode", "region", "country", "department", "section", "topic"),
    *("store", "seller", "vendor", "artist", "author", "album", "channel", "publisher", "code", "type", "class"),
}
# Where something stood among what was shown.
_PLACES = {"position", "pos", "rank", "slot", "place"}
# `time_on_page`, `time_spent`: how long something took, and no point in time.
_TOOK = {"on", "spent", "in", "watched", "listened", "viewed"}
# Of an item, or of a user: long before anything was shown.
_LONG_AGO = ("publish", "release", "creat", "birth", "born", "join", "signup", "regist", "posted", "expire", "updat")


def words(name: str) -> list[str]:
    """The words of a column's name: `userId` and `user_id` are both user, id."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().replace("-", "_").split("_")


def begins(name: str, beginnings: tuple[str, ...]) -> bool:
    """Whether one of its words begins with one of these."""
    return any(f"{word}_".startswith(beginnings) for word in words(name))


def of_an_id(name: str) -> bool:
    """Whether it names users, items or the like one by one."""
    found = words(name)
    # `customer` alone names it, too; `customer_age` does not.
    numbered = found[-1] in _NUMBER_WORDS and found[0] in _THINGS
    return found[-1] in ID_WORDS or numbered or (len(found) == 1 and found[0] in _THINGS)


def of_a_user(name: str) -> bool:
    """Whether it is of a user."""
    return words(name) == ["uid"] or begins(name, USERS)


def of_a_request(name: str) -> bool:
    """Whether it is of the page or list that examples were shown on together."""
    return begins(name, _REQUESTS)


def of_a_code(name: str) -> bool:
    """Whether it is of a kind of thing, and its numbers stand for names."""
    return words(name)[-1] in _CODES


def of_a_place(name: str) -> bool:
    """Whether it is of where something was shown."""
    return bool(_PLACES & set(words(name)))


def of_a_time(name: str) -> bool:
    """Whether it is of a point in time."""
    return bool(set(TIMES) & set(words(name))) and not of_a_duration(name)


def of_a_duration(name: str) -> bool:
    """Whether it is of how long something took."""
    found = set(words(name))
    return "time" in found and bool(found & _TOOK)


def of_long_ago(name: str) -> bool:
    """Whether it is of what happened to an item or a user long before anything was shown."""
    return begins(name, _LONG_AGO)


def of_an_action(name: str) -> bool:
    """Whether it is of what a user did when the page was shown."""
    found = words(name)
    done = any(_DONE.fullmatch(word) for word in found)
    return done and not begins(name, USERS) and not set(found) & {*_BEFORE, *TIMES}


def tells_of_an_action(name: str) -> bool:
    """Whether it may be of one."""
    return begins(name, _ACTIONS) and not begins(name, USERS)
