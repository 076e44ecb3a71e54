"""Where a root lies, and where its metadata say that it lies.

TFX writes absolute paths into the metadata.  So a root that was moved, or copied, names the files of
the place where it was made: another root's report, and another root's push destination.
"""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

from contracts import nodes
from schema.errors import InputError

METADATA_FILE = "metadata.sqlite"
# The folder with one folder of versions for each surface.
SERVING = "serving"
_ARTIFACTS = "artifacts"
# The first node of each run: nobody imports its artifacts from another root.
_FIRST = f"/{_ARTIFACTS}/{nodes.IMPORT_SCHEMA_GEN}/"
_NEWEST = "SELECT uri FROM Artifact WHERE instr(uri, ?) > 0 ORDER BY id DESC LIMIT 1"
_OF_AN_ARTIFACT = re.compile(rf"^.*/{_ARTIFACTS}/([^/]+/[^/]+/\d+)$")


def serving_folder(root: Path, surface: str) -> Path:
    """The folder under a root that a model server watches."""
    return root / SERVING / surface


def recorded_place(root: Path) -> Path | None:
    """Where the metadata of a root say that it lies; None where they say nothing, or are kept by a server."""
    file = root.resolve() / METADATA_FILE
    if not file.is_file():
        return None
    try:
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as connection:
            found = connection.execute(_NEWEST, (_FIRST,)).fetchone()
    except sqlite3.Error:  # whoever reads them for more says what is wrong with them
        return None
    return Path(str(found[0]).partition(_FIRST)[0]) if found else None


def expect_here(root: Path) -> None:
    """Checks that a root lies where its metadata say.

    Raises:
      InputError: It was moved or copied.
    """
    recorded, here = recorded_place(root), root.resolve()
    if recorded is not None and recorded != here:
        raise InputError(
            f"{here}: this root was made at {recorded}, and moved or copied since: its metadata name files there. "
            f"`crosskd relocate --root {here}` makes it work where it lies now."
        )


def in_root(root: Path, uri: str) -> str:
    """The place under `root` of an artifact that may have been recorded under another place of the same root."""
    found = _OF_AN_ARTIFACT.match(uri)
    return str(root.resolve() / _ARTIFACTS / found[1]) if found else uri
