"""Reads MovieLens-1M: the films of one genre are the target, all films without it the source.

A million ratings by 6,040 people of the year 2000 (F. M. Harper and J. A. Konstan, "The
MovieLens Datasets", ACM TiiS 2015).  The files are the user's own, and so are their terms;
nothing of them is shipped.  Taken are GroupLens's files (`ratings.dat`, `movies.dat`,
`users.dat`) and those of RecBole (`*.inter`, `*.item`, `*.user`).

Time runs one way.  The target is split at the time before which 80% of its rows lie, and the
teacher sees no source row from that time on.  People are in both domains, films in one.

Lists of a person's recent films hold what lies strictly before the row in time; nothing of the
same second is in them, since nobody knows which came first.  Each product reads its own log:
the student's list holds films of the genre that the person rated on the target, with their
ratings and ages, as a server of the target would have them at that moment.  The teacher's list
holds the source's films.  A server of the target never has that one, but whoever labels has
both logs and joins it by person and moment, so the examples carry it for the teacher alone
(`recent_source_films`).  Demographics are withheld from the target: four of the teacher's ten
inputs, 40%, are filled with defaults there.

Numbers stand for people and films (the line of their file, from 1), and for genres, since the
reference teacher reads ids.  The genre itself is in no list of genres: all films of the target
have it, and none of the source's.
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
from worlds.histories import History, before
from worlds.ratings import LIKE, RATING, SOURCE, TARGET
from worlds.records import Columns, Domain, ExampleColumn, quiet, write_domain
from worlds.surface_folder import schema_text, surface_text, teacher_section

ANOTHER_SOON = "another_soon"
LIKE_FROM = 4  # like: rating 4 or 5
SOON_SECONDS = 600  # another_soon: the person rates another film of the genre within ten minutes
RECENT = 20  # four in five of Musical's rows have no more of the genre before them
MOST_GENRES = 6

_CATEGORICAL = {"kind": "categorical"}
_SHARED: dict[str, Any] = {
    "year": {"kind": "numeric", "side": "item"},
    "hour_sin": {"kind": "numeric", "side": "context"},
}
_GENRES: dict[str, Any] = {"genres": _CATEGORICAL | {"side": "item", "many": True, "length": MOST_GENRES}}
_EVENT = {"side": "user", "sequence": "recent"}
_RECENT_FILMS: dict[str, Any] = {"recent_films": _CATEGORICAL | _EVENT | {"embedding_of": "item_id"}}
_SOURCE_FEATURES: dict[str, Any] = {
    "user_id": _CATEGORICAL | {"side": "user", "embedding": 32},
    "item_id": _CATEGORICAL | {"side": "item", "embedding": 32, "min_count": 2},
    **_SHARED,
    **_GENRES,
    **_RECENT_FILMS,
    "gender": _CATEGORICAL | {"side": "user", "embedding": 2},
    "age": {"kind": "numeric", "side": "user"},
    "occupation": _CATEGORICAL | {"side": "user", "embedding": 4},
    "zip_region": _CATEGORICAL | {"side": "user", "embedding": 2},
}
_PLAIN_FEATURES: dict[str, Any] = {
    "user_id": _CATEGORICAL | {"side": "user", "embedding": 8},
    "item_id": _CATEGORICAL | {"side": "item", "embedding": 8, "min_count": 2},
    **_SHARED,
}
_SEQUENCE: dict[str, Any] = {
    **_RECENT_FILMS,
    "recent_ratings": {"kind": "numeric"} | _EVENT,
    "recent_ages": {"kind": "numeric", "scale": "log1p"} | _EVENT,
}
_NEWEST_FIRST = {"length": RECENT, "newest": "first"}
# The surface folders of the target by their features: what each adds can be measured on the same examples.
_BY_FOLDER: dict[str, dict[str, Any]] = {
    TARGET: _PLAIN_FEATURES | _GENRES | _SEQUENCE,
    "plain": _PLAIN_FEATURES,
    "genres": _PLAIN_FEATURES | _GENRES,
}
# Values that no person of the source has; ages are years, of which 25 is the most frequent.
_UNKNOWN = -1
_ADAPTATION: dict[str, dict[str, Any]] = {
    "recent_films": {"from": "recent_source_films"},
    "gender": {"default": _UNKNOWN},
    "age": {"default": 25.0},
    "occupation": {"default": _UNKNOWN},
    "zip_region": {"default": _UNKNOWN},
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
_PEOPLE = {False: ("user", "gender", "age", "occupation", "zip"), True: ("user", "age", "gender", "occupation", "zip")}


def write(data: Path, genre: str, out: Path, seed: int = 0, progress: Callable[[str], None] = quiet) -> list[Path]:
    """Writes ``out/source`` and ``out/target``, examples and surface folder each, and surfaces of fewer features.

    ``out/plain`` (ids, year and hour) and ``out/genres`` (these and genres) are surface folders
    for the target's examples.

    Args:
      data: Folder with the three files, in either form.
      genre: The genre whose films are the target, such as `Musical`.
      out: Folder for the two; made if absent.
      seed: The seed of the random tenth of the source set aside to evaluate the teacher.
      progress: Told what was written.

    Returns:
      The folders: the source's, the target's, and those of the further surfaces.

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
    genres = {name: number for number, name in enumerate(sorted(set().union(*table["genres"]) - {genre}), start=1)}
    columns = target_columns(target, in_train, source, genres)
    splits = {
        SOURCE: common.split_source(source_columns(source, genres), np.random.default_rng(seed)),
        TARGET: {TRAIN_SPLIT: common.select(columns, in_train), EVAL_SPLIT: common.select(columns, ~in_train)},
    }
    origin = {"world": "movielens", "genre": genre, "seed": seed, "files_sha256": digest}
    return [write_domain(out, each, progress) for each in _domains(splits, genres, origin)]


def target_columns(
    rows: pd.DataFrame, in_train: np.ndarray, source: pd.DataFrame, genres: Mapping[str, int]
) -> Columns:
    """The examples of the target.

    Args:
      rows: Its ratings in time order.
      in_train: Which of them are trained on.
      source: The source's ratings in time order, as far as the teacher sees them.
      genres: Numbers of genres by name.
    """
    trained, recent = rows[in_train], before(rows, rows, RECENT)
    age = rows["timestamp"].to_numpy()[:, None] - rows["timestamp"].to_numpy()[recent.places]
    return {
        **_shared_columns(rows, genres),
        "recent_films": _events(rows["film"], recent),
        "recent_ratings": _events(rows["rating"].astype(np.float32), recent),
        "recent_ages": ExampleColumn((age / common.SECONDS_PER_DAY).astype(np.float32), counts=recent.counts),
        "recent_source_films": _events(source["film"], before(source, rows, RECENT)),
        "new_user": common.integers(~rows["user"].isin(trained["user"])),
        "new_item": common.integers(~rows["item"].isin(trained["item"])),
        ANOTHER_SOON: common.integers(another_soon(rows)),
    }


def source_columns(rows: pd.DataFrame, genres: Mapping[str, int]) -> Columns:
    """The examples of the source, from its ratings in time order and the numbers of genres by name."""
    return {
        **_shared_columns(rows, genres),
        "recent_films": _events(rows["film"], before(rows, rows, RECENT)),
        "gender": common.integers(rows["gender"] == "F"),
        "age": common.floats(rows["age"]),
        "occupation": common.integers(rows["occupation"]),
        "zip_region": common.integers(rows["zip"]),
    }


def another_soon(rows: pd.DataFrame) -> pd.Series:
    """Whether the same person rates another of these films within ten minutes after; rows are in time order."""
    waited = rows.groupby("user")["timestamp"].shift(-1) - rows["timestamp"]
    return waited <= SOON_SECONDS


def _events(column: pd.Series, history: History) -> ExampleColumn:
    """The values of a log's column at each row's places."""
    return ExampleColumn(column.to_numpy()[history.places], counts=history.counts)


def _numbered(lists: pd.Series, numbers: Mapping[str, int]) -> ExampleColumn:
    """Lists of names as the numbers of those that have one, in their order."""
    found = [[numbers[name] for name in names if name in numbers][:MOST_GENRES] for names in lists]
    values = np.zeros((len(found), MOST_GENRES), np.int64)
    for row, each in enumerate(found):
        values[row, : len(each)] = each
    return ExampleColumn(values, counts=np.array([len(each) for each in found], np.int64))


def _shared_columns(rows: pd.DataFrame, genres: Mapping[str, int]) -> Columns:
    second = rows["timestamp"] % common.SECONDS_PER_DAY
    return {
        "user_id": common.integers(rows["person"]),
        "item_id": common.integers(rows["film"]),
        "genres": _numbered(rows["genres"], genres),
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
    _number(paths[1], films, "item", "film")
    _number(paths[2], people, "user", "person")
    films["genres"] = films["genres"].str.split(" " if form.header else "|", regex=False)
    people["zip"] = people["zip"].str[0]
    if not form.header:
        films["year"] = films["title"].str.extract(r"\((\d{4})\)\s*$", expand=False)
    joined = ratings.merge(films, on="item", validate="many_to_one").merge(people, on="user", validate="many_to_one")
    if len(joined) != len(ratings):
        lost = len(ratings) - len(joined)
        raise InputError(f"{data}: expected every rating's film and person in the other files; {lost} lack one")
    numeric = ("rating", "timestamp", "year", "age", "occupation", "zip")
    numbers = {name: _numbers(data, joined[name]) for name in numeric}
    ordered = joined.assign(**numbers).sort_values("timestamp", kind="stable", ignore_index=True)
    return ordered, common.fingerprint(*contents)


def _number(path: Path, table: pd.DataFrame, key: str, name: str) -> None:
    """Gives each line of a table its number, from 1, in the column `name`."""
    twice = table[key][table[key].duplicated()]
    if len(twice):
        raise InputError(f"{path}: expected each {key} once; found {twice.iloc[0]!r} twice")
    table[name] = np.arange(1, len(table) + 1)


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
    """What each folder's ``surface.yaml`` says; the same teacher for all surfaces of the target."""
    name = "".join(letter if letter.isalnum() else "_" for letter in genre.lower())
    # Read by their mean: with attention, the source's epochs would take most of the demonstration's time.
    of_source = common.source_surface(
        f"movielens_{name}_source", _SOURCE_FEATURES, common.SOURCE_SHAPE, {"recent": _NEWEST_FIRST | {"read": "mean"}}
    )
    teacher = teacher_section(of_source, source, (LIKE, RATING), _ADAPTATION)
    found = {SOURCE: of_source}
    for folder, features in _BY_FOLDER.items():
        found[folder] = common.target_surface(
            f"movielens_{name}",
            features,
            ANOTHER_SOON,
            teacher,
            common.SMALL_SHAPE,
            slices=common.NEWCOMERS,
            sequences={"recent": _NEWEST_FIRST | {"read": "attention"}} if "recent_films" in features else None,
        )
    return found


def _comment(genre: str, genres: Mapping[str, int]) -> tuple[str, ...]:
    numbers = ", ".join(f"{number} {name}" for name, number in genres.items())
    return (
        f"MovieLens-1M: films of the genre {genre} are the target, all others the source.",
        "Written by `crosskd world movielens`. Genres are numbers:",
        f"{numbers}.",
    )


def _domains(
    splits: Mapping[str, Mapping[str, Columns]], genres: Mapping[str, int], origin: Mapping[str, Any]
) -> list[Domain]:
    """The folders; the source's and the target's hold examples, the others surfaces for the target's."""
    comment = _comment(origin["genre"], genres)
    found = []
    for name, surface in _surfaces(origin["genre"], splits[SOURCE][TRAIN_SPLIT]).items():
        schema = schema_text(surface, splits.get(name, splits[TARGET]))
        found.append(Domain(name, splits.get(name, {}), surface_text(surface, comment), schema, origin))
    return found
