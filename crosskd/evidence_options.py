"""What `crosskd experiment`, `curve`, `days` and `tune` are asked alike, and how they say what is not decided."""

from __future__ import annotations

from typing import Annotated

import typer

SeedsOption = Annotated[int, typer.Option(min=1, help="Paired seeds of each arm; fewer than 4 need --few.")]
TuningOption = Annotated[
    int, typer.Option(min=1, help="Settings that every arm may choose from at first, on held-out rows.")
]
WidenOption = Annotated[
    int,
    typer.Option(
        min=0,
        help="Further settings that all arms are offered, at most, while a choice is at the edge of the tried ones.",
    ),
]
MarginOption = Annotated[
    float, typer.Option(min=0.0, help="A difference this small is none, in units of the task's metric.")
]
FewOption = Annotated[bool, typer.Option("--few", help="Go on with fewer than 4 seeds (or runs, if several).")]
ClusterOption = Annotated[
    str | None, typer.Option(help="Column whose values belong together in intervals, such as a user id.")
]

_INCONCLUSIVE = "inconclusive"


def would_decide(verdict: str, units: int | None, what: str) -> str:
    """What to add to a verdict: how many seeds or runs would decide where it is inconclusive, else nothing."""
    if verdict != _INCONCLUSIVE:
        return ""
    return (
        f" (about {units} {what} would decide)" if units else f" (no number of {what} would decide: too few examples)"
    )
