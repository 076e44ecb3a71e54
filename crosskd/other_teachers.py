"""`crosskd experiment --teacher`: further teachers, loaded and tried on a run's examples before they answer all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from components.teacher_labeler.program import TeacherProgram
from components.teacher_labeler.trial import ask, check_answers, first_records, load_for
from evidence.other_teachers import Answer
from records.examples import files_of
from schema.surface import Surface, distilled


def answers_of(surface: Surface, teachers: Mapping[str, Path], labelled: str) -> dict[str, Answer]:
    """What asks each teacher.

    Args:
      surface: The surface of the run.
      teachers: Folders of SavedModels, by name.
      labelled: Folder of a run's labelled training split, on whose first examples the teachers are tried.

    Raises:
      InputError: A teacher does not fit the surface, or its answers are not what labels are made of.
    """
    of, where = distilled(surface), files_of(labelled)[0]
    records = first_records(where)
    found: dict[str, Answer] = {}
    for name, folder in teachers.items():
        program = load_for(of, str(folder), records, where)
        check_answers(program, records)
        found[name] = partial(_answer, program)
    return found


def _answer(program: TeacherProgram, records: Sequence[bytes]) -> dict[str, NDArray[np.float32]]:
    """What a teacher says of examples; NaN where the labeller would leave one out."""
    scores = ask(program, records)
    return {task: _fit(values, scores.unfit) for task, values in program.by_task(scores).items()}


def _fit(values: NDArray[np.float32], unfit: NDArray[np.bool_]) -> NDArray[np.float32]:
    there = np.isfinite(values.reshape(len(values), -1)).all(axis=1) & ~unfit
    return np.where(there.reshape(-1, *[1] * (values.ndim - 1)), values, np.float32(np.nan))
