"""Object stores that speak S3, as a file system of TFX: `s3://` and `minio://`.

TensorFlow 2.21 and TFX bring none.  Arrow does, and is here anyway: like every AWS client it
takes credentials from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (or the pod's identity),
and the address of a store of one's own from AWS_ENDPOINT_URL.  `gs://` is TensorFlow's own.

Importing this module is enough: `tfx.dsl.io.fileio` then reads and writes such URIs.
"""

from __future__ import annotations

import fnmatch
import functools
import glob
import io
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from pyarrow import fs
from tfx.dsl.io import fileio, filesystem, filesystem_registry
from tfx.dsl.io.filesystem import PathType

SCHEMES = ("s3://", "minio://")

# Before TensorFlow's plugin (10), which claims s3:// and cannot read it.
_PRIORITY = 5
_CHUNK = 1 << 22


class Buckets(filesystem.Filesystem):
    """The part of TFX's file system interface that this project uses on object stores.

    There are no folders in an object store: a folder exists where an object lies under it,
    none is made, and empty objects that stand for folders are passed over.  Nothing is
    removed: Arrow would leave such an empty object behind.
    """

    SUPPORTED_SCHEMES = list(SCHEMES)  # noqa: RUF012 - TFX reads a plain class attribute

    @staticmethod
    def open(name: PathType, mode: str = "r") -> Any:
        """Opens an object; `mode` is r or w, with b for bytes."""
        store, path = _place(name)
        if "w" in mode:
            stream = store.open_output_stream(path)
        elif store.get_file_info(path).type is fs.FileType.File:
            stream = store.open_input_file(path)
        else:
            raise filesystem.NotFoundError(f"{_text(name)}: there is no such object")
        return stream if "b" in mode else io.TextIOWrapper(stream, encoding="utf-8")

    @staticmethod
    def copy(src: PathType, dst: PathType, overwrite: bool = False) -> None:
        """Copies an object.

        Raises:
          OSError: There is an object at `dst`, and `overwrite` is false.
        """
        if not overwrite and Buckets.exists(dst):
            raise OSError(f"{_text(dst)}: there is such an object")
        with Buckets.open(src, "rb") as source, Buckets.open(dst, "wb") as target:
            shutil.copyfileobj(source, target, _CHUNK)

    @staticmethod
    def exists(path: PathType) -> bool:
        """Whether there is an object of that name, or one under it."""
        store, inside = _place(path)
        return bool(store.get_file_info(inside).type is not fs.FileType.NotFound)

    @staticmethod
    def isdir(path: PathType) -> bool:
        """Whether there is an object under it."""
        store, inside = _place(path)
        return bool(store.get_file_info(inside).type is fs.FileType.Directory)

    @staticmethod
    def listdir(path: PathType) -> list[PathType]:
        """Names of objects and folders in a folder."""
        return sorted(each.base_name for each in _inside(path))

    @staticmethod
    def glob(pattern: PathType) -> list[PathType]:
        """What matches a pattern, whose stars and brackets stand within single names."""
        bucket, *names = _text(pattern).partition("://")[2].rstrip("/").split("/")
        found = [f"{_text(pattern).partition('://')[0]}://{bucket}"]
        for name in names:
            if glob.has_magic(name):
                inside = ((folder, _text(each)) for folder in found for each in Buckets.listdir(folder))
                found = [f"{folder}/{each}" for folder, each in inside if fnmatch.fnmatchcase(each, name)]
            else:
                found = [f"{folder}/{name}" for folder in found]
        return [path for path in found if Buckets.exists(path)]

    @staticmethod
    def makedirs(path: PathType) -> None:
        """Does nothing: an object needs no folder, and an empty object in its place stops Kubeflow's launcher."""

    mkdir = makedirs

    @staticmethod
    def walk(
        top: PathType, topdown: bool = True, onerror: Callable[..., None] | None = None
    ) -> Iterator[tuple[PathType, list[PathType], list[PathType]]]:
        """Yields each folder with the names of its folders and objects, the topmost first."""
        del topdown, onerror  # Part of the interface; nobody here asks for another order.
        entries = _inside(top)
        folders: list[PathType] = sorted(each.base_name for each in entries if each.type is fs.FileType.Directory)
        yield top, folders, sorted(each.base_name for each in entries if each.type is fs.FileType.File)
        for folder in map(_text, folders):
            yield from Buckets.walk(f"{_text(top).rstrip('/')}/{folder}")


filesystem_registry.DEFAULT_FILESYSTEM_REGISTRY.register(Buckets, priority=_PRIORITY)


@contextmanager
def locally(uri: str) -> Iterator[str]:
    """A folder that TensorFlow and Beam can read, for what only this module can.

    Args:
      uri: A folder.

    Yields:
      The path of a copy, which is gone afterwards, for a URI of an S3 store; else `uri`.
    """
    if not uri.startswith(SCHEMES):
        yield uri
        return
    with tempfile.TemporaryDirectory() as folder:
        copy_folder(uri, folder)
        yield folder


def copy_folder(source: str, target: str) -> None:
    """Copies all files of a folder, wherever the two lie, without holding a file in memory.

    Args:
      source: A path or a URI.
      target: A path or a URI.
    """
    root = source.rstrip("/")
    for place, _, names in fileio.walk(root):
        inside = _text(place).rstrip("/").removeprefix(root)
        for name in map(_text, names):
            fileio.makedirs(f"{target.rstrip('/')}{inside}")
            way = f"{inside}/{name}"
            with fileio.open(f"{root}{way}", "rb") as read, fileio.open(f"{target.rstrip('/')}{way}", "wb") as written:
                written.write(b"")  # TensorFlow makes no file where nothing is written.
                shutil.copyfileobj(read, written, _CHUNK)


def _text(path: PathType) -> str:
    return path.decode() if isinstance(path, bytes) else path


def _place(uri: PathType) -> tuple[fs.FileSystem, str]:
    """The store of a URI, and the path in it: bucket and key."""
    path = _text(uri).partition("://")[2].rstrip("/")
    return _store(path.partition("/")[0]), path


@functools.cache
def _store(bucket: str) -> fs.FileSystem:
    """The store of a bucket, which may lie in a region of its own."""
    return fs.FileSystem.from_uri(f"s3://{bucket}")[0]


def _inside(uri: PathType) -> list[fs.FileInfo]:
    store, path = _place(uri)
    return list(store.get_file_info(fs.FileSelector(path, allow_not_found=True)))
