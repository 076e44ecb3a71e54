"""The settings that every arm may choose from, the same ones for all."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from schema.errors import InputError
from schema.surface import Surface

_LEAST_L2 = 1e-5
# Beyond these nothing is tried: weaker penalties are none, and stronger ones leave nothing to learn.
_L2_RANGE = (1e-7, 1.0)
_RATE_RANGE = (1e-5, 0.3)
_MOST_EPOCHS = 4
# An epoch is at the end if it is among the last tenth.
_END = 0.9


@dataclass(frozen=True)
class Setting:
    """A change to how a surface's model is regularized and trained.

    Two settings are equal if they train alike, whatever their names.

    Attributes:
      name: The name for tables.
      rate: Factor on the learning rate.
      l2: Factor on the L2 penalty, of 1e-5 if the surface has none; 1 leaves it.
      dropout: Added to the dropout rate.
      epochs: Factor on the number of epochs.
    """

    name: str = field(compare=False)
    rate: float = 1.0
    l2: float = 1.0
    dropout: float = 0.0
    epochs: float = 1.0

    def apply(self, surface: Surface) -> Surface:
        """The surface under this setting."""
        training: Mapping[str, Any] = {
            "learning_rate": surface.training.learning_rate * self.rate,
            "epochs": round(surface.training.epochs * self.epochs),
        }
        model: dict[str, Any] = {"dropout": min(surface.model.dropout + self.dropout, 0.8)}
        if self.l2 != 1.0:
            model["l2"] = (surface.model.l2 or _LEAST_L2) * self.l2
        return surface.model_copy(
            update={
                "training": surface.training.model_copy(update=training),
                "model": surface.model.model_copy(update=model),
            }
        )

    def overrides(self, surface: Surface) -> tuple[str, ...]:
        """The same as changes to ``surface.yaml``, each `key.path=value`."""
        now, then = surface, self.apply(surface)
        values = {
            "model.l2": (now.model.l2, then.model.l2),
            "model.dropout": (now.model.dropout, then.model.dropout),
            "training.learning_rate": (now.training.learning_rate, then.training.learning_rate),
            "training.epochs": (now.training.epochs, then.training.epochs),
        }
        return tuple(f"{key}={_yaml(new)}" for key, (old, new) in values.items() if new != old)

    def neighbors(self, surface: Surface, epoch: float) -> list[Setting]:
        """The settings next to this one, as far as they are worth a trial.

        Args:
          surface: What is trained.
          epoch: The epoch whose weights were kept under this setting, from 1, as a mean over seeds.
        """
        here = self.apply(surface)
        l2, rate = here.model.l2, here.training.learning_rate
        steps = [
            ("l2", 10.0, 1, l2 < _L2_RANGE[1]),
            ("l2", 10.0, -1, l2 > _L2_RANGE[0]),
            ("rate", 3.0, -1, rate > _RATE_RANGE[0]),
            ("rate", 3.0, 1, rate < _RATE_RANGE[1]),
            ("epochs", 2.0, 1, epoch > _END * here.training.epochs and self.epochs < _MOST_EPOCHS),
        ]
        return [self._moved(axis, base, by) for axis, base, by, sensible in steps if sensible]

    def _moved(self, axis: str, base: float, by: int) -> Setting:
        # Whole powers, so that a step there and a step back end at the same place.
        changed: dict[str, Any] = {axis: base ** (round(math.log(getattr(self, axis), base)) + by)}
        moved = replace(self, **changed)
        return replace(moved, name=_name(moved))

    def seeded(self, surface: Surface, seed: int) -> Surface:
        """The surface under this setting, with a seed."""
        changed = self.apply(surface)
        return changed.model_copy(update={"training": changed.training.model_copy(update={"seed": seed})})


def _yaml(number: float) -> str:
    """A number that YAML reads as one; it takes 1e-05 for text."""
    text = f"{number:.6g}"
    return text if "e" not in text or "." in text else text.replace("e", ".0e")


def _name(setting: Setting) -> str:
    dropout = f"dropout + {setting.dropout:g}".replace("0.", ".") if setting.dropout else ""
    factors = [_factor("L2", setting.l2), dropout]
    factors += [_factor("learning rate", setting.rate), _factor("epochs", setting.epochs)]
    return ", ".join(each for each in factors if each) or _AS_CONFIGURED


def _factor(what: str, factor: float) -> str:
    if factor == 1:
        return ""
    return f"{what} x {factor:.3g}" if factor > 1 else f"{what} / {1 / factor:.3g}"


_AS_CONFIGURED = "as configured"
_THIRD = 3.0**-1

# In the order in which a budget takes them: what helps an over-fitted model comes first.
SETTINGS = (
    Setting(_AS_CONFIGURED),
    Setting("L2 x 10, dropout + .2", l2=10.0, dropout=0.2),
    Setting("L2 x 100, dropout + .2", l2=100.0, dropout=0.2),
    Setting("L2 x 100", l2=100.0),
    Setting("L2 x 10", l2=10.0),
    Setting("dropout + .2", dropout=0.2),
    Setting("learning rate / 3", rate=_THIRD),
    Setting("L2 x 10, learning rate / 3", l2=10.0, rate=_THIRD),
)


def settings(budget: int) -> tuple[Setting, ...]:
    """The first `budget` settings.

    Raises:
      InputError: There are not as many.
    """
    if not 1 <= budget <= len(SETTINGS):
        raise InputError(f"tuning budget: expected 1 to {len(SETTINGS)} settings, found {budget}")
    return SETTINGS[:budget]
