"""Writes what `crosskd experiment` and `benchmarks.serving` say of histories into a page, between two marks.

    python -m benchmarks.histories.page --experiment runs/histories/experiment/experiment.json \
      --serving benchmarks/results/histories.json --page docs/results.md --state $(git rev-parse --short HEAD)
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.labels.page import replace
from evidence.result import Difference, ExperimentResult
from schema.metrics import title_of

_MARK = "histories"
_ARMS = {
    "control": "control",
    "without": "student without histories",
    "student": "student with histories of what the teacher said",
    "own_history": "with histories of what its own controls said",
    "dealt_out": "with the teacher's, dealt out to other people and items",
    "shuffled": "with everything of the teacher shuffled over rows",
    "gaussian": "with noise for everything of the teacher",
    "teacher": "teacher",
}


def main(
    experiment: Annotated[Path, typer.Option(help="What `crosskd experiment` wrote.")],
    page: Annotated[Path, typer.Option(help="A page with the marks.")],
    state: Annotated[str, typer.Option(help="The commit by which it was measured.")],
    serving: Annotated[
        Path | None, typer.Option(help="What `python -m benchmarks.serving` wrote; without it nothing is said of cost.")
    ] = None,
) -> None:
    """Bring the tables of a page up to date."""
    result = ExperimentResult.model_validate_json(experiment.read_text())
    dated = f"*Written down on {date.today().isoformat()} at `{state}`.*"
    lines = [*means(result), "", dated, "", *differences(result), "", dated]
    if serving is not None:
        lines += ["", *cost(json.loads(serving.read_text()))]
    page.write_text(replace(page.read_text(), _MARK, "\n".join(lines)))


def means(result: ExperimentResult) -> Iterator[str]:
    """The arms' metrics on all evaluation examples."""
    found = {(each.arm, each.task): each.mean for each in result.means if each.slice is None}
    metrics = {each.task: title_of(each.metric) for each in result.findings}
    yield f"| {result.seeds} seeds | {' | '.join(f'{task}, {metrics[task]}' for task in result.tasks)} |"
    yield f"| --- |{' --- |' * len(result.tasks)}"
    for arm, told in _ARMS.items():
        cells = [found.get((arm, task)) for task in result.tasks]
        if any(each is not None for each in cells):
            yield f"| {told} | {' | '.join('-' if each is None else f'{each:.4f}' for each in cells)} |"


def differences(result: ExperimentResult) -> Iterator[str]:
    """What the student with histories is better by, on all examples and in slices."""
    yield f"| the student with histories, minus | {' | '.join(result.tasks)} |"
    yield f"| --- |{' --- |' * len(result.tasks)}"
    compared: dict[str, dict[str, Difference]] = {}
    for each in result.findings:
        if each.candidate == "student" and each.slice is None and each.control is not None:
            for difference in (each.control, *each.placebos):
                compared.setdefault(difference.arm, {})[each.task] = difference
    for one in result.comparisons:
        names = {one.candidate, one.difference.arm}
        if "student" in names and len(names) == 2:
            other = (names - {"student"}).pop()
            sign = 1 if one.candidate == "student" else -1
            compared.setdefault(other, {})[one.task] = _turned(one.difference, sign)
    for arm in _ARMS:
        if arm in compared:
            cells = [_interval(compared[arm].get(task)) for task in result.tasks]
            yield f"| {_ARMS[arm]} | {' | '.join(cells)} |"


def cost(figures: dict[str, Any]) -> Iterator[str]:
    """What serving the student with histories costs beside the control."""
    low, high = figures["p99_student_to_control_interval"]
    student, control = (figures["bytes"][name] for name in ("student", "control"))
    yield (
        f"Serving: p99 latency of the student to the control's **{figures['p99_student_to_control']:.3f}** "
        f"[{low:.3f}, {high:.3f}] over {figures['rounds_per_batch_size']} rounds of each of "
        f"{len(figures['batch_sizes'])} batch sizes; the exported model has {student:,} bytes, the control's "
        f"{control:,}."
    )


def _turned(difference: Difference, sign: int) -> Difference:
    if sign > 0:
        return difference
    return difference.model_copy(update={"mean": -difference.mean, "low": -difference.high, "high": -difference.low})


def _interval(difference: Difference | None) -> str:
    if difference is None:
        return "undefined"
    return f"{difference.mean:+.4f} [{difference.low:+.4f}, {difference.high:+.4f}]"


if __name__ == "__main__":
    typer.run(main)
