"""What a model server sees of a folder of versions, and what is true of a root between two commands."""

from __future__ import annotations

import multiprocessing
import shutil
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from contracts import keys, nodes, properties
from contracts.provenance import Provenance
from contracts.roles import ModelRole
from crosskd.runs import METADATA_FILE, newest_run
from pipeline.metadata import connection
from records import documents
from records.manifest import damage
from records.versions import Versions
from schema.errors import InputError

_EACH = 0.005  # seconds between two looks


class Seen:
    """Copies of versions, as they were when they could first be seen."""

    def __init__(self, folder: Path):
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self._known: set[str] = {path.name for path in folder.iterdir()}
        self._new: list[Path] = []
        self.problems: list[str] = []

    def look(self, served: Path) -> None:
        for path in served.iterdir() if served.is_dir() else ():
            if path.name.isdigit() and path.name not in self._known:
                self._known.add(path.name)
                self._new.append(Path(shutil.copytree(path, self.folder / path.name)))
                if problem := damage(str(self.folder / path.name), None):
                    self.problems.append(f"{path.name}: {problem}")

    def take(self) -> list[Path]:
        """The copies that were not taken before."""
        taken, self._new = self._new, []
        return taken


class Watcher:
    """Looks at a folder all the time, in a thread."""

    def __init__(self, served: Path, seen: Seen):
        self._served, self._seen = served, seen
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._seen.look(self._served)

    def _watch(self) -> None:
        while not self._ended.wait(_EACH):
            self._seen.look(self._served)


@dataclass(frozen=True)
class Found:
    """A root between two commands.

    Attributes:
      versions: All versions, the newest last.
      model: URI of the model that serves.
      restores: The version that the newest restores, if it does.
      student: URI of the newest run's student.
      models: URI of each version's model.
      marked: URIs of the models that are marked as rolled back.
    """

    versions: list[int]
    model: str
    restores: int | None
    student: str
    models: dict[int, str]
    marked: list[str]


def check_root(root: Path, seen: Seen) -> Found:
    """Looks at every version, and at the metadata.

    Raises:
      RuntimeError: A version is not whole, or was not when it could first be seen.
    """
    served = Versions(str(root / "serving" / "library"))
    versions = served.versions()
    problems = [f"{each}: {problem}" for each in versions if (problem := damage(served.path(each), None))]
    if problems or seen.problems:
        raise RuntimeError(f"versions that are not whole: {problems + seen.problems}")
    provenances = {each: documents.read(served.path(each), Provenance) for each in versions}
    newest = provenances[versions[-1]] if versions else None
    return Found(
        versions=versions,
        model=newest.model if newest else "",
        restores=newest.restores if newest else None,
        student=_student(root),
        models={each: found.model for each, found in provenances.items()},
        marked=_marked(root),
    )


def _student(root: Path) -> str:
    try:
        found = newest_run(root).output(nodes.trainer(ModelRole.STUDENT), keys.MODEL)
    except InputError:  # no run came so far
        return ""
    return found[0] if found else ""


def _marked(root: Path) -> list[str]:
    from ml_metadata.metadata_store import MetadataStore

    if not (root / METADATA_FILE).is_file():
        return []
    store = MetadataStore(connection(str(root / METADATA_FILE), read_only=True))
    try:
        models = store.get_artifacts_by_type("Model")
    except Exception as error:  # nothing was written before the first run was killed
        if "not found" in str(error).lower():
            return []
        raise
    return sorted(each.uri for each in models if each.custom_properties[properties.ROLLED_BACK].int_value)


def check_loads(folders: Sequence[Path], function: Callable[..., Any] | None = None, *arguments: Any) -> int:
    """Loads models as a server does, in a process of its own, and gives their number.

    Args:
      folders: SavedModels.
      function: Called there before, with `arguments`.
      arguments: Of `function`.

    Raises:
      RuntimeError: One does not load.
    """
    if not folders and function is None:
        return 0
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        problems = pool.apply(_load_all, ([str(each) for each in folders], function, arguments))
    if problems:
        raise RuntimeError(f"versions that do not load: {problems}")
    return len(folders)


def _load_all(folders: list[str], function: Callable[..., Any] | None, arguments: tuple[Any, ...]) -> list[str]:
    from records.sessions import load_error

    if function is not None:
        function(*arguments)
    return [f"{each}: {problem}" for each in folders if (problem := load_error(each))]
