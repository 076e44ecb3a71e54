"""What a run changes of its surface: the seed and the gates.

The surface lies inside of execution properties, as components take it, so that is where it is
changed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from tfx.types import standard_component_specs

from schema.errors import InputError
from schema.refusals import refusals
from schema.score import SCORE
from schema.surface import Surface
from schema.yaml_text import read

_SURFACE = "surface"
_CUSTOM_CONFIG = standard_component_specs.CUSTOM_CONFIG_KEY


def read_gates(text: str, surface: Surface, where: str) -> str:
    """Gates from a file, as the run parameter takes them.

    Args:
      text: YAML or JSON: task name to a list of gates, written as in ``surface.yaml``.
      surface: The surface whose gates they replace.
      where: The file, for messages.

    Returns:
      JSON.

    Raises:
      InputError: It is not that, or the gates do not fit the surface.
    """
    gates = read(text, where)[0]
    if not isinstance(gates, dict):
        raise InputError(f"{where}: expected task names with lists of gates, found {type(gates).__name__}")
    with_gates(surface, gates, where)
    return json.dumps(gates)


def with_gates(surface: Surface, gates: Mapping[str, Any], where: str = "run parameter 'gates'") -> Surface:
    """The surface with other gates for the tasks that are named.

    Raises:
      InputError: A task or slice does not exist, or a gate is none.
    """
    content = surface.model_dump(mode="json", by_alias=True)
    for task, of_task in gates.items():
        if task not in surface.gates:
            raise InputError(f"{where}: expected one of the tasks {', '.join(surface.gates)}, found {task!r}")
        if task == SCORE:
            content[SCORE].update(gates=of_task)
        else:
            content["tasks"][task].update(gates=of_task, ungated=None)
    try:
        changed = Surface.model_validate(content)
    except ValidationError as error:
        raise InputError(*(f"{where}: {each}" for each in refusals(error, Surface, content))) from error
    for name, changed_gates in changed.gates.items():
        for gate in changed_gates:
            if gate.slice is not None and gate.slice not in changed.slices:
                known = ", ".join(changed.slices) or "none"
                raise InputError(f"{where}: {name}: expected a slice of the surface ({known}), found {gate.slice!r}")
    return changed


def override(exec_properties: dict[str, Any], run: Mapping[str, Any]) -> None:
    """Changes execution properties in place by what the run says.

    Args:
      exec_properties: A component's.
      run: Run parameters; those that the node was not given are not there.

    Raises:
      InputError: The gates do not fit the surface.
    """
    if run.get("seed") is not None:
        _reseed(exec_properties, int(run["seed"]))
    if run.get("gates"):
        _regate(exec_properties, json.loads(run["gates"]))


def _reseed(exec_properties: dict[str, Any], seed: int) -> None:
    config = json.loads(exec_properties[_CUSTOM_CONFIG])
    surface = Surface.model_validate_json(config[_SURFACE])
    training = surface.training.model_copy(update={"seed": seed})
    config[_SURFACE] = surface.model_copy(update={"training": training}).model_dump_json(by_alias=True)
    exec_properties[_CUSTOM_CONFIG] = json.dumps(config)


def _regate(exec_properties: dict[str, Any], gates: Mapping[str, Any]) -> None:
    changed = with_gates(Surface.model_validate_json(exec_properties[_SURFACE]), gates)
    exec_properties[_SURFACE] = changed.model_dump_json(by_alias=True)
