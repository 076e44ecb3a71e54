"""Files of records as TensorFlow reads and writes them; `records.shards` is for whole shards at full speed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import tensorflow as tf

# Every file of examples is gzipped; what one process hands to another is not.
GZIP = "GZIP"
_PLAIN = ""
_NUMBER = re.compile(r"(\d+)")


def by_numbers(paths: Iterable[str]) -> list[str]:
    """Paths in order, numbers in them by their value: `2/a` before `10/a`.

    Transform numbers the folders of spans, the oldest first.
    """
    return sorted(paths, key=_by_numbers)


def files_in_order(patterns: Iterable[str]) -> list[str]:
    """The files of some patterns, `by_numbers`: of spans that Transform wrote the newest one's are the last."""
    return by_numbers(name for pattern in patterns for name in tf.io.gfile.glob(pattern))


def _by_numbers(path: str) -> list[str | int]:
    """What stands between numbers, and the numbers, in turn."""
    return [int(part) if place % 2 else part for place, part in enumerate(_NUMBER.split(path))]


def records_of(files: str | Sequence[str] | tf.Tensor, *, gzipped: bool = True) -> tf.data.Dataset:
    """The records of some files, one after the other, as scalar strings.

    Raises:
      tf.errors.OpError: While it is read: a file is damaged, or cannot be read.
    """
    return tf.data.TFRecordDataset(files, compression_type=GZIP if gzipped else _PLAIN)


def first_records(files: str | Sequence[str], most: int = -1, *, gzipped: bool = True) -> list[bytes]:
    """At most so many records from the start of some files; all of them by default.

    Raises:
      tf.errors.OpError: A file is damaged, or cannot be read.
    """
    return list(records_of(files, gzipped=gzipped).take(most).as_numpy_iterator())


def write_records(path: str, records: Iterable[bytes], level: int | None = None) -> None:
    """Writes a file of records, and the folder that it lies in.

    Args:
      path: The file.
      records: The records.
      level: The level of gzip, 0 to 9; None writes them as they are.
    """
    options: Any = tf.io.TFRecordOptions(compression_type=_PLAIN if level is None else GZIP, compression_level=level)
    tf.io.gfile.makedirs(path.rpartition("/")[0])
    with tf.io.TFRecordWriter(path, options) as writer:
        for record in records:
            writer.write(record)
