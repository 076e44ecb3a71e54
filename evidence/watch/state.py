"""What was watched before: one document per span, so that a repetition adds nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

from contracts.watch import Promise, WatchedSpan
from evidence.watch.drift import Statistics
from records import documents

FOLDER = "monitor"
PAGE_FILE = "index.html"
_SPANS, _PUSHES = "spans", "pushes"
_STATISTICS_FILE = "statistics.pb"
_NUMBERS = re.compile(r"\d+")


def order(span: str) -> tuple[tuple[int, ...], str]:
    """What spans are sorted by: the numbers in their names, and then the names: `day-9` before `day-10`."""
    return tuple(int(number) for number in _NUMBERS.findall(span)), span


class WatchState:
    """The documents under a root about one surface.

    Attributes:
      folder: Where they are.
    """

    def __init__(self, root: Path, surface: str) -> None:
        self.folder = root / FOLDER / surface

    @property
    def page(self) -> Path:
        """The file of the page."""
        return self.folder / PAGE_FILE

    def spans(self) -> list[WatchedSpan]:
        """All spans that were watched, in order; a document that was cut off counts as not there."""
        folders = (self.folder / _SPANS).iterdir() if (self.folder / _SPANS).is_dir() else ()
        found = (documents.find_whole(str(each), WatchedSpan) for each in folders)
        return sorted((each for each in found if each is not None), key=lambda each: order(each.span))

    def span(self, name: str) -> WatchedSpan | None:
        """What a span showed; None where it was not watched."""
        return documents.find_whole(str(self._of_span(name)), WatchedSpan)

    def keep_span(self, found: WatchedSpan) -> None:
        """Keeps what a span showed, in place of what it showed before."""
        documents.write(str(self._of_span(found.span)), found)

    def promise(self, version: int) -> tuple[Promise, Statistics] | None:
        """What was promised of a version, with the statistics that drift is measured from; None if it is not kept."""
        folder = self._of_push(version)
        found = documents.find_whole(str(folder), Promise)
        file = folder / _STATISTICS_FILE
        if found is None or not file.is_file():
            return None
        return found, Statistics.FromString(file.read_bytes())

    def promises(self, versions: Iterable[int]) -> dict[int, Promise]:
        """What was promised of several versions."""
        found = {version: documents.find_whole(str(self._of_push(version)), Promise) for version in versions}
        return {version: each for version, each in found.items() if each is not None}

    def keep_promise(self, promise: Promise, statistics: Statistics) -> None:
        """Keeps what was promised; the document last, which says that all is there."""
        folder = self._of_push(promise.version)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / _STATISTICS_FILE).write_bytes(statistics.SerializeToString())
        documents.write(str(folder), promise)

    def _of_span(self, name: str) -> Path:
        return self.folder / _SPANS / quote(name, safe="")

    def _of_push(self, version: int) -> Path:
        return self.folder / _PUSHES / str(version)
