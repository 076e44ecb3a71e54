from __future__ import annotations

import gzip
import io
from pathlib import Path

import pytest

from records.examples import among, check_examples, count_records, files_of
from records.tfrecords import RecordWriter
from schema.errors import InputError


def write(path: Path, records: list[bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        writer = RecordWriter(file, 1)
        writer.write(records)
        writer.finish()
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of examples below a path full of glob characters, with 3 and 2 records for training and 1 to judge."""
    examples = tmp_path / "data [v2] {a} *x?"
    write(examples / "train" / "part-1.gz", [b"a", b"b", b"c"])
    write(examples / "train" / "part-0.gz", [b"d", b"e"])
    write(examples / "eval" / "part-0.gz", [b"f"])
    return examples


def test_each_split_is_counted(folder: Path) -> None:
    assert check_examples(folder) == {"train": 5, "eval": 1}
    assert [Path(each).name for each in files_of(folder / "train")] == ["part-0.gz", "part-1.gz"]


def test_what_other_programs_leave_is_passed_over(folder: Path) -> None:
    (folder / "train" / "_SUCCESS").touch()
    (folder / "train" / ".part-0.gz.crc").write_bytes(b"crc\0")
    (folder / "train" / "_temporary").mkdir()
    write(folder / "train" / "_part-9.gz", [b"g"])
    assert check_examples(folder) == {"train": 5, "eval": 1}


@pytest.mark.parametrize("name", ["part-2.tfrecord", "part-2.gz.tmp", "part-2.csv", "part-2.parquet", "README"])
def test_another_format_is_named(folder: Path, name: str) -> None:
    (folder / "train" / name).write_bytes(b"x")
    with pytest.raises(InputError, match=rf"train/{name}: expected gzipped TFRecords of tf.Example.*Compress the file"):
        check_examples(folder)


def test_a_folder_among_the_files_is_named(folder: Path) -> None:
    (folder / "train" / "day=1").mkdir()
    with pytest.raises(InputError, match="train/day=1: expected gzipped TFRecords"):
        check_examples(folder)


def test_gzip_of_something_else_is_named(folder: Path) -> None:
    (folder / "train" / "part-2.gz").write_bytes(gzip.compress(b"reader,book\nada,7\n" * 9))
    with pytest.raises(InputError, match=r"part-2.gz: not a whole gzipped TFRecord \(a record's checksum"):
        check_examples(folder)


def test_a_name_that_lies_about_compression_is_named(folder: Path) -> None:
    plain = io.BytesIO(gzip.decompress((folder / "train" / "part-0.gz").read_bytes()))
    (folder / "train" / "part-2.gz").write_bytes(plain.getvalue())
    with pytest.raises(InputError, match=r"part-2.gz: not a whole gzipped TFRecord"):
        check_examples(folder)


@pytest.mark.parametrize("at", range(0, 60, 7))
def test_a_flipped_bit_is_found_at_once(tmp_path: Path, at: int) -> None:
    """In the header only the bytes of its time and its system may be any."""
    content = bytearray(write(tmp_path / "part-0.gz", [b"some words of a record", b"more"]).read_bytes())
    flipped = 10 + at % (len(content) - 10)
    content[flipped] ^= 4
    (tmp_path / "part-0.gz").write_bytes(content)
    with pytest.raises(InputError, match=r"part-0.gz: not a whole gzipped TFRecord"):
        count_records(tmp_path / "part-0.gz")


def test_a_truncated_file_says_how_far_it_is_good(tmp_path: Path) -> None:
    path = write(tmp_path / "part-0.gz", [b"x" * 10] * 100)
    path.write_bytes(path.read_bytes()[:-12])
    with pytest.raises(InputError, match=r"part-0.gz: not a whole gzipped TFRecord .* good records. Write the file"):
        count_records(path)


def test_an_empty_split_and_no_files_are_errors(folder: Path) -> None:
    (folder / "eval" / "part-0.gz").unlink()
    with pytest.raises(InputError, match="eval: expected gzipped TFRecords"):
        check_examples(folder)
    write(folder / "eval" / "part-0.gz", [])
    with pytest.raises(InputError, match="eval: the split is empty: 1"):
        check_examples(folder)


def test_names_alone_decide_also_on_other_file_systems() -> None:
    assert among(["s3://b/train/b.gz", "s3://b/train/_SUCCESS", "s3://b/train/a.gz"]) == [
        "s3://b/train/a.gz",
        "s3://b/train/b.gz",
    ]
