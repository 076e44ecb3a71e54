"""The one JSON document that an artifact of ours holds: written whole, read back checked."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel, ValidationError
from tfx.dsl.io import fileio

from schema.errors import InputError

Document = TypeVar("Document", bound=BaseModel)


def write(uri: str, name: str, document: BaseModel) -> None:
    """Writes `document` as the file `name` in an artifact's folder."""
    fileio.makedirs(uri)
    with fileio.open(_path(uri, name), "w") as file:
        file.write(document.model_dump_json(indent=2))


def read(uri: str, name: str, kind: type[Document], what: str) -> Document:
    """Reads the file `name` in an artifact's folder.

    Args:
      uri: The artifact's folder.
      name: The file.
      kind: The document's type.
      what: What a person calls it, with an article.

    Raises:
      InputError: There is no such file, or it is no such document.
    """
    path = _path(uri, name)
    if not fileio.exists(path):
        raise InputError(f"{path}: expected {what}, found no such file")
    with fileio.open(path, "r") as file:
        content = file.read()
    try:
        return kind.model_validate_json(content)
    except ValidationError as error:
        raise InputError(f"{path}: not {what}: {error}") from error


def _path(uri: str, name: str) -> str:
    return f"{uri.rstrip('/')}/{name}"
