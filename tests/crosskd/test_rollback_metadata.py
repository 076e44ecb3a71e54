"""Rollbacks beside metadata that cannot be read or written."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ml_metadata.errors import UnavailableError
from ml_metadata.metadata_store import MetadataStore

from crosskd import rejections, rollback, rolling_back
from crosskd.runs import METADATA_FILE, METADATA_URL_FILE
from pipeline.metadata import connection
from schema.errors import InputError
from tests.crosskd.pushes import intent_of, keep_metadata, marked, push, roll_back, served, versions


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


def empty(metadata: Path) -> None:
    metadata.write_bytes(b"")


def corrupt(metadata: Path) -> None:
    metadata.write_bytes(b"this is no database" * 1000)


def half(metadata: Path) -> None:
    metadata.write_bytes(metadata.read_bytes()[:5000])


def without_runs(metadata: Path) -> None:
    metadata.unlink()
    MetadataStore(connection(str(metadata)))


@pytest.mark.parametrize("damage", [empty, corrupt, half, without_runs])
def test_metadata_that_cannot_be_read_refuse_before_anything_is_done(root: Path, damage: Any) -> None:
    push(root, "a"), push(root, "b")
    keep_metadata(root, "a", "b")
    damage(root / METADATA_FILE)
    with pytest.raises(InputError, match="Nothing was rolled back"):
        rollback.command(root)
    assert served(root) == "b"
    assert len(versions(root)) == 2
    assert not intent_of(root).exists()


_LOCK = """
import sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("begin exclusive")
print("locked", flush=True)
sys.stdin.read()
"""


@pytest.mark.slow
def test_metadata_that_are_locked_refuse_before_anything_is_done(root: Path) -> None:
    push(root, "a"), push(root, "b")
    keep_metadata(root, "a", "b")
    # A process of its own: POSIX locks do not keep a process out that holds them.
    with subprocess.Popen(
        [sys.executable, "-c", _LOCK, str(root / METADATA_FILE)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout.readline() == b"locked\n"
        with pytest.raises(InputError, match=r"the metadata cannot be read or written .*Nothing was rolled back"):
            rollback.command(root)
        other.communicate(b"enough")
    assert len(versions(root)) == 2
    assert not intent_of(root).exists()
    rollback.command(root)
    assert served(root) == "a"


def test_metadata_of_a_server_that_is_away_refuse_before_anything_is_done(root: Path) -> None:
    push(root, "a"), push(root, "b")
    (root / METADATA_URL_FILE).write_text("mysql://crosskd@127.0.0.1:1/metadata\n")
    with pytest.raises(InputError, match=r"the metadata cannot be read or written .*Nothing was rolled back"):
        rollback.command(root)
    assert len(versions(root)) == 2


def test_metadata_that_go_away_in_between_are_marked_by_a_repetition(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    push(root, "a"), push(root, "b")
    store = keep_metadata(root, "a", "b")
    with monkeypatch.context() as patched:

        def away(config: Any) -> None:
            raise UnavailableError("the server is away")

        note = rejections.note_intent
        patched.setattr(
            rolling_back, "note_intent", lambda *a: (note(*a), patched.setattr(rejections, "MetadataStore", away))
        )
        with pytest.raises(InputError, match=r"Version \d+ of .* serves already. Give the same command again"):
            roll_back(root)
    assert served(root) == "a"
    roll_back(root)
    assert len(versions(root)) == 3
    assert marked(store) == {"a": 0, "b": 1}
