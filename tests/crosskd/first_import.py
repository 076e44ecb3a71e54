"""Gives commands, and says where the process's output went when TensorFlow was first imported.

TensorFlow writes to file descriptors from C++ as soon as it is imported.  So whoever imports it must
have turned them to a log before.  Nothing is imported here: the first attempt ends the command.

    python -m tests.crosskd.first_import < COMMANDS > PLACES

Both are JSON: lists of arguments by name, and a `Place` by the same name.
"""

from __future__ import annotations

import importlib.abc
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, NoReturn

from crosskd.main import app

_LIBRARY = "tensorflow"


class Place(StrEnum):
    """Where the output went."""

    LOG = "log"
    TERMINAL = "terminal"
    NOT_IMPORTED = "not imported"


class _ReachedError(BaseException):
    """TensorFlow is about to be imported; no `except Exception` may go on from here."""


class _Watch(importlib.abc.MetaPathFinder):
    def __init__(self) -> None:
        self._terminal = [os.fstat(each) for each in (1, 2)]
        self.place = Place.NOT_IMPORTED

    def find_spec(self, name: str, path: Any, target: Any = None) -> None:
        if name != _LIBRARY:
            return
        now = [os.fstat(each) for each in (1, 2)]
        kept = any(os.path.samestat(*each) for each in zip(self._terminal, now, strict=True))
        self.place = Place.TERMINAL if kept else Place.LOG
        raise _ReachedError


def _give(arguments: Sequence[str], answer: Path) -> NoReturn:
    watch = _Watch()
    sys.meta_path.insert(0, watch)
    said = ""
    try:
        app(list(arguments))
    except (_ReachedError, SystemExit) as ended:
        said = str(ended)
    finally:
        answer.write_text(f"{watch.place}\n{said}", encoding="utf-8")
        os._exit(0)


def main() -> None:
    """Gives each command in a fork, with files in place of the terminal."""
    if _LIBRARY in sys.modules:
        raise RuntimeError(f"expected a command line that imports no {_LIBRARY} before it is used")
    found = {}
    for name, arguments in json.load(sys.stdin).items():
        with tempfile.TemporaryDirectory() as folder:
            answer = Path(folder, "answer")
            child = os.fork()
            if not child:
                for descriptor in (1, 2):
                    os.dup2(os.open(Path(folder, str(descriptor)), os.O_WRONLY | os.O_CREAT), descriptor)
                _give(arguments, answer)
            os.waitpid(child, 0)
            place, _, ended = answer.read_text(encoding="utf-8").partition("\n")
            said = Path(folder, "2").read_text(encoding="utf-8")
            found[name] = {"place": place, "said": f"{said}{ended}"}
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
