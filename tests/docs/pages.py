"""The pages of the documentation, and the commands in them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
DOCS = ROOT / "docs"
# Those of the notebooks are made from them.
PAGES = [ROOT / "README.md", *sorted(page for page in DOCS.rglob("*.md") if page.parent.name != "notebooks")]

# A comment before a block says who executes it: nobody, the test here, or a test that it names.
_BLOCK = re.compile(r"(?:<!-- (?P<mark>executed[^>]*?) -->\n)?```(?P<language>\w+)[^\n]*\n(?P<code>.*?)\n```", re.S)


@dataclass(frozen=True)
class Block:
    """One fenced block of a page.

    Attributes:
      page: The file's name.
      language: `bash`, `python`, ...
      code: What is in it.
      mark: `executed`, `executed by ...`, or nothing.
    """

    page: str
    language: str
    code: str
    mark: str

    @property
    def commands(self) -> list[str]:
        """The lines of a shell block, those that end in a backslash joined, without comments."""
        joined = self.code.replace("\\\n", " ")
        return [line for line in joined.splitlines() if line.strip() and not line.startswith("#")]


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page that have a language."""
    for found in _BLOCK.finditer(page.read_text(encoding="utf-8")):
        yield Block(page.name, found["language"], found["code"], found["mark"] or "")


def crosskd_calls(block: Block) -> Iterator[list[str]]:
    """The arguments of every `crosskd` in a shell block."""
    for line in block.commands:
        words = shlex.split(line.partition(" # ")[0])
        if words and words[0] == "crosskd":
            yield words[1:]


def quoted_errors(heading: str) -> list[str]:
    """The messages that a table of the page on errors explains; dots stand for names and numbers."""
    page = (DOCS / "errors.md").read_text(encoding="utf-8")
    table = page.partition(heading)[2].partition("\n## ")[0]
    cells = re.findall(r"^\| (`.+?`) \|", table, re.M)
    return [quote for cell in cells for quote in re.findall(r"`([^`]+)`", cell)]
