"""Changes to a surface on the command line: `tasks.click.distil.loss=kl`, in place of a folder of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from schema.errors import InputError
from schema.yaml_text import read

_EVERY = "*"


def override(content: dict[str, Any], text: str) -> None:
    """Sets one key of a surface's content in place.

    Args:
      content: What ``surface.yaml`` holds.
      text: `key.path=value`, the value as YAML.  A `*` in the path stands for all that have
        the key after it: `tasks.*.distil.loss=mse` changes the tasks that are distilled.

    Raises:
      InputError: It is not of this form, or leads through something that holds no keys.
    """
    path, separator, value = text.partition("=")
    keys = path.split(".")
    if not separator or not all(keys) or keys[-1] == _EVERY:
        raise InputError(f"{text!r}: expected key.path=value, for example tasks.click.distil.loss=kl")
    places = list(_places(content, keys, text))
    if not places:
        raise InputError(f"{text!r}: nothing under `*` has the key that follows it")
    for place in places:
        place[keys[-1]] = read(value, repr(text))[0]


def _places(content: Any, keys: list[str], text: str) -> Iterator[dict[str, Any]]:
    """The mappings that hold the last key; those on the way are made where they are absent."""
    if not isinstance(content, dict):
        raise InputError(f"{text!r}: expected a mapping before the key {keys[0]!r}, found {content!r}")
    if len(keys) == 1:
        yield content
    elif keys[0] == _EVERY:
        for each in content.values():
            if isinstance(each, dict) and keys[1] in each:
                yield from _places(each, keys[1:], text)
    else:
        yield from _places(content.setdefault(keys[0], {}), keys[1:], text)
