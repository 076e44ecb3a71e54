"""What a SavedModel is, as opposed to where it lies and when it was written."""

from __future__ import annotations

import hashlib

import tensorflow as tf
from google.protobuf.message import DecodeError
from tfx.dsl.io import fileio

from components.model_pusher.computation import computation_digest
from components.model_pusher.provenance import PROVENANCE_FILE
from schema.errors import InputError


def files_of(folder: str) -> list[str]:
    """Paths of all files under `folder`, relative to it, sorted."""
    root = folder.rstrip("/")
    paths = ["/".join((str(place), str(name))) for place, _, names in fileio.walk(root) for name in names]
    return sorted(path.removeprefix(f"{root}/") for path in paths)


def content_fingerprint(model_dir: str) -> str:
    """Says whether two SavedModels serve the same.

    The same weights exported twice have the same fingerprint, though hardly a file of them is
    equal; see `components.model_pusher.computation`.  What TensorFlow cannot read is known by
    its files.

    Args:
      model_dir: The SavedModel.

    Returns:
      64 hexadecimal digits.

    Raises:
      InputError: There is no file.
    """
    root = model_dir.rstrip("/")
    try:
        return computation_digest(root)
    except (DecodeError, tf.errors.OpError, OSError, ValueError, KeyError):
        return _files_digest(root)


def _files_digest(root: str) -> str:
    kept = [path for path in files_of(root) if path != PROVENANCE_FILE]
    if not kept:
        raise InputError(f"{root}: expected the folder of a SavedModel, found no file")
    digest = hashlib.sha256()
    for path in kept:
        with fileio.open(f"{root}/{path}", "rb") as file:
            digest.update(hashlib.sha256(path.encode()).digest() + hashlib.sha256(file.read()).digest())
    return digest.hexdigest()
