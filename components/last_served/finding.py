"""Finds the model that a candidate is compared with: the one that serves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from absl import logging

from contracts.provenance import Provenance
from records import documents
from records.content import content_fingerprint
from records.manifest import damage
from records.saved_model import FORMAT_SERVING, is_saved_model
from records.sessions import load_error
from records.versions import PushedVersion, Versions


@dataclass(frozen=True)
class Baseline:
    """A model to compare with.

    Attributes:
      version: The served version.
      folder: A SavedModel with what was pushed as this version: its own folder, or, where that is
        damaged, another copy.
      content: Its content fingerprint.
    """

    version: int
    folder: str
    content: str


def find_baseline(serving: str, candidate_dir: str) -> Baseline | None:
    """What serves, or what served before it if that is the candidate.

    A candidate that serves already is compared with what served before it, so that an unchanged
    pipeline comes to the same decision again; rollbacks are looked through for the same reason.
    A damaged version is not passed over as long as any copy of what was pushed is whole: half a
    file must not lower the bar.

    Args:
      serving: The push destination.
      candidate_dir: The candidate's SavedModel.

    Returns:
      The model; None if there is none.

    Raises:
      InputError: The candidate holds no file.
    """
    return _newest_but(content_fingerprint(candidate_dir), serving)


def find_served(serving: str) -> Baseline | None:
    """What serves, before there is a candidate; None if nothing does."""
    return _newest_but("", serving)


def _newest_but(candidate: str, serving: str) -> Baseline | None:
    served = Versions(serving)
    for push in served.history(lambda version: _restored_by(served, version)):
        found = next(_copies(served, push), None)
        content = found.content if found else _recorded(served.path(push.original))
        if content == candidate:
            continue
        if found is not None:
            return found
        logging.warning("%s is damaged, and there is no other copy of it.", served.path(push.version))
    return None


def _copies(served: Versions, push: PushedVersion) -> Iterator[Baseline]:
    """Folders with the push's content that are whole, the served one first."""
    for version in dict.fromkeys((push.version, push.original)):
        folder = served.path(version)
        if damage(folder, _recorded(folder)) is None:
            yield Baseline(push.version, folder, content_fingerprint(folder))
    provenance = documents.find_whole(served.path(push.original), Provenance)
    # What a container saw under another path, or in an object store, is not looked for.
    if provenance is not None and "://" not in provenance.model:
        folder = f"{provenance.model}/{FORMAT_SERVING}"
        if _is_whole(folder, provenance.model_fingerprint):
            yield Baseline(push.version, folder, provenance.model_fingerprint)


def _is_whole(model_dir: str, content: str) -> bool:
    return is_saved_model(model_dir) and load_error(model_dir) is None and content_fingerprint(model_dir) == content


def _recorded(folder: str) -> str | None:
    found = documents.find_whole(folder, Provenance)
    return found.model_fingerprint if found else None


def _restored_by(served: Versions, version: int) -> int | None:
    found = documents.find_whole(served.path(version), Provenance)
    return found.restores if found else None
