"""What the surface's author chose: how student and control were built and trained; what changed since the last run."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from components.evaluation_report.page import Cell, Heading, Section, Table
from components.evaluation_report.sources import Sources
from components.evaluation_report.times import when_text

# What describes the data has sections of its own: features, the teacher's inputs, slices and gates.
_SHOWN = {
    *("group", "model", "non_serving_heads", "representations", "serving", "training", "unlabelled", "warm_start"),
    *("histories", "period", "trust"),
    "weight_column",
    "weighted_evaluation",
}
_OF_TASKS = {"distil", "weight"}
MOST_CHANGES = 200
NO_RUN_BEFORE = "There is no run before this one to compare with."


def section(sources: Sources) -> Section:
    """The section on the configuration: keys of `surface.yaml` that are not the defaults', or not the last run's."""
    chosen = sources.surface.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    tasks = {
        name: {key: value for key, value in task.items() if key in _OF_TASKS} for name, task in chosen["tasks"].items()
    }
    kept = {"tasks": tasks, **{key: value for key, value in chosen.items() if key in _SHOWN}}
    rows = [(key, value) for key, value in flattened(kept) if value != "{}"]
    changed, note = _since_the_last_run(sources)
    tables = [_table("Keys of surface.yaml with a value of their own", ("key", "value"), rows, "configuration")]
    tables.append(_table("Changed since the last run", ("key", "last run", "now"), changed, "changes"))
    return Section(
        name="configuration",
        title="Configuration",
        lead="How student and control learn, where surface.yaml says otherwise than the defaults; and every key of it "
        "whose value is not the last run's.",
        tables=tuple(each for each in tables if each.rows),
        notes=tuple(each for each in ("" if rows else "Everything is as by default.", note) if each),
    )


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Keys whose values differ, with both values in JSON; a dash where one has none."""
    one, other = dict(flattened(before)), dict(flattened(now))
    keys = sorted({*one, *other})
    return [(key, one.get(key, "-"), other.get(key, "-")) for key in keys if one.get(key) != other.get(key)]


def flattened(value: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Dotted keys, as `--set` takes them, with their values in JSON; of a list of sections, each by its place."""
    parts = value.items() if isinstance(value, Mapping) else _sections(value)
    if not parts:
        yield prefix, json.dumps(value)
    for key, each in parts:
        yield from flattened(each, f"{prefix}.{key}" if prefix else str(key))


def _sections(value: Any) -> list[tuple[int, Any]]:
    """The entries of a list of sections, such as gates; none of anything else."""
    is_list = isinstance(value, list | tuple)
    return list(enumerate(value)) if is_list and any(isinstance(each, Mapping) for each in value) else []


def _since_the_last_run(sources: Sources) -> tuple[list[tuple[str, str, str]], str]:
    """What changed, and a sentence about it."""
    if sources.last_run is None:
        return [], NO_RUN_BEFORE
    when, last = sources.last_run
    named = f"the last run ({when_text(when)})" if when else "the last run"
    now = sources.decision.made_of
    if last.made_of is None or now is None:
        return [], f"How {named} was configured is not known: its version of crosskd did not note it."
    found = changes(last.made_of.configuration, now.configuration)
    if last.made_of.version != now.version:
        found.insert(0, ("(version of crosskd)", last.made_of.version, now.version))
    if not found:
        return [], f"Nothing changed since {named}: the same surface.yaml, and crosskd {now.version}."
    shown = f"; these are {MOST_CHANGES} of them" if len(found) > MOST_CHANGES else ""
    counted = f"{len(found):,} change{'' if len(found) == 1 else 's'}"
    return found[:MOST_CHANGES], f"{counted} since {named}{shown}."


def _table(caption: str, names: tuple[str, ...], rows: Sequence[tuple[str, ...]], name: str) -> Table:
    return Table(
        caption=caption,
        columns=tuple(map(Heading, names)),
        rows=tuple(tuple(Cell(text, kind="code") for text in row) for row in rows),
        name=name,
    )
