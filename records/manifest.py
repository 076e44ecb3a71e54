"""What files a pushed version holds: written before it can be seen, and checked whenever it is relied on.

What a model computes is one question (`records.content`), whether its files are whole another:
half a file can leave the digest of a computation as it was, and no server loads it.

A whole manifest on a local disk is checked without TensorFlow and TFX, whose import takes seconds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, ClassVar

from pydantic import BaseModel, ConfigDict

from records import documents
from schema.errors import InputError

_CHUNK = 1 << 20
# Loaders leave this folder alone, and operators put warm-up requests there.
_FREE = "assets.extra/"
_MODEL_FILE = "saved_model.pb"


class FileRecord(BaseModel):
    """What is known of one file: its size in bytes, and the SHA-256 of its content."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    size: int
    sha256: str


class Manifest(BaseModel):
    """Every file of a version but this one, by its path in the version's folder."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    FILE: ClassVar[str] = f"{_FREE}manifest.json"
    TITLE: ClassVar[str] = "the manifest of a pushed model"

    files: dict[str, FileRecord]


def measure(folder: str) -> Manifest:
    """The manifest of what lies in a folder now.

    Args:
      folder: A SavedModel, on any file system that TFX reads.
    """
    root = folder.rstrip("/")
    return Manifest(files={name: record(f"{root}/{name}") for name in _files(root) if name != Manifest.FILE})


def damage(folder: str, content: str | None) -> str | None:
    """Why a pushed version must not be relied on, as part of a sentence; None if it may be.

    A version that was pushed before there were manifests is loaded instead, and what it computes
    is compared with what was pushed.

    Args:
      folder: The version's folder.
      content: The content fingerprint that was recorded of it; None where none was.
    """
    there = set(_files(folder.rstrip("/")))
    if _MODEL_FILE not in there:
        return f"it holds no {_MODEL_FILE}"
    try:
        manifest = documents.find(folder, Manifest)
    except InputError as error:
        return str(error)
    if manifest is not None:
        return next(_differences(folder.rstrip("/"), there, manifest), None)
    from records.sessions import load_error

    return load_error(folder) or _other_content(folder, content)


def _differences(root: str, there: set[str], manifest: Manifest) -> Iterator[str]:
    for name, expected in manifest.files.items():
        if name not in there:
            yield f"{name} is gone"
            continue
        found = record(f"{root}/{name}")
        if found.size != expected.size:
            yield f"{name} has {found.size:,} bytes, and {expected.size:,} were pushed"
        elif found != expected:
            yield f"{name} has another content than was pushed"
    for name in sorted(there - set(manifest.files)):
        if not name.startswith(_FREE):
            yield f"{name} was not pushed"


def _other_content(folder: str, content: str | None) -> str | None:
    from records.content import content_fingerprint

    if content is None or content_fingerprint(folder) == content:
        return None
    return "it computes something else than what was pushed"


def record(path: str) -> FileRecord:
    """Size and SHA-256 of a file."""
    digest, size = hashlib.sha256(), 0
    with _opened(path) as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return FileRecord(size=size, sha256=digest.hexdigest())


def _files(root: str) -> list[str]:
    """Paths of all files under `root`, relative to it, sorted."""
    if documents.is_local(root):
        return sorted(str(path.relative_to(root)) for path in Path(root).rglob("*") if path.is_file())
    from records.saved_model import files_of

    return files_of(root)


def _opened(path: str) -> IO[bytes]:
    if documents.is_local(path):
        return Path(path).open("rb")
    from tfx.dsl.io import fileio

    file: IO[bytes] = fileio.open(path, "rb")
    return file
