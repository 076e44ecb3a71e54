"""Rolls back, so that whatever stops it, a repetition completes it.

A rollback has two effects, one where models are served and one in the metadata, and may be
stopped between any two instructions.  So what it is about to do is written down first, beside
the versions, and removed last; a repetition, or the next run, completes what it finds there.
Before anything is written down, metadata must have been read and written.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel

from components.model_pusher.destination import Destination
from contracts.provenance import Provenance
from contracts.rollback_intent import RollbackIntent
from crosskd.places import in_root
from crosskd.rejections import mark_rolled_back, note_intent
from records import documents
from records.sessions import load_error
from records.versions import PushedVersion
from schema.errors import InputError


class Rollback(BaseModel):
    """What was done; the shape of `--json`.

    Attributes:
      surface: Name of the surface.
      version: The new version, which is served now.
      destination: Its folder.
      restores: The version whose content it serves.
      rollback_of: The version that was served before.
      rejects: URI of the model that was served before.
      decision: The sentence by which the restored model was blessed.
    """

    surface: str
    version: int
    destination: str
    restores: int
    rollback_of: int
    rejects: str
    decision: str


def _nobody(done: Rollback) -> None:
    """Is told what was done, where nobody waits for it."""


def roll_back(root: Path | None, folder: Path | str, announce: Callable[[Rollback], None] = _nobody) -> Rollback:
    """Publishes what was served before the newest version of `folder`, or completes what was begun.

    Args:
      root: The root, whose metadata know the models; None for runs that were elsewhere, which look at
        the folder alone.
      folder: The folder that the model server watches, on a disk or in a bucket; under a root it is
        named after the surface.
      announce: Told what was done before the intent is removed: whoever was not told gives the command
        again, and that must roll nothing else back.

    Raises:
      InputError: There is nothing to roll back to, it is not what was pushed any more, or the
        metadata cannot be read or written.
    """
    destination = Destination(str(folder))
    with destination.locked():
        return _complete(root, destination, _pending(destination) or _intend(destination), announce)


def finish(root: Path, folder: Path) -> Rollback | None:
    """Completes a rollback that was begun, and begins none.

    Args:
      root: As for `roll_back`.
      folder: Likewise.

    Returns:
      What was done; None where something else was pushed since, so that nothing is left to do.

    Raises:
      InputError: As `roll_back`.
    """
    destination = Destination(str(folder))
    with destination.locked():
        intent = _pending(destination)
        if intent is not None:
            return _complete(root, destination, intent, _nobody)
        _forget(destination)
        return None


def _complete(
    root: Path | None, destination: Destination, intent: RollbackIntent, announce: Callable[[Rollback], None]
) -> Rollback:
    surface = destination.base.rpartition("/")[2]
    if root is not None:
        note_intent(root, surface, intent)
    _remember(destination, intent)
    published = _published(destination, intent) or _publish(destination, intent)
    if root is not None:
        rejected = in_root(root, intent.rejects)
        mark_rolled_back(root, rejected, f"Version {published.version} of {destination.base} serves already.")
    done = Rollback(
        surface=published.origin.surface if root is None else surface,
        version=published.version,
        destination=destination.path(published.version),
        restores=intent.restores,
        rollback_of=intent.rollback_of,
        rejects=intent.rejects,
        decision=published.decision,
    )
    announce(done)
    _forget(destination)
    return done


def _pending(destination: Destination) -> RollbackIntent | None:
    """What was begun and not completed; nothing where something else was pushed since."""
    found = documents.find(destination.base, RollbackIntent)
    if found is None or found.completed:
        return None
    serves = destination.versions()[-1:]
    return found if serves == [found.rollback_of] or _published(destination, found) else None


def _intend(destination: Destination) -> RollbackIntent:
    """What is to be done, and can be."""
    served, previous = _served_and_previous(destination)
    _provenance(destination, previous.original)
    rejected = documents.find_whole(destination.path(served.original), Provenance)
    return RollbackIntent(
        rollback_of=destination.versions()[-1],
        restores=previous.original,
        source=_whole(destination, previous.version, previous.original),
        rejects=rejected.model if rejected else "",
        decided_at=_now(),
    )


def _published(destination: Destination, intent: RollbackIntent) -> Provenance | None:
    """The version that this intent led to, if it came so far, and serves."""
    newest = destination.versions()[-1:]
    found = documents.find_whole(destination.path(newest[0]), Provenance) if newest else None
    if found is None or (found.rollback_of, found.restores) != (intent.rollback_of, intent.restores):
        return None
    return found


def _publish(destination: Destination, intent: RollbackIntent) -> Provenance:
    restored = _provenance(destination, intent.restores)
    _whole(destination, intent.source, intent.restores)
    return destination.publish(
        destination.path(intent.source),
        lambda version: restored.model_copy(
            update={
                "version": version,
                "pushed_at": _now(),
                "rollback_of": intent.rollback_of,
                "restores": intent.restores,
            }
        ),
    )


def _remember(destination: Destination, intent: RollbackIntent) -> None:
    if documents.is_local(destination.base):
        _write_durably(Path(destination.base, intent.FILE), intent.model_dump_json(indent=2))
    else:
        documents.write(destination.base, intent)


def _forget(destination: Destination) -> None:
    if documents.is_local(destination.base):
        Path(destination.base, RollbackIntent.FILE).unlink()
    else:
        intent = documents.read(destination.base, RollbackIntent)
        documents.write(destination.base, intent.model_copy(update={"completed": True}))


def _write_durably(path: Path, content: str) -> None:
    """Writes a file that is there whole, or not at all, also after a power cut."""
    staged = path.with_name(f"{path.name}.new")
    with staged.open("w", encoding="utf-8") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    staged.rename(path)
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _served_and_previous(destination: Destination) -> tuple[PushedVersion, PushedVersion]:
    """The push whose content is served and the one before it, looking through earlier rollbacks."""
    if not destination.versions():
        raise InputError(f"{destination.base}: nothing was pushed here yet.")
    history = destination.history(lambda version: _restored_by(destination, version))
    served, previous = next(history), next(history, None)
    if previous is None:
        raise InputError(
            f"{destination.base}: there is nothing to roll back to: version {served.original}, which is served, "
            "was pushed first."
        )
    return served, previous


def _restored_by(destination: Destination, version: int) -> int | None:
    found = documents.find_whole(destination.path(version), Provenance)
    return found.restores if found else None


def _provenance(destination: Destination, version: int) -> Provenance:
    found = documents.find(destination.path(version), Provenance)
    if found is None:
        raise InputError(
            f"{destination.path(version)}: expected a version that crosskd pushed, found one without provenance; it "
            "cannot be told whether it may be served again."
        )
    return found


def _whole(destination: Destination, *versions: int) -> int:
    """The first version whose files are those that were pushed, and that a server loads; the last is the push."""
    problem: str | None = None
    for version in versions:
        problem = destination.damage(version) or load_error(destination.path(version))
        if problem is None:
            return version
    pushed = _provenance(destination, versions[-1]).pushed_at
    raise InputError(
        f"{destination.path(versions[-1])}: the files were changed since they were pushed ({pushed}): {problem}. "
        "Nothing was rolled back."
    )
