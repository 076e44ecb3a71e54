"""Which files people's data lie in: Parquet, CSV or TFRecords, here or in a bucket, in partitions or not."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from pyarrow import fs

from schema.errors import InputError
from schema.surface import EVAL_SPLIT, TRAIN_SPLIT

# A path on the command line loses one of a URI's slashes.
_SCHEME = re.compile(r"^(gs|s3|minio):/+")
_MINIO = "minio://"
_PASSED_OVER = (".", "_")
_PARTITION = re.compile(r"([^=]+)=(.*)")
# What Hive writes for a partition of rows without a value.
_NO_VALUE = "__HIVE_DEFAULT_PARTITION__"
_SHOWN = 3


class Format(StrEnum):
    """What a file is, by its name."""

    PARQUET = "Parquet"
    CSV = "CSV"
    TFRECORDS = "gzipped TFRecords"


_SUFFIXES = {
    **dict.fromkeys((".parquet", ".parq", ".pq"), Format.PARQUET),
    **dict.fromkeys((".csv", ".csv.gz", ".csv.bz2", ".csv.zst"), Format.CSV),
}
_GZIP = ".gz"


@dataclass(frozen=True)
class DataFile:
    """One file of examples.

    Attributes:
      path: Its path in its file system, for `system.open_input_file`.
      system: The file system.
      format: What it is.
      partitions: What its folders say of all its rows (`day=2026-01-31/`); None is a missing value.
      size: In bytes.
      modified: In nanoseconds since 1970.
    """

    path: str
    system: fs.FileSystem = field(compare=False, repr=False)
    format: Format
    partitions: Mapping[str, str | None]
    size: int
    modified: int


def uri_of(path: str | Path) -> str:
    """A path, or a URI of a bucket with both its slashes."""
    return _SCHEME.sub(r"\1://", str(path))


def is_uri(path: str | Path) -> bool:
    """Whether the place is in a bucket."""
    return bool(_SCHEME.match(str(path)))


def format_of(path: str) -> Format | None:
    """What a file is by its name; None if it is no file of examples."""
    name = PurePosixPath(path).name.lower()
    for suffix, found in _SUFFIXES.items():
        if name.endswith(suffix):
            return found
    return Format.TFRECORDS if name.endswith(_GZIP) else None


def splits_of(place: str | Path) -> dict[str, list[DataFile]]:
    """The files of each split of a folder; under the empty name, those of a folder without splits, or a file alone.

    Raises:
      InputError: There is no such place, no file of examples in it, or files of several formats.
    """
    system, root = _system(uri_of(place))
    found = _info(system, root, place)
    if found.type is fs.FileType.File:
        return {"": _checked([_file(system, found, {})], place)}
    named = [each for each in (TRAIN_SPLIT, EVAL_SPLIT) if _is_folder(system, f"{root}/{each}")]
    folders = {name: f"{root}/{name}" for name in named} or {"": root}
    splits = {name: _checked(_files(system, folder), folder) for name, folder in folders.items()}
    _expect_one_format([file for files in splits.values() for file in files], place)
    return splits


def holds_tables(folder: Path) -> bool:
    """Whether a folder of this machine, or its splits, hold Parquet or CSV, or no splits at all."""
    if not (folder / TRAIN_SPLIT).is_dir():
        return folder.exists()
    below = (each for split in (TRAIN_SPLIT, EVAL_SPLIT) for each in (folder / split).glob("**/*"))
    return any(format_of(each.name) in (Format.PARQUET, Format.CSV) for each in below if each.is_file())


def digest(files: Iterable[DataFile]) -> str:
    """What tells one state of some files from another: their names, sizes and times."""
    lines = (f"{file.path}\0{file.size}\0{file.modified}\n" for file in files)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _system(uri: str) -> tuple[fs.FileSystem, str]:
    if uri.startswith(_MINIO):
        uri = f"s3://{uri.removeprefix(_MINIO)}"
    if not is_uri(uri):
        return fs.LocalFileSystem(), str(Path(uri).absolute())
    return fs.FileSystem.from_uri(uri.rstrip("/"))


def _info(system: fs.FileSystem, root: str, place: str | Path) -> fs.FileInfo:
    try:
        found = system.get_file_info(root)
    except OSError as error:
        raise InputError(
            f"{uri_of(place)}: cannot be read ({error}). For a bucket, expected credentials in AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, and the address of a store of your own in AWS_ENDPOINT_URL."
        ) from error
    if found.type is fs.FileType.NotFound:
        raise InputError(f"{uri_of(place)}: expected examples, found no such file or folder")
    return found


def _is_folder(system: fs.FileSystem, path: str) -> bool:
    return bool(system.get_file_info(path).type is fs.FileType.Directory)


def _files(system: fs.FileSystem, folder: str) -> list[DataFile]:
    found = []
    for info in system.get_file_info(fs.FileSelector(folder, recursive=True)):
        below = PurePosixPath(info.path).relative_to(folder).parts
        if info.type is fs.FileType.File and not any(part.startswith(_PASSED_OVER) for part in below):
            found.append(_file(system, info, _partitions(folder, below[:-1])))
    return sorted(found, key=lambda file: file.path)


def _partitions(folder: str, names: tuple[str, ...]) -> dict[str, str | None]:
    partitions: dict[str, str | None] = {}
    for name in names:
        match = _PARTITION.fullmatch(name)
        if match is None:
            raise InputError(
                f"{folder}: expected files, or folders of partitions named COLUMN=VALUE, found the folder {name!r}. "
                f"Name that folder itself, or put the files into {TRAIN_SPLIT}/ and {EVAL_SPLIT}/."
            )
        partitions[match[1]] = None if match[2] == _NO_VALUE else unquote(match[2])
    return partitions


def _file(system: fs.FileSystem, info: fs.FileInfo, partitions: Mapping[str, str | None]) -> DataFile:
    found = format_of(info.path)
    if found is None:
        raise InputError(
            f"{info.path}: expected Parquet (*.parquet), CSV (*.csv, *.csv.gz) or gzipped TFRecords of tf.Example "
            "(*.gz), and nothing else beside them but files that begin with `_` or `.`. Move the file elsewhere."
        )
    return DataFile(info.path, system, found, partitions, info.size, info.mtime_ns or 0)


def _checked(files: list[DataFile], place: str | Path) -> list[DataFile]:
    if not files:
        raise InputError(f"{uri_of(place)}: expected Parquet, CSV or gzipped TFRecords (*.gz), found no file")
    return files


def _expect_one_format(files: list[DataFile], place: str | Path) -> None:
    by_format = {file.format: file for file in files}
    if len(by_format) > 1:
        examples = ", ".join(f"{file.path} ({kind})" for kind, file in list(by_format.items())[:_SHOWN])
        raise InputError(f"{uri_of(place)}: expected files of one format, found {examples}. Keep one of them.")
