"""Which code made an output: part of the cache key of every node that runs code of this project.

TFX's cache knows an executor by its class path, and a function by its import path; without
this, a new release would go on using what an old one made.  What counts is the closure of
what the node's modules import from this project, found in the sources, with no list kept by
hand: a changed loss is a changed Trainer.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.util
import sys
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path

_DISTRIBUTION = "crosskd"
# Files that a package reads beside its modules.
_DATA = "templates/*"


def code_version(*modules: str) -> str:
    """Fingerprint of modules, of all modules of this project that they import, and of their packages' templates.

    Args:
      *modules: Import paths; a package stands for all modules in it.  What they import from
        other packages counts if it is of this project, or of the same top-level package as
        one of `modules`, which may be a user's.

    Returns:
      16 hexadecimal digits.

    Raises:
      ModuleNotFoundError: One of `modules` is not to be found.
    """
    digest = hashlib.sha256()
    reached = closure(*modules)
    for name in sorted(reached):
        digest.update(f"{name}\0".encode() + reached[name].read_bytes() + b"\0")
    for data in sorted({each for path in reached.values() for each in path.parent.glob(_DATA)}):
        digest.update(f"{data.name}\0".encode() + data.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def closure(*modules: str) -> dict[str, Path]:
    """The modules that `code_version` is about, with their files."""
    followed = {*_of_this_project(), *(name.partition(".")[0] for name in modules)}
    pending = [each for name in modules for each in _with_submodules(name)]
    reached: dict[str, Path] = {}
    seen: set[str] = set()
    while pending:
        name = pending.pop()
        if name in seen:
            continue
        seen.add(name)
        path = _file(name)
        if path is None:
            continue
        reached[name] = path
        found = _imported(path.read_bytes(), name if path.name == "__init__.py" else name.rpartition(".")[0])
        pending += [each for each in _with_parents(found) if each.partition(".")[0] in followed]
    return reached


@functools.cache
def _of_this_project() -> tuple[str, ...]:
    """The top-level packages that the distribution installs."""
    return tuple((metadata.distribution(_DISTRIBUTION).read_text("top_level.txt") or "").split())


def _with_submodules(name: str) -> Iterator[str]:
    path = _file(name)
    if path is None:
        raise ModuleNotFoundError(f"{name}: no such module, so that its code cannot be part of a cache key")
    yield from _with_parents([name])
    if path.name == "__init__.py":
        for each in sorted(path.parent.rglob("*.py")):
            inside = each.relative_to(path.parent).with_suffix("").parts
            yield ".".join((name, *(inside[:-1] if inside[-1] == "__init__" else inside)))


def _with_parents(names: Iterable[str]) -> Iterator[str]:
    """Importing `a.b.c` runs `a` and `a.b` first."""
    for name in names:
        parts = name.split(".")
        yield from (".".join(parts[:count]) for count in range(1, len(parts) + 1))


def _file(name: str) -> Path | None:
    """The source of a module; None if it is none, as with a class that is imported from one."""
    top, *rest = name.split(".")
    origin = _origin(top, tuple(sys.path))
    if origin is None or not rest:
        return origin
    place = origin.parent.joinpath(*rest)
    return next((path for path in (place.with_suffix(".py"), place / "__init__.py") if path.is_file()), None)


@functools.lru_cache(maxsize=1024)
def _origin(top: str, path: tuple[str, ...]) -> Path | None:
    """The source of a top-level module under this `sys.path`."""
    del path  # part of the cache's key
    spec = importlib.util.find_spec(top)
    return Path(spec.origin) if spec is not None and spec.origin is not None else None


@functools.lru_cache(maxsize=1024)
def _imported(source: bytes, package: str) -> tuple[str, ...]:
    """What a module imports, wherever in it; of `from a import b` both, since `b` may be a module."""
    found: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            found += [base, *(f"{base}.{alias.name}" for alias in node.names)]
    return tuple(found)
