"""The shape of the ranker and how it is trained: `model:` and `training:` of ``surface.yaml``."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

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


class Optimizer(StrEnum):
    """How gradients become steps; `models.optimizers` has the sources."""

    ADAM = "adam"
    ADAMW = "adamw"
    ADAGRAD = "adagrad"


class RateDecay(Strict):
    """How the learning rate falls after the warm-up, by Keras's schedules `CosineDecay` and `ExponentialDecay`.

    Attributes:
      by: `cosine` falls along half a wave until the last step of the last epoch; `exponential` by the
        same factor every so many steps.
      to: What part of the learning rate a `cosine` ends at.
      factor: What an `exponential` multiplies the rate by every `steps` steps, little by little.
      steps: Those steps.
    """

    by: Literal["cosine", "exponential"]
    to: Annotated[float, Field(ge=0, lt=1)] = 0.0
    factor: Annotated[float, Field(gt=0, lt=1)] | None = None
    steps: PositiveInt | None = None

    @model_validator(mode="after")
    def _keys_are_of_its_kind(self) -> RateDecay:
        of_exponential = [key for key in ("factor", "steps") if getattr(self, key) is not None]
        if self.by == "cosine" and of_exponential:
            raise ValueError(f"`{of_exponential[0]}` is for `by: exponential`, found by: cosine, which takes `to`")
        if self.by == "exponential" and self.to:
            raise ValueError("`to` is for `by: cosine`, found by: exponential, which takes `factor` and `steps`")
        if self.by == "exponential" and len(of_exponential) < 2:
            found = f"`{of_exponential[0]}` alone" if of_exponential else "neither"
            raise ValueError(f"`by: exponential` needs `factor` and `steps`, found {found}")
        return self


_KERAS_S_DECAY = 0.004
# Of weights that decay faster there is soon nothing left.
_MOST_DECAY = 0.05


class Training(Strict):
    """How the ranker is trained.

    Attributes:
      epochs: Passes over the training part of the training split.
      batch_size: Examples per step.
      batch_by: `rows` shuffles rows; `group` shuffles the surface's groups and keeps the
        rows of each together, which ranking losses need.  Student and control alike.
      optimizer: `adam`, `adamw`, whose weights decay beside the gradient, or `adagrad`.
      learning_rate: The optimizer's learning rate; that after the warm-up and before the decay.
      warm_up_steps: Steps in which the learning rate rises from 0 in a line.
      learning_rate_decay: How it falls after that; None keeps it.
      weight_decay: What part of each kernel and embedding `adamw` takes away in a step, times the
        learning rate; 0.004 by default, as in Keras.
      clip_norm: The most that the norm of all gradients together may be: longer ones are shortened
        to it.  None leaves them.
      loss_weights: `fixed` ones, or learned by each loss's `uncertainty` on top of those.
      validation_fraction: Part of the training split held out for early stopping.
      hold_out: Which rows these are: `every` k-th one, or the `last` ones in the order in which the examples are
        read.  Where that order is time, the last ones tell more of what comes after: of new people, too.
      early_stopping: Which epoch's weights are kept.
      mixed_precision: What trunk, towers and crosses compute in while training, `bfloat16`; weights, losses, and what
        serves, are float32 in any case.  None computes all in float32.
      device: Where training computes: `cpu`, `gpu`, which must be there, or `auto`, a GPU where there is one.
      seed: Seed of initialisation and shuffling, shared by student and control; 0 or more.
      continue_from: What a run's student and control start from: `served`, what the run left whose student
        serves, each from its own; None starts both anew.
      continue_optimizer: Whether the optimizer goes on as well, with its running means and its count of steps,
        by which the learning rate rises and falls.  Otherwise both begin anew.
    """

    epochs: PositiveInt = 10
    batch_size: PositiveInt = 256
    batch_by: Literal["rows", "group"] = "rows"
    optimizer: Optimizer = Optimizer.ADAM
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    warm_up_steps: NonNegativeInt = 0
    learning_rate_decay: RateDecay | None = None
    weight_decay: Annotated[float, Field(ge=0, le=0.1)] | None = None
    clip_norm: Annotated[float, Field(gt=0)] | None = None
    loss_weights: Literal["fixed", "uncertainty"] = "fixed"
    validation_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.1
    hold_out: Literal["every", "last"] = "every"
    early_stopping: EarlyStopping = EarlyStopping()
    mixed_precision: Literal["bfloat16"] | None = None
    device: Literal["auto", "cpu", "gpu"] = "auto"
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    continue_from: Literal["served"] | None = None
    continue_optimizer: bool = False

    @property
    def scheduled(self) -> bool:
        """Whether the learning rate changes from step to step."""
        return bool(self.warm_up_steps) or self.learning_rate_decay is not None

    @property
    def decay_of_weights(self) -> float:
        """What part of a weight a step takes away, times the learning rate; 0 unless the optimizer is `adamw`."""
        if self.optimizer is not Optimizer.ADAMW:
            return 0.0
        return _KERAS_S_DECAY if self.weight_decay is None else self.weight_decay

    @model_validator(mode="after")
    def _weights_decay_as_they_may(self) -> Training:
        if self.weight_decay is not None and self.optimizer is not Optimizer.ADAMW:
            raise ValueError(
                f"`weight_decay` is for `optimizer: adamw`, found optimizer: {self.optimizer}; "
                "a penalty in the loss, for any optimizer, is `model: {l2: ...}`"
            )
        if self.decay_of_weights * self.learning_rate > _MOST_DECAY:
            raise ValueError(
                "`weight_decay` times `learning_rate` is the part of every weight that each step takes away; "
                f"expected at most {_MOST_DECAY:g}, found {self.decay_of_weights:g} * {self.learning_rate:g}"
            )
        return self

    @model_validator(mode="after")
    def _optimizer_continues_as_it_can(self) -> Training:
        if not self.continue_optimizer:
            return self
        if self.continue_from is None:
            raise ValueError("`continue_optimizer` needs `continue_from: served`, found no `continue_from`")
        if self.learning_rate_decay is not None and self.learning_rate_decay.by == "cosine":
            raise ValueError(
                "`continue_optimizer` and `learning_rate_decay: {by: cosine}` exclude each other: a cosine ends with "
                "a training, and an optimizer that goes on has no last step; expected `by: exponential` or no decay"
            )
        return self
