"""Publishes versions into the folder that a model server watches.

On a local file system a version is copied to a hidden sibling, written through to the disk,
loaded as a server loads it, and gets its name by one rename: a server, or a power cut, never
meets half a model.  An object store has no such rename; there `saved_model.pb` is written
last, as TFX does, for without it servers take a folder for no model.

Every version carries a manifest, so that whoever relies on it later can tell whether it is
still what was pushed.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

from tfx.dsl.io import fileio

from contracts.provenance import Provenance
from records import documents
from records.content import content_fingerprint
from records.manifest import Manifest, damage, measure, record
from records.saved_model import SAVED_MODEL_FILE
from records.sessions import load_error
from records.versions import Versions
from schema.errors import InputError

# Servers read the names of versions as numbers and pass over everything else.
_STAGING_PREFIX = ".pushing-"
_LOCK = ".lock"
# The folder of a SavedModel that loaders leave alone.
_ASSETS_EXTRA = "assets.extra"
NOTHING: Mapping[str, str] = MappingProxyType({})


class Destination(Versions):
    """The versions of one model, and how one is added."""

    def fingerprint(self, version: int) -> str | None:
        """Fingerprint of a version's content.

        The newest one is looked at itself, and must be whole: `damage` comes first.  Of an older
        one the record is enough.

        Args:
          version: One of `versions`.

        Returns:
          The fingerprint; None where nothing is known of an older one.
        """
        if version == self.versions()[-1]:
            return content_fingerprint(self.path(version))
        return self._recorded(version)

    def damage(self, version: int) -> str | None:
        """Why a version is not what was pushed, as part of a sentence; None if it is."""
        return damage(self.path(version), self._recorded(version))

    def _recorded(self, version: int) -> str | None:
        found = documents.find_whole(self.path(version), Provenance)
        return found.model_fingerprint if found else None

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

    def publish(
        self, model_dir: str, describe: Callable[[int], Provenance], beside: Mapping[str, str] = NOTHING
    ) -> Provenance:
        """Publishes a SavedModel under a version higher than all there are.  Call it inside `locked`.

        Args:
          model_dir: The SavedModel.
          describe: Gives the provenance of the version that it is called with.
          beside: Files that go into its `assets.extra`, by their names there.

        Returns:
          The provenance, with the version.

        Raises:
          InputError: A server could not load it, or its copy is not whole.
        """
        version = max([int(time.time()), *(each + 1 for each in self.versions())])
        provenance = describe(version)
        if self._is_local:
            self._publish_by_rename(model_dir, provenance, beside)
        else:
            _expect_loadable(model_dir)
            _copy(model_dir, self.path(version), provenance, beside)
        return provenance

    def _publish_by_rename(self, model_dir: str, provenance: Provenance, beside: Mapping[str, str]) -> None:
        self._remove_abandoned()
        staging = f"{self.base}/{_STAGING_PREFIX}{provenance.version}"
        try:
            _copy(model_dir, staging, provenance, beside)
            _write_through(Path(staging))
            _expect_loadable(staging)
        except BaseException:
            self._remove_abandoned()  # a full disk is the last place to leave half a model
            raise
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


def _copy(source: str, target: str, provenance: Provenance, beside: Mapping[str, str]) -> None:
    """Copies a SavedModel with provenance and manifest; `saved_model.pb` comes last."""
    root = source.rstrip("/")
    own = (Provenance.FILE, Manifest.FILE)
    files = {name: each for name, each in measure(root).files.items() if name not in own}
    for name in sorted(set(files) - {SAVED_MODEL_FILE}):
        _copy_file(root, target, name)
    for name, file in beside.items():
        place = f"{_ASSETS_EXTRA}/{name}"
        fileio.makedirs(f"{target}/{_ASSETS_EXTRA}")
        fileio.copy(file, f"{target}/{place}", overwrite=True)
        files[place] = record(f"{target}/{place}")
    documents.write(target, provenance)
    files[Provenance.FILE] = record(f"{target}/{Provenance.FILE}")
    documents.write(target, Manifest(files=files))
    _copy_file(root, target, SAVED_MODEL_FILE)
    found = damage(target, provenance.model_fingerprint)
    if found:
        raise InputError(f"{target}: the copy of {source} is not whole: {found}. Nothing is published.")


def _expect_loadable(model_dir: str) -> None:
    error = load_error(model_dir)
    if error:
        raise InputError(f"{model_dir}: {error}. Nothing is published; run the pipeline again.")


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
