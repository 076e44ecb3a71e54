"""A sample of a split, from several of its files."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from records.examples import batches_of
from schema.checks import Problems

# Opening a file costs about as much as a hundred records.
_FILES = 16
_BATCH = 4096


@dataclass(frozen=True)
class Sample:
    """Some records of a split.

    Attributes:
      split: Its name.
      folder: Where it lies.
      files: All of its files.
      records: The records.
      whole: Whether there are no others.
    """

    split: str
    folder: str
    files: Sequence[str]
    records: Sequence[bytes]
    whole: bool

    def count_up_to(self, most: int) -> int:
        """How many records the split has, if that is less than `most`; else at least so many.

        Raises:
          InputError: A file is damaged.
        """
        if self.whole or len(self.records) >= most:
            return len(self.records)
        count = 0
        for path in self.files:
            for records in batches_of(path, _BATCH):
                count += len(records)
                if count >= most:
                    return count
        return count


def read_sample(split: str, files: Sequence[str], rows: int, problems: Problems) -> Sample:
    """Reads up to `rows` records of a split, as many from the start of each of up to 16 files spread over it.

    Args:
      split: Its name.
      files: Its files, at least one.
      rows: Most records.
      problems: Takes what is wrong with the files.
    """
    found, folder = Problems(), files[0].rpartition("/")[0]
    records: list[bytes] = []
    chosen = files[:: max(1, math.ceil(len(files) / _FILES))]
    whole = len(chosen) == len(files)
    for place, path in enumerate(chosen):
        share = (rows - len(records)) // (len(chosen) - place)
        with found.noted():
            first = next(batches_of(path, share + 1), [])
            whole = whole and len(first) <= share
            records.extend(first[:share])
    if not records and not found.found:
        found.found.append(f"{folder}: the split is empty: {len(files)} file(s) without a single record")
    problems.found.extend(found.found)
    return Sample(split, folder, files, records, whole and not found.found)
