"""The data of the interactive slicing tool: every metric in every slice, for a person to pick from, sort and filter.

The tool is a fragment of HTML with its data and script in it; the report holds one, and so does
every page of `crosskd compare`.  It needs no network.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from contracts.decision import Measurement
from contracts.roles import HEADINGS, ModelRole
from evaluation.results import Evaluation, SliceKey, TaskMetrics
from schema.metrics import COUNTS, METRICS, NDCG, main_metric
from schema.score import SCORE
from schema.surface import Surface

# With more rows than this, the page would be too large to send around.
MOST_ROWS = 12_000
STUDENT, CONTROL, LAST_BLESSED = (
    HEADINGS[role] for role in (ModelRole.STUDENT, ModelRole.CONTROL, ModelRole.LAST_BLESSED)
)
MINUS_CONTROL = "student minus control"
MINUS_LAST = "student minus last blessed"
BETWEEN = "second run minus first"


@dataclass(frozen=True)
class SlicedRun:
    """What one run's Evaluator found.

    Attributes:
      name: What the run is called on the page.
      against_control: The evaluation of student and control; None where there is none.
      against_last: That of student and last blessed model; None likewise.
    """

    name: str
    against_control: Evaluation | None
    against_last: Evaluation | None

    def slices(self) -> list[SliceKey]:
        """All slices, the overall one first."""
        known = [each for each in (self.against_control, self.against_last) if each is not None]
        return sorted({key for each in known for key in each.slices}, key=lambda key: (len(key), str(key)))

    def task(self, key: SliceKey, task: str) -> tuple[TaskMetrics, TaskMetrics]:
        """A task in a slice against the control, and against the last blessed model."""
        one, other = (
            TaskMetrics() if each is None else each.slices.get(key, {}).get(task, TaskMetrics())
            for each in (self.against_control, self.against_last)
        )
        return one, other


def data(surface: Surface, runs: Sequence[SlicedRun]) -> dict[str, Any]:
    """What the script reads.

    Args:
      surface: The surface; of two runs, the second one's.
      runs: One run, or two to compare.

    Returns:
      `runs`, `tasks` (with the metric that each is first judged on), `metrics` (titles by name),
      `features` (of the slices) and `rows`: run, slice, task, metric, examples, positives, and by
      view the value and the ends of its 95% interval.
    """
    rows = [row for number, run in enumerate(runs) for row in _rows(surface, run, number)]
    if len(runs) == len(("first", "second")):
        rows += _between(rows)
    largest = sorted(range(len(rows)), key=lambda place: (bool(rows[place]["slice"]), -rows[place]["examples"]))
    kept = [rows[place] for place in sorted(largest[:MOST_ROWS])]
    names = {row["metric"] for row in kept}
    return {
        "runs": [run.name for run in runs],
        "tasks": _first_metrics(surface),
        "metrics": {name: METRICS[name].title for name in METRICS if name in names},
        "features": sorted({feature for row in kept for feature, _ in row["slice"]}),
        "rows": kept,
        "left_out": len(rows) - len(kept),
    }


def as_json(content: Mapping[str, Any]) -> str:
    """The data as they may stand within a script element."""
    return json.dumps(content, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def _first_metrics(surface: Surface) -> dict[str, str]:
    """What each task, and the score where it is judged within groups, is first judged on."""
    found = {name: main_metric(task.kind).name for name, task in surface.tasks.items()}
    return found | ({SCORE: NDCG.name} if surface.score is not None and surface.group is not None else {})


def _rows(surface: Surface, run: SlicedRun, number: int) -> Iterator[dict[str, Any]]:
    for key in run.slices():
        for task in _first_metrics(surface):
            control, last = run.task(key, task)
            known = control if control.student else last
            for metric in known.student:
                if metric in METRICS and metric not in COUNTS:
                    yield {
                        "run": number,
                        "slice": [[feature, str(value)] for feature, value in key],
                        "task": task,
                        "metric": metric,
                        "examples": known.examples,
                        "positives": known.positives,
                        "views": dict(_views(metric, control, last)),
                    }


def _views(metric: str, control: TaskMetrics, last: TaskMetrics) -> Iterator[tuple[str, list[float | None]]]:
    found = {
        STUDENT: control.student.get(metric) or last.student.get(metric),
        CONTROL: control.baseline.get(metric),
        LAST_BLESSED: last.baseline.get(metric),
        MINUS_CONTROL: control.difference.get(metric),
        MINUS_LAST: last.difference.get(metric),
    }
    for view, each in found.items():
        if each is not None and each.value is not None:
            yield view, _ends(each)


def _ends(found: Measurement) -> list[float | None]:
    return [None if each is None else float(f"{each:.6g}") for each in (found.value, found.lower, found.upper)]


def _between(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The second run's student minus the first one's, slice by slice, where both have it."""
    first = {_place(row): row for row in rows if row["run"] == 0}
    found = []
    for row in rows:
        before = first.get(_place(row)) if row["run"] == 1 else None
        if before is not None and STUDENT in before["views"] and STUDENT in row["views"]:
            views = {BETWEEN: difference(before["views"][STUDENT], row["views"][STUDENT])}
            found.append({**row, "run": 2, "examples": min(before["examples"], row["examples"]), "views": views})
    return found


def difference(first: Sequence[float | None], second: Sequence[float | None]) -> list[float | None]:
    """`second - first` with its 95% interval, as if the two were independent.

    Two runs on the same evaluation examples are not: the interval is then wider than a paired one.
    """
    value = (second[0] or 0.0) - (first[0] or 0.0)
    ends = [*first[1:], *second[1:]]
    if None in ends:
        return [float(f"{value:.6g}"), None, None]
    halves = [((each[2] or 0.0) - (each[1] or 0.0)) / 2 for each in (first, second)]
    half = (halves[0] ** 2 + halves[1] ** 2) ** 0.5
    return [float(f"{each:.6g}") for each in (value, value - half, value + half)]


def _place(row: Mapping[str, Any]) -> tuple[str, str, str]:
    return str(row["slice"]), row["task"], row["metric"]
