"""A tiny MovieLens in both publishers' forms; labels and features by hand."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from schema.errors import InputError
from schema.loader import load_surface
from tests.worlds.conftest import Example, read_examples
from worlds.movielens import write

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
PEOPLE = ((1, "F", 25, "10"), (2, "M", 35, "7"), (3, "M", 18, "0"))


def grouplens(folder: Path, ratings: tuple = RATINGS, films: tuple = FILMS + OTHERS) -> Path:
    folder.mkdir()
    (folder / "ratings.dat").write_text("".join(f"{u}::{i}::{r}::{t}\n" for u, i, r, t in ratings))
    lines = "".join(f"{i}::{title} ({year})::{'|'.join(genres)}\n" for i, title, year, genres in films)
    (folder / "movies.dat").write_text(lines, encoding="latin-1")
    (folder / "users.dat").write_text("".join(f"{u}::{g}::{a}::{o}::00000\n" for u, g, a, o in PEOPLE))
    return folder


def recbole(folder: Path) -> Path:
    folder.mkdir()
    head = "user_id:token\titem_id:token\trating:float\ttimestamp:float\n"
    (folder / "ml-1m.inter").write_text(head + "".join(f"{u}\t{i}\t{r}\t{t}\n" for u, i, r, t in RATINGS))
    films = "".join(f"{i}\t{title}\t{year}\t{' '.join(genres)}\n" for i, title, year, genres in FILMS + OTHERS)
    (folder / "ml-1m.item").write_text(
        "item_id:token\tmovie_title:token_seq\trelease_year:token\tgenre:token_seq\n" + films
    )
    people = "".join(f"{u}\t{a}\t{g}\t{o}\t00000\n" for u, g, a, o in PEOPLE)
    (folder / "ml-1m.user").write_text(
        "user_id:token\tage:token\tgender:token\toccupation:token\tzip_code:token\n" + people
    )
    return folder


def by_row(folder: Path, split: str) -> dict[tuple[bytes, bytes], Example]:
    return {(each["user_id"][0], each["item_id"][0]): each for each in read_examples(folder / split)}


def test_one_genre_is_the_target_and_time_runs_one_way(tmp_path):
    source, target = write(grouplens(tmp_path / "data"), "Musical", tmp_path / "out")
    train, evaluation = by_row(target, "train"), by_row(target, "eval")
    assert set(train) == {(b"1", b"1"), (b"1", b"2"), (b"1", b"3"), (b"2", b"1")}
    assert set(evaluation) == {(b"3", b"3")}
    # From 50,000 on, the teacher sees nothing.
    of_source = {**by_row(source, "train"), **by_row(source, "eval")}
    assert set(of_source) == {(b"1", b"9"), (b"2", b"8")}


def test_labels_and_features_by_hand(tmp_path):
    _, target = write(grouplens(tmp_path / "data"), "Musical", tmp_path / "out")
    train = by_row(target, "train")
    assert {key: (each["like"], each["rating"]) for key, each in train.items()} == {
        (b"1", b"1"): ([1], [5.0]),
        (b"1", b"2"): ([1], [4.0]),
        (b"1", b"3"): ([0], [3.0]),
        (b"2", b"1"): ([0], [2.0]),
    }
    # Ten minutes to the second are soon, and a second more is not; nobody else's rating counts.
    soon = {key: each["another_soon"] for key, each in train.items()}
    assert soon == {(b"1", b"1"): [1], (b"1", b"2"): [0], (b"1", b"3"): [0], (b"2", b"1"): [0]}
    assert train[b"1", b"1"]["hour_sin"] == pytest.approx([math.sin(math.pi / 2)])
    assert train[b"1", b"2"]["year"] == [1991.0]
    (last,) = by_row(target, "eval").values()
    assert (last["new_user"], last["new_item"]) == ([1], [0])
    assert not {"gender", "age", "occupation"} & set(last)


def test_both_publishers_forms_give_the_same_examples(tmp_path):
    ways = [
        write(make(tmp_path / make.__name__), "Musical", tmp_path / f"{make.__name__}_out", seed=3)
        for make in (grouplens, recbole)
    ]
    for split in ("train", "eval"):
        for one, other in zip(*ways, strict=True):
            assert read_examples(one / split) == read_examples(other / split)


def test_the_surfaces_load_and_three_of_the_teachers_inputs_are_absent(tmp_path):
    source, target = write(grouplens(tmp_path / "data"), "Musical", tmp_path / "out")
    assert load_surface(source).surface.teacher is None
    surface = load_surface(target).surface
    filled = [name for name in surface.teacher_features if name not in surface.features]
    assert filled == ["gender", "age", "occupation"]
    assert len(surface.teacher_features) == 7
    assert surface.distillations().keys() == {"like", "rating"}
    example = next(iter(by_row(source, "train").values()))
    assert {example["gender"][0], example["occupation"][0]} <= {b"F", b"M", b"10", b"7"}


def test_the_same_seed_gives_the_same_bytes(tmp_path):
    data = grouplens(tmp_path / "data")
    ways = [write(data, "Musical", tmp_path / name) for name in ("a", "b")]
    for one, other in zip(*ways, strict=True):
        files = sorted(path.relative_to(one) for path in one.rglob("*") if path.is_file())
        assert [(one / path).read_bytes() for path in files] == [(other / path).read_bytes() for path in files]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ratings": ((1, 1, 7, 0),)}, "expected ratings that are whole numbers from 1 to 5"),
        ({"ratings": ((1, 1, "five", 0),)}, "column 'rating': expected numbers, found 'five'"),
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
    with pytest.raises(InputError, match=r"users.dat: expected the columns user, gender, age, occupation; found 2"):
        write(data, "Musical", tmp_path / "out")
