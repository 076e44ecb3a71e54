"""The teacher's section of ``surface.yaml``: how it is called, and how the target's features become its own."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveInt

from schema.base import Name, Scalar, Strict, TaskKind


class TeacherFeature(Strict):
    """One input of the teacher, and where its values come from.

    Attributes:
      dtype: The type the teacher's signature takes.
      source: The target's feature that it reads; by default the one of the same name.
      size: Values per example.
      default: What fills it where the target has no value.  None makes it required.
    """

    dtype: Literal["float", "int", "string"]
    source: str | None = Field(default=None, alias="from")
    size: PositiveInt = 1
    default: Scalar | tuple[Scalar, ...] | None = None


class TeacherTask(Strict):
    """One output of the teacher: a logit for a binary task, a value for a regression.

    Attributes:
      kind: Binary or regression.
      output: Key in the signature's outputs; by default the task's name.
    """

    kind: TaskKind
    output: str | None = None


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
    """

    signature: str = "serving_default"
    takes: Literal["tensors", "examples"] = "tensors"
    tasks: dict[Name, TeacherTask] = Field(min_length=1)
    features: dict[str, TeacherFeature] = Field(min_length=1)
    representations: dict[Name, TeacherRepresentation] = Field(default_factory=dict)
