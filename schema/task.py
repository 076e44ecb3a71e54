"""One task of a surface: its label, its losses, what is distilled into it and its gates."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from schema.base import Name, Strict, TaskKind, Weight
from schema.classes import Classes, expect_classes
from schema.distillation import Distillation
from schema.gates import Gate
from schema.labels import LabelRule, Positive, Sampled
from schema.metrics import gateable
from schema.teacher_feature import Clip

_OF_BINARY = frozenset({"label_smoothing", "positive_weight", "given"})
# What the hard loss of a kind of task does not read.
_FOREIGN = {
    TaskKind.BINARY: frozenset({"loss"}),
    TaskKind.REGRESSION: _OF_BINARY,
    TaskKind.MULTICLASS: _OF_BINARY | {"loss"},
}


class Task(Strict):
    """One thing the model predicts and serves.

    Attributes:
      kind: Binary, regression or multiclass.
      label: The examples' column with the hard label; it may be absent from an example,
        whose loss is then masked.  Several tasks may have one column.
      positive: Which values of a column that is not 0 or 1 make a binary task's example positive.
      classes: The classes of a multiclass task, names or integers as they stand in the label's column; it
        serves a probability for each of them, in this order.
      clip: Bounds that a regression task's label is brought within: it is learned and judged so.
      transform: `log1p` has the model learn log(1 + label), for counts and durations; it serves
        and is judged in the label's unit.
      sampled: How a binary task's negatives were sampled, in training and evaluation alike, all at one
        share or each with a probability of its own: what is
        served is corrected for it, metrics weigh the negatives that are there for those that are
        not, and the teacher's logits are brought to the sampled examples before they are compared.
      weight: Weight of the hard loss.
      loss: What a regression's hard loss is of z-scored labels: `squared`, or `huber`, by which single
        labels far off pull less.
      label_smoothing: Share of a binary label that is given to both classes alike: with 0.1, 1 becomes .95.
      positive_weight: How many times a positive example counts, in a binary task's hard loss.
      weight_column: Column with the weight of an example in this task's hard loss, on top of the
        surface's; 1 where it is absent.  0 leaves an example out of this task alone.
      given: A binary task without which this binary one cannot be, such as a click for a purchase: what
        is learned and served is the product of both probabilities, of all examples (ESMM, Ma et al.,
        SIGIR 2018); the label is 0 where the other one is.
      bias: Features, such as the position, whose effect on the label is learned by a small tower
        that is added in training and left out of what serves; nothing else reads them, and a
        server need not have them (Zhao et al., RecSys 2019, section 4.3).
      distil: What this task's distillation head learns; None for no head.
      gates: The conditions for a push.
      ungated: Why this task has no gate; required when `gates` is empty.
    """

    kind: TaskKind
    label: str
    positive: Positive | None = None
    classes: Classes | None = None
    clip: Clip | None = None
    transform: Literal["log1p"] | None = None
    sampled: Sampled | None = None
    weight: Weight = 1.0
    loss: Literal["squared", "huber"] = "squared"
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    positive_weight: Annotated[float, Field(gt=0)] = 1.0
    weight_column: str | None = None
    given: Name | None = None
    bias: tuple[str, ...] = ()
    distil: Distillation | None = None
    gates: tuple[Gate, ...] = ()
    ungated: str | None = None

    @property
    def rule(self) -> LabelRule | None:
        """How the label follows from its column; None where it is the column itself."""
        if self.positive is None and self.clip is None and self.classes is None:
            return None
        return LabelRule(positive=self.positive, clip=self.clip, classes=self.classes)

    @property
    def size(self) -> int:
        """How many numbers it serves for an example."""
        return len(self.classes) if self.classes is not None else 1

    @model_validator(mode="after")
    def _label_fits_kind(self) -> Task:
        expect_classes(self.kind, self.classes)
        if self.positive is not None and self.kind is not TaskKind.BINARY:
            raise ValueError(f"`positive` makes the label of a binary task, found kind: {self.kind}")
        for key in ("clip", "transform"):
            if getattr(self, key) is not None and self.kind is not TaskKind.REGRESSION:
                raise ValueError(f"`{key}` is for the labels of regression tasks, found kind: {self.kind}")
        if self.sampled is not None and self.kind is not TaskKind.BINARY:
            raise ValueError(f"`sampled` is for binary tasks, found kind: {self.kind}")
        low = self.clip.low if self.clip else None
        if self.transform == "log1p" and low is not None and low < 0:
            raise ValueError(f"`transform: log1p` is for labels of 0 or more, found clip.min: {low:g}")
        return self

    @model_validator(mode="after")
    def _loss_fits_kind(self) -> Task:
        given = sorted(set(self.model_dump(exclude_defaults=True)) & _FOREIGN[self.kind])
        if given:
            raise ValueError(f"`{given[0]}` is not for {self.kind} tasks; remove it, or choose another kind")
        return self

    @model_validator(mode="after")
    def _gates_fit(self) -> Task:
        if not self.gates and not self.ungated:
            raise ValueError("a task needs at least one gate, or `ungated:` with the reason why it has none")
        if self.gates and self.ungated:
            raise ValueError("a task with gates cannot also be ungated")
        expected = gateable(self.kind)
        for gate in self.gates:
            if gate.metric not in expected:
                raise ValueError(f"a {self.kind} task is gated on one of {', '.join(expected)}; found {gate.metric}")
        return self
