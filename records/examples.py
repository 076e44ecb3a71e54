"""Checks a folder of examples before hours are spent on it."""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path

from schema.errors import InputError
from schema.surface import EVAL_SPLIT, TRAIN_SPLIT

PATTERN = "*.gz"
_LENGTH = struct.Struct("<Q")
# Framing of a TFRecord: length (8 bytes), its checksum (4), the data, its checksum (4).
_CHECKSUM = 4


def check_examples(folder: str | Path) -> dict[str, int]:
    """Reads every record's framing in ``<folder>/train`` and ``<folder>/eval``.

    Returns:
      Split name to number of records.

    Raises:
      InputError: The folder or a split is absent or empty, or a file is not a whole
        gzipped TFRecord.
    """
    path = Path(folder)
    if not path.is_dir():
        raise InputError(f"{path}: no such folder. Expected a folder with {TRAIN_SPLIT}/ and {EVAL_SPLIT}/ in it.")
    return {split: _count_split(path / split) for split in (TRAIN_SPLIT, EVAL_SPLIT)}


def check_candidates(folder: str | Path) -> int:
    """Reads the framing of every record of a folder of candidates.

    Returns:
      The number of records.

    Raises:
      InputError: The folder has no files or no records, or a file is not a whole gzipped
        TFRecord.
    """
    return _count_split(Path(folder))


def _count_split(folder: Path) -> int:
    files = sorted(folder.glob(PATTERN))
    if not files:
        raise InputError(f"{folder}: expected gzipped TFRecords of tf.Example ({PATTERN}), found none")
    records = sum(count_records(file) for file in files)
    if not records:
        raise InputError(f"{folder}: the split is empty: {len(files)} file(s) without a single record")
    return records


def count_records(path: Path) -> int:
    """Number of records in a gzipped TFRecord file.

    Raises:
      InputError: The file is truncated, or is no gzipped TFRecord.
    """
    count = 0
    try:
        with gzip.open(path) as file:
            while header := file.read(_LENGTH.size + _CHECKSUM):
                rest = _LENGTH.unpack_from(header)[0] + _CHECKSUM
                if len(file.read(rest)) != rest:
                    raise EOFError
                count += 1
    except (EOFError, struct.error) as error:
        raise InputError(f"{path}: truncated after {count} whole records; write the file again") from error
    except (OSError, zlib.error, OverflowError, MemoryError) as error:
        raise InputError(f"{path}: not a gzipped TFRecord ({error})") from error
    return count
