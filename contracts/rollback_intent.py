"""What a rollback is about to do: a file beside the versions, there from before its first effect to after its last."""

from __future__ import annotations

from typing import ClassVar

from contracts.base import Document


class RollbackIntent(Document):
    """A rollback that was decided; whoever finds one completes it.

    Attributes:
      rollback_of: The version that serves, and is to serve no more.
      restores: The push that is to serve again.
      source: The version whose files are published for it.
      rejects: URI of the Model artifact that is marked as rolled back.
      decided_at: When, in UTC, ISO 8601.
      completed: Whether all of it is done: in an object store nothing is removed, so there the file
        stays and says so.
    """

    # Servers read names as numbers, and pass over all others.
    FILE: ClassVar[str] = ".rollback.json"
    TITLE: ClassVar[str] = "the intent of a rollback"

    rollback_of: int
    restores: int
    source: int
    rejects: str
    decided_at: str
    completed: bool = False
