"""The shape of the ranker and how it is trained: `model:` and `training:` of ``surface.yaml``."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from schema.base import Strict


class TrunkKind(StrEnum):
    """How tasks share layers; `models.trunks` has the sources."""

    SHARED_BOTTOM = "shared_bottom"
    MMOE = "mmoe"
    PLE = "ple"


class Interaction(StrEnum):
    """How features meet before the trunk; `models.interactions` has the sources."""

    CROSS = "cross"
    DOT = "dot"
    FM = "fm"


class Model(Strict):
    """The shape of the ranker.

    Attributes:
      trunk: Widths of the shared dense layers: of the bottom, or of each expert of `mmoe`;
        with `ple` each width is a level of extraction, with experts of one layer.
      tower: Widths of the dense layers of each task's tower.
      trunk_kind: How tasks share the trunk.
      experts: Shared experts (a level), for `mmoe` and `ple`.
      task_experts: Experts of each task's own a level, for `ple`.
      dropout: Rate after each dense layer.
      l2: Penalty on kernels and embeddings.
      activation: What follows each dense layer of trunk, experts and towers.
      layer_norm: Whether they are normalised before it.
      interactions: What features go through before the trunk: the layers of DCN-v2 (`cross`), whose
        output takes their place, and beside it the dot products of their embeddings (`dot`), or
        the pooled products of a factorization machine (`fm`).
      cross_layers: Layers of `cross`.
      cross_rank: Rank of their matrices; None for full ones.
      bias_tower: Widths of the tower of a task's `bias` features.
      bias_dropout: Share of the training examples in which a `bias` feature is left out.
    """

    trunk: tuple[PositiveInt, ...] = (64, 32)
    tower: tuple[PositiveInt, ...] = (16,)
    trunk_kind: TrunkKind = TrunkKind.SHARED_BOTTOM
    experts: PositiveInt = 4
    task_experts: PositiveInt = 1
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    l2: Annotated[float, Field(ge=0)] = 0.0
    activation: Literal["relu", "gelu", "silu", "elu", "leaky_relu", "tanh"] = "relu"
    layer_norm: bool = False
    interactions: tuple[Interaction, ...] = ()
    cross_layers: PositiveInt = 2
    cross_rank: PositiveInt | None = None
    bias_tower: tuple[PositiveInt, ...] = (8,)
    bias_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1


class EarlyStopping(Strict):
    """Which epoch's weights are kept, by the hard losses of the held-out part alone.

    Attributes:
      by: `relative` divides each task's loss by that of a constant prediction; `sum` adds
        the losses up as training does.  `models.training.selection_loss` says why.
      patience: Training ends after so many epochs without a better one; None runs all, so
        that student and control take the same steps.
    """

    by: Literal["relative", "sum"] = "relative"
    patience: PositiveInt | None = None


class Training(Strict):
    """How the ranker is trained.

    Attributes:
      epochs: Passes over the training part of the training split.
      batch_size: Examples per step.
      batch_by: `rows` shuffles rows; `group` shuffles the surface's groups and keeps the
        rows of each together, which ranking losses need.  Student and control alike.
      learning_rate: The learning rate of Adam.
      loss_weights: `fixed` ones, or learned by each loss's `uncertainty` on top of those.
      validation_fraction: Part of the training split held out for early stopping.
      early_stopping: Which epoch's weights are kept.
      seed: Seed of initialisation and shuffling, shared by student and control; 0 or more.
    """

    epochs: PositiveInt = 10
    batch_size: PositiveInt = 256
    batch_by: Literal["rows", "group"] = "rows"
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    loss_weights: Literal["fixed", "uncertainty"] = "fixed"
    validation_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.1
    early_stopping: EarlyStopping = EarlyStopping()
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
