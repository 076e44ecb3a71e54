"""What a SavedModel is, as opposed to where it lies and when it was written."""

from __future__ import annotations

import hashlib

import tensorflow as tf
from tfx.dsl.io import fileio

from records.buckets import locally
from records.computation import computation_digest
from records.saved_model import files_of
from schema.errors import InputError

# The part of a SavedModel that loaders leave alone: where a version came from is kept there.
_UNREAD = "assets.extra/"


def content_fingerprint(model_dir: str) -> str:
    """Says whether two SavedModels serve the same.

    The same weights exported twice have the same fingerprint, though hardly a file of them is
    equal; see `records.computation`.  What TensorFlow cannot read is known by
    its files.

    Args:
      model_dir: The SavedModel.

    Returns:
      64 hexadecimal digits.

    Raises:
      InputError: There is no file.
    """
    with locally(model_dir.rstrip("/")) as root:
        try:
            return computation_digest(root)
        except (InputError, tf.errors.OpError, OSError, ValueError, LookupError):  # IndexError: variables cut short
            return _files_digest(root)


def _files_digest(root: str) -> str:
    kept = [path for path in files_of(root) if not path.startswith(_UNREAD)]
    if not kept:
        raise InputError(f"{root}: expected the folder of a SavedModel, found no file")
    digest = hashlib.sha256()
    for path in kept:
        with fileio.open(f"{root}/{path}", "rb") as file:
            digest.update(hashlib.sha256(path.encode()).digest() + hashlib.sha256(file.read()).digest())
    return digest.hexdigest()
