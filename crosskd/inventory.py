"""What a root holds, so that what was lost is made anew and not taken from the cache on the word of the metadata.

To TFX's cache an artifact is there as long as its folder is, and a version is pushed once it was.
So after each run this writes down what is there, and before the next one it looks again: the
folder of an artifact that changed since is set aside, and its node runs again; where the newest
version is gone or damaged, what the pusher made of it is set aside, and it is pushed anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from contracts import keys, nodes
from contracts.provenance import Provenance
from crosskd import interrupts
from crosskd.places import SERVING, serving_folder
from records import documents
from records.manifest import damage
from records.versions import Versions

# Larger files count by their size: to read all labelled examples before each run takes too long.
_READ_WHOLE = 1 << 16
_SET_ASIDE = "set-aside"


class Inventory(BaseModel):
    """What there was at the end of a run.

    Attributes:
      artifacts: Digest by folder, relative to the root's `artifacts/`.
      served: The newest version by surface.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    FILE: ClassVar[str] = "inventory.json"
    TITLE: ClassVar[str] = "the inventory of a root"

    artifacts: dict[str, str]
    served: dict[str, int]


@contextmanager
def whole(root: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Sets aside what was lost since the last run, and writes down what there is after this one.

    Args:
      root: The root, inside `crosskd.launch.only_run_in`.
      say: Takes a sentence for each thing that was lost.
    """
    for sentence in set_aside_lost(root):
        say(sentence)
    try:
        yield
    finally:
        # Threads of a run that was interrupted may still be writing; what there was before it stands.
        if not interrupts.received():
            documents.write(str(root), take(root))


def take(root: Path) -> Inventory:
    """The inventory of a root as it is now."""
    served = {path.name: Versions(str(path)).versions()[-1:] for path in _folders(root / SERVING)}
    return Inventory(
        artifacts={str(path.relative_to(root / "artifacts")): _digest(path) for path in _artifacts(root)},
        served={surface: newest[0] for surface, newest in served.items() if newest},
    )


def set_aside_lost(root: Path) -> list[str]:
    """Sets aside what is not as it was after the last run.

    Returns:
      A sentence for each thing.
    """
    inventory = documents.find_whole(str(root), Inventory)  # a run that was killed may have left half of it
    if inventory is None:
        return []
    changed = [name for name, digest in inventory.artifacts.items() if _changed(root / "artifacts" / name, digest)]
    for name in changed:
        _set_aside(root, root / "artifacts" / name)
    lost = [_lost_version(root, surface, version) for surface, version in inventory.served.items()]
    told = [
        f"{root / 'artifacts' / name} was changed since it was made: it is set aside, and made anew" for name in changed
    ]
    return [*told, *filter(None, lost)]


def _lost_version(root: Path, surface: str, version: int) -> str | None:
    """Has a version that served pushed again if it is gone or damaged, and nothing took its place."""
    served = Versions(str(serving_folder(root, surface)))
    if (served.versions() or [0])[-1] > version:
        return None
    folder = served.path(version)
    provenance = documents.find_whole(folder, Provenance)
    there = version in served.versions()
    problem = damage(folder, provenance.model_fingerprint if provenance else None) if there else "it is gone"
    if problem is None:
        return None
    for pushed in _folders(root / "artifacts" / nodes.PUSHER / keys.PUSHED_MODEL):
        copied = documents.find_whole(str(pushed), Provenance)
        if copied is not None and (copied.version, copied.origin.surface) == (version, surface):
            _set_aside(root, pushed)
    return f"{folder}, which served, is not what was pushed ({problem}): the next push repairs it"


def _artifacts(root: Path) -> Iterator[Path]:
    """The folders of all artifacts: NODE/OUTPUT/EXECUTION."""
    for node in _folders(root / "artifacts"):
        for output in _folders(node):
            yield from _folders(output)


def _folders(folder: Path) -> list[Path]:
    """Folders in a folder, without the hidden ones, in which TFX works."""
    there = folder.iterdir() if folder.is_dir() else ()
    return sorted(path for path in there if path.is_dir() and not path.name.startswith("."))


def _changed(folder: Path, digest: str) -> bool:
    """A folder that is gone TFX misses by itself."""
    return folder.is_dir() and _digest(folder) != digest


def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        size = path.stat().st_size
        content = path.read_bytes() if size <= _READ_WHOLE else b""
        name = hashlib.sha256(str(path.relative_to(folder)).encode()).digest()
        digest.update(name + size.to_bytes(8, "big") + hashlib.sha256(content).digest())
    return digest.hexdigest()


def _set_aside(root: Path, folder: Path) -> None:
    """Moves a folder out of the way; what is in it may be wanted by a person."""
    aside = root / _SET_ASIDE
    aside.mkdir(exist_ok=True)
    name = "-".join(folder.relative_to(root / "artifacts").parts)
    taken = len(list(aside.glob(f"{name}*")))
    folder.rename(aside / (f"{name}-{taken}" if taken else name))
