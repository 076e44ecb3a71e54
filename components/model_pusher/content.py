"""What a SavedModel is, as opposed to where it lies and when it was written."""

from __future__ import annotations

import hashlib

from tfx.dsl.io import fileio

from components.model_pusher.provenance import PROVENANCE_FILE
from schema.errors import InputError

# Holds a random id of the export beside checksums of the other files.
_EXPORT_ID = "fingerprint.pb"


def files_of(folder: str) -> list[str]:
    """Paths of all files under `folder`, relative to it, sorted."""
    root = folder.rstrip("/")
    paths = ["/".join((str(place), str(name))) for place, _, names in fileio.walk(root) for name in names]
    return sorted(path.removeprefix(f"{root}/") for path in paths)


def content_fingerprint(model_dir: str) -> str:
    """SHA-256 over the files of a SavedModel, apart from those that differ between two copies.

    Args:
      model_dir: The SavedModel.

    Returns:
      64 hexadecimal digits.

    Raises:
      InputError: There is no file.
    """
    root = model_dir.rstrip("/")
    kept = [path for path in files_of(root) if path not in (PROVENANCE_FILE, _EXPORT_ID)]
    if not kept:
        raise InputError(f"{model_dir}: expected the folder of a SavedModel, found no file")
    digest = hashlib.sha256()
    for path in kept:
        with fileio.open(f"{root}/{path}", "rb") as file:
            digest.update(hashlib.sha256(path.encode()).digest() + hashlib.sha256(file.read()).digest())
    return digest.hexdigest()
