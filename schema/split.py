"""How examples that come without `train/` and `eval/` are divided, so that nothing of one half leaks into the other."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field, model_validator

from schema.base import Scalar, Strict


class SplitBy(StrEnum):
    """What decides where an example goes."""

    TIME = "time"
    GROUP = "group"
    RANDOM = "random"


class Split(Strict):
    """The division of examples into a training and an evaluation split; `train/` and `eval/` folders need none.

    Attributes:
      by: `time` trains on what came first and evaluates on what came last, as in production.
        `group` draws whole groups: all rows of a person, or of a request, go to one side.
        `random` draws rows, or whole groups where the surface has a `group:`.
      column: The column of times, or of groups; for `by: group` the surface's `group:` by default.
      eval_fraction: The part for evaluation: of the rows by time, of the groups (or rows) drawn else.
      eval_from: With `by: time`, the first time that is evaluated, instead of a fraction: in the
        column's unit, or a date or point in time in ISO form (UTC).
      together: With `by: time`, a column whose equal values stay on one side; the surface's `group:`
        by default.  What reaches past the boundary is evaluated as a whole.
      seed: Draws other groups and rows.
    """

    by: SplitBy
    column: str | None = None
    eval_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.2
    eval_from: Scalar | None = None
    together: str | None = None
    seed: int = 0

    @model_validator(mode="after")
    def _names_what_it_needs(self) -> Split:
        if self.by is SplitBy.TIME and self.column is None:
            raise ValueError("`by: time` needs `column:`, the column of times")
        if self.by is SplitBy.RANDOM and self.column is not None:
            raise ValueError("`by: random` reads no column; write `by: group` to keep the rows of its values together")
        if self.by is not SplitBy.TIME and (self.eval_from is not None or self.together is not None):
            raise ValueError(f"`eval_from` and `together` are for `by: time`, found by: {self.by}")
        if self.eval_from is not None and "eval_fraction" in self.model_fields_set:
            raise ValueError("`eval_from` and `eval_fraction` contradict each other; give one of them")
        return self

    def within(self, group: str | None) -> Split:
        """The same for a surface with the column `group`, which no division takes apart.

        Raises:
          ValueError: `by: group`, and no column says of what.
        """
        if self.by is SplitBy.TIME and "together" not in self.model_fields_set:
            return self.model_copy(update={"together": group})
        if self.by is SplitBy.RANDOM and group is not None:
            return self.model_copy(update={"by": SplitBy.GROUP, "column": group})
        if self.by is SplitBy.GROUP and self.column is None:
            if group is None:
                raise ValueError("`by: group` needs `column:`, or the surface a `group:`")
            return self.model_copy(update={"column": group})
        return self
