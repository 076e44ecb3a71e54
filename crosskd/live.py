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
    from evidence.live import LiveResult, Pair

RESULT_FILE = "live.json"
PLOT_FILE = "live.svg"


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
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Let student and control rank slates for the same simulated people, and measure the lifts."""
    started = time.monotonic()
    _expect_pairs_or_root(student or [], control or [], root)
    with TERMINAL.noise_to(out / "logs" / "live.log"):
        from evidence import live
        from evidence.plot import lifts
        from worlds.simulated import read_world

        live.page_of(surface)
        folder = world / surface
        people = read_world(folder)
        given = zip(student or [], control or [], strict=True)
        pairs = [live.Pair(str(ours), str(theirs)) for ours, theirs in given]
        pairs = pairs or _trained(folder, root, seeds, tuning, out)
        result = live.run(surface, people, pairs, live.Traffic(slates, aa, seed), TERMINAL.say)
        (out / RESULT_FILE).write_text(result.model_dump_json(indent=1), encoding="utf-8")
        (out / PLOT_FILE).write_text(lifts(result), encoding="utf-8")
        TERMINAL.say(f"done in {seconds(started)}; wrote {out / RESULT_FILE} and {out / PLOT_FILE}")
    if as_json:
        TERMINAL.json(result.model_dump(mode="json"))
    else:
        print_result(result)


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


def _trained(folder: Path, root: Path | None, seeds: int, tuning: int, out: Path) -> list[Pair]:
    from crosskd.experiment import run_paths
    from evidence.pairs import train_pairs
    from schema.loader import load_surface

    if root is None:
        raise InputError("expected --root to train pairs on a run's data")
    return train_pairs(load_surface(folder).surface, run_paths(root), seeds, tuning, out / "models", TERMINAL.say)
