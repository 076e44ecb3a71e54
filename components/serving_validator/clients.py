"""Whether the clients of the model that serves can go on when the student takes its place.

A client sends certain columns and reads certain outputs.  An output that goes away or becomes
something else, and a column that becomes required or changes its type, break it; so such a change
needs a declared word, which names what changes, and the version that it holds for: once another
version serves, the word is spent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from components.serving_validator.graph import ModelGraph
from components.serving_validator.requirements import Requirements
from contracts.decision import Check, Verdict
from records.parsed_columns import ParsedColumn
from records.served import ServedModel
from records.sessions import SIGNATURE
from schema.base import TaskKind

NAME = "clients of what serves"


@dataclass(frozen=True)
class Break:
    """One thing that breaks clients.

    Attributes:
      side: `outputs` or `inputs`.
      name: The output, or the column.
      sentence: What happens to it.
    """

    side: str
    name: str
    sentence: str


def clients_check(student: ModelGraph, served: ModelGraph, facts: ServedModel, requirements: Requirements) -> Check:
    """Whether clients can go on, or all that breaks them is declared.

    Args:
      student: The model that is to take its place.
      served: The model that serves.
      facts: The same, as its version was pushed.
      requirements: What the surface asks, and declares.
    """
    broken = [*_outputs(student, served, facts, requirements), *_inputs(student, served)]
    word = requirements.serving.breaking_change
    holds = word is not None and word.version == facts.version
    declared = {"outputs": word.outputs, "inputs": word.inputs} if word is not None and holds else {}
    missing = [each for each in broken if each.name not in declared.get(each.side, ())]
    if missing:
        return Check(name=NAME, verdict=Verdict.FAIL, sentence=_refusal(missing, broken, facts, requirements))
    if broken:
        text = f"Declared for {facts.title}: {_listed(broken)}."
    else:
        text = (
            f"Clients of {facts.title} go on: no output goes away, and no input becomes required or changes its type."
        )
    return Check(name=NAME, verdict=Verdict.PASS, sentence=text)


def _outputs(
    student: ModelGraph, served: ModelGraph, facts: ServedModel, requirements: Requirements
) -> Iterator[Break]:
    if SIGNATURE not in served.signatures or SIGNATURE not in student.signatures:
        return
    ours, theirs = student.signatures[SIGNATURE].outputs, served.signatures[SIGNATURE].outputs
    for name in sorted(theirs):
        kind = TaskKind.BINARY if name in requirements.binary else TaskKind.REGRESSION
        before = facts.kinds.get(name, kind)
        if name not in ours:
            yield Break("outputs", name, f"the output {name} goes away")
        elif ours[name] != theirs[name]:
            yield Break("outputs", name, f"the output {name} changes from {theirs[name]} to {ours[name]}")
        elif before != kind:
            yield Break("outputs", name, f"the output {name} changes its kind from {before} to {kind}")


def _inputs(student: ModelGraph, served: ModelGraph) -> Iterator[Break]:
    for name, column in sorted(student.columns.items()):
        before = served.columns.get(name)
        if column.required and (before is None or not before.required):
            yield Break("inputs", name, f"the input {name} becomes required")
        elif before is not None and _differ(before, column):
            yield Break("inputs", name, f"the input {name} changes from {_shown(before)} to {_shown(column)}")


def _differ(before: ParsedColumn, now: ParsedColumn) -> bool:
    shapes = before.shape is not None and now.shape is not None and before.shape != now.shape
    return shapes or (before.dtype is not None and now.dtype is not None and before.dtype != now.dtype)


def _shown(column: ParsedColumn) -> str:
    return f"{column.dtype} {list(column.shape)}" if column.shape else str(column.dtype)


def _refusal(missing: list[Break], broken: list[Break], facts: ServedModel, requirements: Requirements) -> str:
    word = requirements.serving.breaking_change
    stale = (
        f" (The one that is declared is for version {word.version}.)" if word and word.version != facts.version else ""
    )
    sides = {side: [each.name for each in broken if each.side == side] for side in ("outputs", "inputs")}
    names = ", ".join(f"{side}: [{', '.join(found)}]" for side, found in sides.items() if found)
    return (
        f"Clients of {facts.title}, which serves, would break: {_listed(missing)}. When all of them are ready, say so "
        f"in surface.yaml, for this change alone: serving: {{breaking_change: {{version: {facts.version}, {names}}}}}."
        f"{stale}"
    )


def _listed(broken: Iterable[Break]) -> str:
    return "; ".join(each.sentence for each in broken)
