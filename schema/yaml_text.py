"""Reads YAML with the place of every value, and refuses keys that stand twice.

YAML's loaders take the last of two equal keys without a word: a second `gates:` removes the
first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from schema.errors import InputError

Keys = tuple[str | int, ...]
_MERGE = "tag:yaml.org,2002:merge"


@dataclass(frozen=True)
class Place:
    """Where a value stands: line and column count from 1; `text` as it is written, for a plain value."""

    line: int
    column: int
    text: str | None = None

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}"


def read(text: str, where: str) -> tuple[Any, dict[Keys, Place]]:
    """Reads one YAML document.

    Args:
      text: It.
      where: What it is, for messages: the file.

    Returns:
      Its content, and the place of each value by the keys that lead to it.

    Raises:
      InputError: It is no YAML, or keys stand twice in one mapping; all of these are named.
    """
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        reader = _Reader()
        if root is not None:
            reader.walk(root, ())
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InputError(f"{where}: not valid YAML: {error}") from error
    if reader.repeated:
        raise InputError(*(f"{where}: {each}" for each in reader.repeated))
    return content, reader.places


def place_of(places: Mapping[Keys, Place], keys: Sequence[str | int]) -> Place | None:
    """The place of the value under `keys`, or of the innermost one around it; None if only the whole file is."""
    known = (places[tuple(keys[:length])] for length in range(len(keys), 0, -1) if tuple(keys[:length]) in places)
    return next(known, None)


class _Reader:
    """Goes through a document's nodes; `repeated` has a sentence for each key that stands twice."""

    def __init__(self) -> None:
        self.places: dict[Keys, Place] = {}
        self.repeated: list[str] = []
        self._open: list[yaml.Node] = []

    def walk(self, node: yaml.Node, keys: Keys) -> None:
        if any(node is each for each in self._open):  # an alias of what it stands in
            return
        self._open.append(node)
        if isinstance(node, yaml.MappingNode):
            self._mapping(node, keys)
        elif isinstance(node, yaml.SequenceNode):
            for index, each in enumerate(node.value):
                self._value(each, (*keys, index))
        self._open.pop()

    def _mapping(self, node: yaml.MappingNode, keys: Keys) -> None:
        first: dict[Any, yaml.Node] = {}
        for key, value in node.value:
            name = _constructed(key)
            if name in first and key.tag != _MERGE:
                here, there = _place(key), _place(first[name])
                self.repeated.append(
                    f"{'.'.join(map(str, (*keys, name)))}: this key stands twice, in line {there.line} and in {here}; "
                    "expected it once. Put both together, or remove one."
                )
            first.setdefault(name, key)
            self._value(value, (*keys, name))

    def _value(self, node: yaml.Node, keys: Keys) -> None:
        self.places[keys] = _place(node)
        self.walk(node, keys)


def _constructed(key: yaml.Node) -> Any:
    """The key as Python has it: 1, 1.0 and true are the same."""
    if key.tag == _MERGE:
        return "<<"
    loader = yaml.SafeLoader("")
    try:
        return loader.construct_object(key, deep=True)
    finally:
        loader.dispose()


def _place(node: yaml.Node) -> Place:
    mark = node.start_mark
    text = node.value if isinstance(node, yaml.ScalarNode) and node.style is None else None
    return Place(mark.line + 1, mark.column + 1, text)
