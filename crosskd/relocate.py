"""`crosskd relocate`: makes a root work that was moved or copied."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from crosskd.launch import lock
from crosskd.places import METADATA_FILE, recorded_place
from crosskd.terminal import TERMINAL
from schema.errors import InputError

_TEXTS = {
    "Artifact": "uri",
    "ArtifactProperty": "string_value",
    "ExecutionProperty": "string_value",
    "ContextProperty": "string_value",
}


def command(
    root: Annotated[Path, typer.Option(help="The root, where it lies now.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Make a root that was moved or copied name its own files again."""
    with lock(root):
        before, changed = relocate(root)
    if as_json:
        TERMINAL.json({"root": str(root.resolve()), "before": str(before), "changed": changed})
    elif changed:
        TERMINAL.out.print(
            f"{root.resolve()}: {changed:,} entries of the metadata named {before}, and name this root now.",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
    else:
        TERMINAL.out.print(f"{root.resolve()}: it lies where it was made; nothing to do.", markup=False, soft_wrap=True)


def relocate(root: Path) -> tuple[Path, int]:
    """Puts the place where a root lies into its metadata, all at once or not at all.

    What a run was given from outside of the root (examples, teacher) stays as it is.

    Args:
      root: The root, where it lies now.

    Returns:
      Where it lay, and how many entries were changed.

    Raises:
      InputError: There are no metadata in a file, or they cannot be written.
    """
    here = root.resolve()
    if not (here / METADATA_FILE).is_file():
        raise InputError(
            f"{here}: expected the root of a run with {METADATA_FILE} in it. Of a root whose metadata a server keeps, "
            "put a link at its old place that leads to the new one."
        )
    before = recorded_place(here)
    if before is None:
        raise InputError(f"{here / METADATA_FILE}: the metadata know of no run, or cannot be read; nothing was changed")
    if before == here:
        return before, 0
    with closing(sqlite3.connect(here / METADATA_FILE)) as connection, connection:
        changed = sum(
            _replace(connection, table, column, *pair)
            for table, column in _TEXTS.items()
            for pair in _spellings(str(before), str(here))
        )
    return before, changed


def _spellings(before: str, here: str) -> list[tuple[str, str]]:
    """Both paths as they are, and as they are written in JSON, if that is something else."""
    plain = (before, here)
    escaped = (json.dumps(before)[1:-1], json.dumps(here)[1:-1])
    return [plain] if escaped == plain else [plain, escaped]


def _replace(connection: sqlite3.Connection, table: str, column: str, before: str, here: str) -> int:
    """Replaces a path where it stands alone or begins a longer one."""
    changed = connection.execute(
        f"UPDATE {table} SET {column} = replace({column}, ?, ?) WHERE instr({column}, ?) > 0",
        (f"{before}/", f"{here}/", f"{before}/"),
    ).rowcount
    alone = connection.execute(f"UPDATE {table} SET {column} = ? WHERE {column} = ?", (here, before)).rowcount
    return changed + alone
