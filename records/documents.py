"""The one JSON document that an artifact of ours holds: written whole, read back checked."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Protocol, Self, TypeVar

from pydantic import ValidationError

from schema.errors import InputError


class ReadableDocument(Protocol):
    """What `contracts.base.Document` offers."""

    FILE: ClassVar[str]
    TITLE: ClassVar[str]

    def model_dump_json(self, *, indent: int | None = None) -> str:
        """The document as JSON."""

    @classmethod
    def model_validate_json(cls, json_data: str | bytes | bytearray) -> Self:
        """The document in the JSON."""


Read = TypeVar("Read", bound=ReadableDocument)


def write(uri: str, document: ReadableDocument) -> None:
    """Writes a document into an artifact's folder."""
    path, content = _path(uri, document.FILE), document.model_dump_json(indent=2)
    folder = path.rpartition("/")[0]
    if is_local(path):
        Path(folder).mkdir(parents=True, exist_ok=True)
        Path(path).write_text(content, encoding="utf-8")
        return
    from tfx.dsl.io import fileio

    fileio.makedirs(folder)
    with fileio.open(path, "w") as file:
        file.write(content)


def read(uri: str, kind: type[Read]) -> Read:
    """Reads the document in an artifact's folder.

    Args:
      uri: The artifact's folder.
      kind: The document's type.

    Raises:
      InputError: There is no such file, or it is no such document.
    """
    path = _path(uri, kind.FILE)
    content = _content(path)
    if content is None:
        raise InputError(f"{path}: expected {kind.TITLE}, found no such file")
    try:
        return kind.model_validate_json(content)
    except ValidationError as error:
        raise InputError(f"{path}: not {kind.TITLE}: {error}") from error


def find(uri: str, kind: type[Read]) -> Read | None:
    """Reads the document in a folder; None if the folder has none.

    Raises:
      InputError: There is a file, and it is no such document.
    """
    return None if _content(_path(uri, kind.FILE)) is None else read(uri, kind)


def _content(path: str) -> str | None:
    """The text of a file; None if there is none."""
    if is_local(path):
        return Path(path).read_text(encoding="utf-8") if Path(path).is_file() else None
    from tfx.dsl.io import fileio

    if not fileio.exists(path):
        return None
    with fileio.open(path, "r") as file:
        return str(file.read())


def is_local(path: str) -> bool:
    """Whether a path needs none of TFX's file systems, which take seconds to import."""
    return "://" not in path


def find_whole(uri: str, kind: type[Read]) -> Read | None:
    """Reads the document in a folder; None if the folder has none, or one that is damaged.

    For callers that look at the whole folder otherwise, and say what is wrong with it.
    """
    try:
        return find(uri, kind)
    except InputError:
        return None


def _path(uri: str, name: str) -> str:
    return f"{uri.rstrip('/')}/{name}"
