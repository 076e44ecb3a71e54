"""The one JSON document that an artifact of ours holds: written whole, read back checked."""

from __future__ import annotations

from typing import ClassVar, Protocol, Self, TypeVar

from pydantic import ValidationError
from tfx.dsl.io import fileio

from schema.errors import InputError


class Document(Protocol):
    """What `contracts.base.Document` offers."""

    FILE: ClassVar[str]
    TITLE: ClassVar[str]

    def model_dump_json(self, *, indent: int | None = None) -> str:
        """The document as JSON."""

    @classmethod
    def model_validate_json(cls, json_data: str | bytes | bytearray) -> Self:
        """The document in the JSON."""


Read = TypeVar("Read", bound=Document)


def write(uri: str, document: Document) -> None:
    """Writes a document into an artifact's folder."""
    path = _path(uri, document.FILE)
    fileio.makedirs(path.rpartition("/")[0])
    with fileio.open(path, "w") as file:
        file.write(document.model_dump_json(indent=2))


def read(uri: str, kind: type[Read]) -> Read:
    """Reads the document in an artifact's folder.

    Args:
      uri: The artifact's folder.
      kind: The document's type.

    Raises:
      InputError: There is no such file, or it is no such document.
    """
    path = _path(uri, kind.FILE)
    if not fileio.exists(path):
        raise InputError(f"{path}: expected {kind.TITLE}, found no such file")
    with fileio.open(path, "r") as file:
        content = file.read()
    try:
        return kind.model_validate_json(content)
    except ValidationError as error:
        raise InputError(f"{path}: not {kind.TITLE}: {error}") from error


def find(uri: str, kind: type[Read]) -> Read | None:
    """Reads the document in a folder; None if the folder has none.

    Raises:
      InputError: There is a file, and it is no such document.
    """
    return read(uri, kind) if fileio.exists(_path(uri, kind.FILE)) else None


def _path(uri: str, name: str) -> str:
    return f"{uri.rstrip('/')}/{name}"
