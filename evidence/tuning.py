"""The settings that every arm may choose from, the same ones for all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from schema.errors import InputError
from schema.surface import Surface

_LEAST_L2 = 1e-5


@dataclass(frozen=True)
class Setting:
    """A change to how a surface's model is regularized and trained.

    Attributes:
      name: The name for tables.
      rate: Factor on the learning rate.
      l2: Factor on the L2 penalty, of 1e-5 if the surface has none; 1 leaves it.
      dropout: Added to the dropout rate.
    """

    name: str
    rate: float = 1.0
    l2: float = 1.0
    dropout: float = 0.0

    def apply(self, surface: Surface) -> Surface:
        """The surface under this setting."""
        training: Mapping[str, Any] = {"learning_rate": surface.training.learning_rate * self.rate}
        model: dict[str, Any] = {"dropout": min(surface.model.dropout + self.dropout, 0.8)}
        if self.l2 != 1.0:
            model["l2"] = (surface.model.l2 or _LEAST_L2) * self.l2
        return surface.model_copy(
            update={
                "training": surface.training.model_copy(update=training),
                "model": surface.model.model_copy(update=model),
            }
        )

    def seeded(self, surface: Surface, seed: int) -> Surface:
        """The surface under this setting, with a seed."""
        changed = self.apply(surface)
        return changed.model_copy(update={"training": changed.training.model_copy(update={"seed": seed})})


# In the order in which a budget takes them: what helps an over-fitted model comes first.
SETTINGS = (
    Setting("as configured"),
    Setting("L2 x 10, dropout + .2", l2=10.0, dropout=0.2),
    Setting("L2 x 100, dropout + .2", l2=100.0, dropout=0.2),
    Setting("L2 x 100", l2=100.0),
    Setting("L2 x 10", l2=10.0),
    Setting("dropout + .2", dropout=0.2),
    Setting("learning rate / 3", rate=1 / 3),
    Setting("L2 x 10, learning rate / 3", l2=10.0, rate=1 / 3),
)


def settings(budget: int) -> tuple[Setting, ...]:
    """The first `budget` settings.

    Raises:
      InputError: There are not as many.
    """
    if not 1 <= budget <= len(SETTINGS):
        raise InputError(f"tuning budget: expected 1 to {len(SETTINGS)} settings, found {budget}")
    return SETTINGS[:budget]
