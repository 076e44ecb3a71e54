from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import schema
from schema.errors import InputError
from schema.loader import load_surface


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(Path(schema.__path__[0]) / "homepage", tmp_path / "homepage"))


def add(folder: Path, line: str) -> None:
    file = folder / "surface.yaml"
    file.write_text(file.read_text() + f"\n{line}\n")


def test_a_surface_may_name_the_column_of_its_groups(folder: Path) -> None:
    assert load_surface(folder).surface.group is None
    add(folder, "group: user_id")
    assert load_surface(folder).surface.group == "user_id"


def test_the_column_must_exist(folder: Path) -> None:
    add(folder, "group: user_idd")
    with pytest.raises(InputError, match=r"group: expected a feature of .*schema\.pbtxt, found 'user_idd'.*'user_id'"):
        load_surface(folder)
