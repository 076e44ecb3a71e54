"""Finds the run that a run continues from: the one whose student serves."""

from __future__ import annotations

from dataclasses import dataclass

from contracts.provenance import Provenance, TrainingLeft
from contracts.roles import ModelRole
from records import documents
from records.manifest import Manifest
from records.spans import newest_span
from records.training_states import SPAN_PREFIX, damage, is_after
from records.versions import Versions
from schema.errors import InputError

ARMS = (ModelRole.STUDENT, ModelRole.CONTROL)


@dataclass(frozen=True)
class Earlier:
    """What there is to continue from.

    Attributes:
      version: The served version of whose run it is; None for a cold start.
      left: What that run left; None for a cold start.
      sentence: Which it is, or why there is none.
    """

    version: int | None
    left: TrainingLeft | None
    sentence: str


def find_earlier(serving: str, data: str) -> Earlier:
    """What a run on the examples `data` continues from.

    It is what the run left whose student serves.  A run that was trained on these examples, or on a
    later span, is looked through, so that a repetition starts where the first one did, and no run
    knows what came after it.  A state that is damaged is no reason for a cold start.

    Args:
      serving: The push destination.
      data: Which examples the run is trained on; see `records.training_states.data_of`.

    Raises:
      InputError: What serves cannot be read, or what its run left is damaged or gone.
    """
    served = Versions(serving)
    for push in served.history(lambda version: _restored_by(served, version)):
        provenance = _provenance(served.path(push.version))
        if provenance is not None and not _comes_before(provenance, data):
            continue
        return _of(serving, push.version, provenance)
    return Earlier(None, None, "Cold start: nothing serves yet that was trained on earlier examples.")


def _of(serving: str, version: int, provenance: Provenance | None) -> Earlier:
    left = provenance.training if provenance else None
    if left is None:
        return Earlier(
            None,
            None,
            f"Cold start: the run that pushed version {version}, which serves, left nothing to continue from; it had "
            "no `continue_from`.",
        )
    problem = damage(serving, left.digest, ARMS)
    if problem:
        raise InputError(
            f"{serving}: expected what the run of version {version}, which serves, left to continue from, found it "
            f"damaged or gone: {problem}. Put it back from a copy, serve another version (`crosskd rollback`), or take "
            "`continue_from` out of the surface for one run, which then starts cold."
        )
    return Earlier(version, left, f"Continues from the run of version {version}, trained on {left.data}.")


def _comes_before(provenance: Provenance, data: str) -> bool:
    """Whether a pushed model's run was before one on `data`; of one that left nothing, its span alone is known."""
    if provenance.training is not None:
        return is_after(data, provenance.training.data, provenance.training.lineage)
    span = newest_span(provenance.origin.data_span)
    return span is None or is_after(data, f"{SPAN_PREFIX}{span}", ())


def _provenance(folder: str) -> Provenance | None:
    found = documents.find(folder, Provenance)
    if found is None and documents.find(folder, Manifest) is not None:
        raise InputError(
            f"{folder}/{Provenance.FILE}: expected the provenance of what serves, which says what to continue from, "
            "found no such file. Put it back, or push or roll back to another version."
        )
    return found


def _restored_by(served: Versions, version: int) -> int | None:
    found = documents.find_whole(served.path(version), Provenance)
    return found.restores if found else None
