"""Which files of a folder are examples, and a check of them before hours are spent.

One answer for all who read examples: files that are hidden or begin with `_` (`_SUCCESS`,
`.part-0.gz.crc`) are what other programs leave beside their data, and are passed over;
all others must be gzipped TFRecords, named `*.gz`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from records.tfrecords import DamagedFileError, read_records
from schema.errors import InputError
from schema.surface import EVAL_SPLIT, TRAIN_SPLIT

SUFFIX = ".gz"
_PASSED_OVER = (".", "_")
_BATCH = 4096
_NAMED = 5  # files in a message


def among(paths: Iterable[str | Path]) -> list[str]:
    """The files of examples among the contents of one folder, in the order of their names.

    Raises:
      InputError: Some are neither passed over nor gzipped; the first ones are named.
    """
    found = sorted(path for path in map(str, paths) if not _name(path).startswith(_PASSED_OVER))
    others = [path for path in found if not path.endswith(SUFFIX)]
    if others:
        raise InputError(
            *(
                f"{path}: expected gzipped TFRecords of tf.Example, whose names end in {SUFFIX}, and nothing else "
                "beside them but files that begin with `_` or `.`. Compress the file, move it elsewhere, or write "
                "Parquet and CSV as such with `crosskd import`."
                for path in others[:_NAMED]
            ),
            *([f"... and {len(others) - _NAMED:,} more files like these"] if len(others) > _NAMED else []),
        )
    return found


def files_of(folder: str | Path) -> list[str]:
    """The files of examples in a folder of this machine, in the order of their names.

    Raises:
      InputError: There is no such folder, or no such file in it; or it holds other files.
    """
    path = Path(folder)
    files = among(path.iterdir()) if path.is_dir() else []
    if not files:
        raise InputError(f"{path}: expected gzipped TFRecords of tf.Example (*{SUFFIX}), found none")
    return files


def check_examples(folder: str | Path) -> dict[str, int]:
    """Reads every record in ``<folder>/train`` and ``<folder>/eval``.

    Returns:
      Split name to number of records.

    Raises:
      InputError: The folder or a split is absent or empty, or a file is not a whole
        gzipped TFRecord.
    """
    path = Path(folder)
    if not path.is_dir():
        raise InputError(f"{path}: no such folder. Expected a folder with {TRAIN_SPLIT}/ and {EVAL_SPLIT}/ in it.")
    return {split: check_candidates(path / split) for split in (TRAIN_SPLIT, EVAL_SPLIT)}


def check_candidates(folder: str | Path) -> int:
    """Reads every record of one folder of gzipped TFRecords.

    Returns:
      The number of records.

    Raises:
      InputError: The folder has no files or no records, or a file is not a whole gzipped
        TFRecord.
    """
    files = files_of(folder)
    records = sum(count_records(file) for file in files)
    if not records:
        raise InputError(f"{folder}: the split is empty: {len(files)} file(s) without a single record")
    return records


def count_records(path: str | Path) -> int:
    """Number of records in a gzipped TFRecord file, all checksums verified.

    Raises:
      InputError: The file is truncated or damaged, or is no gzipped TFRecord.
    """
    return sum(len(batch) for batch in batches_of(path, _BATCH))


def batches_of(path: str | Path, size: int) -> Iterator[list[bytes]]:
    """The records of a gzipped TFRecord file of this machine, so many at a time.

    Raises:
      InputError: The file is truncated or damaged, or is no gzipped TFRecord.
    """
    count = 0
    try:
        with Path(path).open("rb") as file:
            for batch in read_records(file, compressed=True, batch_size=size):
                count += len(batch)
                yield batch
    except DamagedFileError as error:
        raise InputError(
            f"{path}: not a whole gzipped TFRecord ({error}), after {count:,} good records. Write the file again."
        ) from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error


def _name(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2]
