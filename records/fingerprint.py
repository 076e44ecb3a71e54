"""What a teacher is, as opposed to where it lies: a digest of its files."""

from __future__ import annotations

import hashlib

from tfx.dsl.io import fileio

from schema.errors import InputError

_CHUNK = 1 << 20


def fingerprint(uri: str) -> str:
    """The SHA-256 over all files under `uri`: their relative names and contents.

    Args:
      uri: A folder, on any file system that TFX reads.

    Returns:
      64 hexadecimal digits.

    Raises:
      InputError: There is no such folder, or it holds no file.
    """
    root = uri.rstrip("/")
    if not fileio.isdir(root):
        raise InputError(f"{uri}: expected the folder of a teacher SavedModel, found no such folder")
    paths = sorted("/".join((str(folder), str(name))) for folder, _, names in fileio.walk(root) for name in names)
    if not paths:
        raise InputError(f"{uri}: expected the folder of a teacher SavedModel, found an empty folder")
    digest = hashlib.sha256()
    for path in paths:
        # Fixed-width digests keep (name, content) pairs apart: two different folders never feed the same bytes.
        digest.update(hashlib.sha256(path.removeprefix(f"{root}/").encode()).digest())
        digest.update(_content_digest(path))
    return digest.hexdigest()


def _content_digest(path: str) -> bytes:
    digest = hashlib.sha256()
    with fileio.open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.digest()
