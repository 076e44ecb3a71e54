"""What a surface asks of a model as a server meets it: all that the validator depends on.

It is part of the cache key: a changed gate or learning rate must not validate again.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from schema.base import Scalar, TaskKind
from schema.classes import mapping_of
from schema.distillation import Head
from schema.score import Score
from schema.serving import Serving
from schema.surface import Surface, soft_label


class Requirements(BaseModel):
    """The part of a surface that matters to a server.

    Attributes:
      surface: Its name.
      features: Every feature that a request may carry.
      required: Those without a default, without which a request is malformed.
      defaults: The defaults of the others.
      tasks: The names of the outputs, the score's among them.
      score: How the score follows from the others; None without one.
      binary: Those whose outputs are probabilities.
      classes: How many classes the multiclass ones have, whose outputs are a probability for each.
      labels: Columns that do not exist when serving: hard labels and soft labels.
      distilled: Tasks and non-serving heads that have a distillation head in training.
      stacked: Tasks whose serving head reads the distillation head, which then is served.
      wide_stacked: Those of them of which one of both says several numbers: how many the distillation head, and
        how many the serving head.
      serving: Requests, batch sizes and limits.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    surface: str
    features: tuple[str, ...]
    required: tuple[str, ...]
    defaults: dict[str, Scalar] = {}
    tasks: tuple[str, ...]
    binary: tuple[str, ...]
    classes: dict[str, int] = {}
    labels: tuple[str, ...]
    distilled: tuple[str, ...]
    stacked: tuple[str, ...] = ()
    wide_stacked: dict[str, tuple[int, int]] = {}
    score: Score | None = None
    serving: Serving


def requirements_of(surface: Surface) -> Requirements:
    """What `surface` asks."""
    soft = [soft_label(task) for task in surface.teacher_tasks]
    return Requirements(
        surface=surface.name,
        features=surface.raw_columns,
        required=tuple(
            name for name, feature in surface.features.items() if feature.required and name in surface.raw_columns
        ),
        defaults={
            name: each.default
            for name, each in surface.features.items()
            if each.default is not None and name in surface.raw_columns
        },
        tasks=surface.outputs,
        score=surface.score.model_copy(update={"gates": (), "gain": None}) if surface.score else None,
        binary=tuple(name for name, task in surface.tasks.items() if task.kind is TaskKind.BINARY),
        classes={name: task.size for name, task in surface.tasks.items() if task.classes is not None},
        labels=(*(task.label for task in surface.tasks.values()), *soft),
        distilled=tuple(surface.distillations()),
        stacked=tuple(name for name, each in surface.distillations().items() if each.head is Head.STACKED),
        wide_stacked=_wide_stacked(surface),
        serving=surface.serving,
    )


def _wide_stacked(surface: Surface) -> dict[str, tuple[int, int]]:
    found = {}
    for name, each in surface.distillations().items():
        if each.head is Head.STACKED:
            mapping = mapping_of(surface, name)
            found[name] = (1 if mapping is None else mapping.size, surface.tasks[name].size)
    return {name: sizes for name, sizes in found.items() if sizes != (1, 1)}
