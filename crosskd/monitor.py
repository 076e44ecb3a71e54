"""`crosskd monitor`: does what was pushed keep, on later examples, what it promised?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import BaseModel
from rich.box import SIMPLE_HEAD
from rich.table import Table

from contracts.outcome import Exit
from contracts.watch import Promise, WatchAlert, WatchedMetric, WatchedSpan
from crosskd.terminal import TERMINAL
from schema.metrics import is_main

if TYPE_CHECKING:
    from crosskd.watching import Chosen, Served
    from evidence.watch.judging import Tolerance

_LOG = "logs/monitor.log"


class Watched(BaseModel):
    """What was found; the shape of `--json`.

    Attributes:
      surface: Name of the surface.
      version: The version that serves.
      pushed_at: When it was pushed, ISO 8601.
      alerts: What got worse since; nothing where all is quiet.
      spans: The spans of this version, in order.
      earlier: The spans of versions before it.
      immature: Spans that were left out, since their labels may still be arriving.
      trained: Spans that were left out, since the version was trained on them.
      promise: What was promised.
      page: The path of the page; it is written once there is a span.
    """

    surface: str
    version: int
    pushed_at: str
    alerts: list[WatchAlert]
    spans: list[WatchedSpan]
    earlier: list[WatchedSpan]
    immature: list[str]
    trained: list[str]
    promise: Promise
    page: str


def command(
    root: Annotated[Path, typer.Option(help="The --root that was given to `crosskd run`.")],
    examples: Annotated[
        list[Path],
        typer.Option(help="A span of later examples, or all of them: a path with {YYYY}-{MM}-{DD} or {SPAN} in it."),
    ],
    more: Annotated[list[Path] | None, typer.Argument(help="More of --examples.", metavar="[SPANS]...")] = None,
    surface: Annotated[
        str | None, typer.Option(help="Which surface, where several were pushed under the root.")
    ] = None,
    maturity: Annotated[
        int, typer.Option(min=0, help="Leave out so many of the newest spans: their labels are still arriving.")
    ] = 0,
    alpha: Annotated[
        float,
        typer.Option(min=1e-6, max=0.5, help="Probability that a model that keeps its promises ever has an alert."),
    ] = 0.05,
    margin: Annotated[
        float | None, typer.Option(min=0.0, help="A fall of AUC or R2 by so much is none; .005 by default.")
    ] = None,
    share: Annotated[float, typer.Option(min=0.0, help="A change of any other metric by such a share is none.")] = 0.05,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Score what serves on later examples, per task and slice, against what the gate saw; look as often as you like.

    Exit codes: 0 quiet; 6 an alert. What each span showed is kept under ROOT/monitor/SURFACE, with one page over time.
    """
    with TERMINAL.noise_to(root / _LOG) if root.is_dir() else TERMINAL.quiet():
        found = _watch(root, [*examples, *(more or [])], surface, maturity, (alpha, margin, share))
    if as_json:
        TERMINAL.json(found.model_dump(mode="json"))
    else:
        print_watched(found)
    raise typer.Exit(Exit.ALERT if found.alerts else Exit.OK)


def _watch(
    root: Path,
    places: Sequence[Path],
    surface: str | None,
    maturity: int,
    tolerated: tuple[float, float | None, float],
) -> Watched:
    from crosskd.watching import Watcher, choose_spans, served_version
    from evidence.watch.judging import Tolerance
    from schema.metrics import NEGLIGIBLE

    served = served_version(root, surface)
    chosen = choose_spans(places, served, maturity)
    watcher = Watcher(root, served, TERMINAL.say)
    alpha, margin, share = tolerated
    tolerance = Tolerance(alpha, NEGLIGIBLE if margin is None else margin, share)
    promise = watcher.promise()
    for span in chosen.spans:
        watcher.look_at(span)
    return _found(watcher.surface.name, served, chosen, promise, watcher.state.spans(), tolerance, watcher.state.page)


def _found(
    surface: str,
    served: Served,
    chosen: Chosen,
    promise: Promise,
    spans: list[WatchedSpan],
    tolerance: Tolerance,
    page: Path,
) -> Watched:
    from crosskd.monitor_page import write
    from evidence.watch.judging import alerts

    ours = [each for each in spans if each.version == served.version]
    found = Watched(
        surface=surface,
        version=served.version,
        pushed_at=served.provenance.pushed_at,
        alerts=alerts(promise, ours, tolerance),
        spans=ours,
        earlier=[each for each in spans if each.version != served.version],
        immature=list(chosen.immature),
        trained=list(chosen.trained),
        promise=promise,
        page=str(page),
    )
    if ours:
        write(found, page)
    return found


def print_watched(found: Watched) -> None:
    """Prints the alerts, then the main metrics span by span."""
    for alert in found.alerts:
        TERMINAL.out.print("[red]ALERT[/]", end="  ")
        TERMINAL.out.print(alert.sentence, markup=False, highlight=False, soft_wrap=True)
    if not found.spans:
        TERMINAL.out.print(f"version {found.version}: no span to look at yet", highlight=False)
    elif not found.alerts:
        TERMINAL.out.print(
            f"[green]quiet[/]: version {found.version} keeps what it promised in {len(found.spans)} span(s)",
            highlight=False,
        )
    TERMINAL.out.print(_table(found))
    for line in remarks(found):
        TERMINAL.out.print(line, markup=False, highlight=False, soft_wrap=True)
    if found.spans:
        TERMINAL.out.print(found.page, markup=False, highlight=False, soft_wrap=True)


def remarks(found: Watched) -> list[str]:
    """What a reader should know beside the numbers, one sentence each."""
    return [
        *([f"Left out, as labels may still be arriving: {', '.join(found.immature)}."] if found.immature else []),
        *([f"Left out, as it was trained on: {', '.join(found.trained)}."] if found.trained else []),
        *found.promise.notes,
    ]


def _table(found: Watched) -> Table:
    promised = [each for each in found.promise.metrics if is_main(each.metric) and not each.slice]
    table = Table(title=f"version {found.version}, pushed {found.pushed_at}", title_justify="left", box=SIMPLE_HEAD)
    table.add_column("span", no_wrap=True)
    table.add_column("examples", justify="right")
    for each in promised:
        table.add_column(f"{each.task} {each.metric}", justify="right", no_wrap=True)
    table.add_row("promised", f"{max(each.examples for each in promised):,}" if promised else "-", *map(told, promised))
    for span in found.spans:
        table.add_row(span.span.replace("[", r"\["), f"{span.rows:,}", *(told(shown(span, each)) for each in promised))
    return table


def shown(span: WatchedSpan, promised: WatchedMetric) -> WatchedMetric | None:
    """What a span showed of what was promised; None where it has no such slice."""
    wanted = (promised.task, promised.metric, promised.slice)
    return next((each for each in span.metrics if (each.task, each.metric, each.slice) == wanted), None)


def told(found: WatchedMetric | None) -> str:
    """A metric with its standard error."""
    if found is None or found.value is None or found.error is None:
        return "too few" if found else "-"
    return f"{found.value:.4f} ± {found.error:.4f}"
