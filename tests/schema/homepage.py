"""The shipped home page's surface, and changes of it."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import yaml

SHIPPED = Path(__file__).parents[2] / "schema"
CONTENT = yaml.safe_load((SHIPPED / "homepage" / "surface.yaml").read_text())
SCHEMA = (SHIPPED / "homepage" / "schema.pbtxt").read_text()


def changed(path: str, value: Any) -> dict[str, Any]:
    """The home page's surface with `value` at the dotted `path`."""
    content = copy.deepcopy(CONTENT)
    *way, last = path.split(".")
    place: Any = content
    for part in way:
        place = place[int(part)] if isinstance(place, list) else place[part]
    place[int(last) if isinstance(place, list) else last] = value
    return content


def without(key: str) -> dict[str, Any]:
    return {name: value for name, value in CONTENT.items() if name != key}


TEXT = (SHIPPED / "homepage" / "surface.yaml").read_text()
