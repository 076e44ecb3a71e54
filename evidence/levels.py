"""The levels of a curve: who is judged at each, and on what data it is trained."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evidence.arms import Arm, Change, Columns, Group, Role, group, student
from evidence.data import RunData
from schema.errors import InputError
from schema.surface import SOFT_LABEL_PREFIX, Surface


class Over(StrEnum):
    """What a curve is drawn over.

    `noise`: standard deviation of Gaussian noise on the soft labels, in units of their own.
    `size`: factor on the student's and control's layer and embedding widths.
    `data`: part of the target's training rows, held-out ones alike.
    """

    NOISE = "noise"
    SIZE = "size"
    DATA = "data"


LEVELS: dict[Over, tuple[float, ...]] = {
    Over.NOISE: (0.0, 0.5, 1.0, 2.0, 4.0, 8.0),
    Over.SIZE: (0.25, 0.5, 1.0, 2.0, 4.0),
    Over.DATA: (0.1, 0.25, 0.5, 1.0),
}


@dataclass(frozen=True)
class Level:
    """One point of a curve: who is judged, and the data it is trained on."""

    value: float
    group: Group
    data: RunData


def levels(surface: Surface, loaded: RunData, over: Over, values: Sequence[float]) -> list[Level]:
    """The levels of a curve, in order.

    Raises:
      InputError: A value makes no sense.
    """
    make: Mapping[Over, Callable[[float], Level]] = {
        Over.NOISE: lambda value: Level(value, _noise_group(surface, value), loaded),
        Over.SIZE: lambda value: Level(value, _own_group(_name(over, value), resized(surface, value)), loaded),
        Over.DATA: lambda value: Level(value, _own_group(_name(over, value), surface), part(loaded, value)),
    }
    wrong = [value for value in values if not _sensible(over, value)]
    if wrong or not values or len(set(values)) < len(values):
        expected = {Over.NOISE: "0 or more", Over.SIZE: "more than 0", Over.DATA: "more than 0 and at most 1"}[over]
        raise InputError(f"levels of {over}: expected different numbers, each {expected}; found {list(values)}")
    return [make[over](value) for value in sorted(values)]


def _sensible(over: Over, value: float) -> bool:
    least = value >= 0 if over is Over.NOISE else value > 0
    return math.isfinite(value) and least and (over is not Over.DATA or value <= 1)


def _name(over: Over, value: float) -> str:
    return f"{over}={value:g}"


def _own_group(name: str, surface: Surface) -> Group:
    """A level with a control and a placebo of its own."""
    return _with_one_placebo(group(Arm(name, Role.CANDIDATE, surface, distil=True)))


def _with_one_placebo(made: Group) -> Group:
    """Without the Gaussian placebo, which costs as much again and has never said another thing, and ablations."""
    return replace(made, placebos=made.placebos[:1], ablations=())


def _noise_group(surface: Surface, sigma: float) -> Group:
    """All levels of noise have the same control and the same placebo, which is noise without end."""
    own = _with_one_placebo(group(student(surface)))
    return replace(
        own, candidate=Arm(_name(Over.NOISE, sigma), Role.CANDIDATE, surface, distil=True, change=noisy(sigma))
    )


def noisy(sigma: float) -> Change:
    """Soft labels with Gaussian noise of `sigma` of their standard deviations, z-scored again."""

    def change(columns: Columns, rng: np.random.Generator) -> Columns:
        soft = [name for name in columns if name.startswith(SOFT_LABEL_PREFIX)]
        return {**columns, **{name: _with_noise(columns[name], sigma, rng) for name in soft}}

    return change


def _with_noise(column: NDArray[Any], sigma: float, rng: np.random.Generator) -> NDArray[Any]:
    """Labels that are z-scored have a variance of 1 + sigma^2 with the noise; logits of classes have their own."""
    noise = sigma * rng.standard_normal(column.shape)
    mean, deviation = (0.0, 1.0) if column.ndim == 1 else (np.nanmean(column, axis=0), np.nanstd(column, axis=0))
    noisy_column = mean + (column - mean + deviation * noise) / math.sqrt(1 + sigma**2)
    return np.asarray(noisy_column, np.float32)


def resized(surface: Surface, factor: float) -> Surface:
    """The surface with all layers and embeddings `factor` times as wide, at least 1."""

    def wide(width: int) -> int:
        return max(1, round(width * factor))

    features = {
        name: each if each.pretrained else each.model_copy(update={"embedding": wide(each.embedding)})
        for name, each in surface.features.items()
    }
    crosses = {
        name: each.model_copy(update={"embedding": wide(each.embedding)}) for name, each in surface.crosses.items()
    }
    stacks = {name: tuple(map(wide, getattr(surface.model, name))) for name in ("trunk", "tower")}
    model = surface.model.model_copy(update=stacks)
    return surface.model_copy(update={"features": features, "crosses": crosses, "model": model})


def part(loaded: RunData, share: float) -> RunData:
    """The run with a random `share` of its training rows, held-out ones alike; smaller parts are within larger ones.

    Vocabularies and z-scores stay those of all rows, and ids without a row keep the
    embedding that they start with.
    """

    def some(rows: NDArray[np.int64]) -> NDArray[np.int64]:
        chosen = np.random.default_rng(0).permutation(rows)[: max(1, round(share * len(rows)))]
        return np.sort(chosen)

    return replace(loaded, fitted=some(loaded.fitted), held_out=some(loaded.held_out))
