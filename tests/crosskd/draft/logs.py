"""Six logs made on the spot, each with what misleads: labels that look like features, ids as floats, lists, dates."""

from __future__ import annotations

import datetime
from collections.abc import Callable

import numpy as np
import pyarrow as pa

ROWS = 1200
START = datetime.datetime(2026, 3, 1)


def _rng() -> np.random.Generator:
    return np.random.default_rng(7)


def _flag(rng: np.random.Generator, part: float) -> np.ndarray:
    return (rng.random(ROWS) < part).astype(np.int64)


def _times() -> pa.Array:
    return pa.array([START + datetime.timedelta(seconds=37 * each) for each in range(ROWS)], pa.timestamp("ms"))


def _missing(values: np.ndarray, there: np.ndarray) -> pa.Array:
    return pa.array(values, mask=~there.astype(bool))


def shop() -> dict[str, object]:
    rng = _rng()
    bought = _flag(rng, 0.2)
    return {
        "customer": [f"c{each}" for each in rng.integers(0, 90, ROWS)],
        "sku": rng.integers(0, 200, ROWS),
        "shown_at": _times(),
        "price": rng.gamma(2, 10, ROWS),
        "on_sale": _flag(rng, 0.3),  # a feature, or not: nobody can see it
        "bought": bought,
        "basket_value": bought * rng.gamma(2, 20, ROWS),  # made from the label
        "receipt_id": _missing(np.arange(ROWS).astype(float), bought),  # there where something was bought
        "tags": [["a"] * each for each in rng.integers(0, 4, ROWS)],
        "coupon": pa.nulls(ROWS),
        "visit": [f"v{each // 6}" for each in range(ROWS)],  # a request, and its name does not end with id
        "place": np.arange(ROWS) % 6,  # where it was shown
        "brand": rng.integers(0, 80, ROWS),  # a number that is a name
        "refundable": _flag(rng, 0.5),
        "voucher_used": bought,
    }


def news() -> dict[str, object]:
    rng = _rng()
    click = _flag(rng, 0.3)
    return {
        "reader_id": rng.integers(0, 100, ROWS),
        "article_id": rng.integers(0, 300, ROWS),
        "published": pa.array([datetime.date(2026, 1, 1 + each % 28) for each in range(ROWS)]),
        "headline": [f"Headline number {each}" for each in range(ROWS)],
        "click": click,
        "read_seconds": _missing(rng.gamma(2, 30, ROWS), click),
        "outcome": np.where(click == 1, "opened", "ignored"),  # the label in words
        "section": rng.choice(["sport", "politics", "arts"], ROWS),
        "request_id": np.arange(ROWS) // 6,
        "author_no": rng.integers(0, 90, ROWS).astype(float),  # a name that a tool made a real number
        "time_on_page": click * rng.gamma(2, 20, ROWS),
        "is_subscriber": _flag(rng, 0.3),
        "headline_words": rng.integers(3, 90, ROWS),
    }


def video() -> dict[str, object]:
    rng = _rng()
    watched = rng.gamma(2, 60, ROWS)
    return {
        "viewer_id": pa.array([None if each % 9 == 0 else float(each % 50) for each in range(ROWS)]),
        "video_id": rng.integers(0, 100, ROWS),
        "watch_seconds": watched,  # always there: a label all the same
        "completion": watched / watched.max(),  # made from it
        "part_of_it": watched / 300,  # made from it, and nothing in the name says so
        "like": _flag(rng, 0.1),
        "topics": [[int(each), 1, 2] for each in rng.integers(0, 9, ROWS)],
        "embedding": [list(map(float, each)) for each in rng.normal(size=(ROWS, 4))],
        "device": pa.array(rng.choice(["tv", "phone"], ROWS)).dictionary_encode(),
        "is_new": _flag(rng, 0.5),
        "uid": rng.integers(10**11, 10**11 + 40, ROWS),
        "has_trailer": _flag(rng, 0.5),
        "playlist_length": _missing(rng.integers(1, 90, ROWS), _flag(rng, 0.7)),
    }


def jobs() -> dict[str, object]:
    rng = _rng()
    applied = _flag(rng, 0.15)
    return {
        "candidate_id": rng.integers(0, 150, ROWS),
        "job_id": rng.integers(0, 80, ROWS),
        "applied": applied,
        "applied_at": _missing(np.arange(ROWS) + 1_760_000_000, applied),
        "hired": _missing(_flag(rng, 0.3), applied),
        "salary": [str(each) for each in rng.integers(30, 90, ROWS) * 1000],  # numbers as text
        "remote": rng.random(ROWS) < 0.4,
        "event_id": np.arange(ROWS) + 10**12,
        "country": ["DE"] * ROWS,
        "posted": [f"2026-01-{1 + each % 28:02}" for each in range(ROWS)],  # dates as text
        "zip": rng.integers(10_000, 99_999, ROWS),
        "outcome_code": 1 + 2 * applied,
        "skills": [["go", "sql"][:each] for each in rng.integers(0, 3, ROWS)],
    }


def games() -> dict[str, object]:
    rng = _rng()
    install = _flag(rng, 0.25)
    return {
        "player_id": rng.integers(0, 120, ROWS),
        "game_id": rng.integers(0, 60, ROWS),
        "install": install,
        "install_count_30d": rng.integers(0, 9, ROWS),  # a sum over the past
        "sessions_after": install * rng.integers(1, 30, ROWS),  # made from the label
        "level": rng.integers(1, 90, ROWS),
        "hour": rng.integers(0, 24, ROWS),
        "user": [{"age": 3}] * ROWS,
        "shown_rank": rng.integers(0, 6, ROWS),
        "installments": _missing(rng.integers(1, 12, ROWS), _flag(rng, 0.5)),
        "revenue_d7": install * rng.gamma(1, 3, ROWS),
        "crash": pa.nulls(ROWS),
    }


def music() -> dict[str, object]:
    rng = _rng()
    skip = _flag(rng, 0.5)
    return {
        "listener_id": rng.integers(0, 150, ROWS),
        "track_id": rng.integers(0, 400, ROWS),
        "skip": skip,
        "kept": 1 - skip,  # the label, the other way round
        "listen_minutes": _missing(rng.gamma(2, 2, ROWS), 1 - skip),
        "ts": 1_760_000_000 + np.arange(ROWS) * 20,
        "tempo": rng.normal(120, 20, ROWS),
        "explicit": _flag(rng, 0.2),
        "mood": pa.nulls(ROWS, pa.string()),
        "not_skipped": 1 - skip,  # looks like a label of its own
        "saved_before": _flag(rng, 0.3),
        "release_date": pa.array([datetime.date(1990 + each % 30, 1, 1) for each in range(ROWS)]),
    }


LOGS: dict[str, Callable[[], dict[str, object]]] = {
    each.__name__: each for each in (shop, news, video, jobs, games, music)
}
