"""What is known of one metric before anything is computed; `schema.metrics` lists them all."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from schema.base import TaskKind


class Direction(StrEnum):
    """Which values of a metric are better.

    `target`: those near `Metric.target`.  `neither`: it tells what the data or the
    predictions are, and not how good they are.
    """

    HIGHER = "higher"
    LOWER = "lower"
    TARGET = "target"
    NEITHER = "neither"


@dataclass(frozen=True)
class Metric:
    """The facts about one metric.

    Attributes:
      name: What surface.yaml and documents write.
      title: What people read.
      kinds: The kinds of task that it is computed for.
      direction: Which values are better.
      unit: The unit of its values; empty for a number without one.
      least: No value is lower.
      most: No value is higher.
      formula: How it is computed, for people; y is the label, p the prediction, w the weight.
      source: Where it comes from, or what it is equal to.
      target: The best value, where the direction is `target`.
      no_skill: The value of a model that predicts the same for everyone; None where that
        depends on the data.
      order_only: Whether it judges the order of predictions alone, so that it is the same
        for logits as for probabilities.
      by_group: Whether it needs a surface with a `group`.
      of_score: Whether it is computed for the surface's score as well: it needs no label of 0 or 1.
    """

    name: str
    title: str
    kinds: tuple[TaskKind, ...]
    direction: Direction
    unit: str = ""
    least: float = -math.inf
    most: float = math.inf
    formula: str = ""
    source: str = ""
    target: float | None = None
    no_skill: float | None = None
    order_only: bool = False
    by_group: bool = False
    of_score: bool = False

    @property
    def gateable(self) -> bool:
        """Whether a gate may ask for it: whatever tells better from worse."""
        return self.direction is not Direction.NEITHER
