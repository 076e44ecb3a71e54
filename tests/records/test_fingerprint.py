"""A teacher's fingerprint follows its content and its names, and nothing else."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import pytest

from records.fingerprint import fingerprint
from schema.errors import InputError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "model" / "variables").mkdir(parents=True)
    (tmp_path / "model" / "saved_model.pb").write_bytes(b"graph")
    (tmp_path / "model" / "variables" / "data").write_bytes(b"weights")
    return tmp_path / "model"


def test_is_the_digest_of_names_and_contents(folder: Path) -> None:
    files = [(b"saved_model.pb", b"graph"), (b"variables/data", b"weights")]
    parts = [hashlib.sha256(part).digest() for file in files for part in file]

    assert fingerprint(str(folder)) == hashlib.sha256(b"".join(parts)).hexdigest()


def test_does_not_depend_on_place_or_time(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "copy")
    os.utime(tmp_path / "copy" / "saved_model.pb", (0, 0))

    assert fingerprint(str(tmp_path / "copy") + "/") == fingerprint(str(folder))


def test_changes_with_any_file(folder: Path) -> None:
    before = fingerprint(str(folder))
    (folder / "variables" / "data").write_bytes(b"weightz")
    content = fingerprint(str(folder))
    (folder / "variables" / "data").rename(folder / "variables" / "atad")
    name = fingerprint(str(folder))
    (folder / "more").write_bytes(b"")

    assert len({before, content, name, fingerprint(str(folder))}) == 4


def test_a_folder_that_is_not_there_or_empty(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    with pytest.raises(InputError, match="found no such folder"):
        fingerprint(str(tmp_path / "nowhere"))
    with pytest.raises(InputError, match="found an empty folder"):
        fingerprint(str(tmp_path / "empty"))
