"""What the teacher said of a person's or an item's earlier rows, as an input of the student: `histories:`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from schema.base import Name, Strict


class Period(Strict):
    """What tells which rows are earlier than others.

    Attributes:
      column: Column of times, a number in each example; a row without one is in no history and has none.
      step: How much time a period takes, in the column's unit: no row is in the history of another one of its own
        period.  86400 makes days of seconds.
    """

    column: str
    step: Annotated[float, Field(gt=0)] = 1.0


class History(Strict):
    """A teacher's representation of an id's rows of earlier periods, made one vector.

    It is added to the id's embedding through a linear map that starts at 0, and becomes a part of the embedding in
    what serves (after LoopFM, arXiv:2605.29280).

    Attributes:
      of: The representation, a name of `teacher.representations`.
      decay: What a row counts for with each period that has gone by since; 1 counts all alike.
      pool: Whether the vector is the rows' weighted `mean`, or their weighted `sum`.
    """

    of: Name
    decay: Annotated[float, Field(gt=0, le=1)] = 1.0
    pool: Literal["mean", "sum"] = "mean"
