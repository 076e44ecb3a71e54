"""`crosskd live`: what the people of the simulated world do with a student's slates and a control's."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from crosskd.terminal import TERMINAL, seconds
from schema.errors import InputError

if TYPE_CHECKING:
    from evidence.frontier import FrontierResult
    from evidence.live import LiveResult, Pair
    from schema.surface import Surface

RESULT_FILE = "live.json"
PLOT_FILE = "live.svg"
FRONTIER_FILE = "frontier.json"
FRONTIER_PLOT_FILE = "frontier.svg"


def command(
    world: Annotated[Path, typer.Option(help="What `crosskd world simulated` wrote.")],
    surface: Annotated[str, typer.Option(help="homepage or radio.")],
    out: Annotated[Path, typer.Option(help=f"Folder for {RESULT_FILE}, {PLOT_FILE} and trained pairs.")],
    student: Annotated[
        list[Path] | None, typer.Option(help="SavedModel of a student; again for each further pair.")
    ] = None,
    control: Annotated[list[Path] | None, typer.Option(help="SavedModel of its control, in the same order.")] = None,
    root: Annotated[
        Path | None, typer.Option(help="The --root of a finished `crosskd run`: train --seeds pairs on its data.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Pairs to train, with --root.")] = 5,
    tuning: Annotated[int, typer.Option(min=1, help="Settings that each arm may choose from, on held-out rows.")] = 3,
    slates: Annotated[int, typer.Option(min=100, help="Slates that each arm ranks.")] = 10_000,
    aa: Annotated[int, typer.Option(min=1, help="A/A runs: a control against itself.")] = 20,
    seed: Annotated[int, typer.Option(help="Of who comes, the candidates, and chance.")] = 0,
    over: Annotated[
        str | None,
        typer.Option(
            help="NAME=LOW:HIGH: compare engagement at equal discovery, while a task of the score counts so "
            "many times, or a constant of it has these values."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Let student and control rank slates for the same simulated people, and measure the lifts."""
    started = time.monotonic()
    _expect_pairs_or_root(student or [], control or [], root)
    with TERMINAL.noise_to(out / "logs" / "live.log"):
        from evidence import frontier, live
        from schema.loader import load_surface
        from worlds.simulated import read_world

        live.page_of(surface)
        folder = world / surface
        people, ranked = read_world(folder), load_surface(folder).surface
        varied = None if over is None else frontier.read_over(over, ranked)
        given = zip(student or [], control or [], strict=True)
        pairs = [live.Pair(str(ours), str(theirs)) for ours, theirs in given]
        pairs = pairs or _trained(ranked, root, seeds, tuning, out)
        traffic = live.Traffic(slates, aa, seed)
        result: LiveResult | FrontierResult
        if varied is None:
            result = live.run(surface, people, pairs, traffic, TERMINAL.say)
        else:
            result = frontier.compare(ranked, people, pairs, traffic, varied, TERMINAL.say)
        files = _write(out, result)
        TERMINAL.say(f"done in {seconds(started)}; wrote {' and '.join(map(str, files))}")
    if as_json:
        TERMINAL.json(result.model_dump(mode="json"))
    elif isinstance(result, live.LiveResult):
        print_result(result)
    else:
        print_frontier(result)


def _write(out: Path, result: LiveResult | FrontierResult) -> tuple[Path, Path]:
    from evidence import plot
    from evidence.live import LiveResult

    if isinstance(result, LiveResult):
        files, picture = (out / RESULT_FILE, out / PLOT_FILE), plot.lifts(result)
    else:
        files, picture = (out / FRONTIER_FILE, out / FRONTIER_PLOT_FILE), plot.frontier(result)
    for file, text in zip(files, (result.model_dump_json(indent=1), picture), strict=True):
        file.write_text(text, encoding="utf-8")
    return files


def print_result(result: LiveResult) -> None:
    """Prints the lifts, and the A/A runs beside them."""
    table = Table(title=f"{result.surface}: student against control", title_justify="left")
    table.add_column("metric")
    for heading in ("control, a slate", "lift", "p", "a control against itself", "A/A runs that hold zero"):
        table.add_column(heading, justify="right")
    for each in result.lifts:
        table.add_row(
            each.metric,
            f"{each.control:.4f}",
            _percent(each.mean, each.low, each.high),
            f"{each.p_value:.2g}",
            _percent(*each.same_model),
            f"{each.same_model_held} of {result.draws}",
        )
    TERMINAL.out.print(table)
    TERMINAL.out.print(
        f"{len(result.pairs)} pairs, {result.slates:,} slates of {result.people:,} people in each arm; the three "
        f"intervals hold jointly with {result.confidence:.0%} (Bonferroni), over people"
        + (" and pairs." if len(result.pairs) > 1 else "; of one pair they say nothing about other trainings."),
        highlight=False,
    )


def print_frontier(result: FrontierResult) -> None:
    """Prints what both arms' pages hold by each value, and the lift of engagement at equal discovery."""
    table = Table(title=f"{result.surface}: {result.over}", title_justify="left")
    headings = ("value", "control: discovery, engagement", "student: discovery, engagement")
    for heading in (*headings, "student's value at equal discovery", "lift of engagement there", "A/A runs"):
        table.add_column(heading, justify="right")
    for each in result.points:
        lift = each.lift
        table.add_row(
            f"{each.value:g}",
            f"{each.discovery:.4f}, {each.engagement:.4f}",
            f"{each.student_discovery:.4f}, {each.student_engagement:.4f}",
            "-" if lift is None else f"{lift.value:.2f}",
            "not in its range" if lift is None else _percent(lift.mean, lift.low, lift.high),
            f"{each.same_model_held} of {each.same_model}",
        )
    TERMINAL.out.print(table)
    TERMINAL.out.print(
        f"{len(result.pairs)} pairs, {result.slates:,} slates of {result.people:,} people in each arm, discovery and "
        f"engagement a slate. The intervals of all rows hold jointly with {result.confidence:.0%} (Bonferroni). The "
        f"last column: how often a control's interval against itself, under chance of its own, held zero.",
        highlight=False,
    )


def _percent(mean: float, low: float, high: float) -> str:
    # A backslash: rich would read the bracket as markup.
    return f"{mean:+.2%}\n\\[{low:+.2%}, {high:+.2%}]"


def _expect_pairs_or_root(students: list[Path], controls: list[Path], root: Path | None) -> None:
    """Raises InputError unless the command line has either pairs, or a root to train them on."""
    if len(students) != len(controls):
        raise InputError(
            f"expected a --control for each --student, found {len(students)} students and {len(controls)} controls"
        )
    if bool(students) == (root is not None):
        raise InputError("expected either --student and --control, or --root to train pairs on a run's data")


def _trained(surface: Surface, root: Path | None, seeds: int, tuning: int, out: Path) -> list[Pair]:
    from crosskd.experiment import run_paths
    from evidence.pairs import train_pairs

    if root is None:
        raise InputError("expected --root to train pairs on a run's data")
    return train_pairs(surface, run_paths(root), seeds, tuning, out / "models", TERMINAL.say)
