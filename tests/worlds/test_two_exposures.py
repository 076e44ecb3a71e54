from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from schema.errors import InputError
from schema.loader import load_surface
from tests.worlds.conftest import Example, read_examples
from worlds.two_exposures import Draw, write_coat, write_yahoo_r3

REAL = Path(__file__).parents[2].parent / "shared" / "data" / "coat"
CHOSEN = np.array([[5, 0, 4, 0], [0, 1, 0, 3], [2, 4, 0, 0]])
SHOWN = np.array([[0, 1, 0, 2], [4, 0, 5, 0], [0, 0, 1, 3]])
USERS = np.array([[1, 0], [0, 1], [1, 1]])
ITEMS = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 1]])


def save(path: Path, matrix: np.ndarray) -> None:
    np.savetxt(path, matrix, fmt="%d")


@pytest.fixture
def coat(tmp_path: Path) -> Path:
    folder = tmp_path / "coat"
    folder.mkdir()
    matrices = (("train", CHOSEN), ("test", SHOWN), ("user_features", USERS), ("item_features", ITEMS))
    for name, matrix in matrices:
        save(folder / f"{name}.ascii", matrix)
    return folder


@pytest.fixture
def yahoo(tmp_path: Path) -> tuple[Path, Path]:
    chosen, shown = tmp_path / "user.txt", tmp_path / "random.txt"
    chosen.write_text("1,1,5\n1,3,4\n2,2,1\n3,1,2\n")
    shown.write_text("1,2,1\n2,1,4\n3,3,5\n3,4,3\n2,3,2\n")
    return chosen, shown


def triples(examples: list[Example]) -> list[tuple[int, int, float]]:
    return sorted((row["user_id"][0], row["item_id"][0], row["rating"][0]) for row in examples)


def of_matrix(matrix: np.ndarray) -> list[tuple[int, int, float]]:
    return sorted((int(u), int(i), float(matrix[u, i])) for u, i in zip(*np.nonzero(matrix), strict=True))


def test_chosen_ratings_are_the_source_and_random_ones_the_target(coat: Path, tmp_path: Path) -> None:
    source, target = write_coat(coat, Draw(4), tmp_path / "out")
    parts = {split: read_examples(target / split) for split in ("train", "eval")}
    assert (len(parts["train"]), len(parts["eval"])) == (4, 2)
    # Together all ratings, each once: the parts are disjoint and complete.
    assert triples(parts["train"] + parts["eval"]) == of_matrix(SHOWN)
    aside = read_examples(source / "eval")
    assert len(aside) == 1
    assert triples(read_examples(source / "train") + aside) == of_matrix(CHOSEN)


def test_labels_and_features_by_hand(coat: Path, tmp_path: Path) -> None:
    source, target = write_coat(coat, Draw(4), tmp_path / "out")
    rows = {
        (row["user_id"][0], row["item_id"][0]): row
        for row in read_examples(target / "train") + read_examples(target / "eval")
    }
    labels = {pair: (row["like"][0], row["rating"][0], row["skip"][0]) for pair, row in rows.items()}
    assert labels[0, 1] == (0, 1.0, 1)
    assert labels[1, 0] == (1, 4.0, 0)
    assert labels[2, 3] == (0, 3.0, 0)
    assert rows[1, 2]["user_features"] == [0.0, 1.0]
    assert rows[1, 2]["item_features"] == [0.0, 0.0, 1.0]
    assert "skip" not in read_examples(source / "train")[0]


def test_the_folders_are_surfaces(coat: Path, tmp_path: Path) -> None:
    source, target = (load_surface(folder) for folder in write_coat(coat, Draw(3), tmp_path / "out"))
    assert source.surface.teacher is None
    assert target.surface.tasks["skip"].distil is None
    assert target.surface.distillations().keys() == {"like", "rating"}
    assert target.surface.teacher is not None
    assert target.surface.teacher.features.keys() == source.surface.features.keys()
    assert target.surface.teacher.features["item_features"].size == 3


def test_the_seed_draws_the_rows(coat: Path, tmp_path: Path) -> None:
    drawn = [
        triples(read_examples(write_coat(coat, Draw(3, seed), tmp_path / name)[1] / "train"))
        for name, seed in (("a", 0), ("b", 0), ("c", 1), ("d", 2))
    ]
    assert drawn[0] == drawn[1]
    assert drawn[2] != drawn[0] or drawn[3] != drawn[0]


def test_of_some_people_only_and_of_all_a_catalogue(coat: Path, tmp_path: Path) -> None:
    """Each of the three people has two ratings that were shown."""
    folders = write_coat(coat, Draw(2, people=2), tmp_path / "out")
    assert [folder.name for folder in folders] == ["source", "target", "people", "items"]
    train, evaluation = (read_examples(folders[1] / split) for split in ("train", "eval"))
    assert len({row["user_id"][0] for row in train}) == len(train) == 2
    assert triples(train + evaluation) == of_matrix(SHOWN)
    people, items = (read_examples(folder) for folder in folders[2:])
    assert [(row["user_id"], row["user_features"]) for row in people] == [
        ([user], vector) for user, vector in enumerate(USERS.tolist())
    ]
    assert [(row["item_id"], row["item_features"]) for row in items] == [
        ([item], vector) for item, vector in enumerate(ITEMS.tolist())
    ]
    assert all(set(row) == {"user_id", "user_features"} for row in people)


@pytest.mark.parametrize(
    ("rows", "people", "found"), [(3, 2, "that it cannot"), (1, 2, "that it cannot"), (3, 1, "0 people with 3 ratings")]
)
def test_rows_that_cannot_be_shared_out(coat: Path, tmp_path: Path, rows: int, people: int, found: str) -> None:
    with pytest.raises(
        InputError, match=rf"--people {people}: .* --rows {rows} can be shared out evenly; found {found}"
    ):
        write_coat(coat, Draw(rows, people=people), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("separator", [",", "\t"])
@pytest.mark.parametrize("header", [False, True])
def test_two_files_of_lines(yahoo: tuple[Path, Path], tmp_path: Path, separator: str, header: bool) -> None:
    for path in yahoo:
        head = "user,item,rating\n" if header else ""
        path.write_text((head + path.read_text()).replace(",", separator))
    source, target = write_yahoo_r3(*yahoo, Draw(2), tmp_path / "out")
    parts = {split: read_examples(target / split) for split in ("train", "eval")}
    assert (len(parts["train"]), len(parts["eval"])) == (2, 3)
    expected = [(1, 2, 1.0), (2, 1, 4.0), (2, 3, 2.0), (3, 3, 5.0), (3, 4, 3.0)]
    assert triples(parts["train"] + parts["eval"]) == expected
    assert load_surface(source).surface.features.keys() == {"user_id", "item_id"}
    assert load_surface(target).surface.name == "yahoo_r3"


@pytest.mark.parametrize("rows", [0, 6, 100])
def test_some_rows_must_be_left_for_evaluation(coat: Path, tmp_path: Path, rows: int) -> None:
    with pytest.raises(InputError, match=rf"rows: expected from 1 to 5.*found {rows}"):
        write_coat(coat, Draw(rows), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_another_draw_into_the_same_folder_is_refused(coat: Path, tmp_path: Path) -> None:
    write_coat(coat, Draw(3), tmp_path / "out")
    with pytest.raises(InputError, match="Choose another output folder"):
        write_coat(coat, Draw(4), tmp_path / "out")


def test_a_missing_file_of_coat_is_named(coat: Path, tmp_path: Path) -> None:
    (coat / "item_features.ascii").unlink()
    with pytest.raises(InputError, match=r"item_features\.ascii: expected a file of the Coat set"):
        write_coat(coat, Draw(3), tmp_path / "out")


@pytest.mark.parametrize(
    ("name", "matrix", "message"),
    [
        ("test", SHOWN[:2], r"test\.ascii: expected 3 x 4 values.*found 2 x 4"),
        ("user_features", USERS[:2], r"user_features\.ascii: expected 3 x 2 values.*found 2 x 2"),
        ("item_features", ITEMS[:3], r"item_features\.ascii: expected 4 x 3 values.*found 3 x 3"),
        ("train", CHOSEN * 2, r"train\.ascii: expected ratings that are whole numbers from 1 to 5; found 10"),
        ("train", CHOSEN * 0, r"train\.ascii: expected at least 2 ratings, found 0"),
    ],
)
def test_matrices_that_do_not_fit(coat: Path, tmp_path: Path, name: str, matrix: np.ndarray, message: str) -> None:
    save(coat / f"{name}.ascii", matrix)
    with pytest.raises(InputError, match=message):
        write_coat(coat, Draw(3), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("content", ["", "1 2\n3\n", "a b\nc d\n"])
def test_a_matrix_that_is_none(coat: Path, tmp_path: Path, content: str) -> None:
    (coat / "test.ascii").write_text(content)
    with pytest.raises(InputError, match=r"test\.ascii: expected a matrix of numbers"):
        write_coat(coat, Draw(3), tmp_path / "out")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("1,2,9\n1,3,4\n", "whole numbers from 1 to 5; found 9"),
        ("1,2\n1,3\n", "three whole numbers user,item,rating; the first line is '1,2'"),
        ("1,2,3\n1,2,x\n", "three whole numbers"),
        ("1,2,3\n", "at least 2 ratings, found 1"),
        ("", "expected lines of user,item,rating"),
    ],
)
def test_lines_that_are_none(yahoo: tuple[Path, Path], tmp_path: Path, content: str, message: str) -> None:
    yahoo[1].write_text(content)
    with pytest.raises(InputError, match=message):
        write_yahoo_r3(*yahoo, Draw(1), tmp_path / "out")


@pytest.mark.real_data
@pytest.mark.skipif(not REAL.exists(), reason="the Coat ratings are not beside the clone")
def test_the_real_files(tmp_path: Path) -> None:
    source, target = write_coat(REAL, Draw(1_000), tmp_path)
    train, evaluation = read_examples(target / "train"), read_examples(target / "eval")
    chosen = read_examples(source / "train") + read_examples(source / "eval")
    assert (len(train), len(evaluation), len(chosen)) == (1_000, 3_640, 6_960)
    assert len({(row["user_id"][0], row["item_id"][0]) for row in train + evaluation}) == 4_640
    # Like rates as published: 27% where chosen, 19% where shown at random.
    assert np.mean([row["like"][0] for row in chosen]) == pytest.approx(0.27, abs=0.01)
    assert np.mean([row["like"][0] for row in train + evaluation]) == pytest.approx(0.19, abs=0.01)
