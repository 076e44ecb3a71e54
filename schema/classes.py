"""The classes of multiclass tasks, and how a teacher's classes become a student's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer

from schema.base import TaskKind, no_boolean
from schema.checks import nearest
from schema.errors import InputError

if TYPE_CHECKING:
    from schema.surface import Surface

# Labels are read as 32-bit floats, which tell all integers up to here.
_MOST = 2**24


def _distinct(classes: tuple[int | str, ...]) -> tuple[int | str, ...]:
    if len({isinstance(each, str) for each in classes}) > 1:
        raise ValueError(
            "expected names or integers for all classes, as in the label's column; found both: "
            f"{', '.join(map(repr, classes))}"
        )
    twice = sorted({str(each) for each in classes if classes.count(each) > 1})
    if twice:
        raise ValueError(f"expected each class once, found {twice[0]} {[*map(str, classes)].count(twice[0])} times")
    if "" in classes:
        raise ValueError("expected names of classes, found an empty text, which stands for an absent label")
    beyond = [each for each in classes if isinstance(each, int) and abs(each) > _MOST]
    if beyond:
        raise ValueError(f"expected integers from -{_MOST:,} to {_MOST:,}, found {beyond[0]}; name the classes instead")
    return classes


ClassName = Annotated[int | str, BeforeValidator(no_boolean)]
Classes = Annotated[tuple[ClassName, ...], Field(min_length=2), AfterValidator(_distinct)]


def expect_classes(kind: TaskKind, classes: Sequence[int | str] | None) -> None:
    """Checks that a task has classes if, and only if, it is multiclass.

    Raises:
      ValueError: It is not so.
    """
    if kind is TaskKind.MULTICLASS and classes is None:
        raise ValueError("a multiclass task needs `classes`: a list of names, or of integers, found none")
    if kind is not TaskKind.MULTICLASS and classes is not None:
        raise ValueError(f"`classes` are those of a multiclass task, found kind: {kind}")


def _by_name(value: Any) -> Any:
    """One class may stand for a list of one, and JSON knows no integers as keys."""
    if not isinstance(value, dict):
        return value
    found = {str(no_boolean(key)): [each] if isinstance(each, int | str) else each for key, each in value.items()}
    if len(found) < len(value):
        raise ValueError("expected each class once; an integer and a text of the same digits are one")
    return found


ClassMap = Annotated[
    dict[str, Annotated[tuple[ClassName, ...], Field(min_length=1)]],
    BeforeValidator(_by_name),
    PlainSerializer(lambda value: {key: list(each) for key, each in value.items()}),
]


@dataclass(frozen=True)
class ClassMapping:
    """Which of the teacher's classes stand for which of the student's.

    Attributes:
      student: Places of the student's classes that the teacher says something of, ascending; of a head
        without classes of its own, such as a non-serving one, those of all its outputs.
      teacher: For each of them the places of the teacher's classes whose probabilities are summed.
      classes: How many classes the student has.
    """

    student: tuple[int, ...]
    teacher: tuple[tuple[int, ...], ...]
    classes: int

    @property
    def size(self) -> int:
        """How many classes the two are compared on."""
        return len(self.student)

    @property
    def whole(self) -> bool:
        """Whether these are all of the student's classes."""
        return self.size == self.classes


def mapping_of(surface: Surface, head: str, where: str = "") -> ClassMapping | None:
    """How the teacher's classes become those of a distilled task or of a non-serving head.

    Probabilities of several classes that stand for one are summed, as Hinton, Vinyals and Dean
    (arXiv:1503.02531, section 5.3) sum those of a specialist's "dustbin" class before they take
    the divergence.  What is mapped nowhere is left out and the rest divided by its sum: the
    teacher's probabilities, given that the class is one that both know.  A class of the student
    that no class of the teacher stands for is left out in the same way on the student's side, so
    that its logit learns from hard labels alone.

    Args:
      surface: The surface.
      head: The task or the non-serving head.
      where: The key, for messages.

    Returns:
      None where the teacher's task is not multiclass.

    Raises:
      InputError: Classes are named that do not exist or twice, or fewer than two can be compared.
    """
    distillation = surface.distillations()[head]
    offered = surface.teacher_tasks[distillation.teacher_task].classes
    if offered is None:
        return None
    task = surface.tasks.get(head)
    if task is None or task.kind is not TaskKind.MULTICLASS:
        every = range(len(offered))
        return ClassMapping(tuple(every), tuple((place,) for place in every), len(offered))
    names, known = [str(each) for each in task.classes or ()], [str(each) for each in offered]
    if distillation.classes is None:
        _expect_same(where, names, known)
        return ClassMapping(tuple(range(len(names))), tuple((known.index(each),) for each in names), len(names))
    asked = {key: [str(each) for each in of] for key, of in distillation.classes.items()}
    _expect_map(f"{where}.classes", names, known, asked)
    student = tuple(place for place, name in enumerate(names) if name in asked)
    return ClassMapping(student, tuple(tuple(known.index(of) for of in asked[names[at]]) for at in student), len(names))


def _expect_same(where: str, names: Sequence[str], known: Sequence[str]) -> None:
    absent = [each for each in names if each not in known]
    if absent:
        raise InputError(
            f"{where}: the teacher's task has no class {absent[0]!r}, but {', '.join(known)}; expected `classes:`, "
            "which says for each of the task's classes which of the teacher's stand for it"
        )


def _expect_map(where: str, names: Sequence[str], known: Sequence[str], asked: dict[str, list[str]]) -> None:
    for key, of in asked.items():
        if key not in names:
            raise InputError(f"{where}: expected the task's classes, found {key!r}{nearest(key, names)}")
        for each in of:
            if each not in known:
                raise InputError(
                    f"{where}.{key}: expected classes of the teacher's task, found {each!r}{nearest(each, known)}"
                )
    every = [each for of in asked.values() for each in of]
    twice = [each for each in every if every.count(each) > 1]
    if twice:
        raise InputError(
            f"{where}: expected each of the teacher's classes for one of the task's, found {twice[0]!r} twice; its "
            "probability would count twice"
        )
    if len(asked) < 2:
        raise InputError(f"{where}: expected two classes or more to compare, found {len(asked)}")
