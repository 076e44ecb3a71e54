"""Changes to a surface on the command line: `tasks.click.distil.loss=kl`, in place of a folder of its own."""

from __future__ import annotations

import copy
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
    value = read(text.partition("=")[2], repr(text))[0]
    for keys in overridden(content, text):
        place = content
        for key in keys[:-1]:
            place = place.setdefault(key, {})
        # A value of its own for each place, since later overrides may change what is in it.
        place[keys[-1]] = copy.deepcopy(value)


def overridden(content: dict[str, Any], text: str) -> list[tuple[str, ...]]:
    """The keys that lead to each value which an override sets; see `override`.

    Raises:
      InputError: It is not of this form, or leads through something that holds no keys.
    """
    path, separator, _ = text.partition("=")
    keys = path.split(".")
    if not separator or not all(keys) or keys[-1] == _EVERY:
        raise InputError(f"{text!r}: expected key.path=value, for example tasks.click.distil.loss=kl")
    places = list(_places(content, keys, text))
    if not places:
        raise InputError(f"{text!r}: nothing under `*` has the key that follows it")
    return places


def _places(content: Any, keys: list[str], text: str) -> Iterator[tuple[str, ...]]:
    """The keys to each place, a name for each `*`."""
    if not isinstance(content, dict):
        raise InputError(f"{text!r}: expected a mapping before the key {keys[0]!r}, found {content!r}")
    if len(keys) == 1:
        yield (keys[0],)
    elif keys[0] == _EVERY:
        for name, each in content.items():
            if isinstance(each, dict) and keys[1] in each:
                yield from ((name, *inside) for inside in _places(each, keys[1:], text))
    else:
        yield from ((keys[0], *inside) for inside in _places(content.get(keys[0], {}), keys[1:], text))
