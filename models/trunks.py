"""Trunks: how tasks share layers.

A trunk gives every task, and every non-serving head, what its tower reads.  Non-serving
heads exist in the student alone, so they must not change what tasks get: they have gates
of their own over the shared experts, and no experts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import keras

from models import own_code
from models.layers import LayerMaker
from schema.surface import Surface
from schema.training import Model, TrunkKind


@dataclass(frozen=True)
class Trunk:
    """A built trunk.

    Attributes:
      of: What the tower of each task and non-serving head reads, float [batch, width].
      shared: What all tasks share, float [batch, width].
    """

    of: dict[str, keras.KerasTensor]
    shared: keras.KerasTensor


def build_trunk(
    model: Model, maker: LayerMaker, features: keras.KerasTensor, tasks: Sequence[str], extra: Sequence[str]
) -> Trunk:
    """Builds the trunk that `model` asks for.

    Args:
      model: Kind and sizes.
      maker: Makes the layers.
      features: All features, encoded, float [batch, width].
      tasks: The tasks that serve.
      extra: The non-serving heads; none in a control.
    """
    build = {TrunkKind.SHARED_BOTTOM: _shared_bottom, TrunkKind.MMOE: _mmoe, TrunkKind.PLE: _ple}
    return build[model.trunk_kind](model, maker, features, tasks, extra)


def shared_width(model: Model) -> int:
    """The width of what all tasks share, of a trunk of `build_trunk`."""
    return model.trunk[-1] * (model.experts if model.trunk_kind is TrunkKind.MMOE else 1)


def own_trunk(surface: Surface, vectors: Mapping[str, keras.KerasTensor], extra: Sequence[str]) -> Trunk:
    """The trunk of the user's own code; non-serving heads read what all tasks share.

    Args:
      surface: Gives the code.
      vectors: The features, encoded, by name.
      extra: The non-serving heads; none in a control.
    """
    of = own_code.trunk(surface, vectors)
    different = list({id(each): each for each in (of[task] for task in surface.tasks)}.values())
    shared = different[0] if len(different) == 1 else keras.layers.Concatenate(name="own_trunk")(different)
    return Trunk({**{task: of[task] for task in surface.tasks}, **dict.fromkeys(extra, shared)}, shared)


def _shared_bottom(
    model: Model, maker: LayerMaker, features: keras.KerasTensor, tasks: Sequence[str], extra: Sequence[str]
) -> Trunk:
    bottom = maker.stack("trunk", model.trunk)(features)
    return Trunk(dict.fromkeys((*tasks, *extra), bottom), bottom)


def _mmoe(
    model: Model, maker: LayerMaker, features: keras.KerasTensor, tasks: Sequence[str], extra: Sequence[str]
) -> Trunk:
    """Multi-gate mixture of experts (Ma et al., KDD 2018), equations 5 to 7: one gate per task over shared experts."""
    experts = [maker.stack(f"expert_{index}", model.trunk)(features) for index in range(model.experts)]
    stacked = keras.ops.stack(experts, axis=1)
    mixed = {name: _mixture(maker, f"gate_{name}", features, stacked) for name in (*tasks, *extra)}
    return Trunk(mixed, keras.layers.Concatenate(name="experts")(experts) if len(experts) > 1 else experts[0])


def _ple(
    model: Model, maker: LayerMaker, features: keras.KerasTensor, tasks: Sequence[str], extra: Sequence[str]
) -> Trunk:
    """Progressive layered extraction (Tang et al., RecSys 2020), section 4: shared experts and each task's own.

    Each width of the trunk is a level.  A task's gate mixes its own and the shared experts
    (equations 1 to 3); between levels the shared path's gate mixes all of them
    (equations 5 and 6).
    """
    shared, of = features, dict.fromkeys((*tasks, *extra), features)
    for level, width in enumerate(model.trunk):
        common = [maker.stack(f"level_{level}.shared_{index}", [width])(shared) for index in range(model.experts)]
        own = {
            name: [
                maker.stack(f"level_{level}.{name}_expert.{index}", [width])(of[name])
                for index in range(model.task_experts)
            ]
            for name in tasks
        }
        for name in of:
            mixed = keras.ops.stack([*own.get(name, []), *common], axis=1)
            of[name] = _mixture(maker, f"level_{level}.gate.{name}", of[name], mixed)
        everything = [expert for experts in own.values() for expert in experts] + common
        shared = _mixture(maker, f"level_{level}.gate_shared", shared, keras.ops.stack(everything, axis=1))
    return Trunk(of, shared)


def _mixture(
    maker: LayerMaker, name: str, selector: keras.KerasTensor, experts: keras.KerasTensor
) -> keras.KerasTensor:
    """Experts [batch, experts, width] mixed by a gate on `selector`: [batch, width]."""
    shares = maker.gate(name, experts.shape[1])(selector)
    return keras.layers.Dot(axes=(1, 1), name=f"{name}.mixture")([shares, experts])
