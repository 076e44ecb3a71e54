"""What all documents have in common."""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, ConfigDict


class Part(BaseModel):
    """A part of a document: unknown keys are errors, and what was found does not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Document(Part):
    """The one JSON document that an artifact holds; `records.documents` reads and writes it.

    Attributes:
      FILE: Its name in the artifact's folder.
      TITLE: What a person calls it, with an article.
    """

    FILE: ClassVar[str]
    TITLE: ClassVar[str]
