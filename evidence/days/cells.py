"""What is compared over spans: ways to start, teachers of several ages, and which differences answer which question."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from evidence.arms import CONTROL
from schema.errors import InputError

FROZEN, REPLACED = "never replaced", "replaced"
_ONLY = "the teacher"


class Way(StrEnum):
    """What a training starts from."""

    COLD = "cold"
    CONTINUED = "continued"


class Question(StrEnum):
    """What a difference is an answer to."""

    CONTINUING = "does continuing pay?"
    DISTILLING = "does distilling pay?"
    AGEING = "what does a teacher's age cost?"
    REPLACING = "what does a new teacher bring?"


@dataclass(frozen=True)
class TeacherPlan:
    """Which teacher labels the spans of a window.

    Attributes:
      name: For tables; of students.
      by_span: For each span that is the newest of a window, the span as of which its teacher was trained.
      age: How many spans the teacher stays behind; None where that is not what the plan is about.
    """

    name: str
    by_span: dict[int, int]
    age: int | None = None


@dataclass(frozen=True)
class Cell:
    """One arm of the study, over all spans.

    Attributes:
      way: What each training starts from.
      window: How many spans it is trained on, the newest included.
      teacher: The teachers; None for a control.
    """

    way: Way
    window: int
    teacher: TeacherPlan | None

    @property
    def start(self) -> str:
        """The way with its window."""
        return f"{self.way}, {self.window} span{'s' if self.window > 1 else ''}"

    @property
    def labels(self) -> str:
        """Whose soft labels it learns."""
        return self.teacher.name if self.teacher else CONTROL

    @property
    def name(self) -> str:
        return f"{self.start}: {self.labels}"


@dataclass(frozen=True)
class Layout:
    """All arms.

    Attributes:
      window: Spans that the continued arms are trained on.
      cold: Spans that cold arms are trained on, several lengths.
      plans: The teachers, those that every way has first; the first of all is the youngest.
      kept_apart: How many plans at the end the continued arms alone have.
    """

    window: int
    cold: tuple[int, ...]
    plans: tuple[TeacherPlan, ...]
    kept_apart: int = 0

    def cells(self) -> list[Cell]:
        """The continued arms first; of each way, the control first."""
        common = self.plans[: len(self.plans) - self.kept_apart]
        starts = [
            (Way.CONTINUED, self.window, self.plans),
            *((Way.COLD, window, common) for window in self.cold),
        ]
        return [Cell(way, window, plan) for way, window, plans in starts for plan in (None, *plans)]

    def differences(self) -> list[tuple[Question, Cell, Cell]]:
        """What is compared: one arm, and the other."""
        return [*self._of_continuing(), *self._of_distilling(), *self._of_teachers()]

    def _of_continuing(self) -> Iterator[tuple[Question, Cell, Cell]]:
        for labels in (CONTROL, *self._common()):
            for window in self.cold:
                yield Question.CONTINUING, self._continued(labels), self._cell(Way.COLD, window, labels)

    def _of_distilling(self) -> Iterator[tuple[Question, Cell, Cell]]:
        for way, window in ((Way.CONTINUED, self.window), *((Way.COLD, each) for each in self.cold)):
            for labels in self._common():
                yield Question.DISTILLING, self._cell(way, window, labels), self._cell(way, window, CONTROL)

    def _of_teachers(self) -> Iterator[tuple[Question, Cell, Cell]]:
        for each in self.plans[1:]:
            if each.age is not None:
                yield Question.AGEING, self._continued(each.name), self._continued(self.plans[0].name)
            if each.name == REPLACED:
                yield Question.REPLACING, self._continued(REPLACED), self._continued(FROZEN)

    def _common(self) -> list[str]:
        """The plans that every way has."""
        return [each.name for each in self.plans[: len(self.plans) - self.kept_apart]]

    def _continued(self, labels: str) -> Cell:
        return self._cell(Way.CONTINUED, self.window, labels)

    def _cell(self, way: Way, window: int, labels: str) -> Cell:
        asked = way, window, labels
        return next(each for each in self.cells() if (each.way, each.window, each.labels) == asked)


def one_teacher(spans: Sequence[int], teacher: int) -> tuple[TeacherPlan, ...]:
    """The plan of a teacher that stays what it is."""
    return (TeacherPlan(_ONLY, dict.fromkeys(spans, teacher)),)


def by_age(spans: Sequence[int], teachers: Sequence[int], ages: Sequence[int]) -> tuple[TeacherPlan, ...]:
    """One plan for each age: the newest teacher that is at least so old; before there is one, the oldest.

    Args:
      spans: The spans.
      teachers: The spans as of which teachers were trained.
      ages: In spans.
    """

    def teacher(span: int, age: int) -> int:
        old = [each for each in teachers if each <= span - age]
        return max(old) if old else min(teachers)

    return tuple(
        TeacherPlan(f"teacher {age} spans old", {span: teacher(span, age) for span in spans}, age)
        for age in sorted(ages)
    )


def replaced(spans: Sequence[int], teachers: Sequence[int], at: int) -> tuple[TeacherPlan, ...]:
    """Two plans: the oldest teacher for ever; and one that takes its place at a span, and stays.

    Raises:
      InputError: There is no other teacher by then.
    """
    first, second = min(teachers), max((each for each in teachers if each <= at), default=min(teachers))
    if second == first or at not in spans[1:]:
        raise InputError(
            f"--replace-at {at}: expected a span of {spans[1]} to {spans[-1]}, and a second teacher trained as of it "
            f"or before; there are teachers of {', '.join(map(str, teachers))}"
        )
    kept = dict.fromkeys(spans, first)
    return TeacherPlan(FROZEN, kept), TeacherPlan(REPLACED, {**kept, **{each: second for each in spans if each >= at}})
