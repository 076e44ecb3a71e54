"""Results appear under their final names all together, after everything is complete and checked.

Workers write to unique names in a staging folder inside the output artifact; nothing reads
it, and a worker that was killed or tried again leaves only a file that nobody commits.  The
executor renames the committed files at the end.  A killed run leaves a staging folder, which
the next run into the same artifact removes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self

from tfx.dsl.io import fileio

from components.teacher_labeler.job import JobSummary
from components.teacher_labeler.plan import LabelShard

_FOLDER = ".staging"
_RENAMES_AT_ONCE = 16  # a rename is a copy in an object store


class Staging:
    """The staging folders of one run, as a context manager: gone when left, with all results if by an error.

    Attributes:
      examples_uri: The output artifact of labelled examples.
      dead_letters_uri: The output artifact of dead letters.
      examples: Folder for labelled shards in progress.
      dead_letters: The same for dead letters.
      marker: Path of the file that a failing worker leaves for the others.
      summary: Path of the job's summary.
    """

    def __init__(self, examples_uri: str, dead_letters_uri: str) -> None:
        self.examples_uri, self.dead_letters_uri = examples_uri.rstrip("/"), dead_letters_uri.rstrip("/")
        self.examples = f"{self.examples_uri}/{_FOLDER}"
        self.dead_letters = f"{self.dead_letters_uri}/{_FOLDER}"
        self.marker = f"{self.examples}/failed"
        self.summary = f"{self.examples}/summary.json"
        self._final_folders: set[str] = set()

    def expect(self, shards: Sequence[LabelShard]) -> Self:
        """Notes which final folders belong to this run."""
        self._final_folders = {_folder(path) for shard in shards for path in (shard.examples, shard.dead_letters)}
        return self

    def read_summary(self) -> JobSummary:
        """What the workers handed back."""
        with fileio.open(self.summary, "r") as file:
            return JobSummary.model_validate_json(file.read())

    def commit(self, files: Iterable[tuple[str, str]]) -> None:
        """Gives each staged file its final name.

        Args:
          files: Path of each staged file, and its final path.
        """
        for folder in sorted(self._final_folders):
            fileio.makedirs(folder)
        with ThreadPoolExecutor(_RENAMES_AT_ONCE) as pool:
            for renamed in [pool.submit(fileio.rename, staged, final) for staged, final in files]:
                renamed.result()

    def __enter__(self) -> Self:
        self._remove(self._final_folders)
        self._remove([self.examples, self.dead_letters])
        fileio.makedirs(self.examples)
        fileio.makedirs(self.dead_letters)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._remove([self.examples, self.dead_letters])
        if kind is not None:
            self._remove(self._final_folders)

    @staticmethod
    def _remove(folders: Iterable[str]) -> None:
        for folder in folders:
            if fileio.exists(folder):
                fileio.rmtree(folder)


def _folder(path: str) -> str:
    return path.rpartition("/")[0]
