"""What the surface's author chose: how student and control were built and trained."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from components.evaluation_report.page import Cell, Heading, Section, Table
from components.evaluation_report.sources import Sources

# What describes the data has sections of its own: features, the teacher's inputs, slices and gates.
_SHOWN = {
    *("group", "model", "non_serving_heads", "representations", "serving", "training", "unlabelled", "warm_start"),
    "weight_column",
    "weighted_evaluation",
}
_OF_TASKS = {"distil", "weight"}


def section(sources: Sources) -> Section:
    """The section on the configuration: every key of `surface.yaml` about learning whose value is not the default."""
    chosen = sources.surface.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    tasks = {
        name: {key: value for key, value in task.items() if key in _OF_TASKS} for name, task in chosen["tasks"].items()
    }
    kept = {"tasks": tasks, **{key: value for key, value in chosen.items() if key in _SHOWN}}
    rows = tuple((Cell(key, kind="code"), Cell(value, kind="code")) for key, value in _flattened("", kept))
    return Section(
        name="configuration",
        title="Configuration",
        lead="How student and control learn, where surface.yaml says otherwise than the defaults.",
        tables=(_table(rows),) if rows else (),
        notes=() if rows else ("Everything is as by default.",),
    )


def _table(rows: tuple[tuple[Cell, ...], ...]) -> Table:
    return Table(
        caption="Keys of surface.yaml with a value of their own",
        columns=(Heading("key"), Heading("value")),
        rows=rows,
        name="configuration",
    )


def _flattened(prefix: str, value: Any) -> Iterator[tuple[str, str]]:
    """Dotted keys, as `--set` takes them, with their values in JSON."""
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from _flattened(f"{prefix}.{key}" if prefix else key, each)
    else:
        yield prefix, json.dumps(value)
