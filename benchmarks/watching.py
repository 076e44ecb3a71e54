"""How soon `crosskd monitor` sees what broke, and how often it is wrong on days on which nothing did.

Claim (docs/results.md): over 20 quiet fortnights, looked at every day, there is no more than the nominal rate of
alerts; a feature that is filled with its default is seen on the same day; and how soon a task that became
miscalibrated, or one slice whose AUC fell, is seen is a matter of how many rows the gate judged the student on.

Days are drawn anew from the people and items of the simulated world, from the time of its evaluation split; the
student is the one that a run pushed, and its promise what that run's gate saw of it.  Each regression begins after
a quiet week, on examples written to disk, which the code behind `crosskd monitor` reads, scores, keeps and judges
day by day.

    python -m benchmarks.watching --evaluation 40000 --rows 10000 --json OUT
    python -m benchmarks.watching --evaluation 400000 --rows 40000 --fortnights 1 --repeats 3 --json OUT
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

from contracts.outcome import Exit
from contracts.watch import Promise, WatchAlert, WatchedSpan
from crosskd import run as run_command
from crosskd import train_teacher
from crosskd.terminal import TERMINAL, seconds
from crosskd.watching import SpanPlace, Watcher, served_version
from evidence.watch.judging import Tolerance, alerts
from evidence.watch.state import WatchState
from schema.errors import InputError
from schema.metrics import AUC
from worlds import simulated
from worlds.records import Columns, write_split

FORTNIGHT, WEEK = 14, 7
SLICE_COLUMN, SLICE_VALUE = "shelf", 0
FILLED = "music_profile_match"
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


def worse_slice(fall: float) -> Change:
    """In one slice, AUC falls by so much: a part of its labels change places among each other.

    Where a share p of labels are drawn from the slice at random, AUC - .5 becomes (1 - p)(AUC - .5).
    """

    def change(columns: Columns, promise: Promise, rng: np.random.Generator) -> Columns:
        wanted = (TASK, AUC.name, f"{SLICE_COLUMN}={SLICE_VALUE}")
        promised = next(each for each in promise.metrics if (each.task, each.metric, each.slice) == wanted)
        assert promised.value is not None  # what is promised has a value
        share = fall / (promised.value - 0.5)
        labels = columns[TASK].values.copy()
        inside = np.flatnonzero(columns[SLICE_COLUMN].values == SLICE_VALUE)
        moved = inside[rng.random(len(inside)) < share]
        labels[moved] = rng.permutation(labels[moved])
        return {**columns, TASK: replace(columns[TASK], values=labels)}

    return change


def filled_feature(columns: Columns, promise: Promise, rng: np.random.Generator) -> Columns:
    """A join is broken, and what it brought is 0 everywhere, its mean."""
    return {**columns, FILLED: replace(columns[FILLED], values=np.zeros_like(columns[FILLED].values))}


def more_clicks(share: float) -> Change:
    """More clicks than there were, by such a share of them, wherever they fall."""

    def change(columns: Columns, promise: Promise, rng: np.random.Generator) -> Columns:
        labels = columns[TASK].values.copy()
        others = np.flatnonzero(labels == 0)
        labels[rng.choice(others, round(share * labels.sum()), replace=False)] = 1
        return {**columns, TASK: replace(columns[TASK], values=labels)}

    return change


def _of_task(metric: str, part: str) -> Callable[[WatchAlert], bool]:
    return lambda alert: (alert.subject, alert.measure, alert.slice) == (TASK, metric, part)


def _regressions() -> Iterator[Regression]:
    part = f"{SLICE_COLUMN}={SLICE_VALUE}"
    yield Regression(f"{FILLED} is filled with its default", filled_feature, lambda alert: alert.subject == FILLED)
    for fall in (0.02, 0.05):
        yield Regression(f"AUC of {TASK} where {part} falls by {fall}", worse_slice(fall), _of_task(AUC.name, part))
    for share in (0.1, 0.2):
        yield Regression(f"{share:.0%} more clicks", more_clicks(share), _of_task("calibration", ""))


REGRESSIONS = tuple(_regressions())


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
    folder: Annotated[Path, typer.Option("--out", help="Folder of worlds and runs, which are made once.")] = Path(
        "runs/watching"
    ),
    evaluation: Annotated[int, typer.Option(min=1000, help="Rows that the gate judges the student on.")] = 40_000,
    rows: Annotated[int, typer.Option(min=1000, help="Examples a day.")] = 10_000,
    fortnights: Annotated[int, typer.Option(min=1, help="Quiet fortnights.")] = 20,
    repeats: Annotated[int, typer.Option(min=1, help="How often each thing breaks.")] = 5,
    longest: Annotated[int, typer.Option(min=1, help="Days after which nobody waits for an alert.")] = 14,
    out: Annotated[Path, typer.Option("--json", help="Where the figures go.")] = Path(
        "benchmarks/results/watching.json"
    ),
) -> None:
    """Watch quiet fortnights, and weeks after which something breaks."""
    started = time.monotonic()
    world, root = _prepared(folder, evaluation)
    with tempfile.TemporaryDirectory() as at:
        days = Days(world, root, Path(at), rows)
        quiet = [_quiet(days, number, FORTNIGHT) for number in range(fortnights)]
        TERMINAL.say(f"{len(quiet)} quiet fortnights of {rows:,} examples a day")
        weeks = [*quiet, *(_quiet(days, number, WEEK) for number in range(fortnights, repeats))][:repeats]
        found = {
            "evaluation_rows": evaluation,
            "rows_a_day": rows,
            "promised": _promised(days.promise),
            "quiet": quiet_figures(days.promise, quiet),
            "broken": {each.name: _broken(days, each, weeks, longest) for each in REGRESSIONS},
        }
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(found, indent=2) + "\n")
    TERMINAL.json(found)
    TERMINAL.say(f"done in {seconds(started)}")


def _prepared(folder: Path, evaluation: int) -> tuple[Path, Path]:
    """A world with so many evaluation rows, and the root of a run on it; both are made once."""
    of, teacher = folder / str(evaluation), folder / "teacher"
    world, root = of / "world", of / "root"
    simulated.write(world, simulated.Sizes(target_eval=evaluation), 0, TERMINAL.say)
    if not teacher.exists():
        train_teacher.train(world / simulated.VIDEO, world / simulated.VIDEO, teacher)
    examples = world / simulated.HOMEPAGE
    if not (root / "serving").is_dir() and run_command.run(str(examples), examples, teacher, root) != Exit.OK:
        raise InputError(f"{root}: expected a run that pushes, found one that did not; see `crosskd summary`")
    return examples, root


def _promised(promise: Promise) -> dict[str, Any]:
    asked = [each for each in promise.metrics if each.task == TASK]
    return {
        f"{each.metric} {each.slice}".strip(): {"value": each.value, "error": each.error, "examples": each.examples}
        for each in asked
    }


def _quiet(days: Days, number: int, length: int) -> list[WatchedSpan]:
    return [days.watch(f"quiet-{number}-day-{day}", [number, day]) for day in range(length)]


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
