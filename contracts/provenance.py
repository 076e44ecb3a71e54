"""Where a pushed model comes from: a file inside every pushed version.

It lies in `assets.extra`, the part of a SavedModel that loaders leave alone, so that the
version can be served as it is and the file travels with every copy of it.
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from contracts.base import Document, Part


class Origin(BaseModel):
    """What a run knows of its model before it starts; other keys are kept as they are.

    Attributes:
      surface: Name of the surface.
      data_span: The span of examples it was trained on.
      teacher_fingerprint: The fingerprint of the teacher's content.
      git_revision: The git revision of the code.
      task_kinds: The kind of each task, by name.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    surface: str
    data_span: str | None = None
    teacher_fingerprint: str | None = None
    git_revision: str | None = None
    task_kinds: dict[str, str] | None = None


class TrainingLeft(Part):
    """What a run left of its training, for later runs to continue from.

    Attributes:
      digest: What is kept beside the versions, student and control; see `records.training_states`.
      data: Which examples it was trained on, as `contracts.continuation.ArmState` has it.
      lineage: The same of the runs that it continued from.
    """

    digest: str
    data: str
    lineage: tuple[str, ...] = ()


class Provenance(Document):
    """Everything about one pushed version.

    Attributes:
      version: The version, the name of its folder.
      pushed_at: When, in UTC, ISO 8601.
      model: URI of the Model artifact.
      model_fingerprint: The fingerprint of its content; see `records.content`.
      decision: The sentence by which it was blessed.
      origin: What it was made of.
      rollback_of: The version that this one took the place of, for a rollback.
      restores: The version whose content this one serves again, for a rollback.
      training: What its run left to continue from; None where it left nothing.
    """

    FILE: ClassVar[str] = "assets.extra/provenance.json"
    TITLE: ClassVar[str] = "the provenance of a pushed model"

    version: int
    pushed_at: str
    model: str
    model_fingerprint: str
    decision: str
    origin: Origin
    rollback_of: int | None = None
    restores: int | None = None
    training: TrainingLeft | None = None
