"""How soon `crosskd monitor` sees what broke, and how often it is wrong on days on which nothing did.

Claim (docs/results.md): over 20 quiet fortnights, looked at every day, there is no more than the nominal rate of
alerts; a feature that is filled with its default is seen on the same day; a task that became miscalibrated, and one
slice whose AUC fell by .02, within the spans of the table.

Days are drawn anew from the people and items of the simulated world, from the time of its evaluation split; the
student is the one that a finished run pushed, and its promise what that run's gate saw of it.  Each regression
begins after a quiet week, on examples written to disk, which the code behind `crosskd monitor` reads, scores,
keeps and judges day by day.

    python -m benchmarks.watching --world runs/demo/world/homepage --root runs/demo/homepage --json OUT
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from contracts.watch import Promise, WatchAlert, WatchedSpan
from crosskd.terminal import TERMINAL, seconds
from crosskd.watching import SpanPlace, Watcher, served_version
from evidence.watch.judging import Tolerance, alerts
from evidence.watch.state import WatchState
from worlds import simulated
from worlds.records import Columns, write_split

FORTNIGHT, WEEK = 14, 7
FALL = 0.02
SLICE_COLUMN, SLICE_VALUE = "shelf", 0
FILLED = "music_profile_match"
MORE_CLICKS = 0.1
TASK = "click"

Change = Callable[[Columns, Promise, np.random.Generator], Columns]


@dataclass(frozen=True)
class Regression:
    """Something that breaks, and the alert that is to name it.

    Attributes:
      name: What breaks.
      change: A day's columns, with it.
      names: Whether an alert is of it.
    """

    name: str
    change: Change
    names: Callable[[WatchAlert], bool]


def worse_slice(columns: Columns, promise: Promise, rng: np.random.Generator) -> Columns:
    """In one slice, AUC falls by `FALL`: a part of its labels change places among each other.

    Where a share p of labels are drawn from the slice at random, AUC - .5 becomes (1 - p)(AUC - .5).
    """
    promised = next(
        each
        for each in promise.metrics
        if (each.task, each.metric, each.slice) == (TASK, "auc", f"{SLICE_COLUMN}={SLICE_VALUE}")
    )
    assert promised.value is not None  # what is promised has a value
    share = FALL / (promised.value - 0.5)
    labels = columns[TASK].values.copy()
    inside = np.flatnonzero(columns[SLICE_COLUMN].values == SLICE_VALUE)
    moved = inside[rng.random(len(inside)) < share]
    labels[moved] = rng.permutation(labels[moved])
    return {**columns, TASK: replace(columns[TASK], values=labels)}


def filled_feature(columns: Columns, promise: Promise, rng: np.random.Generator) -> Columns:
    """A join is broken, and what it brought is 0 everywhere, its mean."""
    return {**columns, FILLED: replace(columns[FILLED], values=np.zeros_like(columns[FILLED].values))}


def more_clicks(columns: Columns, promise: Promise, rng: np.random.Generator) -> Columns:
    """A tenth more clicks than there were, wherever they fall."""
    labels = columns[TASK].values.copy()
    others = np.flatnonzero(labels == 0)
    labels[rng.choice(others, round(MORE_CLICKS * labels.sum()), replace=False)] = 1
    return {**columns, TASK: replace(columns[TASK], values=labels)}


def _of_task(metric: str, part: str) -> Callable[[WatchAlert], bool]:
    return lambda alert: (alert.subject, alert.measure, alert.slice) == (TASK, metric, part)


REGRESSIONS = (
    Regression(
        f"AUC of {TASK} where {SLICE_COLUMN}={SLICE_VALUE} falls by {FALL}",
        worse_slice,
        _of_task("auc", f"{SLICE_COLUMN}={SLICE_VALUE}"),
    ),
    Regression(f"{FILLED} is filled with its default", filled_feature, lambda alert: alert.subject == FILLED),
    Regression(f"{MORE_CLICKS:.0%} more clicks than before", more_clicks, _of_task("calibration", "")),
)


class Days:
    """Days of the world, written, watched and forgotten one by one.

    Attributes:
      promise: What was promised of what serves.
    """

    def __init__(self, world: Path, root: Path, folder: Path, rows: int) -> None:
        self._world = simulated.read_world(world)
        self._watcher = Watcher(root, served_version(root, None), lambda line: None)
        self._watcher.state = WatchState(folder, self._watcher.surface.name)
        self._folder, self._rows = folder, rows
        self.promise = self._watcher.promise()

    def watch(self, name: str, seed: Sequence[int], change: Change | None = None) -> WatchedSpan:
        """What a day shows; equal seeds are equal days, but for what `change` does."""
        drawn, chance = (np.random.default_rng([part, *seed]) for part in (0, 1))
        columns: Columns = simulated.homepage_columns(self._world, self._rows, simulated.EVAL_TIMES, drawn)
        if change is not None:
            columns = change(columns, self.promise, chance)
        place = self._folder / "day" / name
        write_split(place, columns, shards=1)
        found = self._watcher.look_at(SpanPlace(name, place))
        shutil.rmtree(place)
        return found


def main(
    world: Annotated[Path, typer.Option(help="The homepage of a simulated world.")] = Path("runs/demo/world/homepage"),
    root: Annotated[Path, typer.Option(help="Root of a run that pushed a student of it.")] = Path("runs/demo/homepage"),
    rows: Annotated[list[int] | None, typer.Option(min=1000, help="Examples a day, once per size.")] = None,
    fortnights: Annotated[int, typer.Option(min=1, help="Quiet fortnights of each size.")] = 20,
    repeats: Annotated[int, typer.Option(min=1, help="How often each thing breaks, in each size.")] = 5,
    longest: Annotated[int, typer.Option(min=1, help="Days after which nobody waits for an alert.")] = 28,
    out: Annotated[Path, typer.Option("--json", help="Where the figures go.")] = Path(
        "benchmarks/results/watching.json"
    ),
) -> None:
    """Watch quiet fortnights, and weeks after which something breaks."""
    started = time.monotonic()
    found = {
        "rows": {str(size): _of_size(world, root, size, fortnights, repeats, longest) for size in rows or [10_000]}
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(found, indent=2) + "\n")
    TERMINAL.json(found)
    TERMINAL.say(f"done in {seconds(started)}")


def _of_size(world: Path, root: Path, rows: int, fortnights: int, repeats: int, longest: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        days = Days(world, root, Path(folder), rows)
        quiet = [_fortnight(days, number) for number in range(max(fortnights, repeats))]
        TERMINAL.say(f"{len(quiet)} quiet fortnights of {rows:,} examples a day")
        of = {each.name: _broken(days, each, quiet[:repeats], longest) for each in REGRESSIONS}
        return {"promised": _promised(days.promise), "quiet": quiet_figures(days.promise, quiet[:fortnights]), **of}


def _promised(promise: Promise) -> dict[str, Any]:
    asked = [each for each in promise.metrics if each.task == TASK]
    return {
        f"{each.metric} {each.slice}".strip(): {"value": each.value, "error": each.error, "examples": each.examples}
        for each in asked
    }


def _fortnight(days: Days, number: int) -> list[WatchedSpan]:
    return [days.watch(f"quiet-{number}-day-{day}", [number, day]) for day in range(FORTNIGHT)]


def quiet_figures(promise: Promise, fortnights: Sequence[Sequence[WatchedSpan]]) -> dict[str, Any]:
    """How many fortnights had an alert on any of their days, and which."""
    found = [daily_alerts(promise, spans) for spans in fortnights]
    return {
        "fortnights": len(found),
        "metrics_watched": len(promise.metrics),
        "with_an_alert_on_a_metric": sum(any(each.promised is not None for each in of) for of in found),
        "with_an_alert_on_drift": sum(any(each.promised is None for each in of) for of in found),
        "sentences": [each.sentence for of in found for each in of],
    }


def daily_alerts(promise: Promise, spans: Sequence[WatchedSpan]) -> list[WatchAlert]:
    """Every alert of somebody who looks at each day's end, each once: an alert on drift goes away again."""
    seen: dict[tuple[str, str, str], WatchAlert] = {}
    for day in range(1, len(spans) + 1):
        for each in alerts(promise, spans[:day], Tolerance()):
            seen.setdefault((each.subject, each.measure, each.slice), each)
    return list(seen.values())


def _broken(days: Days, of: Regression, weeks: Sequence[Sequence[WatchedSpan]], longest: int) -> dict[str, Any]:
    TERMINAL.say(of.name)
    found = [_days_until(days, of, number, spans[:WEEK], longest) for number, spans in enumerate(weeks)]
    raised = [days_until for days_until, _, _ in found]
    return {
        "days_until_it_is_named": raised,
        "days_until_any_alert": [first for _, first, _ in found],
        "began_told": [began for _, _, began in found],
    }


def _days_until(
    days: Days, of: Regression, number: int, week: Sequence[WatchedSpan], longest: int
) -> tuple[int | None, int | None, str | None]:
    """After how many days it is named, after how many there is any alert, and since when it is said to be so.

    The day on which it breaks is the first; None stands for never.
    """
    spans, first = list(week), None
    for day, span in enumerate(_broken_days(days, of, number, longest), 1):
        spans.append(span)
        found = alerts(days.promise, spans, Tolerance())
        if found and first is None:
            first = day
        named = next((each for each in found if of.names(each)), None)
        if named is not None:
            return day, first, named.began
    return None, first, None


def _broken_days(days: Days, of: Regression, number: int, longest: int) -> Iterator[WatchedSpan]:
    place = REGRESSIONS.index(of)
    for day in range(WEEK, WEEK + longest):
        yield days.watch(f"broken-{place}-{number}-day-{day}", [number, day], of.change)


if __name__ == "__main__":
    typer.run(main)
