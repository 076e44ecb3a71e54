"""What runs hand to later runs, so that these go on with the training of student and control."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from contracts.base import Document, Part
from contracts.roles import ModelRole


class StartingPoint(Document):
    """What an arm of a run starts from, as `Continuation` hands it to a Trainer.

    Attributes:
      role: The arm.
      version: The served version of which the earlier run is; None for a cold start.
      sentence: What is continued from, or why nothing is.
      data: Which examples this run is trained on; see `records.training_states`.
      lineage: The same of the runs that it continues from.
    """

    FILE: ClassVar[str] = "starting_point.json"
    TITLE: ClassVar[str] = "what a run starts from"

    role: ModelRole
    version: int | None
    sentence: str
    data: str
    lineage: tuple[str, ...]


class ContinuedRows(Part):
    """What became of the rows of a table.

    Attributes:
      continued: Rows of values that had one in the run before.
      returned: Those whose values had none there, and one in a run before that.
      new: Rows that start anew.
      lapsed: Values of earlier runs that have no row now; theirs are kept, and come back with them.
    """

    continued: int
    returned: int
    new: int
    lapsed: int


class Continued(Document):
    """What continued in an arm, what is new and what was dropped; in its Trainer's `model_run`.

    Attributes:
      version: As `StartingPoint` has it.
      sentence: All of it for people.
      weights: The weights that continued, by name.
      new: Those that start anew.
      dropped: What an earlier run had and this one has not, or has in another form.
      rows: What became of the rows of each table, by feature or cross.
      optimizer: Whether the optimizer went on.
    """

    FILE: ClassVar[str] = "continued.json"
    TITLE: ClassVar[str] = "what continued in a training"

    version: int | None
    sentence: str
    weights: tuple[str, ...] = ()
    new: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    rows: dict[str, ContinuedRows] = Field(default_factory=dict)
    optimizer: bool = False
