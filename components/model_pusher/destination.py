"""Publishes versions into the folder that a model server watches.

On a local file system a version is copied to a hidden sibling, written through to the disk,
and gets its name by one rename: a server, or a power cut, never meets half a model.  An
object store has no such rename; there `saved_model.pb` is written last, as TFX does, for
without it servers take a folder for no model.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tfx.dsl.io import fileio

from contracts.provenance import Provenance
from records import documents
from records.content import content_fingerprint
from records.saved_model import SAVED_MODEL_FILE, files_of, is_saved_model
from records.versions import Versions

# Servers read the names of versions as numbers and pass over everything else.
_STAGING_PREFIX = ".pushing-"
_LOCK = ".lock"


class Destination(Versions):
    """The versions of one model, and how one is added."""

    def fingerprint(self, version: int) -> str | None:
        """Fingerprint of a version's content.

        The newest one is looked at itself, since what is served may have been changed by
        hand; of an older one the record is enough.

        Args:
          version: One of `versions`.

        Returns:
          The fingerprint; None where the folder is no model, or of an older one nothing is known.
        """
        if version == self.versions()[-1] and is_saved_model(self.path(version)):
            return content_fingerprint(self.path(version))
        recorded = documents.find(self.path(version), Provenance)
        return recorded.model_fingerprint if recorded else None

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps other pushes to this folder out; in an object store there is no such lock."""
        fileio.makedirs(self.base)
        if not self._is_local:
            yield
            return
        with Path(self.base, _LOCK).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def publish(self, model_dir: str, describe: Callable[[int], Provenance]) -> Provenance:
        """Publishes a SavedModel under a version higher than all there are.  Call it inside `locked`.

        Args:
          model_dir: The SavedModel.
          describe: Gives the provenance of the version that it is called with.

        Returns:
          The provenance, with the version.
        """
        version = max([int(time.time()), *(each + 1 for each in self.versions())])
        provenance = describe(version)
        if self._is_local:
            self._publish_by_rename(model_dir, provenance)
        else:
            _copy(model_dir, self.path(version), provenance)
        return provenance

    def _publish_by_rename(self, model_dir: str, provenance: Provenance) -> None:
        self._remove_abandoned()
        staging = f"{self.base}/{_STAGING_PREFIX}{provenance.version}"
        _copy(model_dir, staging, provenance)
        _write_through(Path(staging))
        Path(staging).rename(self.path(provenance.version))
        _sync(Path(self.base))

    def _remove_abandoned(self) -> None:
        """What a push that was killed left behind; nobody else is at work inside `locked`."""
        for name in map(str, fileio.listdir(self.base)):
            if name.startswith(_STAGING_PREFIX):
                fileio.rmtree(f"{self.base}/{name}")

    @property
    def _is_local(self) -> bool:
        return "://" not in self.base


def _copy(source: str, target: str, provenance: Provenance) -> None:
    """Copies a SavedModel with its provenance; `saved_model.pb` comes last."""
    root = source.rstrip("/")
    for name in files_of(root):
        if name in (SAVED_MODEL_FILE, Provenance.FILE):
            continue
        _copy_file(root, target, name)
    documents.write(target, provenance)
    _copy_file(root, target, SAVED_MODEL_FILE)


def _copy_file(source: str, target: str, name: str) -> None:
    fileio.makedirs(f"{target}/{name}".rpartition("/")[0])
    fileio.copy(f"{source}/{name}", f"{target}/{name}")


def _write_through(folder: Path) -> None:
    for path in [*folder.rglob("*"), folder]:
        _sync(path)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
