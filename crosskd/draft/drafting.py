"""Puts a draft together: what the user said, what can be guessed, and what is left to ask."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from crosskd.draft import files, guesses, suspicions
from crosskd.draft.outputs import try_outputs
from crosskd.draft.sample import ExampleSample
from crosskd.draft.teacher import TeacherDraft, draft_teacher, settle_outputs
from schema.base import TaskKind
from schema.errors import InputError

if TYPE_CHECKING:
    from crosskd.init import Answers, DraftSources


def draft_of(sources: DraftSources, name: str, sample: ExampleSample, answers: Answers) -> files.Draft:
    """All that the files will say.

    Args:
      sources: What was read.
      name: The surface's.
      sample: The examples.
      answers: What the user says.

    Raises:
      InputError: No such column, input or signature.
    """
    for option, names in (
        ("--label", answers.labels),
        ("--feature", answers.features),
        ("--not-served", answers.not_served),
    ):
        _expect_columns(option, names, sample)
    said = {*answers.features, *answers.not_served}
    columns = sample.columns
    labels = list(answers.labels) or _labels(sample, said)
    tasks = {label: guesses.task_kind(columns[label]) for label in labels}
    left_out = _left_out(sample, answers, labels)
    asked = _asked(sample, answers, labels, {*labels, *left_out})
    features = {each: columns[each] for each in columns if each not in {*labels, *left_out, *asked}}
    kinds = {files.task_name(label): kind for label, kind in tasks.items()}
    group = guesses.group(columns.values())
    time = None if sample.divided else guesses.times(columns.values())
    return files.Draft(
        name=name,
        examples=sources.examples,
        sample=sample,
        features={each: guesses.feature(column, features.values()) for each, column in features.items()},
        tasks=tasks,
        left_out=left_out,
        asked=asked,
        group=group,
        split=None if sample.divided else _split(sample, group, time),
        in_time=None if time is None else guesses.in_order(sample.numbers(time)),
        teacher=_teacher(sources, sample, answers, features, kinds),
        labels_said=bool(answers.labels),
    )


def open_of(draft: files.Draft) -> dict[str, str]:
    """All that is open, by its place in surface.yaml."""
    found = {f"features.{name}": question for name, (question, _) in draft.asked.items()}
    if not draft.tasks:
        found["tasks"] = "no column looks like a hard label: name one with --label"
    if draft.teacher is None:
        return found
    found |= {f"teacher.features.{name}": question for name, (question, _) in draft.teacher.asked.items()}
    for name, what in draft.teacher.confirm.items():
        found[f"teacher.{name}" if name.startswith("tasks.") else f"teacher.features.{name}"] = what
    undistilled = [files.task_name(label) for label in draft.tasks if files.task_name(label) not in draft.teacher.tasks]
    of = ", ".join(draft.teacher.tasks)
    return found | {
        f"tasks.{name}.distil": f"does it learn from one of the teacher's tasks ({of})?" for name in undistilled
    }


def _expect_columns(option: str, names: Iterable[str], sample: ExampleSample) -> None:
    for name in names:
        if name in sample.empty:
            raise InputError(f"{option} {name}: no example of the sample has a value of it")
        if name not in sample.columns:
            raise InputError(f"{option} {name}: no such column; the examples have {', '.join(sorted(sample.columns))}")


def _labels(sample: ExampleSample, said: set[str]) -> list[str]:
    """The columns that look like labels, without those that say again what one before them says."""
    found: list[str] = []
    for name in guesses.labels(sample.columns.values()):
        if name not in said and not suspicions.repeats(sample, name, found):
            found.append(name)
    return found


def _left_out(sample: ExampleSample, answers: Answers, labels: list[str]) -> dict[str, str]:
    found = {name: why for name, column in sample.columns.items() if (why := guesses.left_out(column))}
    found |= dict.fromkeys(answers.not_served, "a server does not have it")
    found |= dict.fromkeys(sample.empty, "no example of the sample has a value of it")
    found |= {name: f"{kind}, which tf.Example has no place for" for name, kind in sample.nested.items()}
    return {name: why for name, why in found.items() if name not in {*labels, *answers.features}}


def _asked(sample: ExampleSample, answers: Answers, labels: list[str], settled: set[str]) -> dict[str, tuple[str, str]]:
    names = [name for name in sample.columns if name not in settled and name not in answers.features]
    found = {name: question for name in names if (question := guesses.unknown(sample.columns[name]))}
    # What may be a label is looked at as if it were one.
    may_be = [name for name in found if sample.columns[name].is_number and sample.columns[name].size == 1]
    suspected = suspicions.derived(sample, labels, names)
    suspected |= suspicions.derived(sample, may_be, [name for name in names if name not in {*found, *suspected}])
    for name, why in suspected.items():
        line = guesses.line_of(sample.columns[name])
        found[name] = f"suspected to be made from a label: {why}; a feature only if a server has it when it ranks", line
    return found


def _split(sample: ExampleSample, group: str | None, time: str | None) -> str:
    person = guesses.person(sample.columns.values())
    if time is not None:
        return f"{{by: time, column: {time}}}"
    if group is not None or person is not None:
        return f"{{by: group, column: {group or person}}}"
    return "{by: random}"


def _teacher(
    sources: DraftSources,
    sample: ExampleSample,
    answers: Answers,
    features: Iterable[str],
    kinds: dict[str, TaskKind],
) -> TeacherDraft | None:
    if sources.teacher is None:
        return None
    columns = {name: sample.columns[name] for name in features}
    lists = {name: each for name, each in sample.columns.items() if each.size != 1}
    draft = draft_teacher(sources.teacher, sources.signature, columns | lists, kinds, answers.same_ids)
    known = [name for name in draft.tasks if guesses.same(name, list(kinds))]
    settle_outputs(draft, try_outputs(draft, sources.teacher, sample), known)
    return draft
