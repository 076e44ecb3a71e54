"""Where a pushed model comes from: a file inside every pushed version.

It lies in `assets.extra`, the part of a SavedModel that loaders leave alone, so that the
version can be served as it is and the file travels with every copy of it.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, ValidationError
from tfx.dsl.io import fileio

from schema.errors import InputError

PROVENANCE_FILE = "assets.extra/provenance.json"


class Origin(BaseModel):
    """What a run knows of its model before it starts; other keys are kept as they are.

    Attributes:
      surface: Name of the surface.
      data_span: The span of examples it was trained on.
      teacher_fingerprint: Of the teacher's content.
      git_revision: Of the code.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    surface: str
    data_span: str | None = None
    teacher_fingerprint: str | None = None
    git_revision: str | None = None


class Provenance(BaseModel):
    """Everything about one pushed version.

    Attributes:
      version: The version, the name of its folder.
      pushed_at: When, in UTC, ISO 8601.
      model: URI of the Model artifact.
      model_fingerprint: Of its content; see `components.model_pusher.content`.
      decision: The sentence by which it was blessed.
      origin: What it was made of.
      rollback_of: The version that this one took the place of, for a rollback.
      restores: The version whose content this one serves again, for a rollback.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: int
    pushed_at: str
    model: str
    model_fingerprint: str
    decision: str
    origin: Origin
    rollback_of: int | None = None
    restores: int | None = None


def read_origin(content: str, asked_by: str = "ModelPusher: provenance") -> Origin:
    """Reads an Origin from JSON.

    Args:
      content: The JSON.
      asked_by: The component and its argument, for messages.

    Raises:
      InputError: It is not one.
    """
    try:
        return Origin.model_validate_json(content)
    except ValidationError as error:
        raise InputError(
            f"{asked_by}: expected a JSON object with at least `surface`, found {content[:200]!r}: {error}"
        ) from error


def read_provenance(version_dir: str) -> Provenance | None:
    """The provenance in a pushed version; None where there is none.

    Raises:
      InputError: There is a file, and it is no provenance.
    """
    path = f"{version_dir}/{PROVENANCE_FILE}"
    if not fileio.exists(path):
        return None
    with fileio.open(path, "r") as file:
        content = file.read()
    try:
        return Provenance.model_validate_json(content)
    except ValidationError as error:
        raise InputError(f"{path}: not the provenance of a pushed model: {error}") from error
