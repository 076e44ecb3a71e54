"""Reads sets of self-chosen and randomly shown ratings of the same people and items.

What people chose themselves is the source, what they were shown at random the target: two
ways of showing the same things.  Two sets have this make-up, and the user brings the files:

- Coat: T. Schnabel et al., "Recommendations as Treatments: Debiasing Learning and
  Evaluation", ICML 2016; matrices of ratings and one-hot features.
- Yahoo! R3, or any set in its form: two files of ``user,item,rating`` lines.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from schema.candidates import ITEMS, PEOPLE
from schema.errors import InputError
from schema.surface import EVAL_SPLIT, TRAIN_SPLIT
from worlds import ratings as common
from worlds.ratings import LIKE, RATING, SOURCE, TARGET, RatingsShape
from worlds.records import Columns, Domain, ExampleColumn, quiet, write_catalogue, write_domain
from worlds.surface_folder import schema_text, surface_text, teacher_section

SKIP = "skip"
LIKE_FROM = 4  # like: rating 4 or more
SKIP_AT = 1  # skip: rating 1

COAT_FILES = ("train.ascii", "test.ascii", "user_features.ascii", "item_features.ascii")
_HEADER = ("user", "item", "rating")
_USER = "user_id"

# Chosen beforehand and not tuned.  There are few rows for each id: the models are small,
# and l2 weighs on an id about as much as one of its ratings does.
_COAT_SOURCE = RatingsShape(
    {"trunk": [64, 32], "tower": [16], "dropout": 0.2, "l2": 1e-4}, {"epochs": 60, "batch_size": 128}
)
_COAT_TARGET = RatingsShape(
    {"trunk": [32], "tower": [16], "dropout": 0.2, "l2": 1e-4}, {"epochs": 60, "batch_size": 64}
)
_YAHOO_SOURCE = RatingsShape(
    {"trunk": [128, 64], "tower": [32], "dropout": 0.2, "l2": 1e-5}, {"epochs": 20, "batch_size": 512}
)
_YAHOO_TARGET = RatingsShape(
    {"trunk": [32], "tower": [16], "dropout": 0.2, "l2": 1e-5}, {"epochs": 40, "batch_size": 128}
)

# People and items are the same ones as in the source, whose teacher knows most pairs that were
# never shown.  More than 20 for each labelled row gave nothing in trials, 5 most of the gain.
_UNLABELLED = {"per_row": 20}


@dataclass(frozen=True)
class Ratings:
    """Who rated what how; three arrays of one length."""

    users: NDArray[np.int64]
    items: NDArray[np.int64]
    ratings: NDArray[np.int64]


@dataclass(frozen=True)
class Draw:
    """Which target rows are for training.

    Attributes:
      rows: How many, drawn at random.
      seed: The seed of the draw, and of the tenth of the source set aside to evaluate the teacher.
      people: How many people they are of, drawn at random, with equally many rows each; catalogues of all
        people and items are written as well.  None draws from everyone's rows, and writes none.
    """

    rows: int
    seed: int = 0
    people: int | None = None


@dataclass(frozen=True)
class _Set:
    """Both ways of showing, what is known of people and items, and the models' shapes."""

    name: str
    chosen: Ratings
    shown: Ratings
    shapes: dict[str, RatingsShape]
    embeddings: dict[str, int]
    sides: dict[str, NDArray[np.float32]] = field(default_factory=dict)


def write_coat(data: Path, draw: Draw, out: Path, progress: Callable[[str], None] = quiet) -> list[Path]:
    """Writes ``out/source`` (chosen ratings) and ``out/target`` (random ones) of Coat.

    Ids count from 0, in the order of the matrices' rows and columns.  Teacher and student
    see the ids and the one-hot features of people and items.

    Args:
      data: Folder with `COAT_FILES`.
      draw: Which target rows are for training; all others are for evaluation.
      out: Folder for what is written; made if absent.
      progress: Told what was written.

    Returns:
      The two folders, the source's first; then those of the catalogues, if there are any.

    Raises:
      InputError: A file is missing or not as described, there are not as many target rows or
        people as are to be drawn, or a folder already holds something else.
    """
    contents = {name: common.read_bytes(data / name, "a file of the Coat set") for name in COAT_FILES}
    matrices = {name: _parse_matrix(data / name, content) for name, content in contents.items()}
    chosen, shown, user_features, item_features = matrices.values()
    _check_coat(data, matrices)
    coat = _Set(
        name="coat",
        chosen=_from_matrix(data / COAT_FILES[0], chosen),
        shown=_from_matrix(data / COAT_FILES[1], shown),
        shapes={SOURCE: _COAT_SOURCE, TARGET: _COAT_TARGET},
        embeddings={SOURCE: 16, TARGET: 8},
        sides={"user": user_features.astype(np.float32), "item": item_features.astype(np.float32)},
    )
    return _write(coat, data, draw, out, common.fingerprint(*contents.values()), progress)


def write_yahoo_r3(
    chosen: Path, shown: Path, draw: Draw, out: Path, progress: Callable[[str], None] = quiet
) -> list[Path]:
    """Writes ``out/source`` and ``out/target`` of two files of ``user,item,rating`` lines.

    Args:
      chosen: Self-chosen ratings; comma- or tab-separated, with or without the header line
        `user,item,rating`.
      shown: Randomly shown ratings, in the same form.
      draw: Which target rows are for training; all others are for evaluation.
      out: Folder for what is written; made if absent.
      progress: Told what was written.

    Returns:
      The two folders, the source's first; then those of the catalogues, if there are any.

    Raises:
      InputError: A file is missing or not as described, there are not as many target rows or
        people as are to be drawn, or a folder already holds something else.
    """
    contents = [common.read_bytes(path, "a file of user,item,rating lines") for path in (chosen, shown)]
    yahoo = _Set(
        name="yahoo_r3",
        chosen=_parse_lines(chosen, contents[0]),
        shown=_parse_lines(shown, contents[1]),
        shapes={SOURCE: _YAHOO_SOURCE, TARGET: _YAHOO_TARGET},
        embeddings={SOURCE: 32, TARGET: 8},
    )
    return _write(yahoo, shown, draw, out, common.fingerprint(*contents), progress)


def split_target(columns: Columns, rows: int, rng: np.random.Generator) -> dict[str, Columns]:
    """Draws `rows` training rows without replacement; all others are for evaluation."""
    total = len(columns[RATING].values)
    drawn = np.zeros(total, dtype=np.bool_)
    drawn[rng.choice(total, size=rows, replace=False)] = True
    return {TRAIN_SPLIT: common.select(columns, drawn), EVAL_SPLIT: common.select(columns, ~drawn)}


def split_target_by_people(columns: Columns, rows: int, people: int, rng: np.random.Generator) -> dict[str, Columns]:
    """Draws people, and `rows` training rows of them, equally many each; all other rows are for evaluation.

    Raises:
      InputError: There are not so many people with so many rows.
    """
    users = columns[_USER].values
    each = rows // people if people > 0 else 0
    ids, counts = np.unique(users, return_counts=True)
    able = ids[counts >= each]
    if not each or rows % people or len(able) < people:
        raise InputError(
            f"--people {people}: expected a number of people among whom --rows {rows} can be shared out evenly; found "
            + (f"{len(able)} people with {each} ratings or more" if each and not rows % people else "that it cannot")
        )
    drawn = np.zeros(len(users), dtype=np.bool_)
    for user in rng.permutation(able)[:people]:
        drawn[rng.permutation(np.flatnonzero(users == user))[:each]] = True
    return {TRAIN_SPLIT: common.select(columns, drawn), EVAL_SPLIT: common.select(columns, ~drawn)}


def _write(what: _Set, path: Path, draw: Draw, out: Path, sha256: str, progress: Callable[[str], None]) -> list[Path]:
    total = len(what.shown.ratings)
    if not 1 <= draw.rows < total:
        raise InputError(
            f"rows: expected from 1 to {total - 1}, since {path} has {total} randomly shown ratings and some must be "
            f"left for evaluation; found {draw.rows}"
        )
    rng = np.random.default_rng(draw.seed)
    shown = _columns(what, what.shown) | {SKIP: _integers(what.shown.ratings == SKIP_AT)}
    source = common.split_source(_columns(what, what.chosen), rng)
    if draw.people is None:
        target = split_target(shown, draw.rows, rng)
    else:
        target = split_target_by_people(shown, draw.rows, draw.people, rng)
    splits = {SOURCE: source, TARGET: target}
    surfaces = _surfaces(what, splits[SOURCE][TRAIN_SPLIT])
    origin = {"world": what.name, "rows": draw.rows, "seed": draw.seed, "files_sha256": sha256}
    if draw.people is not None:
        origin["people"] = draw.people
    domains = [_domain(what, name, surfaces[name], splits[name], origin) for name in splits]
    folders = [write_domain(out, domain, progress) for domain in domains]
    return folders if draw.people is None else [*folders, *_write_catalogues(what, out, progress)]


def _write_catalogues(what: _Set, out: Path, progress: Callable[[str], None]) -> list[Path]:
    """Everyone and everything that was rated, in either way of showing."""
    both = (what.chosen, what.shown)
    ids = {"user": (PEOPLE, [each.users for each in both]), "item": (ITEMS, [each.items for each in both])}
    folders = []
    for side, (name, values) in ids.items():
        unique = np.unique(np.concatenate(values))
        columns = {f"{side}_id": _integers(unique)}
        if side in what.sides:
            columns[f"{side}_features"] = ExampleColumn(what.sides[side][unique])
        folders.append(write_catalogue(out, name, columns, progress))
    return folders


def _columns(what: _Set, ratings: Ratings) -> dict[str, ExampleColumn]:
    ids = {"user": ratings.users, "item": ratings.items}
    return {
        **{f"{side}_id": _integers(values) for side, values in ids.items()},
        **{f"{side}_features": ExampleColumn(values[ids[side]]) for side, values in what.sides.items()},
        LIKE: _integers(ratings.ratings >= LIKE_FROM),
        RATING: ExampleColumn(ratings.ratings.astype(np.float32)),
    }


def _features(what: _Set, embedding: int) -> dict[str, Any]:
    ids = {f"{side}_id": {"kind": "categorical", "side": side, "embedding": embedding} for side in ("user", "item")}
    vectors = {
        f"{side}_features": {"kind": "numeric", "side": side, "size": values.shape[1]}
        for side, values in what.sides.items()
    }
    return ids | vectors


def _surfaces(what: _Set, source: Columns) -> dict[str, dict[str, Any]]:
    features = {name: _features(what, width) for name, width in what.embeddings.items()}
    of_source = common.source_surface(f"{what.name}_source", features[SOURCE], what.shapes[SOURCE])
    teacher = teacher_section(of_source, source, (LIKE, RATING), {})
    of_target = common.target_surface(
        what.name, features[TARGET], SKIP, teacher, what.shapes[TARGET], unlabelled=_UNLABELLED
    )
    return {SOURCE: of_source, TARGET: of_target}


def _domain(
    what: _Set, name: str, surface: dict[str, Any], splits: dict[str, Columns], origin: dict[str, Any]
) -> Domain:
    shown = {SOURCE: "ratings that people chose to give", TARGET: "ratings of items shown at random"}[name]
    comment = (f"{what.name}, {name}: {shown}.", "Written by `crosskd world`.")
    return Domain(name, splits, surface_text(surface, comment), schema_text(surface, splits), origin)


def _parse_matrix(path: Path, content: bytes) -> NDArray[np.float64]:
    try:
        matrix = np.loadtxt(io.BytesIO(content), ndmin=2)
    except ValueError as error:
        raise InputError(f"{path}: expected a matrix of numbers, one row in each line; found: {error}") from error
    if matrix.size == 0:
        raise InputError(f"{path}: expected a matrix of numbers, one row in each line; the file is empty")
    return matrix


def _check_coat(data: Path, matrices: dict[str, NDArray[np.float64]]) -> None:
    """The four matrices must be of the same people and items."""
    chosen, shown, user_features, item_features = matrices.values()
    people, items = chosen.shape
    expected = (chosen.shape, (people, user_features.shape[1]), (items, item_features.shape[1]))
    found = (shown.shape, user_features.shape, item_features.shape)
    for name, want, have in zip(COAT_FILES[1:], expected, found, strict=True):
        if want != have:
            raise InputError(
                f"{data / name}: expected {want[0]} x {want[1]} values, since {COAT_FILES[0]} has {people} people and "
                f"{items} items; found {have[0]} x {have[1]}"
            )


def _from_matrix(path: Path, matrix: NDArray[np.float64]) -> Ratings:
    users, items = np.nonzero(matrix)
    if len(users) < 2:
        raise InputError(f"{path}: expected at least 2 ratings, found {len(users)}")
    values = matrix[users, items]
    common.check_ratings(path, values)
    return Ratings(users, items, values.astype(np.int64))


def _parse_lines(path: Path, content: bytes) -> Ratings:
    first = content.split(b"\n", 1)[0].decode("utf-8", errors="replace").strip()
    separator = "\t" if "\t" in first else ","
    header = 0 if tuple(part.strip() for part in first.split(separator)) == _HEADER else None
    try:
        table = pd.read_csv(io.BytesIO(content), sep=separator, header=header)
    except ValueError as error:
        raise InputError(f"{path}: expected lines of user,item,rating; found: {error}") from error
    if table.shape[1] != len(_HEADER) or any(kind.kind != "i" for kind in table.dtypes):
        raise InputError(f"{path}: expected lines of three whole numbers user,item,rating; the first line is {first!r}")
    if len(table) < 2:
        raise InputError(f"{path}: expected at least 2 ratings, found {len(table)}")
    users, items, values = (table.iloc[:, index].to_numpy(dtype=np.int64) for index in range(len(_HEADER)))
    common.check_ratings(path, values)
    return Ratings(users, items, values)


def _integers(values: NDArray[Any]) -> ExampleColumn:
    return ExampleColumn(values.astype(np.int64))
