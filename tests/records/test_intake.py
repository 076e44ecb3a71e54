"""Data as they lie, on disk: what is written is read again by what reads examples."""

from __future__ import annotations

import datetime
import gzip
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
from pyarrow import csv

from records.examples import check_examples, files_of
from records.intake import Reading, reading_of_pairs, take_in
from records.record_files import first_records, write_records
from records.table_files import holds_tables, splits_of
from records.tables import Columns
from records.tf_example import values_of
from schema.errors import InputError
from schema.loader import SurfaceFolder, load_surface
from schema.split import Split
from tests.e2e import library
from tests.kubeflow.object_store import ObjectStore, reach

ROWS = 600
KINDS = {
    "user": "int",
    "item": "string",
    "price": "float",
    "at": "int",
    "tags": "string",
    "click": "int",
}
READING = Reading(Columns(KINDS, frozenset({"user", "click"})), hint="my/surface.yaml")
BY_USER = Split(by="group", column="user", eval_fraction=0.25)


def log(rows: int = ROWS, first: int = 0) -> pa.Table:
    row = np.arange(first, first + rows)
    start = datetime.datetime(2026, 1, 1)
    return pa.table(
        {
            "user": row % 40,
            "item": [f"i{each % 17}" for each in row],
            "price": pa.array([None if each % 5 == 0 else each / 4 for each in row], pa.float64()),
            "at": pa.array([start + datetime.timedelta(minutes=int(each)) for each in row], pa.timestamp("us")),
            "tags": [["a"] * (each % 3) for each in row],
            "click": row % 7 == 0,
            "unknown_to_the_schema": row,
        }
    )


def flat(rows: int = ROWS) -> pa.Table:
    return log(rows).drop_columns(["tags"])


def examples(folder: Path) -> list[tf.train.Example]:
    return [tf.train.Example.FromString(record) for record in first_records(files_of(folder))]


def column(folder: Path, name: str) -> list:
    return [values_of(each, name) for each in examples(folder)]


def with_split(split: Split | None) -> Reading:
    return Reading(READING.columns, split, READING.hint)


def test_parquet_in_splits_comes_out_row_by_row(tmp_path: Path) -> None:
    for split, first in (("train", 0), ("eval", 1000)):
        (tmp_path / "in" / split).mkdir(parents=True)
        pq.write_table(log(20, first), tmp_path / "in" / split / "part-0.parquet")
        (tmp_path / "in" / split / "_SUCCESS").touch()
    done = take_in(tmp_path / "in", READING, tmp_path / "out")
    assert done.rows == {"train": 20, "eval": 20} == check_examples(done.folder)
    assert not holds_tables(done.folder)
    train = tmp_path / "out" / "train"
    assert column(train, "user")[:3] == [[0], [1], [2]]
    assert column(train, "item")[17] == [b"i0"]
    assert column(train, "price")[:2] == [[], [0.25]]
    assert column(train, "at")[1] == [1767225660]
    assert column(train, "tags")[:3] == [[], [b"a"], [b"a", b"a"]]
    assert column(train, "click")[:2] == [[1], [0]]
    assert "unknown_to_the_schema" not in examples(train)[0].features.feature
    assert column(tmp_path / "out" / "eval", "user")[0] == [0]


def _parquet(folder: Path) -> None:
    pq.write_table(log(), folder / "log.parquet")


def _partitions(folder: Path) -> None:
    pq.write_to_dataset(log(), str(folder), partition_cols=["item"])


def _csv(folder: Path) -> None:
    csv.write_csv(flat(), folder / "log.csv")


def _csv_gz(folder: Path) -> None:
    _csv(folder)
    (folder / "log.csv.gz").write_bytes(gzip.compress((folder / "log.csv").read_bytes()))
    (folder / "log.csv").unlink()


def _records(folder: Path) -> None:
    (folder / "more").mkdir()
    (folder / "more" / "log.parquet").touch()
    pq.write_table(log(), folder / "more" / "log.parquet")
    whole = take_in(folder / "more" / "log.parquet", with_split(BY_USER), folder / "whole")
    records = [*first_records(files_of(whole.folder / "train")), *first_records(files_of(whole.folder / "eval"))]
    for each in ("more", "whole"):
        shutil.rmtree(folder / each)
    write_records(str(folder / "log.gz"), records, level=1)


@pytest.mark.parametrize("write", [_parquet, _partitions, _csv, _csv_gz, _records])
def test_a_person_is_on_one_side_and_the_same_one_in_every_format(tmp_path: Path, write) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    write(folder)
    assert holds_tables(folder)
    done = take_in(folder, with_split(BY_USER), tmp_path / "out")
    users = {split: {value for (value,) in column(done.folder / split, "user")} for split in ("train", "eval")}
    assert sum(done.rows.values()) == ROWS
    assert users["train"] | users["eval"] == set(range(40))
    assert not users["train"] & users["eval"]
    assert users["eval"] == {0, 34, 36, 38, 12, 13, 14, 17, 18, 19, 21, 22, 26, 31}
    assert {value for (value,) in column(done.folder / "eval", "item")} <= {f"i{each}".encode() for each in range(17)}


def test_by_time_the_last_rows_are_evaluated_and_a_request_stays_whole(tmp_path: Path) -> None:
    at = pa.array(np.arange(100), pa.int64())
    request = np.arange(100) // 3
    pq.write_table(pa.table({"at": at, "request": request}), tmp_path / "log.parquet")
    columns = Columns({"at": "int", "request": "int"})

    def divided(**rule: object) -> tuple[list, list]:
        reading = Reading(columns, Split(by="time", column="at", **rule))
        done = take_in(tmp_path / "log.parquet", reading, tmp_path / "out")
        return tuple([value for (value,) in column(done.folder / split, "at")] for split in ("train", "eval"))

    train, evaluation = divided(eval_fraction=0.25)
    assert (max(train), min(evaluation), len(evaluation)) == (74, 75, 25)
    train, evaluation = divided(eval_from=76, together="request")
    assert (max(train), min(evaluation)) == (74, 75)  # the request 75, 76, 77 is evaluated whole
    train, evaluation = divided(eval_from="1970-01-01T00:01:30")
    assert min(evaluation) == 90


def test_at_random_the_rows_are_drawn_by_seed_and_again_alike(tmp_path: Path) -> None:
    pq.write_table(log(), tmp_path / "log.parquet")
    drawn = []
    for seed in (0, 0, 1):
        reading = with_split(Split(by="random", eval_fraction=0.3, seed=seed))
        done = take_in(tmp_path / "log.parquet", reading, tmp_path / f"out{len(drawn)}")
        drawn.append(column(done.folder / "eval", "at"))
    assert drawn[0] == drawn[1] != drawn[2]
    assert 0.22 * ROWS < len(drawn[0]) < 0.38 * ROWS


def test_a_group_of_the_surface_is_never_taken_apart() -> None:
    assert Split(by="random").within("user") == Split(by="group", column="user")
    assert Split(by="time", column="at").within("request").together == "request"
    assert Split(by="time", column="at", together=None).within("request").together is None
    with pytest.raises(ValueError, match=r"needs `column:`, or the surface a `group:`"):
        Split(by="group").within(None)


def test_what_has_not_changed_is_not_taken_in_again(tmp_path: Path) -> None:
    source = tmp_path / "log.parquet"
    pq.write_table(log(), source)
    first = take_in(source, with_split(BY_USER), tmp_path / "out")
    written = files_of(first.folder / "train")[0]
    before = Path(written).stat().st_mtime_ns
    again = take_in(source, with_split(BY_USER), tmp_path / "out")
    assert again.again and again.rows == first.rows
    assert Path(written).stat().st_mtime_ns == before
    other = take_in(source, with_split(Split(by="random")), tmp_path / "out")
    assert not other.again and other.rows != first.rows
    pq.write_table(log(300), source)
    assert sum(take_in(source, with_split(Split(by="random")), tmp_path / "out").rows.values()) == 300


def test_nothing_is_left_of_what_failed_and_what_was_there_stays(tmp_path: Path) -> None:
    source = tmp_path / "log.parquet"
    pq.write_table(log(), source)
    take_in(source, with_split(BY_USER), tmp_path / "out")
    pq.write_table(log().drop_columns(["click"]), source)
    with pytest.raises(InputError, match=r"log.parquet: expected the column 'click', which schema.pbtxt says every"):
        take_in(source, with_split(BY_USER), tmp_path / "out")
    assert sum(check_examples(tmp_path / "out").values()) == ROWS
    assert sorted(each.name for each in tmp_path.iterdir()) == ["log.parquet", "out"]


def test_a_folder_of_other_things_is_not_replaced(tmp_path: Path) -> None:
    pq.write_table(log(), tmp_path / "log.parquet")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "letters.txt").touch()
    with pytest.raises(InputError, match=r"out: holds other things, which would be replaced"):
        take_in(tmp_path / "log.parquet", with_split(BY_USER), tmp_path / "out")


def test_many_rows_become_several_shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("records.intake._ROWS_OF_SHARD", 10_000)
    pq.write_table(log(40_000), tmp_path / "log.parquet")
    done = take_in(tmp_path / "log.parquet", with_split(Split(by="random", eval_fraction=0.01)), tmp_path / "out")
    assert len(files_of(done.folder / "train")) == 3
    assert sum(check_examples(done.folder).values()) == 40_000


def _mixed(folder: Path) -> None:
    _parquet(folder)
    _csv(folder)


def _other(folder: Path) -> None:
    (folder / "log.json").touch()


def _folder(folder: Path) -> None:
    (folder / "january").mkdir()
    pq.write_table(log(), folder / "january" / "log.parquet")


def _damaged(folder: Path) -> None:
    _parquet(folder)
    whole = (folder / "log.parquet").read_bytes()
    (folder / "log.parquet").write_bytes(whole[: len(whole) // 2])


def _damaged_records(folder: Path) -> None:
    write_records(str(folder / "log.gz"), [b"x" * 99] * 99, level=1)
    whole = (folder / "log.gz").read_bytes()
    (folder / "log.gz").write_bytes(whole[: len(whole) // 2])


def _ragged_csv(folder: Path) -> None:
    (folder / "log.csv").write_text("user,click,item\n1,0,a\n2,1\n")


def _words_for_numbers(folder: Path) -> None:
    (folder / "log.csv").write_text("user,click,item\n1,0,a\n2,maybe,b\n")


def _structs(folder: Path) -> None:
    pq.write_table(pa.table({"user": [1], "click": [1], "item": [{"id": 1}]}), folder / "log.parquet")


def _twice(folder: Path) -> None:
    (folder / "log.csv").write_text("user,click,click\n1,0,1\n")


def _no_user(folder: Path) -> None:
    pq.write_table(pa.table({"user": pa.array([1, None]), "click": [1, 0]}), folder / "log.parquet")


def _empty(folder: Path) -> None:
    (folder / "_SUCCESS").touch()


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (_mixed, r"in: expected files of one format, found .*log.csv \(CSV\), .*log.parquet \(Parquet\)"),
        (_other, "log.json: expected Parquet"),
        (_folder, "expected files, or folders of partitions named COLUMN=VALUE, found the folder 'january'"),
        (_damaged, "log.parquet: expected a whole Parquet file"),
        (_damaged_records, "log.gz: expected whole gzipped TFRecords"),
        (_ragged_csv, "log.csv: expected a whole CSV file: .*Expected 3 columns, got 2"),
        (_words_for_numbers, "log.csv: expected a whole CSV file: .*column #1.*'maybe'|column 'click'"),
        (_structs, "log.parquet: column 'item': expected numbers, text, times or lists of them, found struct"),
        (_twice, "log.csv: expected columns of different names, found 'click' more than once"),
        (_no_user, "split: expected one value of 'user' in each row, found none or several in 1 rows"),
        (_empty, "in: expected Parquet, CSV or gzipped TFRecords .*, found no file"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, write, message: str) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    write(folder)
    with pytest.raises(InputError, match=message):
        take_in(folder, with_split(BY_USER), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_without_splits_and_without_a_rule_the_rule_is_asked_for(tmp_path: Path) -> None:
    pq.write_table(log(), tmp_path / "log.parquet")
    with pytest.raises(InputError, match=r"expected folders train/ and eval/ in it, or `split:` in my/surface.yaml"):
        take_in(tmp_path / "log.parquet", READING, tmp_path / "out")
    with pytest.raises(InputError, match=r"absent.parquet: expected examples, found no such file or folder"):
        take_in(tmp_path / "absent.parquet", READING, tmp_path / "out")


def test_a_division_that_leaves_one_side_empty_says_why(tmp_path: Path) -> None:
    pq.write_table(log(), tmp_path / "log.parquet")
    whole = Split(by="time", column="at", together="click")
    with pytest.raises(InputError, match=r"all 600 rows would be for evaluation.*rows of one click"):
        take_in(tmp_path / "log.parquet", with_split(whole), tmp_path / "out")
    with pytest.raises(InputError, match=r"split.eval_from: expected a number, or a date .*found 'soon'"):
        take_in(tmp_path / "log.parquet", with_split(Split(by="time", column="at", eval_from="soon")), tmp_path / "out")


def test_a_bucket_is_read_like_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "logs").mkdir()
    _partitions(tmp_path / "logs")
    store = ObjectStore("logs")
    try:
        reach(store, monkeypatch)
        for file in (tmp_path / "logs").rglob("*.parquet"):
            store.client.put_object(
                Bucket="logs", Key=f"shop/{file.relative_to(tmp_path / 'logs')}", Body=file.read_bytes()
            )
        assert len(splits_of("s3:/logs/shop")[""]) == 17  # a path on the command line has one slash
        done = take_in("minio://logs/shop", with_split(BY_USER), tmp_path / "out")
        assert sum(done.rows.values()) == ROWS
        with pytest.raises(InputError, match=r"s3://logs/none: expected examples, found no such file or folder"):
            take_in("s3:/logs/none", READING, tmp_path / "none")
    finally:
        store.close()


@pytest.fixture(scope="module")
def paired(tmp_path_factory: pytest.TempPathFactory) -> SurfaceFolder:
    text = library.SURFACE + library.PAIRS
    folder = tmp_path_factory.mktemp("paired") / "surface"
    return load_surface(library.write_surface(folder, surface=text, schema=library.SCHEMA_WITH_PAIRS))


def test_of_a_catalogue_only_its_side_is_read(paired: SurfaceFolder, tmp_path: Path) -> None:
    table = pa.table({"book": [1, 2], "genre": [None, "crime"], "was_borrowed": [1, 0], "reader": ["a", "b"]})
    pq.write_table(table, tmp_path / "items.parquet")
    found = take_in(tmp_path / "items.parquet", reading_of_pairs(paired, "items"), tmp_path / "into", [""])
    assert found.rows == {"": 2}
    assert column(tmp_path / "into", "book") == [[1], [2]]
    assert column(tmp_path / "into", "genre") == [[], [b"crime"]]
    assert {name for each in examples(tmp_path / "into") for name in each.features.feature} <= {"book", "genre"}


def test_a_catalogue_without_what_identifies_its_side_is_an_error(paired: SurfaceFolder, tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text("book\n1\n")
    with pytest.raises(InputError, match=r"expected the column 'reader', which schema.pbtxt says every example has"):
        take_in(tmp_path / "people.csv", reading_of_pairs(paired, "people"), tmp_path / "into", [""])


def test_candidates_need_no_label(paired: SurfaceFolder, tmp_path: Path) -> None:
    (tmp_path / "shown.csv").write_text("reader,book,match\na,1,0.5\n")
    found = take_in(tmp_path / "shown.csv", reading_of_pairs(paired, "candidates"), tmp_path / "into", [""])
    assert found.rows == {"": 1}


@pytest.mark.parametrize(
    ("start", "said"), [(1_760_000_000, "at from 2025-10-09 08:53:28 UTC on"), (5, "at from 13 on for evaluation")]
)
def test_what_divides_by_time_is_said_as_people_read_it(tmp_path, start, said):
    pq.write_table(pa.table({"at": np.arange(10) + start}), tmp_path / "log.parquet")
    done = take_in(
        tmp_path / "log.parquet", Reading(Columns({"at": "int"}), Split(by="time", column="at")), tmp_path / "x"
    )
    assert done.what.startswith(said)
