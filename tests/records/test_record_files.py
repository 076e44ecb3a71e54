from __future__ import annotations

import gzip

import pytest
import tensorflow as tf

from records.record_files import by_numbers, files_in_order, first_records, records_of, write_records

RECORDS = [b"one", b"", b"three" * 1000]


@pytest.mark.parametrize("level", [None, 1, 9])
def test_what_is_written_is_read(tmp_path, level):
    path = str(tmp_path / "new" / "part-0")
    write_records(path, RECORDS, level)
    assert first_records(path, gzipped=level is not None) == RECORDS
    assert first_records(path, 2, gzipped=level is not None) == RECORDS[:2]
    assert first_records(path, 0, gzipped=level is not None) == []
    assert ((tmp_path / "new" / "part-0").read_bytes()[:2] == gzip.compress(b"")[:2]) is (level is not None)


def test_files_are_read_in_their_order(tmp_path):
    paths = [str(tmp_path / name) for name in ("b", "a")]
    for path in paths:
        write_records(path, [path.encode()], 1)
    assert [record.numpy() for record in records_of(paths)] == [path.encode() for path in paths]


def test_numbers_in_paths_are_in_order_by_their_value(tmp_path):
    for name in ("10/part-2", "2/part-10", "2/part-9", "2/part", "²/part"):
        write_records(str(tmp_path / name), [name.encode()], 1)
    expected = ["2/part", "2/part-9", "2/part-10", "10/part-2"]
    found = files_in_order([f"{tmp_path}/{folder}/*" for folder in ("10", "2")])
    assert found == [str(tmp_path / name) for name in expected]
    assert files_in_order([f"{tmp_path}/²/*"]) == [str(tmp_path / "²/part")]
    assert files_in_order([f"{tmp_path}/none/*"]) == []
    assert by_numbers(["s3://a/10/*", "s3://a/9/*"]) == ["s3://a/9/*", "s3://a/10/*"]


def test_a_file_of_another_compression_is_an_error(tmp_path):
    write_records(str(tmp_path / "plain"), RECORDS)
    with pytest.raises(tf.errors.DataLossError):
        first_records(str(tmp_path / "plain"))
