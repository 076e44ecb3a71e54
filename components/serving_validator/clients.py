"""Whether the clients of the model that serves can go on when the student takes its place; see `records.clients`."""

from __future__ import annotations

from components.serving_validator.graph import ModelGraph
from components.serving_validator.requirements import Requirements
from contracts.decision import Check, Verdict
from records.clients import breaks, listed, refusal
from records.served import ServedModel, ServingSignature
from records.sessions import SIGNATURE
from schema.base import TaskKind

NAME = "clients of what serves"


def clients_check(student: ModelGraph, served: ServedModel, requirements: Requirements) -> Check:
    """Whether clients can go on, or all that breaks them is declared.

    Args:
      student: The model that is to take its place.
      served: The model that serves.
      requirements: What the surface asks, and declares.
    """
    broken = breaks(_signature(student, served, requirements), served)
    refused = refusal(broken, served, requirements.serving.breaking_change)
    if refused is not None:
        return Check(name=NAME, verdict=Verdict.FAIL, sentence=refused)
    if broken:
        text = f"Declared for {served.title}: {listed(broken)}."
    else:
        text = (
            f"Clients of {served.title} go on: no output goes away, and no input becomes required or changes its type."
        )
    return Check(name=NAME, verdict=Verdict.PASS, sentence=text)


def _signature(student: ModelGraph, served: ServedModel, requirements: Requirements) -> ServingSignature:
    """What clients would see of the student; that it has no signature to serve with is said by another check."""
    has_one = SIGNATURE in student.signatures
    outputs = student.signatures[SIGNATURE].outputs if has_one else served.outputs
    kinds = dict.fromkeys(outputs, TaskKind.REGRESSION) | dict.fromkeys(requirements.binary, TaskKind.BINARY)
    kinds |= dict.fromkeys(requirements.classes, TaskKind.MULTICLASS)
    return ServingSignature(outputs, student.columns, kinds)
