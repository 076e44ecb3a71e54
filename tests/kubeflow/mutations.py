"""Changes of the product that bring old faults back, applied to its modules while a test runs."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Edit:
    """One edit of a module's source.

    Attributes:
      module: Import path of the module.
      old: A text that stands once in it.
      new: What takes its place.
    """

    module: str
    old: str
    new: str


def changed(module: str, edits: Iterable[Edit]) -> str:
    """A module's source, with those edits that are of it.

    Raises:
      ValueError: An `old` does not stand there once: the product has moved on, and so must the edit.
    """
    text = _read(module)
    for edit in edits:
        if edit.module != module:
            continue
        if text.count(edit.old) != 1:
            raise ValueError(f"{module}: expected {edit.old!r} once, found it {text.count(edit.old)} times")
        text = text.replace(edit.old, edit.new)
    return text


@contextmanager
def applied(edits: tuple[Edit, ...]) -> Iterator[None]:
    """Executes changed sources in their modules, for whoever has imported them; the right ones afterwards."""
    with ExitStack() as right:
        for module in dict.fromkeys(edit.module for edit in edits):
            right.callback(_execute, module, _read(module))
            _execute(module, changed(module, edits))
        yield


def _read(module: str) -> str:
    return Path(str(importlib.import_module(module).__file__)).read_text()


def _execute(name: str, source: str) -> None:
    module = importlib.import_module(name)
    exec(compile(source, str(module.__file__), "exec"), module.__dict__)
