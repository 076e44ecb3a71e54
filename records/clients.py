"""Whether the clients of the model that serves can go on when another one takes its place.

A client sends certain columns and reads certain outputs.  An output that goes away or becomes
something else, and a column that becomes required or changes its type, break it; so such a change
needs a declared word, which names what changes, and the version that it holds for: once another
version serves, the word is spent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from records.parsed_columns import ParsedColumn
from records.served import ServedModel, ServingSignature
from schema.serving import BreakingChange


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


def breaks(successor: ServingSignature, served: ServedModel) -> list[Break]:
    """All that breaks the clients of the model that serves.

    Args:
      successor: The model that is to take its place, or that is yet to be trained.
      served: The model that serves.
    """
    return [*_outputs(successor, served), *_inputs(successor, served)]


def refusal(broken: Sequence[Break], served: ServedModel, word: BreakingChange | None) -> str | None:
    """Why the successor is refused, and the word that would allow it; None if nothing breaks, or all is declared.

    Args:
      broken: What breaks clients.
      served: The model that serves.
      word: What the surface declares.
    """
    holds = word is not None and word.version == served.version
    declared = {"outputs": word.outputs, "inputs": word.inputs} if word is not None and holds else {}
    missing = [each for each in broken if each.name not in declared.get(each.side, ())]
    if not missing:
        return None
    sides = {side: [each.name for each in broken if each.side == side] for side in ("outputs", "inputs")}
    names = ", ".join(f"{side}: [{', '.join(found)}]" for side, found in sides.items() if found)
    stale = f" (The one that is declared is for version {word.version}.)" if word is not None and not holds else ""
    return (
        f"Clients of {served.title}, which serves, would break: {listed(missing)}. When all of them are ready, say so "
        f"in surface.yaml, for this change alone: serving: {{breaking_change: {{version: {served.version}, {names}}}}}."
        f"{stale}"
    )


def listed(broken: Iterable[Break]) -> str:
    """What happens, as part of a sentence."""
    return "; ".join(each.sentence for each in broken)


def _outputs(successor: ServingSignature, served: ServedModel) -> Iterator[Break]:
    for name, before in sorted(served.outputs.items()):
        if name not in successor.outputs:
            yield Break("outputs", name, f"the output {name} goes away")
            continue
        now, kind = successor.outputs[name], successor.kinds[name]
        if now != before:
            yield Break("outputs", name, f"the output {name} changes from {before} to {now}")
        elif served.kinds.get(name, kind) != kind:
            yield Break("outputs", name, f"the output {name} changes its kind from {served.kinds[name]} to {kind}")


def _inputs(successor: ServingSignature, served: ServedModel) -> Iterator[Break]:
    for name, column in sorted(successor.columns.items()):
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
