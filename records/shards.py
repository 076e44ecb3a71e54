"""Shards of TFRecords: reading with errors that name the file, writing on a thread of its own."""

from __future__ import annotations

import queue
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

import tensorflow as tf
from tfx.dsl.io import fileio

from records.tfrecords import DamagedFileError, RecordWriter, read_records
from schema.errors import InputError

_QUEUED_BATCHES = 4
WRITING = "writing; is the disk full?"
_PLACE_IN_GRAPH = re.compile(r"\{\{.*?\}\}|\[Op:.*?\]|\[\[|\]\]")
_NO_CAUSE = ("Graph execution error", "Detected at", "File ", "<stack traces")
_GZIP_SUFFIX = ".gz"


@contextmanager
def naming_file(path: str, doing: str) -> Iterator[None]:
    """Turns file errors inside into an InputError that names `path`.

    Raises:
      InputError: The file is corrupted, or cannot be read or written.
    """
    try:
        yield
    except DamagedFileError as error:
        raise InputError(
            f"{path}: expected complete gzipped TFRecords, found a truncated or corrupted file "
            f"({error}). Write the file again."
        ) from error
    except (tf.errors.OpError, OSError) as error:
        raise InputError(f"{path}: failed {doing} ({cause(error)})") from error


def cause(error: Exception) -> str:
    """The sentence in TensorFlow's long error message that says what happened."""
    message = error.message if isinstance(error, tf.errors.OpError) else str(error)
    lines = [_PLACE_IN_GRAPH.sub("", line).strip() for line in message.splitlines()]
    sentences = [line for line in lines if line and not line.startswith(_NO_CAUSE)]
    return sentences[-1] if sentences else type(error).__name__


def read_batches(path: str, batch_size: int) -> Iterator[list[bytes]]:
    """The records of one file, in order.

    Raises:
      InputError: The file is truncated, corrupted or cannot be read.
    """
    with naming_file(path, "reading"), fileio.open(path, "rb") as file:
        yield from read_records(file, path.endswith(_GZIP_SUFFIX), batch_size)


class ShardWriter:
    """Writes gzipped TFRecords.

    Use as a context manager.  Leaving it normally completes the file; leaving it by an
    exception abandons what was written so far.
    """

    def __init__(self, path: str, compression_level: int) -> None:
        self._path = path
        with naming_file(path, "opening for writing"):
            self._file = fileio.open(path, "wb")
        self._writer = RecordWriter(self._file, compression_level)

    def write(self, records: list[bytes]) -> None:
        """Writes a batch.

        Raises:
          InputError: It, or an earlier batch, could not be written.
        """
        with naming_file(self._path, WRITING):
            self._writer.write(records)

    def close(self, *, complete: bool) -> None:
        """Closes the file, with the end that makes it whole if it is `complete`."""
        with naming_file(self._path, WRITING), self._file:
            if complete:
                self._writer.finish()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close(complete=kind is None)


class OverlappedShardWriter(ShardWriter):
    """The same, but compresses and writes beside the caller, at most a few batches behind."""

    def __init__(self, path: str, compression_level: int) -> None:
        super().__init__(path, compression_level)
        self._queue: queue.Queue[list[bytes] | None] = queue.Queue(_QUEUED_BATCHES)
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._drain, name="shard-writer", daemon=True)
        self._thread.start()

    def write(self, records: list[bytes]) -> None:
        """Queues a batch; raises what an earlier one did."""
        self._raise_error()
        self._queue.put(records)

    def close(self, *, complete: bool) -> None:
        """Waits for the batches still queued, and closes the file."""
        self._queue.put(None)
        self._thread.join()
        super().close(complete=complete and self._error is None)
        if complete:
            self._raise_error()

    def _drain(self) -> None:
        """Runs on the thread: writes until None comes; after an error it only empties the queue."""
        while (records := self._queue.get()) is not None:
            if self._error is None:
                try:
                    super().write(records)
                except Exception as error:  # raised again on the caller's thread
                    self._error = error

    def _raise_error(self) -> None:
        if self._error is not None:
            raise self._error
