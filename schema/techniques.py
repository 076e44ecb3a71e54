"""Checks that the techniques a surface asks for fit its tasks, its teacher and each other."""

from __future__ import annotations

from pathlib import Path

from schema.base import TaskKind
from schema.checks import expect_known
from schema.classes import mapping_of
from schema.distillation import TRUNK, Distillation, Head, Loss
from schema.errors import InputError
from schema.surface import FeatureKind, Surface


def check_techniques(surface: Surface, path: Path) -> None:
    """Checks all distillations of a surface whose names are known to exist.

    Args:
      surface: The surface.
      path: Its file, for messages.

    Raises:
      InputError: A loss or a head does not fit, or ranking has no groups.
    """
    kinds = {name: task.kind for name, task in surface.teacher_tasks.items()}
    for name, distillation in surface.distillations().items():
        where = f"tasks.{name}.distil" if name in surface.tasks else f"non_serving_heads.{name}"
        teacher_kind = kinds[distillation.teacher_task]
        _check_loss(f"{path}: {where}", distillation, teacher_kind)
        _check_classes(surface, name, f"{path}: {where}")
        if distillation.head is Head.SHARED:
            _check_shared(f"{path}: {where}.head", distillation, surface.tasks[name].kind, teacher_kind)
        if distillation.loss.ranks and surface.training.batch_by != "group":
            raise InputError(
                f"{path}: {where}.loss: {distillation.loss} compares the rows of a group, and batches of single rows "
                "hold few groups whole; expected `batch_by: group` under training"
            )
    _check_representations(surface, path)
    _check_trust(surface, path)
    _check_given(surface, path)
    if surface.training.batch_by == "group" and surface.group is None:
        raise InputError(
            f"{path}: training.batch_by: expected `group:` at the top level of the file (the column of the request "
            "or the user), found none"
        )


def _check_given(surface: Surface, path: Path) -> None:
    """A task may stand on another one, which stands on none of those that stand on it."""
    binary = [name for name, task in surface.tasks.items() if task.kind is TaskKind.BINARY]
    for name, task in surface.tasks.items():
        seen = [name]
        while task.given is not None:
            expect_known(path, f"tasks.{seen[-1]}.given", "another binary task", task.given, set(binary) - {seen[-1]})
            if task.given in seen:
                raise InputError(f"{path}: tasks.{name}.given: a circle: {' given '.join([*seen, task.given])}")
            seen.append(task.given)
            task = surface.tasks[task.given]
        _check_unsampled(surface, seen, path)


def _check_unsampled(surface: Surface, chain: list[str], path: Path) -> None:
    """One share of negatives says nothing of a product: those of the first task are other rows than the second's."""
    sampled = [name for name in chain if surface.tasks[name].sampled is not None]
    if len(chain) > 1 and sampled:
        raise InputError(
            f"{path}: tasks.{sampled[0]}.sampled: the task is one of {' given '.join(chain)}, which are learned of "
            "all examples; expected no `sampled` there, or no `given`"
        )


def _check_trust(surface: Surface, path: Path) -> None:
    """Ids that the teacher is asked about are read by both, as they are, and by something that asks."""
    where, known = f"{path}: trust.known", surface.trust.known
    if known and not surface.trusted:
        raise InputError(
            f"{where}: expected `adapter` or `reliability` in the `distil:` of a task, which read it; found none"
        )
    ids = [name for name, each in surface.features.items() if each.kind is FeatureKind.CATEGORICAL and not each.listed]
    readers = {each.source or name: each for name, each in surface.teacher_features.items() if each.reads}
    for name in known:
        expect_known(path, "trust.known", "a categorical feature", name, ids)
        if not surface.features[surface.owner(name)].rows_are_values:
            raise InputError(
                f"{where}: expected ids with a row of their own each, found {name!r}, whose ids share rows"
            )
        if name not in readers or readers[name].vocabulary is not None:
            raise InputError(f"{where}: expected ids that the teacher reads as they are, found {name!r}")


def _check_representations(surface: Surface, path: Path) -> None:
    offered = surface.teacher_representations
    for name, representation in surface.representations.items():
        where = f"representations.{name}"
        expect_known(path, where, f"`{TRUNK}` or a task", name, [TRUNK, *surface.tasks])
        expect_known(path, f"{where}.from", "a name of teacher.representations", representation.source, offered)
    twice = sorted(set(offered) & set(surface.teacher_tasks))
    if twice:
        raise InputError(f"{path}: teacher.representations.{twice[0]}: a task of the teacher has the same name")
    if TRUNK in surface.tasks and surface.representations:
        raise InputError(f"{path}: tasks.{TRUNK}: representations call the shared layers so; rename the task")


def _check_loss(where: str, distillation: Distillation, teacher_kind: TaskKind) -> None:
    if teacher_kind is TaskKind.MULTICLASS:
        if distillation.loss is not Loss.KL or distillation.function is not None:
            found = distillation.function or distillation.loss
            raise InputError(
                f"{where}.loss: the teacher's task {distillation.teacher_task!r} is {teacher_kind}, and its classes "
                f"are compared as distributions; expected `loss: {Loss.KL}` (with a `temperature`), found {found}"
            )
    elif distillation.loss.tempered and teacher_kind is not TaskKind.BINARY:
        raise InputError(
            f"{where}.loss: {distillation.loss} compares probabilities, and the teacher's task "
            f"{distillation.teacher_task!r} is a {teacher_kind}; expected {Loss.MSE} or a ranking loss"
        )


def _check_classes(surface: Surface, name: str, where: str) -> None:
    """The teacher's classes become the task's, and there are such on both sides."""
    distillation, task = surface.distillations()[name], surface.tasks.get(name)
    kinds = (surface.teacher_tasks[distillation.teacher_task].kind, task.kind if task else None)
    if distillation.classes is not None and kinds != (TaskKind.MULTICLASS, TaskKind.MULTICLASS):
        raise InputError(
            f"{where}.classes: expected a multiclass task, distilled from one; the task's kind is {kinds[1]}, the "
            f"teacher's {kinds[0]}"
        )
    mapping_of(surface, name, where)


def _check_shared(where: str, distillation: Distillation, kind: TaskKind, teacher_kind: TaskKind) -> None:
    """Both labels meet in one output, so they must be of one kind, unless only their order counts."""
    if not distillation.loss.ranks and kind is not teacher_kind:
        raise InputError(
            f"{where}: a shared head has one output for both labels, but the task is a {kind} and the teacher's a "
            f"{teacher_kind}; expected {Head.AUXILIARY} or {Head.STACKED}"
        )
