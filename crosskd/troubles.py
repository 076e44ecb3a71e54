"""Says in words what the machine does not let a command do: a full disk, a folder that is a file, damaged metadata."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from pathlib import Path

from crosskd.places import METADATA_FILE
from pipeline.failures import chain

_FULL = "Make room and give the same command again; what was finished before is kept."
_READ_ONLY = "Choose a place that can be written, or have it made so, and give the same command again."
_NO_FOLDER = "Choose another path: there must be no file where a folder is to be made."
_IS_FILE = "there is a file where a folder was expected"
# What the operating system says, by its number, and what a person can do.
_ADVICE = {
    errno.ENOSPC: ("no space is left on the disk", _FULL),
    errno.EDQUOT: ("the disk quota is used up", _FULL),
    errno.EFBIG: ("a file may not become as large as it had to", _FULL),
    errno.EROFS: ("the disk can only be read", _READ_ONLY),
    errno.EACCES: ("this user may not do that", _READ_ONLY),
    errno.EPERM: ("this user may not do that", _READ_ONLY),
    errno.ENOTDIR: (_IS_FILE, _NO_FOLDER),
    errno.EEXIST: (_IS_FILE, _NO_FOLDER),
    errno.EISDIR: ("there is a folder where a file was expected", "Move the folder away."),
    errno.ENAMETOOLONG: ("the path is too long", "Choose a shorter one."),
    errno.ELOOP: ("the links in the path lead in a circle", "Mend the links, or choose another path."),
    errno.EIO: ("the disk has an error", "Have the disk looked at."),
    errno.EMFILE: ("too many files are open", "Raise the limit (`ulimit -n`) and give the same command again."),
}
# The same in the words of libraries, and of a worker whose exception arrives as text.
_IN_TEXT = {
    r"No space left on device|database or disk is full": errno.ENOSPC,
    r"Disk quota exceeded": errno.EDQUOT,
    r"File too large": errno.EFBIG,
    r"Read-only file system|attempt to write a readonly database": errno.EROFS,
    r"Permission denied": errno.EACCES,
    r"Too many open files": errno.EMFILE,
}
# What Python's `tempfile` says where nothing can be written: TMPDIR is full, read-only, or not there.
_NO_TEMPORARY = "No usable temporary directory found in"
_PATH_IN_TEXT = re.compile(r"\[Errno \d+\] [^:\n]+: '([^'\n]+)'")
_DAMAGED = re.compile(
    r"file is not a database|database disk image is malformed|file is encrypted or is not a database|"
    r"no such table|schema_version|MLMDEnv|malformed database schema|disk I/O error"
)
# Of a file that is only read: tables are made where there are none.
_NO_TABLES = re.compile(r"attempt to write a readonly database query:\s+CREATE TABLE")
_WORDS = re.compile(r"Error when executing query: (.*?) query:", re.S)
_LOCKED = re.compile(r"database is locked")


def explain(error: BaseException, root: Path | None = None) -> str | None:
    """What is wrong, and what to do about it; None where it is no trouble of this kind.

    Args:
      error: What was raised; also by a library, and from within others.
      root: The command's `--root`, whose metadata may be meant.
    """
    for each in chain(error):
        found = _of_metadata(each, root) or _of_system(each)
        if found is not None:
            return found
    return None


def reason(error: BaseException) -> str:
    """What is wrong, in a few words: without the query that a database was asked."""
    text = str(error)
    if _NO_TABLES.search(text):
        return "it holds none"
    number = next(_numbers(text), None)
    if number is not None:
        return _ADVICE[number][0]
    said = _WORDS.search(text)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return said[1] if said else lines[0][:200] if lines else type(error).__name__


def _of_system(error: BaseException) -> str | None:
    text = str(error)
    if _NO_TEMPORARY in text:
        return f"{text[text.index(_NO_TEMPORARY) :].splitlines()[0]}. Set TMPDIR to a folder with room."
    number = error.errno if isinstance(error, OSError) else next(_numbers(text), None)
    if number not in _ADVICE:
        return None
    said, advice = _ADVICE[number]
    path = error.filename if isinstance(error, OSError) else None
    in_text = _PATH_IN_TEXT.search(text)
    where = path or (in_text[1] if in_text else None)
    return f"{where}: {said}. {advice}" if where else f"{said[0].upper()}{said[1:]}. {advice}"


def _numbers(text: str) -> Iterator[int]:
    return (number for pattern, number in _IN_TEXT.items() if re.search(pattern, text))


def _of_metadata(error: BaseException, root: Path | None) -> str | None:
    of_metadata = type(error).__module__.startswith(("ml_metadata", "sqlite3")) or isinstance(error, RuntimeError)
    if not of_metadata:
        return None
    file = root / METADATA_FILE if root is not None else METADATA_FILE
    text = str(error)
    if _LOCKED.search(text):
        return f"{file}: another process is writing the metadata. Give the same command again when it is done."
    if not (_DAMAGED.search(text) or _NO_TABLES.search(text)):
        return None
    return (
        f"{file}: the metadata cannot be read ({reason(error)}). Put back a copy of the file; or move it "
        "away and give the same `crosskd run` again, which computes everything anew and compares with what serves."
    )
