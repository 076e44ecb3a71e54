"""`crosskd init --ask`: puts what no sample tells to the person at the terminal."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from crosskd.draft.drafting import draft_of
from crosskd.draft.sample import ExampleSample
from crosskd.terminal import TERMINAL

if TYPE_CHECKING:
    from crosskd.init import Answers, DraftSources

_FEATURE, _LABEL, _NEITHER = "feature", "label", "neither"


def answered(sources: DraftSources, sample: ExampleSample, answers: Answers) -> Answers:
    """Asks of each open column whether it is a feature, a label or neither, and of each id whether it is shared.

    Args:
      sources: What was read.
      sample: The examples.
      answers: What was said on the command line.

    Returns:
      What is known now.
    """
    draft = draft_of(sources, "asked", sample, answers)
    labels, features, not_served = list(draft.tasks), list(answers.features), list(answers.not_served)
    places = {_FEATURE: features, _LABEL: labels, _NEITHER: not_served}
    for name, (question, _) in draft.asked.items():
        column = sample.columns[name]
        choices = [_FEATURE, _LABEL, _NEITHER] if column.size == 1 else [_NEITHER]
        if len(choices) > 1:
            places[_ask(f"{name}: {question}", choices, _NEITHER)].append(name)
    answers = replace(answers, labels=tuple(labels), features=tuple(features), not_served=tuple(not_served))
    teacher = draft_of(sources, "asked", sample, answers).teacher
    shared = [
        name
        for name, (question, _) in (teacher.asked.items() if teacher else ())
        if _ask(f"teacher's {name}: {question}", ["yes", "no"], "no") == "yes"
    ]
    return replace(answers, same_ids=(*answers.same_ids, *shared))


def _ask(question: str, choices: list[str], default: str) -> str:
    """Asks until the answer is one of the choices; nothing but Enter gives the default.

    Raises:
      click.Abort: Nobody answers.
    """
    while True:
        TERMINAL.err.print(f"{question} [{'/'.join(choices)}; {default}] ", end="", markup=False, highlight=False)
        try:
            found = input().strip().lower() or default
        except EOFError as error:
            raise click.Abort from error
        match = [each for each in choices if each.startswith(found)]
        if len(match) == 1:
            return match[0]
