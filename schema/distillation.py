"""What a student learns from the teacher, and how: the techniques of ``surface.yaml``."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field, PositiveInt, model_validator

from schema.base import Name, Strict, Weight
from schema.classes import ClassMap
from schema.own_code import ImportPath, is_import_path
from schema.trust import Adapter

# What a representation is learned by if not by a task's tower.
TRUNK = "trunk"


class Loss(StrEnum):
    """How a student's outputs are compared with soft labels; `models.losses` has the formulas."""

    MSE = "mse"
    HUBER = "huber"
    BCE = "bce"
    KL = "kl"
    PAIRWISE = "pairwise"
    LISTWISE = "listwise"

    @property
    def on_z_scores(self) -> bool:
        """Whether it compares z-scores, for which a temperature has no meaning."""
        return self in (Loss.MSE, Loss.HUBER)

    @property
    def tempered(self) -> bool:
        """Whether it compares probabilities, for which the teacher's task must be binary, or for `kl` multiclass."""
        return self in (Loss.BCE, Loss.KL)

    @property
    def ranks(self) -> bool:
        """Whether it compares the order of examples within a group."""
        return self in (Loss.PAIRWISE, Loss.LISTWISE)


class Head(StrEnum):
    """Which head learns the soft labels.

    `auxiliary` is a head of its own, which serving drops.  `shared` is the serving head
    itself, on hard and soft labels together.  `stacked` is an auxiliary head whose output
    the serving head reads as well, the gradient stopped between the two; it is served.
    """

    AUXILIARY = "auxiliary"
    SHARED = "shared"
    STACKED = "stacked"


class Schedule(Strict):
    """A weight that moves: a warm-up if it rises, a decay if it falls.

    Attributes:
      start: The weight of the first step.
      steps: Training steps in which it moves linearly to the `weight` beside the schedule.
    """

    start: Weight = Field(alias="from")
    steps: PositiveInt


class Distillation(Strict):
    """What a distillation head learns, and how.

    Attributes:
      teacher_task: The task of the teacher whose logits are the soft labels.
      loss: `mse` compares z-scored logits (the default of arXiv:2408.14678); `huber` does so too,
        and lets single logits far off pull less.
      head: Which head learns them.
      tower: Whether the head stands on the task's tower (`shared`) or on one of its `own`, of the
        same widths, so that what is wrong with soft labels stays out of the task's tower.
      temperature: Divides the logits of both sides, for all losses but `mse` and `huber`.
      weight: Weight of the distillation loss beside the hard losses.
      schedule: How the weight is reached; None for a constant one.
      classes: By class of a multiclass task the teacher's class, or classes, that stand for it; None
        for those of the same names.
      function: Import path of a loss of one's own, which may also stand under `loss`: of z-scored
        soft labels and outputs, float [batch] each, the loss of each example, float [batch].
      adapter: A second head, which learns what the teacher's words mean for the task's hard label; None
        for none.
      reliability: Whether each example's distillation loss is multiplied by how much the teacher tells of its hard
        label, of examples like it, beyond what the labels of the same people and items do: from 0 to 1, estimated
        out of fold (after the gate over teachers of arXiv:2011.04106, for one teacher).
      weight_column: Column with the weight of an example in the losses of this distillation, on top of the
        surface's; 1 where it is absent.
      trunk_gradient: What part of the gradient of this distillation goes on from its towers into the trunk; heads
        and towers learn from all of it.
    """

    teacher_task: Name = Field(alias="from")
    loss: Loss = Loss.MSE
    head: Head = Head.AUXILIARY
    tower: Literal["shared", "own"] = "shared"
    temperature: Annotated[float, Field(gt=0)] = 1.0
    weight: Weight = 1.0
    schedule: Schedule | None = None
    classes: ClassMap | None = None
    function: ImportPath | None = None
    adapter: Adapter | None = None
    reliability: bool = False
    weight_column: str | None = None
    trunk_gradient: Annotated[float, Field(ge=0, le=1)] = 1.0

    @property
    def trusted(self) -> bool:
        """Whether anything of it is fitted to hard labels before training."""
        return self.adapter is not None or self.reliability

    @model_validator(mode="before")
    @classmethod
    def _loss_may_be_a_path(cls, value: Any) -> Any:
        if isinstance(value, dict) and is_import_path(value.get("loss")):
            return {**{key: each for key, each in value.items() if key != "loss"}, "function": value["loss"]}
        return value

    @model_validator(mode="after")
    def _own_tower_is_not_served(self) -> Distillation:
        if self.tower == "own" and self.head is not Head.AUXILIARY:
            raise ValueError(f"`tower: own` is for head {Head.AUXILIARY}, found head {self.head}, which is served")
        return self

    @model_validator(mode="after")
    def _trust_fits(self) -> Distillation:
        if self.head is Head.SHARED and self.trunk_gradient != 1.0:
            raise ValueError(
                f"`trunk_gradient` is for a head that learns soft labels alone, found head {self.head}, which learns "
                f"both; expected head {Head.AUXILIARY} or {Head.STACKED}"
            )
        if self.reliability and self.loss.ranks:
            raise ValueError(
                f"`reliability` multiplies the loss of each example, and loss {self.loss} is of pairs or lists; "
                "remove it, or choose another loss"
            )
        return self

    @model_validator(mode="after")
    def _temperature_fits_loss(self) -> Distillation:
        if self.loss.on_z_scores and self.temperature != 1.0:
            raise ValueError(f"temperature has no meaning with loss {self.loss}; remove it, or choose another loss")
        return self


class Representation(Strict):
    """A layer of the teacher that a layer of the student learns to predict, linearly.

    Attributes:
      source: The teacher's representation.
      weight: Weight of its loss beside the hard losses.
      schedule: How the weight is reached; None for a constant one.
    """

    source: Name = Field(alias="from")
    weight: Weight = 1.0
    schedule: Schedule | None = None


class NonServingHead(Distillation):
    """A head on the trunk, with a tower of its own, that only learns soft labels."""

    @model_validator(mode="after")
    def _is_auxiliary(self) -> NonServingHead:
        if self.head is not Head.AUXILIARY:
            raise ValueError(f"a non-serving head has no serving head to be {self.head} with; remove the key `head`")
        for key, given in (("adapter", self.adapter is not None), ("reliability", self.reliability)):
            if given:
                raise ValueError(f"`{key}` is fitted to a hard label, which a non-serving head has not; remove it")
        return self
