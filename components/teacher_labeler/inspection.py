"""What a sample of examples says of a teacher's inputs: how many are filled, which ids it knows, what is at fault."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from components.teacher_labeler.adaptation import Adapted, adapt
from components.teacher_labeler.faults import Fault, Reason, find_fault
from components.teacher_labeler.parsing import parse_ragged
from components.teacher_labeler.program import BAD_RECORD_ERRORS, TeacherProgram
from schema.base import Scalar
from schema.candidates import EMBEDDINGS_SIGNATURE, ids_output


@dataclass(frozen=True)
class InspectedInput:
    """One input of the teacher.

    Attributes:
      filled: Examples in which the default, the padding or the constant stands for it.
      unmapped: Examples with a value that is not in its vocabulary.
      unknown: Examples with an id that the teacher has no embedding of; None where it offers none.
    """

    filled: int
    unmapped: int
    unknown: int | None = None


@dataclass(frozen=True)
class Inspection:
    """A sample of one split.

    Attributes:
      adapted: Examples that can be given to the teacher.
      inputs: The teacher's inputs by name.
      faults: How many records have a fault, by reason and column.
      examples: One fault of each of these.
    """

    adapted: int
    inputs: Mapping[str, InspectedInput]
    faults: Counter[tuple[Reason, str]] = field(default_factory=Counter)
    examples: Mapping[tuple[Reason, str], Fault] = field(default_factory=dict)


def inspect(program: TeacherProgram, records: Sequence[bytes]) -> Inspection:
    """Labels a sample as the job does, record by record where one of them fails.

    Args:
      program: The teacher.
      records: Serialized tf.Examples, or what should be some.
    """
    surface, kinds = program.plan.surface, program.plan.all_kinds()
    found = [find_fault(record, surface, kinds) for record in records]
    good = [record for record, fault in zip(records, found, strict=True) if fault is None]
    at_fault = [fault for fault in found if fault is not None]
    at_fault += _not_finite(program, good)
    return Inspection(
        adapted=len(good),
        inputs=_inputs(program, _adapted(program, good)) if good else {},
        faults=Counter((fault.reason, fault.column) for fault in at_fault),
        examples={(fault.reason, fault.column): fault for fault in reversed(at_fault)},
    )


def _not_finite(program: TeacherProgram, records: Sequence[bytes]) -> list[Fault]:
    """A fault for each record of which the teacher answers NaN or infinity, of the first such task."""
    if not records:
        return []
    try:
        logits = program(tf.constant(list(records))).logits
    except BAD_RECORD_ERRORS:  # the teacher refuses some; the job finds out which
        return []
    tasks = list(program.plan.surface.teacher.tasks)
    bad = ~np.isfinite(logits)
    places = [(row, int(bad[row].argmax())) for row in np.flatnonzero(bad.any(axis=1))]
    return [
        Fault(Reason.NON_FINITE, tasks[task], f"teacher.tasks.{tasks[task]} answers {logits[row, task]:g}, not finite")
        for row, task in places
    ]


def _adapted(program: TeacherProgram, records: Sequence[bytes]) -> Adapted:
    plan = program.plan
    return adapt(
        tf.constant(list(records)),
        plan.surface,
        plan.all_kinds(),
        program.input_dtypes(),
        parse_ragged,
        program.lookups,
    )


def _inputs(program: TeacherProgram, adapted: Adapted) -> dict[str, InspectedInput]:
    offered, features = known_ids(program), program.plan.surface.teacher.features
    filled = adapted.filled.numpy()
    unmapped = np.broadcast_to(adapted.unmapped.numpy(), filled.shape)
    return {
        name: InspectedInput(
            filled=int(filled[:, place].sum()),
            unmapped=int(unmapped[:, place].sum()),
            unknown=unknown_rows(adapted.inputs[name], filled[:, place], offered[name], feature.pad)
            if name in offered
            else None,
        )
        for place, (name, feature) in enumerate(features.items())
    }


def unknown_rows(values: tf.Tensor, filled: NDArray[np.bool_], known: NDArray[Any], pad: Scalar | None) -> int:
    """Rows with a value, [batch, size], that is not among the known ids; filled rows are counted as such.

    What pads a shorter list is no value.
    """
    found = values.numpy()
    absent = ~np.isin(found, known)
    if pad is not None:
        absent &= found != (pad.encode() if isinstance(pad, str) else pad)
    return int((absent.any(axis=1) & ~filled).sum())


def known_ids(program: TeacherProgram) -> dict[str, NDArray[Any]]:
    """The ids that the teacher offers its embeddings of, by its input; see `schema.candidates.WarmStart`."""
    signature = program.signatures.get(EMBEDDINGS_SIGNATURE)
    if signature is None or signature.structured_input_signature[1]:
        return {}
    outputs = signature()
    surface = program.plan.surface
    return {
        name: outputs[ids_output(name)].numpy()
        for name, feature in surface.teacher.features.items()
        if ids_output(name) in outputs and feature.reads
    }
