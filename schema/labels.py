"""How a task's label follows from its column."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import Field, model_validator

from schema.base import Strict
from schema.classes import Classes
from schema.teacher_feature import Clip


class Positive(Strict):
    """Which values of a column of numbers make an example positive; all that are named must hold.

    Attributes:
      at_least: It is no less.
      at_most: It is no more.
      any_of: It is one of these.
    """

    at_least: float | None = None
    at_most: float | None = None
    any_of: Annotated[tuple[float, ...], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Positive:
        if self.at_least is None and self.at_most is None and self.any_of is None:
            raise ValueError("positive needs at_least, at_most or any_of")
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise ValueError(f"positive needs at_least <= at_most, found {self.at_least:g} > {self.at_most:g}")
        return self


class Sampled(Strict):
    """How a binary task's examples were drawn, where not all of them are there.

    Attributes:
      negatives: The share of negative examples that was kept; all positives were.
      probability: In place of it, the column with the probability, above 0 and up to 1, with which an
        example like this one is kept if it is negative.  Positives, which are all kept, have it, too:
        how the odds were changed depends on what an example is like, and not on its label.  1 where it
        is absent.
    """

    negatives: Annotated[float, Field(gt=0, lt=1)] | None = None
    probability: str | None = None

    @model_validator(mode="after")
    def _says_one_of_both(self) -> Sampled:
        if (self.negatives is None) == (self.probability is None):
            found = "neither" if self.negatives is None else "both"
            raise ValueError(f"sampled needs negatives (a share), or probability (a column); found {found}")
        return self

    @property
    def shift(self) -> float:
        """What the logit of an example is, beyond that of a model which learned from what was kept; 0 by a column.

        With a column training has the correction, example by example, so that what is served needs none.

        Where a share r of the negatives is kept, the odds are 1 / r of what they were (Rec-Distill,
        arXiv:2605.29755; He et al., ADKDD 2014, section 6.3).
        """
        return math.log(self.negatives) if self.negatives is not None else 0.0


class LabelRule(Strict):
    """What makes the label out of its column; `records.labels` applies it.

    Attributes:
      positive: Makes a binary label of a number.
      clip: Bounds that the label is brought within.
      classes: Makes the place among them, from 0, of a class; -1 of what is none.
    """

    positive: Positive | None = None
    clip: Clip | None = None
    classes: Classes | None = None

    @property
    def of_text(self) -> bool:
        """Whether the column holds names."""
        return self.classes is not None and isinstance(self.classes[0], str)
