"""TFRecord files: reading with errors that name the file, writing on a thread of its own, dead letters."""

from __future__ import annotations

import base64
import gzip
import json
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

import tensorflow as tf
from tfx.dsl.io import fileio

from components.teacher_labeler.columns import Fault
from schema.errors import InputError

_READ_BUFFER = 1 << 20
_QUEUED_BATCHES = 4
_GZIP_SUFFIX = ".gz"


@contextmanager
def naming_file(path: str, doing: str) -> Iterator[None]:
    """Turns file errors inside into an InputError that names `path`.

    Raises:
      InputError: The file is corrupted or cannot be read or written.
    """
    try:
        yield
    except tf.errors.DataLossError as error:
        raise InputError(
            f"{path}: expected complete gzipped TFRecords, found a truncated or corrupted file "
            f"({_first_line(error)}). Write the file again."
        ) from error
    except (tf.errors.OpError, OSError) as error:
        if isinstance(error, tf.errors.OpError) and not isinstance(error, _FILE_ERRORS):
            raise
        raise InputError(f"{path}: failed {doing} ({_first_line(error)})") from error


_FILE_ERRORS = (
    tf.errors.NotFoundError,
    tf.errors.PermissionDeniedError,
    tf.errors.ResourceExhaustedError,
    tf.errors.UnavailableError,
)


def _first_line(error: Exception) -> str:
    message = error.message if isinstance(error, tf.errors.OpError) else str(error)
    return message.splitlines()[0] if message else type(error).__name__


def read_batches(path: str, batch_size: int) -> Iterator[tf.Tensor]:
    """The records of one file, in order, as string tensors of shape [batch].

    Raises:
      InputError: The file is truncated, corrupted or cannot be read.
    """
    compression = "GZIP" if path.endswith(_GZIP_SUFFIX) else ""
    records = tf.data.TFRecordDataset(path, compression_type=compression, buffer_size=_READ_BUFFER)
    batches = iter(records.batch(batch_size).prefetch(2))
    while True:
        with naming_file(path, "reading"):
            batch = next(batches, None)
        if batch is None:
            return
        yield batch


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
