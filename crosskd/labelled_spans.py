"""Labelled examples of spans, by teachers of several ages, for a study that keeps none of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from components.teacher_labeler.program import TeacherProgram
from components.teacher_labeler.scoring import label_batches
from components.teacher_labeler.trial import first_records, load_for
from records.examples import files_of
from records.spans import SpanFolders
from schema.errors import InputError
from schema.surface import TRAIN_SPLIT, Surface, distilled


class LabelledSpans:
    """Labels each split of a span with a teacher when it is first asked for, as a run does, and keeps it in memory."""

    def __init__(
        self, surface: Surface, spans: SpanFolders, teachers: Mapping[int, Path], progress: Callable[[str], None]
    ):
        """Labels nothing yet.

        Args:
          surface: The surface.
          spans: Where the examples lie.
          teachers: The SavedModels by the span as of which each was trained.
          progress: Told of each teacher.

        Raises:
          InputError: The surface has no teacher.
        """
        self._surface, self._spans, self._teachers, self._progress = distilled(surface), spans, teachers, progress
        self._programs: dict[int, TeacherProgram] = {}
        self._labelled: dict[tuple[int, int, str], list[bytes]] = {}

    def __call__(self, teacher: int, span: int, split: str) -> list[bytes]:
        """The labelled examples of a split.

        Raises:
          InputError: The teacher does not fit, or some examples cannot be labelled.
        """
        key = teacher, span, split
        if key not in self._labelled:
            self._labelled[key] = self._label(*key)
        return self._labelled[key]

    def _label(self, teacher: int, span: int, split: str) -> list[bytes]:
        folder, labelled = self._spans.folder(span) / split, []
        for path in files_of(folder):
            for batch in label_batches(path, self._program(teacher), overlapped=False):
                if batch.rejected:
                    _, fault, _ = batch.rejected[0]
                    raise InputError(
                        f"{path}: expected examples that the teacher can label, found some that it cannot: "
                        f"{fault.detail}. A run would put them aside, and the teachers would be compared on different "
                        "examples: mend them, or leave them out"
                    )
                labelled += batch.records
        return labelled

    def _program(self, teacher: int) -> TeacherProgram:
        if teacher not in self._programs:
            path = files_of(self._spans.folder(self._spans.available()[0]) / TRAIN_SPLIT)[0]
            self._progress(f"labelling with {self._teachers[teacher]}")
            self._programs[teacher] = load_for(self._surface, str(self._teachers[teacher]), first_records(path), path)
        return self._programs[teacher]
