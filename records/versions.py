"""A folder that a model server watches: one numbered folder per version, the highest is served."""

from __future__ import annotations

from tfx.dsl.io import fileio


class Versions:
    """The versions of one model; `components.model_pusher.destination` adds to them.

    Attributes:
      base: The folder that the server watches.
    """

    def __init__(self, base: str) -> None:
        self.base = base.rstrip("/")

    def versions(self) -> list[int]:
        """The versions that are there, oldest first: servers read names as numbers and pass over all others."""
        if not fileio.isdir(self.base):
            return []
        names = [str(name).rstrip("/") for name in fileio.listdir(self.base)]
        return sorted(int(name) for name in names if name.isascii() and name.isdigit())

    def path(self, version: int) -> str:
        """The folder of a version that this project pushed."""
        return f"{self.base}/{version}"
