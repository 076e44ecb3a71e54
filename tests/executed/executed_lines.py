"""Which lines of this project ran, in whichever process: a byte for each, in files that all processes share.

A trace function on Python 3.11 slows down every line of every library.  Instead, each module of
this project is compiled with one statement more before each of its own, which sets that line's
byte in a mapped file.  So threads, workers of Beam, servers and processes that are killed all
count, and nothing has to be collected when they end.  `report.py` hands the lines to coverage.py.
"""

from __future__ import annotations

import ast
import marshal
import mmap
import os
from collections.abc import Iterator
from functools import cache
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType

VARIABLE = "EXECUTED_LINES"
ROOT = Path(__file__).resolve().parent.parent.parent
_BYTES = "__executed_lines__"


class Lines(mmap.mmap):
    """The bytes of a module's lines; a function that is pickled by value takes them along by name."""

    name: str

    def __reduce__(self) -> tuple:
        return lines_of, (self.name,)


@cache
def lines_of(name: str) -> Lines:
    """The bytes of the module `name`, a path relative to the project; byte n is that of line n."""
    file = _kept(name, ".lines")
    with os.fdopen(os.open(file, os.O_RDWR | os.O_CREAT), "r+b") as opened:
        # Several processes may come first: growing to the same size twice keeps what was written.
        opened.truncate((ROOT / name).read_bytes().count(b"\n") + 2)
        found = Lines(opened.fileno(), 0)
    found.name = name
    return found


def measured() -> Iterator[Path]:
    """The files that are measured: those of all packages but the tests, and the scripts of kubeflow/."""
    folders = {file.parent for file in ROOT.glob("*/__init__.py")} - {ROOT / "tests"} | {ROOT / "kubeflow"}
    return (file for folder in sorted(folders) for file in folder.rglob("*.py"))


def executed(name: str) -> list[int]:
    """The lines of a module that ran."""
    file = _kept(name, ".lines")
    return [line for line, ran in enumerate(file.read_bytes()) if ran] if file.is_file() else []


def start() -> None:
    """From here on, the project's modules are compiled so that their lines are counted."""
    names = {str(file): file.relative_to(ROOT).as_posix() for file in measured()}
    compile_plainly = SourceFileLoader.get_code

    def get_code(self: SourceFileLoader, fullname: str) -> CodeType | None:
        name = names.get(self.get_filename(fullname))
        return compile_plainly(self, fullname) if name is None else _code(name)

    SourceFileLoader.get_code = get_code  # type: ignore[method-assign]  # There is no hook for this alone.


def _kept(name: str, ending: str) -> Path:
    return Path(os.environ[VARIABLE]) / (name.replace("/", "..") + ending)


def _code(name: str) -> CodeType:
    """The code of a module, compiled once for all processes."""
    compiled = _kept(name, ".code")
    if not compiled.is_file():
        code = compile(count(ast.parse((ROOT / name).read_bytes()), name), str(ROOT / name), "exec", dont_inherit=True)
        own = compiled.with_suffix(f".{os.getpid()}")
        own.write_bytes(marshal.dumps(code))
        own.rename(compiled)
    return marshal.loads(compiled.read_bytes())


def count(module: ast.Module, name: str) -> ast.Module:
    """Puts before each statement one that sets the line's byte."""
    first = next((place for place, each in enumerate(module.body) if not _comes_first(each)), len(module.body))
    heading, module.body = module.body[:first], module.body[first:]
    for node in [*ast.walk(module)]:
        for field in ("body", "orelse", "finalbody"):
            block = getattr(node, field, None)
            if isinstance(block, list):
                setattr(node, field, [each for statement in block for each in _marked(statement)])
    for node in ast.walk(module):
        _mark_choices(getattr(node, "handlers", None) or getattr(node, "cases", None) or [])
    get = ast.parse(f"{_BYTES} = __import__({__name__!r}).lines_of({name!r})").body
    module.body = [*heading, *get, *_marks([each.lineno for each in heading]), *module.body]
    return ast.fix_missing_locations(module)


def _comes_first(statement: ast.stmt) -> bool:
    """Whether it is a docstring, or an import from the future, before which nothing may stand."""
    if isinstance(statement, ast.ImportFrom):
        return statement.module == "__future__"
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _marked(statement: ast.stmt) -> list[ast.stmt]:
    """A statement after the marks of the lines on which it and its decorators begin; a docstring has none."""
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        return [statement]
    lines = [statement.lineno, *(each.lineno for each in getattr(statement, "decorator_list", []))]
    return [*_marks(lines), statement]


def _mark_choices(choices: list) -> None:
    """Counts `except` and `case`: to come to one, all before it were looked at."""
    lines: list[int] = []
    for choice in choices:
        lines.append(getattr(choice, "pattern", choice).lineno)
        # What was looked at is counted inside of what was chosen.
        choice.body = [*_marks(lines), *choice.body]


def _marks(lines: list[int]) -> list[ast.stmt]:
    return [each for line in lines for each in _mark(line)]


def _mark(line: int) -> list[ast.stmt]:
    marks = ast.parse(f"{_BYTES}[{line}] = 1").body
    for node in ast.walk(marks[0]):
        if "lineno" in node._attributes:
            node.lineno = node.end_lineno = line  # type: ignore[attr-defined]  # Not every node has a place.
    return marks
