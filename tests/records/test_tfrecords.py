"""TensorFlow reads what is written here, and the other way round; damage of every kind is seen."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import pytest
import tensorflow as tf

from records.tfrecords import DamagedFileError, RecordWriter, frame, read_records

RECORDS = [bytes([number % 251]) * (number * 37 % 4001) for number in range(1500)]


def _written(level: int) -> bytes:
    file = io.BytesIO()
    writer = RecordWriter(file, level)
    for start in range(0, len(RECORDS), 100):
        writer.write(RECORDS[start : start + 100])
    writer.finish()
    return file.getvalue()


def _read(content: bytes, compressed: bool = True, batch_size: int = 64) -> list[list[bytes]]:
    return list(read_records(io.BytesIO(content), compressed, batch_size))


@pytest.mark.parametrize("level", range(10))
def test_tensorflow_reads_what_is_written_at_every_level(tmp_path: Path, level: int) -> None:
    path = tmp_path / "x.gz"
    path.write_bytes(_written(level))

    assert list(tf.data.TFRecordDataset(str(path), "GZIP").as_numpy_iterator()) == RECORDS


@pytest.mark.parametrize("compression", ["GZIP", ""])
def test_reads_what_tensorflow_writes(tmp_path: Path, compression: str) -> None:
    path = tmp_path / "x"
    with tf.io.TFRecordWriter(str(path), compression) as writer:
        for record in RECORDS:
            writer.write(record)

    batches = _read(path.read_bytes(), compressed=compression == "GZIP")

    assert [record for batch in batches for record in batch] == RECORDS
    assert [len(batch) for batch in batches] == [64] * 23 + [28]


def test_a_record_larger_than_what_is_read_at_once() -> None:
    large = bytes(3 << 20)

    assert _read(gzip.compress(frame([b"a", large, b"c"]))) == [[b"a", large, b"c"]]


def test_a_shard_without_records_has_none() -> None:
    assert _read(gzip.compress(b"")) == []
    assert _read(b"", compressed=False) == []


def _flipped(content: bytes, at: int) -> bytes:
    changed = bytearray(content)
    changed[at] ^= 1
    return bytes(changed)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it is empty"),
        (_written(1)[:-1], "ended before the end"),
        (_written(1)[:1000], "ended before the end"),
        (gzip.compress(frame([b"abc", b"def"])[:-1], mtime=0), "it ends in the middle of a record"),
        (gzip.compress(_flipped(frame([b"abc", b"def"]), 0), mtime=0), "checksum does not fit its length"),
        (gzip.compress(_flipped(frame([b"abc", b"def"]), 12), mtime=0), "checksum does not fit its data"),
        (_flipped(gzip.compress(frame([b"abc"]), mtime=0), -8), "CRC"),
        (b"no gzip at all", "[Nn]ot a gzip"),
    ],
)
def test_damage_is_seen(content: bytes, message: str) -> None:
    with pytest.raises(DamagedFileError, match=message):
        _read(content)
