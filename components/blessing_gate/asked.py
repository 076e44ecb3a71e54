"""What a decision is made of: the evidence, and what the surface's gates ask of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tensorflow_model_analysis.slicer import slicer_lib

from contracts.decision import BoundKind, Check
from evaluation.results import Bound, Evaluation
from evaluation.slices import slicing_spec
from schema.base import TaskKind
from schema.surface import Gate, Surface

FIRST_RUN = "first run: no blessed model yet"


@dataclass(frozen=True)
class Evidence:
    """What a decision rests on.

    Attributes:
      last_blessed: The student, alone or against the last blessed model; a text says why
        there is no such evaluation.
      control: The student against the control; likewise.
      checks: Conditions that were checked elsewhere (labels, serving).
    """

    last_blessed: Evaluation | str
    control: Evaluation | str
    checks: tuple[Check, ...] = ()

    def of(self, kind: BoundKind) -> Evaluation | str:
        return self.control if kind is BoundKind.CONTROL else self.last_blessed


@dataclass(frozen=True)
class Asked:
    """One bound of one gate."""

    task: str
    task_kind: TaskKind
    gate: Gate
    kind: BoundKind
    bound: float


def asked_bounds(surface: Surface) -> Iterator[Asked]:
    """Every bound of every gate, in the order of the surface."""
    for name, task in surface.tasks.items():
        for gate in task.gates:
            if gate.at_least is not None:
                yield Asked(name, task.kind, gate, BoundKind.ABSOLUTE, gate.at_least)
            if gate.vs_last_blessed:
                yield Asked(name, task.kind, gate, BoundKind.LAST_BLESSED, gate.vs_last_blessed.at_least)
            if gate.vs_control:
                yield Asked(name, task.kind, gate, BoundKind.CONTROL, gate.vs_control.at_least)


def gated_slices(surface: Surface, gate: Gate) -> slicer_lib.SingleSliceSpec:
    """The slices that a gate holds for; a feature without a value stands for each of its values."""
    if gate.slice is None:
        return slicer_lib.SingleSliceSpec()
    return slicer_lib.SingleSliceSpec(spec=slicing_spec(gate.slice, surface.slices[gate.slice]))


def tfma_bound(surface: Surface, asked: Asked) -> Bound:
    """The threshold that `pipeline.eval_config` makes of a bound."""
    changes = asked.kind is not BoundKind.ABSOLUTE
    return Bound(asked.task, asked.gate.metric, gated_slices(surface, asked.gate), changes, asked.bound)
