"""The page about the structure names what there is."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "house.md").read_text(encoding="utf-8")


def test_every_room_has_its_row():
    rooms = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests"} | {"kubeflow"}
    assert set(re.findall(r"^\| `(\w+)/` ", PAGE, re.MULTILINE)) == rooms


def test_the_longest_way_is_ten_modules_that_exist():
    way = re.findall(r"^  ([a-z_.]+)  ", PAGE, re.MULTILINE)
    assert len(way) == 10
    assert [name for name in way if not (ROOT / f"{name.replace('.', '/')}.py").is_file()] == []
