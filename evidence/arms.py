"""The arms of an experiment: what each of them changes in the surface and in the columns."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.columns import dealt_column, soft_label_sizes
from models.trunks import shared_width
from schema.errors import InputError
from schema.surface import SOFT_LABEL_PREFIX, Feature, FeatureKind, Surface, distilled
from schema.teacher import TeacherRepresentation

Columns = Mapping[str, NDArray[Any]]
Change = Callable[[Columns, np.random.Generator], Columns]

CONTROL = "control"
STUDENT = "student"
TEACHER = "teacher"
SHUFFLED = "shuffled"
GAUSSIAN = "gaussian"
DEALT_OUT = "dealt_out"
OWN_HISTORY = "own_history"
LOGITS_AS_INPUTS = "logits_as_inputs"
POOLED = "pooled"

_INPUT_PREFIX = "teacher_logit_"


class Role(StrEnum):
    """What an arm is for; a reference could not be served as it is, and an ablation is a candidate without a part."""

    CONTROL = "control"
    CANDIDATE = "candidate"
    PLACEBO = "placebo"
    ABLATION = "ablation"
    REFERENCE = "reference"


def unchanged(columns: Columns, _: np.random.Generator) -> Columns:
    """The soft labels as the teacher gave them."""
    return columns


@dataclass(frozen=True)
class Arm:
    """One way to train.

    Attributes:
      name: Unique in the experiment.
      role: What it is for.
      surface: The surface that it trains.
      distil: Whether the distillation and non-serving heads are there.
      change: What it does to the columns of training and of evaluation; it gets a
        generator that depends on the experiment's seed and the arm's name.
      of: The candidate that a control, placebo or ablation belongs to; None for the arm itself.
      own_history: Whether histories are of what the student's own control said, and not the teacher.
    """

    name: str
    role: Role
    surface: Surface
    distil: bool
    change: Change = unchanged
    of: str | None = None
    own_history: bool = False

    def columns(self, columns: Columns, seed: int) -> Columns:
        """The columns that this arm sees under a seed."""
        return self._changed(columns, seed, self.name)

    def unlabelled(self, columns: Columns | None, seed: int) -> Columns | None:
        """The columns of pairs never shown that it sees under a seed; None if it is not trained on any.

        Raises:
          InputError: It is, and there are none.
        """
        if not self.distil or self.surface.unlabelled is None:
            return None
        if columns is None:
            raise InputError(
                f"arm {self.name!r} asks for unlabelled pairs, and the run made none; give `crosskd run` a surface "
                "with an `unlabelled:` section first"
            )
        return self._changed(columns, seed, f"{self.name}/unlabelled")

    def _changed(self, columns: Columns, seed: int, draws: str) -> Columns:
        return self.change(columns, np.random.default_rng([seed, zlib.crc32(draws.encode())]))


@dataclass(frozen=True)
class Group:
    """A candidate with the control and the placebos that it is judged against.

    Attributes:
      candidate: What is judged.
      control: The same without distillation.
      placebos: The same, distilled from nothing.
      ablations: The same without a part of what it is, with which it is compared; the verdict does not ask them.
    """

    candidate: Arm
    control: Arm
    placebos: tuple[Arm, ...]
    ablations: tuple[Arm, ...] = ()

    def arms(self) -> tuple[Arm, ...]:
        """The arms that a verdict rests on, the control first."""
        return (self.control, self.candidate, *self.placebos)


def student(surface: Surface) -> Arm:
    """The surface's own student."""
    return Arm(STUDENT, Role.CANDIDATE, surface, distil=True)


def technique(name: str, surface: Surface) -> Arm:
    """A student of another configuration of the same surface."""
    return Arm(name, Role.CANDIDATE, surface, distil=True)


def logits_as_inputs(surface: Surface) -> Arm:
    """A reference without distillation that reads the teacher's logits; it needs the teacher at serving time."""
    columns = sorted({SOFT_LABEL_PREFIX + each.teacher_task for each in surface.distillations().values()})
    names = {_INPUT_PREFIX + column.removeprefix(SOFT_LABEL_PREFIX): column for column in columns}
    sizes = soft_label_sizes(surface)
    extra = {
        name: Feature(kind=FeatureKind.NUMERIC, default=0.0, size=sizes[column] or 1) for name, column in names.items()
    }
    wider = surface.model_copy(update={"features": {**surface.features, **extra}})

    def change(columns: Columns, _: np.random.Generator) -> Columns:
        return {**columns, **{name: _as_input(columns[column]) for name, column in names.items()}}

    return Arm(LOGITS_AS_INPUTS, Role.REFERENCE, wider, distil=False, change=change)


def _as_input(soft: NDArray[Any]) -> NDArray[Any]:
    """Soft labels are z-scored: 0 is the mean, which stands for an absent one.

    Logits of classes are not: the model gets the probabilities, [examples, classes], times their number, less 1, so
    that 0 stands for an absent one here, too.
    """
    if soft.ndim == 1:
        return np.nan_to_num(soft)[:, None]
    powers = np.exp(soft - soft.max(axis=1, keepdims=True))
    shares = powers / powers.sum(axis=1, keepdims=True)
    return np.nan_to_num(shares * soft.shape[1] - 1).astype(np.float32)


def group(candidate: Arm, shared: Arm | None = None) -> Group:
    """A candidate with a control, both placebos and the ablations of its own configuration.

    Args:
      candidate: What is judged.
      shared: A control that is used if it is the same model; else the candidate gets its own.
    """
    prefix = "" if candidate.name == STUDENT else f"{candidate.name}/"
    own = Arm(f"{prefix}{CONTROL}", Role.CONTROL, candidate.surface, distil=False, of=candidate.name)
    same = shared is not None and _of_control(shared.surface) == _of_control(candidate.surface)
    return Group(
        candidate=candidate,
        control=shared if same and shared is not None else own,
        placebos=tuple(
            Arm(f"{prefix}{name}", Role.PLACEBO, candidate.surface, candidate.distil, change, of=candidate.name)
            for name, change in ((SHUFFLED, shuffled), (GAUSSIAN, gaussian))
        ),
        ablations=_ablations(candidate, prefix),
    )


def _of_control(surface: Surface) -> Surface:
    """All that makes a difference to a control, which no teacher does."""
    return surface.undistilled().model_copy(update={"teacher": None})


def _ablations(candidate: Arm, prefix: str) -> tuple[Arm, ...]:
    """The candidate with all that the teacher says of a row, but with histories of others, or not of the teacher."""
    histories = tuple(candidate.surface.histories)
    if not histories or not candidate.distil:
        return ()

    def change(columns: Columns, rng: np.random.Generator) -> Columns:
        return dealt_out(candidate.change(columns, rng), histories, rng)

    without = replace(candidate, role=Role.ABLATION, of=candidate.name)
    dealt = replace(without, name=f"{prefix}{DEALT_OUT}", change=change)
    # What a trunk of the user's own shares has a width that only it knows.
    if candidate.surface.trunk is not None:
        return (dealt,)
    own = _remembering_itself(candidate.surface)
    return dealt, replace(without, name=f"{prefix}{OWN_HISTORY}", surface=own, own_history=True)


def _remembering_itself(surface: Surface) -> Surface:
    """The surface with histories of a layer that no teacher has: the trunk of its own control."""
    own = TeacherRepresentation(size=shared_width(surface.model))
    offered = {**surface.teacher_representations, OWN_HISTORY: own}
    teacher = distilled(surface).teacher.model_copy(update={"representations": offered})
    histories = {name: each.model_copy(update={"of": OWN_HISTORY}) for name, each in surface.histories.items()}
    return surface.model_copy(update={"teacher": teacher, "histories": histories})


def dealt_out(columns: Columns, features: Sequence[str], rng: np.random.Generator) -> Columns:
    """Histories dealt out to other ids, whole: their distribution without what they say of whom.

    Args:
      columns: Training, evaluation or unlabelled columns.
      features: The ids that have histories.
      rng: Draws who gets whose.
    """
    dealt = {}
    for name in features:
        ids, codes = np.unique(columns[name], return_inverse=True)
        dealt[dealt_column(name)] = rng.permutation(ids)[codes]
    return {**columns, **dealt}


def shuffled(columns: Columns, rng: np.random.Generator) -> Columns:
    """Soft labels permuted over rows, all columns alike: their distribution without their meaning."""
    soft = [name for name in columns if name.startswith(SOFT_LABEL_PREFIX)]
    order = rng.permutation(len(next(iter(columns.values()))))
    return {name: column[order] if name in soft else column for name, column in columns.items()}


def gaussian(columns: Columns, rng: np.random.Generator) -> Columns:
    """Standard normal numbers for the soft labels, absent where they are.

    Logits of classes are not z-scored: theirs have the mean and the deviation that each class has.
    """

    def noise(column: NDArray[Any]) -> NDArray[Any]:
        drawn = rng.standard_normal(column.shape)
        known = np.isfinite(column)
        if column.ndim == 2 and known.any():
            drawn = drawn * np.nanstd(column, axis=0) + np.nanmean(column, axis=0)
        return np.where(known, drawn, np.nan).astype(np.float32)

    return {name: noise(column) if name.startswith(SOFT_LABEL_PREFIX) else column for name, column in columns.items()}
