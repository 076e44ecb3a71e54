"""The teacher's section of ``surface.yaml``: how it is called, and how the target's features become its own."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveInt, model_validator

from schema.base import Name, Strict, TaskKind
from schema.classes import Classes, expect_classes
from schema.teacher_feature import Rate, TeacherFeature


class TeacherTask(Strict):
    """One output of the teacher: a logit for a binary task, a value for a regression, a logit for each class.

    Attributes:
      kind: Binary, regression or multiclass.
      classes: The classes of a multiclass task, in the order of its output, [batch, classes].
      output: Key in the signature's outputs; by default the task's name.
      gives: What the output of a binary or multiclass task is: a `logit`, or a `probability`,
        which is turned into a logit.  Without it, it is taken for a logit, and answers that all
        lie between 0 and 1, and of several classes sum to 1, are an error.
    """

    kind: TaskKind
    classes: Classes | None = None
    output: str | None = None
    gives: Literal["logit", "probability"] | None = None

    @model_validator(mode="after")
    def _regressions_have_no_logits(self) -> TeacherTask:
        if self.gives is not None and self.kind is TaskKind.REGRESSION:
            raise ValueError("`gives` is for binary and multiclass tasks; a regression gives a value")
        return self

    @model_validator(mode="after")
    def _multiclass_tasks_have_classes(self) -> TeacherTask:
        expect_classes(self.kind, self.classes)
        return self

    @property
    def size(self) -> int:
        """How many numbers it says of an example."""
        return len(self.classes) if self.classes is not None else 1


class TeacherRepresentation(Strict):
    """A layer of the teacher that its signature offers as an output: a vector an example.

    Attributes:
      size: Its width.
      output: Key in the signature's outputs; by default the representation's name.
    """

    size: PositiveInt
    output: str | None = None


class Teacher(Strict):
    """How the teacher is called, and how target features become its features.

    Attributes:
      signature: The SavedModel signature to call.
      takes: `tensors` (one named tensor per feature) or `examples` (serialized).
      tasks: The teacher's tasks, by name.
      features: All of the teacher's inputs, by name (the feature adaptation).
      representations: Layers that the signature offers, by name; labelled as tasks are.
      max_fill_rate: Most that the mean over features of their fill rates may be in a split.
      max_bad_fraction: Part of a split's records that may be without soft labels, as dead
        letters; above it labelling fails.
    """

    signature: str = "serving_default"
    takes: Literal["tensors", "examples"] = "tensors"
    tasks: dict[Name, TeacherTask] = Field(min_length=1)
    features: dict[str, TeacherFeature] = Field(min_length=1)
    representations: dict[Name, TeacherRepresentation] = Field(default_factory=dict)
    max_fill_rate: Rate | None = None
    max_bad_fraction: Rate = 0.001

    @model_validator(mode="after")
    def _tensors_have_values(self) -> Teacher:
        for name, feature in self.features.items():
            key = "ragged" if feature.ragged else "drop"
            if self.takes == "tensors" and (feature.ragged or feature.drop):
                raise ValueError(f"features.{name}.{key}: only with `takes: examples`; a tensor needs a value")
        return self

    @model_validator(mode="after")
    def _lengths_are_of_lists(self) -> Teacher:
        lists = [name for name, feature in self.features.items() if feature.variable]
        for name, feature in self.features.items():
            if feature.length_of is not None and feature.length_of not in lists:
                raise ValueError(
                    f"features.{name}.length_of: expected a list among the teacher's inputs (one with `pad` or "
                    f"`ragged`: {', '.join(lists) or 'none'}), found {feature.length_of!r}"
                )
        return self
