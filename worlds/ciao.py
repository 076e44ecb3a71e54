"""Reads the Ciao ratings: one category is the target, all the others are the source.

Real product ratings by the same people across many categories (J. Tang, H. Gao, H. Liu,
"mTrust: Discerning multi-faceted trust in a connected world", WSDM 2012).  The file is the
user's own; nothing of it is shipped.  Expect no gain from distillation here: the target's
items are unknown to the teacher, and so are many of its users.

Time runs one way.  The target is split at the time before which 80% of its rows lie.  The
teacher sees no source row from that time on, and a row's history (how many ratings, their
mean) counts strictly earlier days, since times have day resolution.  The helpfulness of
earlier reviews is not used as a feature: the votes may have come later.

As published, the set has a few rows with rating 0, off its scale of 1 to 5.  They are taken
for reviews without a rating and left out, and the reader says how many they were.
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from schema.errors import InputError
from schema.surface import EVAL_SPLIT, TRAIN_SPLIT
from worlds import ratings as common
from worlds.ratings import LIKE, RATING, SOURCE, TARGET
from worlds.records import Columns, Domain, quiet, write_domain
from worlds.surface_folder import schema_text, surface_text, teacher_section

COLUMNS = ("user", "item", "category", "rating", "helpfulness", "timestamp")
HELPFUL = "helpful"
UNRATED = 0
LIKE_FROM = 5  # like: rating 5
HELPFUL_FROM = 2  # helpful: helpfulness 2 or more
# A mean over few ratings is drawn to the domain's mean, which counts as this many ratings.
PRIOR_STRENGTH = 5.0
# The domain's mean on its first day: the middle of the scale.
FIRST_PRIOR = 3.0
# No category has this number; it fills the teacher's input on the target.
NO_CATEGORY = -1

_CATEGORICAL = {"kind": "categorical"}
_HISTORY = {
    "user_count": {"kind": "numeric", "side": "user"},
    "user_mean": {"kind": "numeric", "side": "user"},
    "user_days": {"kind": "numeric", "side": "user"},
    "item_count": {"kind": "numeric", "side": "item"},
    "item_mean": {"kind": "numeric", "side": "item"},
    "item_days": {"kind": "numeric", "side": "item"},
}
_SOURCE_FEATURES: dict[str, Any] = {
    "user_id": _CATEGORICAL | {"side": "user", "embedding": 32},
    "item_id": _CATEGORICAL | {"side": "item", "embedding": 32, "min_count": 2},
    "category": _CATEGORICAL | {"side": "item", "embedding": 8},
    **_HISTORY,
    "user_category_count": {"kind": "numeric", "side": "cross"},
    "user_category_mean": {"kind": "numeric", "side": "cross"},
}
_TARGET_FEATURES: dict[str, Any] = {
    "user_id": _CATEGORICAL | {"side": "user", "embedding": 8, "min_count": 2},
    "item_id": _CATEGORICAL | {"side": "item", "embedding": 8, "min_count": 2},
    **_HISTORY,
}
# The target is one category, and a person's history in it is their history in the product.
_ADAPTATION: dict[str, dict[str, Any]] = {
    "category": {"default": NO_CATEGORY},
    "user_category_count": {"from": "user_count"},
    "user_category_mean": {"from": "user_mean"},
}


def write(ratings: Path, target: int, out: Path, seed: int = 0, progress: Callable[[str], None] = quiet) -> list[Path]:
    """Writes ``out/source`` and ``out/target``, examples and surface folder each.

    Args:
      ratings: Tab-separated file with the columns `COLUMNS`, gzipped or not.
      target: The category that is the target.
      out: Folder for the two; made if absent.
      seed: The seed of the random tenth of the source set aside to evaluate the teacher.
      progress: Told what was written.

    Returns:
      The two folders, the source's first.

    Raises:
      InputError: The file is not as described, has too few rows on either side, or a
        folder already holds something else.
    """
    content = common.read_bytes(ratings, f"a file of ratings with the columns {', '.join(COLUMNS)}")
    table = _parse(ratings, content)
    unrated = table["rating"] == UNRATED
    if unrated.any():
        progress(f"{ratings}: left out {int(unrated.sum())} of {len(table)} rows, which have rating {UNRATED}")
    table = table[~unrated].reset_index(drop=True)
    source, train, evaluation = split(ratings, table, target)
    history = target_columns(pd.concat([train, evaluation]))
    in_train = np.arange(len(train) + len(evaluation)) < len(train)
    splits = {
        SOURCE: common.split_source(source_columns(source), np.random.default_rng(seed)),
        TARGET: {TRAIN_SPLIT: common.select(history, in_train), EVAL_SPLIT: common.select(history, ~in_train)},
    }
    surfaces = _surfaces(target, splits[SOURCE][TRAIN_SPLIT])
    origin = {"world": "ciao", "target": target, "seed": seed, "ratings_sha256": common.fingerprint(content)}
    return [write_domain(out, _domain(name, surfaces[name], splits[name], origin), progress) for name in splits]


def split(path: Path, table: pd.DataFrame, target: int) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Splits ratings in time order into source, target training and target evaluation rows.

    The split time is the day of the first row after 80% of the target's; that whole day
    belongs to evaluation, so that training is over before it starts.

    Raises:
      InputError: `path`, where `table` is from, leaves too little on either side.
    """
    of_target = table[table["category"] == target]
    if of_target.empty:
        known = ", ".join(str(category) for category in sorted(table["category"].unique()))
        raise InputError(f"{path}: expected ratings of target category {target}, found none; categories are {known}")
    start = of_target["day"].iloc[int(common.TRAIN_SHARE * len(of_target))]
    source = table[(table["category"] != target) & (table["day"] < start)]
    train, evaluation = of_target[of_target["day"] < start], of_target[of_target["day"] >= start]
    if len(source) < 2 or train.empty:
        raise InputError(
            f"{path}: expected ratings of category {target} and at least 2 of others before the last fifth of the "
            f"target's; found {len(train)} and {len(source)}. Choose another target category."
        )
    return source, train, evaluation


def target_columns(rows: pd.DataFrame) -> Columns:
    """The examples of the target, from its ratings in time order."""
    return {
        **_history_columns(rows),
        **_label_columns(rows),
        HELPFUL: common.integers(rows["helpfulness"] >= HELPFUL_FROM),
    }


def source_columns(rows: pd.DataFrame) -> Columns:
    """The examples of the source, from its ratings in time order."""
    in_category = causal_history(rows, ["user", "category"])
    return {
        **_history_columns(rows),
        "category": common.integers(rows["category"]),
        "user_category_count": common.floats(np.log1p(in_category["count"])),
        "user_category_mean": common.floats(in_category["mean"]),
        **_label_columns(rows),
    }


def causal_history(rows: pd.DataFrame, key: list[str]) -> pd.DataFrame:
    """What was known of each row's `key` before the row's day, from `rows` alone.

    Args:
      rows: Ratings with the columns of `key`, `rating` and `day`.
      key: Columns whose values together say whose history it is.

    Returns:
      One row for each of `rows`, in their order: `count` of ratings on earlier days; `mean`
      of those, drawn to the mean of everything on earlier days, which counts as 5 ratings;
      `days` since the key's first rating, 0 if that is today.
    """
    earlier = _earlier(rows, key)
    everything = _earlier(rows.assign(everything=0), ["everything"])
    prior = (everything["total"] / everything["count"].where(everything["count"] > 0)).fillna(FIRST_PRIOR)
    mean = (earlier["total"] + PRIOR_STRENGTH * prior) / (earlier["count"] + PRIOR_STRENGTH)
    return pd.DataFrame({"count": earlier["count"], "mean": mean, "days": rows["day"].to_numpy() - earlier["first"]})


def _earlier(rows: pd.DataFrame, key: list[str]) -> pd.DataFrame:
    """Count and total of the key's ratings on days before the row's, and its first day."""
    daily = rows.groupby([*key, "day"])["rating"].agg(["size", "sum"]).reset_index()
    of_key = daily.groupby(key)
    daily["count"] = of_key["size"].cumsum() - daily["size"]
    daily["total"] = of_key["sum"].cumsum() - daily["sum"]
    daily["first"] = of_key["day"].transform("min")
    return rows[[*key, "day"]].merge(daily, on=[*key, "day"], how="left", validate="many_to_one")


def _history_columns(rows: pd.DataFrame) -> Columns:
    user, item = causal_history(rows, ["user"]), causal_history(rows, ["item"])
    return {
        "user_id": common.integers(rows["user"]),
        "item_id": common.integers(rows["item"]),
        "user_count": common.floats(np.log1p(user["count"])),
        "user_mean": common.floats(user["mean"]),
        "user_days": common.floats(np.log1p(user["days"])),
        "item_count": common.floats(np.log1p(item["count"])),
        "item_mean": common.floats(item["mean"]),
        "item_days": common.floats(np.log1p(item["days"])),
        "new_user": common.integers(user["count"] == 0),
        "new_item": common.integers(item["count"] == 0),
        "timestamp": common.integers(rows["timestamp"]),
    }


def _label_columns(rows: pd.DataFrame) -> Columns:
    return {LIKE: common.integers(rows["rating"] >= LIKE_FROM), RATING: common.floats(rows["rating"])}


def _surfaces(target: int, source: Columns) -> dict[str, dict[str, Any]]:
    of_source = common.source_surface(f"ciao_{target}_source", _SOURCE_FEATURES, common.SOURCE_SHAPE)
    teacher = teacher_section(of_source, source, (LIKE, RATING), _ADAPTATION)
    of_target = common.target_surface(
        f"ciao_{target}", _TARGET_FEATURES, HELPFUL, teacher, common.SMALL_SHAPE, slices=common.NEWCOMERS
    )
    return {SOURCE: of_source, TARGET: of_target}


def _domain(name: str, surface: dict[str, Any], splits: dict[str, Columns], origin: dict[str, Any]) -> Domain:
    comment = (
        f"Ciao ratings, {name}: category {origin['target']} is the target, all others are the source.",
        "Written by `crosskd world ciao`. Histories (count, mean, days) are of strictly earlier",
        "days in the same domain; counts and days are log1p.",
    )
    return Domain(name, splits, surface_text(surface, comment), schema_text(surface, splits), origin)


def _parse(path: Path, content: bytes) -> pd.DataFrame:
    """The ratings in time order, rows of one day in the file's order, with a column `day`."""
    try:
        text = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
        table = pd.read_csv(io.BytesIO(text), sep="\t")
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise InputError(f"{path}: expected tab-separated ratings, gzipped or not; found: {error}") from error
    missing = [name for name in COLUMNS if name not in table.columns]
    if missing:
        raise InputError(f"{path}: expected the columns {', '.join(COLUMNS)}; missing: {', '.join(missing)}")
    for name in COLUMNS:
        if table[name].dtype.kind != "i":
            raise InputError(f"{path}: column {name!r}: expected whole numbers, found values of another kind or none")
    ratings = table["rating"].to_numpy()
    common.check_ratings(path, ratings[ratings != UNRATED])
    ordered = table.sort_values("timestamp", kind="stable", ignore_index=True)
    return ordered.assign(day=ordered["timestamp"] // common.SECONDS_PER_DAY)
