"""Reads MovieLens-1M: the films of one genre are the target, all films without it the source.

A million ratings by 6,040 people of the year 2000 (F. M. Harper and J. A. Konstan, "The
MovieLens Datasets", ACM TiiS 2015).  The files are the user's own, and so are their terms;
nothing of them is shipped.  Taken are GroupLens's files (`ratings.dat`, `movies.dat`,
`users.dat`) and those of RecBole (`*.inter`, `*.item`, `*.user`).

Time runs one way.  The target is split at the time before which 80% of its rows lie, and the
teacher sees no source row from that time on.  People are in both domains, films in one.
Demographics are withheld from the target, so that three of the teacher's seven inputs are
filled with defaults there.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
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

ANOTHER_SOON = "another_soon"
LIKE_FROM = 4  # like: rating 4 or 5
SOON_SECONDS = 600  # another_soon: the person rates another film of the genre within ten minutes

_CATEGORICAL = {"kind": "categorical"}
_SHARED: dict[str, Any] = {
    "year": {"kind": "numeric", "side": "item"},
    "hour_sin": {"kind": "numeric", "side": "context"},
}
_SOURCE_FEATURES: dict[str, Any] = {
    "user_id": _CATEGORICAL | {"side": "user", "embedding": 32},
    "item_id": _CATEGORICAL | {"side": "item", "embedding": 32, "min_count": 2},
    **_SHARED,
    "gender": _CATEGORICAL | {"side": "user", "embedding": 2},
    "age": {"kind": "numeric", "side": "user"},
    "occupation": _CATEGORICAL | {"side": "user", "embedding": 4},
}
_TARGET_FEATURES: dict[str, Any] = {
    "user_id": _CATEGORICAL | {"side": "user", "embedding": 8},
    "item_id": _CATEGORICAL | {"side": "item", "embedding": 8, "min_count": 2},
    **_SHARED,
}
# Values that no person of the source has; ages are years, of which 25 is the most frequent.
_ADAPTATION: dict[str, dict[str, Any]] = {
    "gender": {"default": "unknown"},
    "age": {"default": 25.0},
    "occupation": {"default": "unknown"},
}


@dataclass(frozen=True)
class _Form:
    """How one publisher writes the three tables.

    Attributes:
      files: Patterns of the ratings', the films' and the people's file.
      separator: What stands between columns.
      encoding: The encoding of the text.
      header: Whether the first line names the columns.
    """

    files: tuple[str, str, str]
    separator: str
    encoding: str
    header: bool


_FORMS = (
    _Form(("ratings.dat", "movies.dat", "users.dat"), "::", "latin-1", header=False),
    _Form(("*.inter", "*.item", "*.user"), "\t", "utf-8", header=True),
)
_RATINGS = ("user", "item", "rating", "timestamp")
# RecBole keeps a film's year apart; GroupLens writes it behind the title.
_FILMS = {False: ("item", "title", "genres"), True: ("item", "title", "year", "genres")}
_PEOPLE = {False: ("user", "gender", "age", "occupation"), True: ("user", "age", "gender", "occupation")}


def write(data: Path, genre: str, out: Path, seed: int = 0, progress: Callable[[str], None] = quiet) -> list[Path]:
    """Writes ``out/source`` and ``out/target``, examples and surface folder each.

    Args:
      data: Folder with the three files, in either form.
      genre: The genre whose films are the target, such as `Musical`.
      out: Folder for the two; made if absent.
      seed: The seed of the random tenth of the source set aside to evaluate the teacher.
      progress: Told what was written.

    Returns:
      The two folders, the source's first.

    Raises:
      InputError: The files are not as described, no film has the genre, too few rows lie on
        either side, or a folder already holds something else.
    """
    table, digest = _read(data)
    of_target = table["genres"].map(lambda genres: genre in genres)
    if not of_target.any():
        known = ", ".join(sorted(set().union(*table["genres"])))
        raise InputError(f"{data}: expected films of the genre {genre!r}, found none; genres are {known}")
    target, source = table[of_target].reset_index(drop=True), table[~of_target]
    start = target["timestamp"].iloc[int(common.TRAIN_SHARE * len(target))]
    source, in_train = source[source["timestamp"] < start], (target["timestamp"] < start).to_numpy()
    if len(source) < 2 or not in_train.any():
        raise InputError(
            f"{data}: expected ratings of the genre {genre!r} and at least 2 of other films before the last fifth of "
            f"the genre's; found {int(in_train.sum())} and {len(source)}. Choose another genre."
        )
    columns = target_columns(target, in_train)
    splits = {
        SOURCE: common.split_source(source_columns(source), np.random.default_rng(seed)),
        TARGET: {TRAIN_SPLIT: common.select(columns, in_train), EVAL_SPLIT: common.select(columns, ~in_train)},
    }
    surfaces = _surfaces(genre, splits[SOURCE][TRAIN_SPLIT])
    origin = {"world": "movielens", "genre": genre, "seed": seed, "files_sha256": digest}
    return [write_domain(out, _domain(name, surfaces[name], splits[name], origin), progress) for name in splits]


def target_columns(rows: pd.DataFrame, in_train: np.ndarray) -> Columns:
    """The examples of the target, from its ratings in time order; `in_train` says which are trained on."""
    trained = rows[in_train]
    return {
        **_shared_columns(rows),
        "new_user": common.integers(~rows["user"].isin(trained["user"])),
        "new_item": common.integers(~rows["item"].isin(trained["item"])),
        ANOTHER_SOON: common.integers(another_soon(rows)),
    }


def source_columns(rows: pd.DataFrame) -> Columns:
    """The examples of the source, from its ratings in time order."""
    return {
        **_shared_columns(rows),
        "gender": common.texts(rows["gender"]),
        "age": common.floats(rows["age"]),
        "occupation": common.texts(rows["occupation"]),
    }


def another_soon(rows: pd.DataFrame) -> pd.Series:
    """Whether the same person rates another of these films within ten minutes after; rows are in time order."""
    waited = rows.groupby("user")["timestamp"].shift(-1) - rows["timestamp"]
    return waited <= SOON_SECONDS


def _shared_columns(rows: pd.DataFrame) -> Columns:
    second = rows["timestamp"] % common.SECONDS_PER_DAY
    return {
        "user_id": common.texts(rows["user"]),
        "item_id": common.texts(rows["item"]),
        "year": common.floats(rows["year"]),
        "hour_sin": common.floats(np.sin(2 * np.pi * second / common.SECONDS_PER_DAY)),
        "timestamp": common.integers(rows["timestamp"]),
        LIKE: common.integers(rows["rating"] >= LIKE_FROM),
        RATING: common.floats(rows["rating"]),
    }


def _read(data: Path) -> tuple[pd.DataFrame, str]:
    """Ratings in time order with their films and people, and a digest of the files."""
    form, paths = _find(data)
    contents = [common.read_bytes(path, "a file of MovieLens-1M") for path in paths]
    names = (_RATINGS, _FILMS[form.header], _PEOPLE[form.header])
    ratings, films, people = (
        _parse(path, content, form, columns) for path, content, columns in zip(paths, contents, names, strict=True)
    )
    common.check_ratings(paths[0], _numbers(paths[0], ratings["rating"]).to_numpy())
    films["genres"] = films["genres"].str.split(" " if form.header else "|", regex=False)
    if not form.header:
        films["year"] = films["title"].str.extract(r"\((\d{4})\)\s*$", expand=False)
    joined = ratings.merge(films, on="item", validate="many_to_one").merge(people, on="user", validate="many_to_one")
    if len(joined) != len(ratings):
        lost = len(ratings) - len(joined)
        raise InputError(f"{data}: expected every rating's film and person in the other files; {lost} lack one")
    numbers = {name: _numbers(data, joined[name]) for name in ("rating", "timestamp", "year", "age")}
    ordered = joined.assign(**numbers).sort_values("timestamp", kind="stable", ignore_index=True)
    return ordered, common.fingerprint(*contents)


def _find(data: Path) -> tuple[_Form, list[Path]]:
    for form in _FORMS:
        found = [sorted(data.glob(pattern)) for pattern in form.files]
        if all(len(each) == 1 for each in found):
            return form, [each[0] for each in found]
    expected = ", or ".join(", ".join(form.files) for form in _FORMS)
    raise InputError(f"{data}: expected the three files of MovieLens-1M ({expected}), one of each; they are not there")


def _parse(path: Path, content: bytes, form: _Form, names: tuple[str, ...]) -> pd.DataFrame:
    """The first columns of a table, as text."""
    try:
        table = pd.read_csv(
            io.StringIO(content.decode(form.encoding)),
            sep=form.separator,
            header=0 if form.header else None,
            engine="python",
            dtype=str,
            keep_default_na=False,
        )
    except (UnicodeDecodeError, ValueError) as error:
        raise InputError(f"{path}: expected columns separated by {form.separator!r}; found: {error}") from error
    if table.shape[1] < len(names):
        raise InputError(f"{path}: expected the columns {', '.join(names)}; found {table.shape[1]} of them")
    return table.iloc[:, : len(names)].set_axis(list(names), axis=1)


def _numbers(path: Path, values: pd.Series) -> pd.Series:
    found = pd.to_numeric(values, errors="coerce")
    if found.isna().any():
        wrong = values[found.isna()].iloc[0]
        raise InputError(f"{path}: column {values.name!r}: expected numbers, found {wrong!r}")
    return found


def _surfaces(genre: str, source: Columns) -> dict[str, dict[str, Any]]:
    name = "".join(letter if letter.isalnum() else "_" for letter in genre.lower())
    of_source = common.source_surface(f"movielens_{name}_source", _SOURCE_FEATURES, common.SOURCE_SHAPE)
    teacher = teacher_section(of_source, source, (LIKE, RATING), _ADAPTATION)
    of_target = common.target_surface(
        f"movielens_{name}", _TARGET_FEATURES, ANOTHER_SOON, teacher, common.SMALL_SHAPE, slices=common.NEWCOMERS
    )
    return {SOURCE: of_source, TARGET: of_target}


def _domain(name: str, surface: Mapping[str, Any], splits: dict[str, Columns], origin: dict[str, Any]) -> Domain:
    comment = (
        f"MovieLens-1M, {name}: films of the genre {origin['genre']} are the target, all others the source.",
        "Written by `crosskd world movielens`.",
    )
    return Domain(name, splits, surface_text(surface, comment), schema_text(surface, splits), origin)
