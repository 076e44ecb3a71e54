"""People of another simulator, by import path: loaded, called, and named where they fail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from models import own_code
from schema.errors import InputError
from schema.own_code import is_import_path
from worlds.browsing import EmbeddedVisitors
from worlds.population import Bools
from worlds.visitors import MakeVisitors, Opening, Page, Reaction, Setting, Visitors

OPTION = "--visitors"
_METHODS = ("returns", "open", "view")


class OwnVisitors:
    """Visitors of the user's own code, whose errors say that they are of that code."""

    def __init__(self, path: str, own: Visitors) -> None:
        """The people that the function at `path` made."""
        self._path, self._own = path, own

    def returns(self, day: int) -> Bools:
        """What their `returns` says."""
        return self._call(self._own.returns, day)

    def open(self, sessions: Opening) -> None:
        """Calls their `open`."""
        self._call(self._own.open, sessions)

    def view(self, page: Page) -> Reaction:
        """What their `view` says."""
        return self._call(self._own.view, page)

    def _call(self, method: Callable[[Any], Any], argument: Any) -> Any:
        try:
            return method(argument)
        except Exception as error:
            name = getattr(method, "__qualname__", str(method))
            raise InputError(f"{OPTION} {self._path}: {name} raised {type(error).__name__}: {error}") from error


def visitors_of(path: str | None) -> MakeVisitors:
    """Who makes the people of an arm: the embedded world, or the function at an import path.

    Args:
      path: `package.module:function`, which takes a `worlds.visitors.Setting` and returns
        `worlds.visitors.Visitors`; None for the embedded world's people.

    Raises:
      InputError: It is no import path, or nothing that can be called is there.
    """
    if path is None:
        return EmbeddedVisitors
    if not is_import_path(path):
        raise InputError(f"{OPTION} {path}: expected an import path, `package.module:function`")
    own_code.load(path, OPTION)

    def make(setting: Setting) -> Visitors:
        own = own_code.call(path, OPTION, setting)
        lacking = [name for name in _METHODS if not callable(getattr(own, name, None))]
        if lacking:
            found = f"{type(own).__name__} without {', '.join(lacking)}"
            raise own_code.refused(path, OPTION, f"expected visitors with {', '.join(_METHODS)}; found {found}")
        return OwnVisitors(path, own)

    return make
