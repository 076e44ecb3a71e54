"""Dead letters: the records that could not be labelled, each with its place and its fault."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Self

from tfx.dsl.io import fileio

from components.teacher_labeler.faults import Fault
from records.shards import WRITING, naming_file


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
        with naming_file(self.path, WRITING):
            if self._file is None:
                self._raw = fileio.open(self.path, "wb")
                self._file = gzip.GzipFile(fileobj=self._raw, mode="wb", mtime=0)
            self._file.write(json.dumps(letter).encode() + b"\n")
        self.count += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            with naming_file(self.path, WRITING):
                self._file.close()
                self._raw.close()
