"""A folder that a model server watches: one numbered folder per version, the highest is served."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from records.documents import is_local


@dataclass(frozen=True)
class PushedVersion:
    """One push, as somebody sees it who goes back in time.

    Attributes:
      version: The version under which its content was served last.
      original: The version that it was pushed as; another one where a rollback restored it.
    """

    version: int
    original: int


class Versions:
    """The versions of one model; `components.model_pusher.destination` adds to them.

    Attributes:
      base: The folder that the server watches.
    """

    def __init__(self, base: str) -> None:
        self.base = base.rstrip("/")

    def versions(self) -> list[int]:
        """The versions that are there, oldest first: servers read names as numbers and pass over all others."""
        return sorted(int(name) for name in self._names() if name.isascii() and name.isdigit())

    def _names(self) -> list[str]:
        if is_local(self.base):
            return [path.name for path in Path(self.base).iterdir()] if Path(self.base).is_dir() else []
        from tfx.dsl.io import fileio

        names = fileio.listdir(self.base) if fileio.isdir(self.base) else []
        return [str(name).rstrip("/") for name in names]

    def path(self, version: int) -> str:
        """The folder of a version that this project pushed."""
        return f"{self.base}/{version}"

    def history(self, restores: Callable[[int], int | None]) -> Iterator[PushedVersion]:
        """What serves, and what was served before it, looking through rollbacks, the newest first.

        A push that was rolled back is not among them: what a rollback restored takes its place,
        and after that comes what was served before the restored version.

        Args:
          restores: Which version a version restores; None where it is a push of its own.
        """
        versions = self.versions()
        while versions:
            version = original = versions[-1]
            while (earlier := restores(original)) is not None and earlier < original:
                original = earlier
            yield PushedVersion(version, original)
            versions = [each for each in versions if each < original]
