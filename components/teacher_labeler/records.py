"""TFRecord files: reading with errors that name the file, writing on a thread of its own, dead letters."""

from __future__ import annotations

import base64
import gzip
import json
import os
import queue
import re
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import IO, Self

import tensorflow as tf
from tfx.dsl.io import fileio

from components.teacher_labeler.columns import Fault
from schema.errors import InputError

_READ_BUFFER = 1 << 20
_QUEUED_BATCHES = 4
_PLACE_IN_GRAPH = re.compile(r"\{\{.*?\}\}|\[Op:.*?\]|\[\[|\]\]")
_NO_CAUSE = ("Graph execution error", "Detected at", "File ", "<stack traces")
_GZIP_SUFFIX = ".gz"
_GZIP_WINDOW = 31  # zlib's number for: with a gzip header
_LEAST_GZIP = 18  # bytes of header and trailer
_RECORD_OVERHEAD = 16  # of TFRecord: length, its checksum, the data's checksum


@contextmanager
def naming_file(path: str, doing: str) -> Iterator[None]:
    """Turns file errors inside into an InputError that names `path`.

    Raises:
      InputError: The file is corrupted, or cannot be read or written.
    """
    try:
        yield
    except tf.errors.DataLossError as error:
        raise InputError(
            f"{path}: expected complete gzipped TFRecords, found a truncated or corrupted file "
            f"({cause(error)}). Write the file again."
        ) from error
    except (tf.errors.OpError, OSError) as error:
        raise InputError(f"{path}: failed {doing} ({cause(error)})") from error


def cause(error: Exception) -> str:
    """The sentence in TensorFlow's long error message that says what happened."""
    message = error.message if isinstance(error, tf.errors.OpError) else str(error)
    lines = [_PLACE_IN_GRAPH.sub("", line).strip() for line in message.splitlines()]
    sentences = [line for line in lines if line and not line.startswith(_NO_CAUSE)]
    return sentences[-1] if sentences else type(error).__name__


def read_batches(path: str, batch_size: int) -> Iterator[tf.Tensor]:
    """The records of one file, in order, as string tensors of shape [batch].

    Raises:
      InputError: The file is truncated, corrupted or cannot be read.
    """
    compression = "GZIP" if path.endswith(_GZIP_SUFFIX) else ""
    records = tf.data.TFRecordDataset(path, compression_type=compression, buffer_size=_READ_BUFFER)
    batches = iter(records.batch(batch_size).prefetch(2))
    content = 0
    while True:
        with naming_file(path, "reading"):
            batch = next(batches, None)
        if batch is None:
            break
        content += int(tf.reduce_sum(tf.strings.length(batch))) + _RECORD_OVERHEAD * int(batch.shape[0])
        yield batch
    with naming_file(path, "reading"):
        complete = _holds(path, content)
    if not complete:
        raise InputError(
            f"{path}: expected complete gzipped TFRecords, found a file that ends in the middle. Write the file again."
        )


def _holds(path: str, content: int) -> bool:
    """Whether the file's uncompressed content is complete and of `content` bytes.

    TensorFlow takes many truncated gzip files for shorter ones.  A gzip file ends with the
    length of what it holds, modulo 2^32 (RFC 1952, ISIZE), which costs nothing to compare;
    only where that differs, as when the file is several gzip files in a row, is it decompressed.
    """
    with fileio.open(path, "rb") as file:
        file.seek(0, os.SEEK_END)
        size = file.tell()
        if not path.endswith(_GZIP_SUFFIX):
            return size == content
        if size >= _LEAST_GZIP:
            file.seek(size - 4)
            if int.from_bytes(file.read(4), "little") == content % 2**32:
                return True
        file.seek(0)
        return _gzip_content(file) == content


def _gzip_content(file: IO[bytes]) -> int | None:
    """Bytes in the members of a gzip file; None when one of them is damaged or the last cut short."""
    total, member = 0, zlib.decompressobj(_GZIP_WINDOW)
    try:
        while chunk := member.unused_data or file.read(_READ_BUFFER):
            if member.eof:
                member = zlib.decompressobj(_GZIP_WINDOW)
            total += len(member.decompress(chunk))
    except zlib.error:
        return None
    return total if member.eof else None


class ShardWriter:
    """Writes gzipped TFRecords; compression runs beside the caller, at most a few batches behind.

    Use as a context manager.  Leaving it normally completes the file; leaving it by an
    exception abandons what was written so far.
    """

    def __init__(self, path: str, compression_level: int) -> None:
        self._path = path
        options = tf.io.TFRecordOptions(compression_type="GZIP", compression_level=compression_level)
        with naming_file(path, "opening for writing"):
            self._writer = tf.io.TFRecordWriter(path, options)
        self._queue: queue.Queue[list[bytes] | None] = queue.Queue(_QUEUED_BATCHES)
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._drain, name="shard-writer", daemon=True)
        self._thread.start()

    def write(self, records: list[bytes]) -> None:
        """Queues a batch.

        Raises:
          InputError: An earlier batch could not be written.
        """
        self._raise_error()
        self._queue.put(records)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._queue.put(None)
        self._thread.join()
        if kind is None:
            self._raise_error()

    def _drain(self) -> None:
        """Runs on the thread: writes until None comes; after an error it only empties the queue."""
        try:
            while (records := self._queue.get()) is not None:
                for record in records:
                    self._writer.write(record)
            self._writer.close()
        except Exception as error:  # raised again on the caller's thread
            self._error = error
            while self._queue.get() is not None:
                continue

    def _raise_error(self) -> None:
        if self._error is not None:
            with naming_file(self._path, "writing; is the disk full?"):
                raise self._error


class DeadLetterWriter:
    """Writes dead letters as gzipped JSON lines; the file appears with the first of them."""

    def __init__(self, path: str, split: str, source: str) -> None:
        self.path = path
        self.count = 0
        self._split, self._source = split, source
        self._file: gzip.GzipFile | None = None

    def write(self, position: int, fault: Fault, record: bytes) -> None:
        """Adds the record at `position` of the source file.

        Raises:
          InputError: The file cannot be written.
        """
        letter = {
            "split": self._split,
            "file": self._source,
            "position": position,
            "reason": fault.reason,
            "column": fault.column,
            "detail": fault.detail,
            "record": base64.b64encode(record).decode(),
        }
        with naming_file(self.path, "writing; is the disk full?"):
            if self._file is None:
                self._raw = fileio.open(self.path, "wb")
                self._file = gzip.GzipFile(fileobj=self._raw, mode="wb", mtime=0)
            self._file.write(json.dumps(letter).encode() + b"\n")
        self.count += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            with naming_file(self.path, "writing; is the disk full?"):
                self._file.close()
                self._raw.close()
