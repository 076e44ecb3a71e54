"""`crosskd rollback`: serves again what was served before the newest push.

A model server takes the highest version number, and one that was told of a version may hold
on to it.  So nothing is removed or renamed: the earlier content is published once more,
under a number higher than all others, with a provenance that says what it restores and
what it took the place of.  Rolling back again goes further back, never forth to what was
rolled back.  The newest push stays where it is; the pipeline does not push that content a
second time, and compares no later student with it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import BaseModel

from crosskd.terminal import TERMINAL
from schema.errors import InputError

if TYPE_CHECKING:
    from components.model_pusher.destination import Destination
    from contracts.provenance import Provenance

_SERVING = "serving"


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


def command(
    root: Annotated[Path, typer.Option(help="The --root that was given to `crosskd run`.")],
    surface: Annotated[str | None, typer.Option(help="Which surface, if several were pushed under --root.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Serve again what was served before the newest push."""
    folder = _serving_folder(root, surface)
    with TERMINAL.noise_to(root / "logs" / "rollback.log"):
        from crosskd.runs import mark_rolled_back, metadata_of

        metadata_of(root)  # before anything is done: this is a run's root
        done = roll_back(folder)
        mark_rolled_back(root, done.rejects)
    if as_json:
        TERMINAL.json(done.model_dump(mode="json"))
        return
    TERMINAL.out.print(
        f"{done.surface}: version {done.restores} is served again, as version {done.version}, "
        f"in place of version {done.rollback_of}: {done.destination}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


def roll_back(folder: Path) -> Rollback:
    """Publishes what was served before the newest version of `folder`.

    Args:
      folder: The folder that the model server watches, named after the surface.

    Raises:
      InputError: There is nothing to roll back to, or it was changed since it was pushed.
    """
    from components.model_pusher.destination import Destination

    destination = Destination(str(folder))
    with destination.locked():
        rejected, restored = _served_and_previous(destination)
        newest = destination.versions()[-1]
        _check_unchanged(destination, restored)
        done = destination.publish(
            destination.path(restored.version),
            lambda version: restored.model_copy(
                update={
                    "version": version,
                    "pushed_at": datetime.now(UTC).isoformat(timespec="seconds"),
                    "rollback_of": newest,
                    "restores": restored.version,
                }
            ),
        )
    return Rollback(
        surface=folder.name,
        version=done.version,
        destination=destination.path(done.version),
        restores=restored.version,
        rollback_of=newest,
        rejects=rejected.model,
        decision=done.decision,
    )


def _serving_folder(root: Path, surface: str | None) -> Path:
    """The one folder of pushed versions that is meant."""
    serving = root / _SERVING
    found = sorted(path.name for path in serving.iterdir() if path.is_dir()) if serving.is_dir() else []
    if not found:
        raise InputError(f"{serving}: nothing was pushed here yet. Expected the --root of a `crosskd run`.")
    if surface is None and len(found) > 1:
        raise InputError(f"{serving}: several surfaces were pushed ({', '.join(found)}); choose one with --surface")
    if surface is not None and surface not in found:
        raise InputError(f"--surface {surface}: nothing was pushed for it; surfaces here: {', '.join(found)}")
    return serving / (surface or found[0])


def _served_and_previous(destination: Destination) -> tuple[Provenance, Provenance]:
    """The push whose content is served and the one before it, looking through earlier rollbacks."""
    versions = destination.versions()
    if not versions:
        raise InputError(f"{destination.base}: nothing was pushed here yet.")
    served = _original(destination, versions[-1])
    earlier = [version for version in versions if version < served.version]
    if not earlier:
        raise InputError(
            f"{destination.base}: there is nothing to roll back to: version {served.version}, which is served, "
            "was pushed first."
        )
    return served, _original(destination, earlier[-1])


def _original(destination: Destination, version: int) -> Provenance:
    """The push that a version's content comes from: itself, unless it is a rollback."""
    from contracts.provenance import Provenance
    from records import documents

    found = documents.find(destination.path(version), Provenance)
    if found is None:
        raise InputError(
            f"{destination.path(version)}: expected a version that crosskd pushed, found one without provenance; it "
            "cannot be told whether it may be served again."
        )
    return found if found.restores is None else _original(destination, found.restores)


def _check_unchanged(destination: Destination, restored: Provenance) -> None:
    from records.content import content_fingerprint

    if content_fingerprint(destination.path(restored.version)) != restored.model_fingerprint:
        raise InputError(
            f"{destination.path(restored.version)}: the files were changed since they were pushed "
            f"({restored.pushed_at}); nothing was rolled back."
        )
