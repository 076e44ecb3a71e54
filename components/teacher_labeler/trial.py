"""A teacher tried on a few examples before it labels all: does each answer belong to its own row, and is it a logit?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from components.teacher_labeler.adaptation import default_values
from components.teacher_labeler.columns import check_kinds, needed_columns
from components.teacher_labeler.faults import find_fault
from components.teacher_labeler.options import LabelOptions
from components.teacher_labeler.plan import LabelPlan
from components.teacher_labeler.program import BAD_RECORD_ERRORS, TeacherProgram, TeacherScores
from components.teacher_labeler.signature import read_signature
from records.shards import cause, read_batches
from records.tf_example import observe_kinds
from schema.base import TaskKind
from schema.checks import Problems
from schema.errors import InputError
from schema.surface import DistilledSurface

TRIED_RECORDS = 256
# With fewer different answers, nothing can be said about them.
_LEAST_ANSWERS = 16
# Sums in another order differ by less, relative to the answers' own spread; other rows' answers by about all of it.
_TOLERANCE = 1e-2


def try_teacher(surface: DistilledSurface, teacher: str, path: str) -> None:
    """Checks a teacher before anything else runs: its signature, its defaults, and its answers to a few examples.

    Args:
      surface: The surface.
      teacher: The teacher's SavedModel.
      path: A file of examples.

    Raises:
      InputError: The teacher does not fit the surface, or its answers are not what labels are made of.
    """
    records = first_records(path)
    check_answers(load_for(surface, teacher, records, path), records)


def load_for(surface: DistilledSurface, teacher: str, records: Sequence[bytes], where: str) -> TeacherProgram:
    """Loads a teacher that fits a surface and its examples.

    Args:
      surface: The surface.
      teacher: The teacher's SavedModel.
      records: Some examples, from which the types of columns are seen.
      where: What they are, for messages.

    Raises:
      InputError: The signature, a default or the type of a column does not fit; all such are named.
    """
    declared = surface.teacher
    problems, kinds = Problems(), observe_kinds(records, needed_columns(surface))
    with problems.noted():
        signature = read_signature(teacher, declared)
    for name, feature in declared.features.items():
        with problems.noted():
            default_values(name, feature)
    with problems.noted():
        check_kinds(surface, kinds, where)
    problems.raise_any()
    return TeacherProgram(LabelPlan(surface, signature, "", kinds, LabelOptions()))


def ask(program: TeacherProgram, records: Sequence[bytes]) -> TeacherScores:
    """What a loaded teacher says of records that it is not to refuse.

    Raises:
      InputError: It refuses some.
    """
    try:
        return program(tf.constant(records))
    except BAD_RECORD_ERRORS as error:
        raise InputError(
            f"{program.plan.signature.model_dir}: the teacher refuses some of the examples: {cause(error)[:300]}"
        ) from error


def first_records(path: str) -> list[bytes]:
    """The first records of a file."""
    return next(iter(read_batches(path, TRIED_RECORDS)), [])


def check_answers(program: TeacherProgram, records: Sequence[bytes]) -> None:
    """Checks what a loaded teacher says of a few examples; those that are at fault themselves are left out.

    Raises:
      InputError: An answer depends on the order or on the company of its row, changes from call
        to call, or is a probability where a logit is declared.
    """
    plan = program.plan
    kinds = plan.all_kinds()
    good = [record for record in records if find_fault(record, plan.surface, kinds) is None]
    where = f"{plan.signature.model_dir}: signature {plan.signature.name!r}"
    try:
        answers = _answers(program, good)
        if len(good) > 1:
            _check_rows(program, good, answers, where)
    except BAD_RECORD_ERRORS:  # the teacher refuses some; the job finds out which
        return
    _check_logits(plan.surface, answers, where)
    _check_class_logits(program, good, where)


def _check_rows(program: TeacherProgram, records: list[bytes], answers: NDArray[np.float32], where: str) -> None:
    """Asks again, in another order, and in halves: each row's answer must stay what it was."""
    tasks = [*program.plan.surface.teacher.tasks]
    again = _answers(program, records)
    _expect_equal(
        answers,
        again,
        tasks,
        f"{where}: two calls with the same {len(records)} examples give different answers",
        "Export the teacher for inference: without dropout, sampling or other randomness.",
    )
    order = np.random.default_rng(0).permutation(len(records))
    permuted = np.empty_like(answers)
    permuted[order] = _answers(program, [records[row] for row in order])
    _expect_equal(
        answers,
        permuted,
        tasks,
        f"{where}: the same examples in another order get other answers",
        "An answer must stand at its row's place; is there a sort, a ranking or a shift over the batch?",
    )
    middle = len(records) // 2
    halves = np.concatenate([_answers(program, records[:middle]), _answers(program, records[middle:])])
    _expect_equal(
        answers,
        halves,
        tasks,
        f"{where}: the same examples in smaller batches get other answers",
        "An answer must not depend on the other rows of its batch; are there batch statistics (batch normalization in "
        "training mode, a softmax or a mean over rows)?",
    )


def _answers(program: TeacherProgram, records: Sequence[bytes]) -> NDArray[np.float32]:
    if not records:
        return np.empty((0, len(program.plan.surface.teacher.tasks)), np.float32)
    return program(tf.constant(list(records))).logits


def _expect_equal(
    first: NDArray[np.float32], second: NDArray[np.float32], tasks: Sequence[str], what: str, remedy: str
) -> None:
    for index, task in enumerate(tasks):
        one, other = first[:, index].astype(np.float64), second[:, index].astype(np.float64)
        finite = np.isfinite(one)
        spread = one[finite].std() if finite.any() else 0.0
        allowed = _TOLERANCE * spread + 1e-5 * np.abs(one)
        differs = (np.isfinite(other) != finite) | (finite & (np.abs(one - other) > allowed + 1e-7))
        if differs.any():
            row = int(np.flatnonzero(differs)[0])
            raise InputError(
                f"{what}: in {int(differs.sum())} of {len(one)} rows of teacher.tasks.{task}, for instance "
                f"{one[row]:g} and then {other[row]:g}. {remedy}"
            )


def _check_logits(surface: DistilledSurface, answers: NDArray[np.float32], where: str) -> None:
    for index, (name, task) in enumerate(surface.teacher.tasks.items()):
        values = answers[:, index]
        values = values[np.isfinite(values)]
        if task.kind is not TaskKind.BINARY or task.gives is not None or len(np.unique(values)) < _LEAST_ANSWERS:
            continue
        if values.min() >= 0 and values.max() <= 1:
            raise InputError(
                f"{where}: teacher.tasks.{name}: expected logits of a binary task, and all {len(values)} answers tried "
                f"lie between {values.min():.4f} and {values.max():.4f}: they look like probabilities. Write "
                "`gives: probability` for the task, and they are turned into logits; or `gives: logit` if they are."
            )


def _check_class_logits(program: TeacherProgram, records: list[bytes], where: str) -> None:
    """Answers of several classes that are all in [0, 1] and sum to 1 are no logits."""
    tasks = {name: task for name, task in program.plan.surface.teacher.tasks.items() if task.classes is not None}
    if not tasks or len(records) < _LEAST_ANSWERS:
        return
    answers = program.by_task(program(tf.constant(records)))
    for name, task in tasks.items():
        values = answers[name][np.isfinite(answers[name]).all(axis=1)]
        alike = task.gives is not None or len(values) < _LEAST_ANSWERS
        if not alike and values.min() >= 0 and np.abs(values.sum(axis=1) - 1).max() < _TOLERANCE:
            raise InputError(
                f"{where}: teacher.tasks.{name}: expected a logit for each class, and all {len(values)} answers tried "
                "are numbers between 0 and 1 that sum to 1: they look like probabilities. Write `gives: probability` "
                "for the task, and they are turned into logits; or `gives: logit` if they are."
            )


def tried(program: TeacherProgram, path: str) -> TeacherProgram:
    """A program whose answers to the first records of a file were checked."""
    check_answers(program, first_records(path))
    return program
