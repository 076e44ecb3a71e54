from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from schema.errors import InputError
from schema.loader import load_surface
from tests.worlds.conftest import Example, read_examples
from worlds.ciao import causal_history, source_columns, target_columns, write

DAY = 86_400
REAL = Path(__file__).parents[2].parent / "shared" / "data" / "ciao" / "ratings.tsv.gz"
HEADER = "user\titem\tcategory\trating\thelpfulness\ttimestamp"
# Category 9 is the target: five rows, so that the first four are for training.  The last
# source row is on the split day, and the one with rating 0 has no rating.
ROWS = (
    (1, 10, 1, 5, 1, 0),
    (1, 90, 9, 5, 2, 0),
    (2, 10, 1, 3, 1, 0),
    (2, 90, 9, 2, 1, 1),
    (1, 11, 2, 4, 1, 1),
    (1, 91, 9, 4, 3, 1),
    (2, 11, 2, 0, 1, 1),
    (2, 11, 2, 1, 1, 2),
    (2, 91, 9, 5, 1, 3),
    (1, 90, 9, 1, 2, 4),
    (1, 12, 1, 2, 1, 4),
)


def text(rows: tuple[tuple[int, ...], ...] = ROWS, header: str = HEADER) -> str:
    lines = ["\t".join(str(value) for value in (*row[:5], row[5] * DAY + 25_200)) for row in rows]
    return "\n".join([header, *lines]) + "\n"


@pytest.fixture
def ratings(tmp_path: Path) -> Path:
    path = tmp_path / "ratings.tsv.gz"
    path.write_bytes(gzip.compress(text().encode()))
    return path


def by_row(folder: Path) -> dict[tuple[int, int], Example]:
    examples = read_examples(folder / "train") + read_examples(folder / "eval")
    return {(example["user_id"][0], example["item_id"][0]): example for example in examples}


def test_history_is_of_strictly_earlier_days() -> None:
    rows = pd.DataFrame({"user": [1, 1, 1, 2, 1], "rating": [5, 3, 1, 2, 4], "day": [0, 0, 1, 1, 3]})
    history = causal_history(rows, ["user"])
    assert history["count"].tolist() == [0, 0, 2, 0, 3]
    assert history["days"].tolist() == [0, 0, 1, 0, 3]
    # Day 0: nothing is known, 3.  Day 1: all so far average 4; user 1 has (8 + 5 * 4) / 7.
    # Day 3: all so far average 11 / 4; user 1 has (9 + 5 * 11 / 4) / 8.
    assert history["mean"].tolist() == pytest.approx([3.0, 3.0, 4.0, 4.0, 22.75 / 8])


@pytest.mark.parametrize("columns", [source_columns, target_columns])
def test_the_future_does_not_change_a_feature(columns: Callable) -> None:
    rng = np.random.default_rng(0)
    count = 300
    days = np.sort(rng.integers(0, 40, count))
    rows = pd.DataFrame(
        {
            "user": rng.integers(0, 12, count),
            "item": rng.integers(0, 9, count),
            "category": rng.integers(0, 3, count),
            "rating": rng.integers(1, 6, count),
            "helpfulness": rng.integers(1, 5, count),
            "timestamp": days * DAY,
            "day": days,
        }
    )
    today = 20
    other = rows.copy()
    of_today_or_later = other["day"] >= today
    other.loc[of_today_or_later, "rating"] = 6 - other.loc[of_today_or_later, "rating"]
    until = (rows["day"] <= today).to_numpy()
    before, after = columns(rows), columns(other)
    changed = [name for name in before if not np.array_equal(before[name].values[until], after[name].values[until])]
    # Of what a row of the first changed day has, only its own labels may differ.
    assert set(changed) == {"like", "rating"}
    shorter = columns(rows[until].reset_index(drop=True))
    for name in before:
        assert np.array_equal(before[name].values[until], shorter[name].values)


def test_the_target_by_hand(ratings: Path, tmp_path: Path) -> None:
    source, target = write(ratings, 9, tmp_path / "out")
    train, evaluation = read_examples(target / "train"), read_examples(target / "eval")
    assert [(example["user_id"][0], example["item_id"][0]) for example in train] == [(1, 90), (2, 90), (1, 91), (2, 91)]
    assert [(example["user_id"][0], example["item_id"][0]) for example in evaluation] == [(1, 90)]
    assert [example["like"] for example in train] == [[1], [0], [0], [1]]
    assert [example["rating"] for example in train] == [[5.0], [2.0], [4.0], [5.0]]
    assert [example["helpful"] for example in train] == [[1], [0], [1], [0]]
    assert [example["new_user"] for example in train] == [[1], [1], [0], [0]]
    last = evaluation[0]
    # User 1 had 5 and 4 in the target, item 90 had 5 and 2; all before were 5 2 4 5.
    assert last["user_count"] == pytest.approx([np.log(3)])
    assert last["user_mean"] == pytest.approx([(9 + 5 * 4) / 7])
    assert last["item_mean"] == pytest.approx([(7 + 5 * 4) / 7])
    assert last["item_days"] == last["user_days"] == pytest.approx([np.log(5)])
    assert last["new_item"] == [0]
    assert load_surface(target).surface.distillations().keys() == {"like", "rating"}
    assert load_surface(target).surface.training.hold_out == "last"
    assert load_surface(source).surface.tasks.keys() == {"like", "rating"}


def test_the_source_by_hand(ratings: Path, tmp_path: Path, progress: Callable[[str], None], told: list[str]) -> None:
    source, _ = write(ratings, 9, tmp_path / "out", progress=progress)
    examples = by_row(source)
    # Not the row without a rating, and not the one on the split day.
    assert examples.keys() == {(1, 10), (2, 10), (1, 11), (2, 11)}
    assert f"{ratings}: left out 1 of 11 rows, which have rating 0" in told
    row = examples[1, 11]
    assert row["category"] == [2]
    assert row["user_count"] == pytest.approx([np.log(2)])
    assert row["user_mean"] == pytest.approx([(5 + 5 * 4) / 6])
    # The first of this person in this category: the mean of everything so far.
    assert row["user_category_count"] == [0.0]
    assert row["user_category_mean"] == pytest.approx([4.0])
    assert examples[2, 11]["item_count"] == pytest.approx([np.log(2)])
    assert examples[2, 11]["rating"] == [1.0]


def test_the_teacher_sees_nothing_from_the_split_time_on(ratings: Path, tmp_path: Path) -> None:
    source, target = write(ratings, 9, tmp_path / "out")
    start = min(example["timestamp"][0] for example in read_examples(target / "eval"))
    seen = read_examples(source / "train") + read_examples(source / "eval")
    assert max(example["timestamp"][0] for example in seen) < start
    assert max(example["timestamp"][0] for example in read_examples(target / "train")) < start


def test_every_teacher_input_is_on_the_target_renamed_or_filled(ratings: Path, tmp_path: Path) -> None:
    source, target = write(ratings, 9, tmp_path / "out")
    adapted = load_surface(target).surface.teacher
    assert adapted is not None
    assert adapted.features.keys() == load_surface(source).surface.features.keys()
    assert adapted.features["user_category_mean"].source == "user_mean"
    assert adapted.features["category"].default == -1


def test_a_plain_file_gives_the_same_data(ratings: Path, tmp_path: Path) -> None:
    plain = tmp_path / "ratings.tsv"
    plain.write_text(text())
    first, second = write(ratings, 9, tmp_path / "a")[1], write(plain, 9, tmp_path / "b")[1]
    assert read_examples(first / "train") == read_examples(second / "train")


@pytest.mark.parametrize(
    ("content", "target", "message"),
    [
        (text(header=HEADER.replace("rating", "stars")), 9, r"missing: rating"),
        (text(((*ROWS[0][:3], 6, 1, 0), *ROWS[1:])), 9, r"whole numbers from 1 to 5; found 6"),
        (text().replace("25200", "noon", 1), 9, r"column 'timestamp': expected whole numbers"),
        (text(), 4, r"target category 4, found none; categories are 1, 2, 9"),
        (text(ROWS[:2] + ROWS[3:4]), 9, r"category 9 and at least 2 of others .* found 1 and 1"),
        (text(ROWS[:2] + ROWS[2:3]), 9, r"found 0 and 0"),
        ("", 9, r"expected tab-separated ratings"),
    ],
)
def test_a_file_that_is_not_as_described(tmp_path: Path, content: str, target: int, message: str) -> None:
    path = tmp_path / "ratings.tsv"
    path.write_text(content)
    with pytest.raises(InputError, match=message) as raised:
        write(path, target, tmp_path / "out")
    assert str(path) in str(raised.value)
    assert not (tmp_path / "out").exists()


def test_a_missing_or_broken_file(ratings: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        write(tmp_path / "absent.tsv.gz", 9, tmp_path / "out")
    with pytest.raises(InputError, match="Is a directory"):
        write(tmp_path, 9, tmp_path / "out")
    ratings.write_bytes(ratings.read_bytes()[:-20])
    with pytest.raises(InputError, match="expected tab-separated ratings, gzipped or not"):
        write(ratings, 9, tmp_path / "out")


@pytest.mark.real_data
@pytest.mark.skipif(not REAL.exists(), reason="the Ciao ratings are not beside the clone")
def test_the_real_file(tmp_path: Path) -> None:
    source, target = write(REAL, 23, tmp_path)
    rows = read_examples(target / "eval")
    assert (len(read_examples(target / "train")), len(rows)) == (6_906, 1_731)
    start = min(example["timestamp"][0] for example in rows)
    assert max(example["timestamp"][0] for example in read_examples(source / "eval")) < start
    assert load_surface(target).surface.name == "ciao_23"
