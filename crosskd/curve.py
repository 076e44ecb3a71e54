"""`crosskd curve`: where does distillation stop paying?"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.table import Table

from contracts.held_out import cautions
from crosskd.evidence_options import (
    ClusterOption,
    FewOption,
    MarginOption,
    SeedsOption,
    TuningOption,
    WidenOption,
    would_decide,
)
from crosskd.terminal import TERMINAL, seconds
from schema.errors import InputError
from schema.metrics import NEGLIGIBLE, title_of

if TYPE_CHECKING:
    from evidence.curve import CurveResult, Point
    from evidence.result import Difference

RESULT_FILE = "curve.json"
PLOT_FILE = "curve.svg"


def command(
    over: Annotated[Literal["noise", "size", "data"], typer.Option(help="What varies from level to level.")],
    surface: Annotated[str, typer.Option(help="Surface folder, or the name of a surface that crosskd ships.")],
    root: Annotated[Path, typer.Option(help="The --root of a finished `crosskd run`.")],
    out: Annotated[Path, typer.Option(help=f"Folder for {RESULT_FILE} and {PLOT_FILE}.")],
    levels: Annotated[
        str | None,
        typer.Option(
            help="Comma-separated: noise in standard deviations of the logits, factors on the student's widths, or "
            "parts of the training rows."
        ),
    ] = None,
    seeds: SeedsOption = 5,
    tuning: TuningOption = 3,
    widen: WidenOption = 4,
    margin: MarginOption = NEGLIGIBLE,
    few: FewOption = False,
    cluster: ClusterOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Compare student, control and placebo as the teacher gets noisier, the student larger, or the data more."""
    started = time.monotonic()
    from crosskd.evidence_paths import run_paths
    from crosskd.launch import surface_folder
    from schema.loader import load_surface

    loaded = load_surface(surface_folder(surface)).surface
    with TERMINAL.noise_to(out / "logs" / "curve.log"):
        # Before TensorFlow is imported: a wrong path should not take ten seconds to be found.
        paths = run_paths(root)

        from evidence import curve, plot
        from evidence.choosing import Budget
        from evidence.levels import LEVELS, Over

        chosen = Over(over)
        result = curve.run(
            loaded,
            paths,
            chosen,
            _numbers(levels) if levels else LEVELS[chosen],
            seeds=seeds,
            budget=Budget(tuning, widen),
            confidence=0.95,
            clusters=cluster,
            margin=margin,
            few=few,
            progress=TERMINAL.say,
        )
        (out / RESULT_FILE).write_text(result.model_dump_json(indent=1), encoding="utf-8")
        (out / PLOT_FILE).write_text(plot.curve(result), encoding="utf-8")
        TERMINAL.say(f"done in {seconds(started)}; wrote {out / RESULT_FILE} and {out / PLOT_FILE}")
    if as_json:
        TERMINAL.json(result.model_dump(mode="json"))
    else:
        print_result(result, curve.stops(result))


def print_result(result: CurveResult, sentences: list[str]) -> None:
    """Prints the points of all tasks, and where distillation pays."""
    table = Table(title=f"{result.surface}: student over {result.over}", title_justify="left")
    table.add_column("task")
    for heading in (result.over.value, "rows", "control", "student", "to control", "to shuffled"):
        table.add_column(heading, justify="right")
    table.add_column("verdict")
    for each in sorted(result.points, key=lambda point: point.task):
        table.add_row(
            f"{each.task} {title_of(each.metric)}",
            f"{each.level:g}",
            f"{each.rows:,}",
            *("-" if mean is None else f"{mean:.4f}" for mean in (each.control, each.student)),
            _interval(each.difference),
            _interval(each.placebo),
            _verdict(each),
        )
    TERMINAL.out.print(table)
    for line in [*cautions(result.held_out_rows), *sentences]:
        TERMINAL.out.print(f"- {line}", markup=False, highlight=False)


def _interval(difference: Difference | None) -> str:
    if difference is None:
        return "undefined"
    # A backslash: rich would read the bracket as markup.
    return f"{difference.mean:+.4f} \\[{difference.low:+.4f}, {difference.high:+.4f}]"


def _verdict(point: Point) -> str:
    if point.verdict is None:
        return "undefined"
    return point.verdict.value + would_decide(point.verdict, point.seeds_to_decide, "seeds")


def _numbers(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError as error:
        raise InputError(f"--levels {text}: expected numbers with commas between, for example 0,0.5,1") from error
