"""Since when each teacher labels: one document a teacher, beside the versions of what was learned from it."""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from records import documents

# Servers read names as numbers, and pass over all others.
_FOLDER = ".teachers"
_DIGITS = 16


class SeenTeacher(BaseModel):
    """A teacher, and when a run had it first.

    Attributes:
      fingerprint: The fingerprint of its content.
      first_seen: The newest span of that run, as people write it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    FILE: ClassVar[str] = "teacher.json"
    TITLE: ClassVar[str] = "when a teacher was first seen"

    fingerprint: str
    first_seen: str


def first_seen(serving: str, fingerprint: str, span: str) -> str:
    """The span in which a run had this teacher first: `span`, which is kept, where none had it before.

    Args:
      serving: The push destination.
      fingerprint: The fingerprint of the teacher's content.
      span: The newest span of this run, as people write it.

    Raises:
      InputError: What was kept of the teacher cannot be read.
    """
    folder = f"{serving.rstrip('/')}/{_FOLDER}/{fingerprint[:_DIGITS]}"
    found = documents.find(folder, SeenTeacher)
    if found is None:
        found = SeenTeacher(fingerprint=fingerprint, first_seen=span)
        documents.write(folder, found)
    return found.first_seen
