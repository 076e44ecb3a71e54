"""What the numbers of a model are about, so that a later model with the same names can tell whether they still are.

Two layers of the same name and shape may be about different things: a table whose buckets have other
bounds, a first layer whose features changed places, a head of another label.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from pydantic import BaseModel

from contracts.heads import (
    ADAPTED_PREFIX,
    DISTILLATION_PREFIX,
    LAYER_PREFIX,
    REPRESENTATION_PREFIX,
    SERVING_PREFIX,
    STACKED_PREFIX,
)
from models.layers import embedding_layer
from models.ranker import Ranker
from records.training_states import ModelInput
from schema.classes import mapping_of
from schema.distillation import Distillation
from schema.features import Feature
from schema.surface import Surface, Task

# Tables whose rows are of values, which are known by themselves and not by their places.
OF_VALUES = "values"
# What of a feature says what its vector is, beside its table; its width is the vector's.
_OF_VECTORS = ("kind", "scale", "clip", "several", "pool", "weights", "length", "embedding_of", "sequence", "many")
_OF_LABELS = ("kind", "label", "positive", "classes", "clip", "transform", "sampled", "given")


@dataclass(frozen=True)
class Meanings:
    """What the numbers of a model are about.

    Attributes:
      tables: What the rows of each embedding are, by its layer.
      inputs: What lies side by side below the trunk.
      heads: What each head says, and what each bias tower reads, by its layer.
    """

    tables: dict[str, str]
    inputs: tuple[ModelInput, ...]
    heads: dict[str, str]


def meanings(surface: Surface, ranker: Ranker) -> Meanings:
    """What the numbers of a surface's ranker are about."""
    return Meanings(
        tables=_tables(surface),
        inputs=tuple(
            ModelInput(name=name, width=width, meaning=_input(surface, name)) for name, width in ranker.vectors.items()
        ),
        heads=heads_of(surface),
    )


def _tables(surface: Surface) -> dict[str, str]:
    own = [name for name, feature in surface.features.items() if feature.embedded and surface.owner(name) == name]
    found = {embedding_layer(name): _rows(surface.features[name]) for name in own}
    crosses = {
        embedding_layer(name): _json({"of": each.of, "hash": each.hash}) for name, each in surface.crosses.items()
    }
    return found | crosses


def _rows(feature: Feature) -> str:
    if feature.rows_are_values:
        return OF_VALUES
    if feature.hash is not None:
        return _json({"hash": feature.hash})
    return _json({"buckets": feature.buckets, "scale": feature.scale, "clip": _plain(feature, "clip")})


def _input(surface: Surface, name: str) -> str:
    """What a vector below the trunk is: of a feature, a cross, a sequence, or whether a feature is absent."""
    if name in surface.crosses:
        return _json({"cross": surface.crosses[name].model_dump(mode="json")})
    if name in surface.features:
        feature = surface.features[name]
        table = _rows(surface.features[surface.owner(name)]) if feature.embedded else ""
        return _json({"table": table, **{key: _plain(feature, key) for key in _OF_VECTORS}})
    parts = [each for columns in surface.parts().values() for each in columns]
    return _json({"columns": {each: _plain(surface.features[each], "sequence") for each in parts}})


def serving_layer(task: str) -> str:
    """The layer of a task's serving head."""
    return LAYER_PREFIX + SERVING_PREFIX + task


def heads_of(surface: Surface) -> dict[str, str]:
    """What each head says, by its layer."""
    found = {serving_layer(name): _json(_label(task)) for name, task in surface.tasks.items()}
    for name, task in ((name, task) for name, task in surface.tasks.items() if task.bias):
        of_tower = _json({"features": list(task.bias), **_label(task)})
        found |= {f"bias_{name}": of_tower, f"bias_{name}.logit": of_tower}
    for name, each in surface.distillations().items():
        soft = _soft_label(surface, name, each)
        found[LAYER_PREFIX + DISTILLATION_PREFIX + name] = _json(soft)
        if name in surface.tasks:
            found[LAYER_PREFIX + STACKED_PREFIX + name] = _json({**soft, **_label(surface.tasks[name])})
        if each.adapter is not None:
            found[LAYER_PREFIX + ADAPTED_PREFIX + name] = _json(_label(surface.tasks[name]))
    for name, representation in surface.representations.items():
        found[LAYER_PREFIX + REPRESENTATION_PREFIX + name] = _json({"layer": representation.source})
    return found


def _label(task: Task) -> dict[str, object]:
    return {key: _plain(task, key) for key in _OF_LABELS}


def _soft_label(surface: Surface, name: str, of: Distillation) -> dict[str, object]:
    """What a distillation head says: of which task, on which scale, and of classes which of the teacher's, in order."""
    mapping, offered = mapping_of(surface, name), surface.teacher_tasks[of.teacher_task].classes or ()
    classes = mapping and [[offered[place] for place in part] for part in mapping.teacher]
    return {"teacher_task": of.teacher_task, "z_scores": of.loss.on_z_scores, "teacher_classes": classes}


def _plain(of: BaseModel, key: str) -> object:
    return of.model_dump(mode="json").get(key)


def _json(content: dict[str, object]) -> str:
    return json.dumps(content, sort_keys=True)
