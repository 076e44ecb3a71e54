"""What a teacher, candidates or a catalogue are, as opposed to where they lie: a digest of their files."""

from __future__ import annotations

import hashlib

from tfx.dsl.io import fileio

from records import buckets
from schema.errors import InputError

_CHUNK = 1 << 20


def fingerprint(uri: str) -> str:
    """The SHA-256 over all files under `uri`: their relative names and contents.

    Args:
      uri: A folder: a path, or a URI of a bucket (gs://, s3:// or minio://).

    Returns:
      64 hexadecimal digits.

    Raises:
      InputError: There is no such folder, it holds no file, or its store is out of reach.
    """
    root = uri.rstrip("/")
    if not _is_folder(root):
        raise InputError(f"{uri}: expected the folder of a teacher, candidates or a catalogue, found no such folder")
    paths = sorted("/".join((str(folder), str(name))) for folder, _, names in fileio.walk(root) for name in names)
    if not paths:
        raise InputError(f"{uri}: expected the folder of a teacher, candidates or a catalogue, found an empty folder")
    digest = hashlib.sha256()
    for path in paths:
        # Fixed-width digests keep (name, content) pairs apart: two different folders never feed the same bytes.
        digest.update(hashlib.sha256(path.removeprefix(f"{root}/").encode()).digest())
        digest.update(_content_digest(path))
    return digest.hexdigest()


def _is_folder(root: str) -> bool:
    try:
        return bool(fileio.isdir(root))
    except OSError as error:
        if not root.startswith(buckets.SCHEMES):
            raise
        raise InputError(
            f"{root}: expected a bucket that can be read from here, with credentials in AWS_ACCESS_KEY_ID and "
            f"AWS_SECRET_ACCESS_KEY and the address of a store of your own in AWS_ENDPOINT_URL: {error}"
        ) from error


def _content_digest(path: str) -> bytes:
    digest = hashlib.sha256()
    with fileio.open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.digest()
