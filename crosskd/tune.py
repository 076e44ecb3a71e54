"""`crosskd tune`: what should be switched on?"""

from __future__ import annotations

import time
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from contracts.outcome import Exit
from crosskd.evidence_options import ClusterOption, FewOption, MarginOption, SeedsOption, WidenOption
from crosskd.terminal import TERMINAL, seconds
from schema.errors import InputError
from schema.metrics import NEGLIGIBLE

if TYPE_CHECKING:
    from evidence.paths import RunPaths
    from evidence.search.result import Round, TuneResult
    from evidence.search.tune import Ask
    from schema.loader import SurfaceFolder

RESULT_FILE = "tune.json"
PLOT_FILE = "tune.svg"
SURFACE_FOLDER = "surface"
_TRAININGS_FOLDER = "trainings"
_SHOWN = 8


def command(
    surface: Annotated[str, typer.Option(help="Surface folder, or the name of a surface that crosskd ships.")],
    root: Annotated[Path, typer.Option(help="The --root of a finished `crosskd run`.")],
    out: Annotated[
        Path, typer.Option(help=f"Folder for {SURFACE_FOLDER}/, {RESULT_FILE}, {PLOT_FILE} and the experiment's files.")
    ],
    trainings: Annotated[int, typer.Option(help="Trainings that the search may take.")] = 200,
    minutes: Annotated[
        float | None, typer.Option(help="Minutes that it may take, if it should end before its trainings do.")
    ] = None,
    technique: Annotated[
        list[str] | None,
        typer.Option(help="NAME=KEY=VALUE,KEY=VALUE as in `crosskd experiment`: one more to try; may be repeated."),
    ] = None,
    seeds: SeedsOption = 5,
    tuning: Annotated[
        int, typer.Option(min=1, help="Settings that the comparison's control and placebos may choose from at first.")
    ] = 3,
    widen: WidenOption = 2,
    margin: MarginOption = NEGLIGIBLE,
    few: FewOption = False,
    references: Annotated[bool, typer.Option(help="Compare with the teacher's logits as inputs, too.")] = False,
    cluster: ClusterOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Choose what to switch on by held-out training rows, compare it once on the evaluation split, write the surface.

    An interrupted call goes on where it was when it is made again. Exit code 8: nothing beats the surface as it is,
    or the control.
    """
    started = time.monotonic()
    from crosskd.launch import surface_folder
    from schema.loader import load_surface

    loaded = load_surface(surface_folder(surface))
    if loaded.path.resolve() == (out / SURFACE_FOLDER).resolve():
        raise InputError(f"--out {out}: its {SURFACE_FOLDER}/ is the surface itself; expected another folder")
    own = [change(each) for each in technique or []]
    with TERMINAL.noise_to(out / "logs" / "tune.log"):
        # Before TensorFlow is imported: a wrong path should not take ten seconds to be found.
        from crosskd.evidence_paths import run_paths

        paths = run_paths(root)

        from evidence.choosing import Budget
        from evidence.experiment import Plan
        from evidence.search.search import Limits
        from evidence.search.space import Change
        from evidence.search.tune import Ask

        plan = Plan(
            loaded.surface,
            seeds=seeds,
            tuning=Budget(tuning, widen),
            references=references,
            clusters=cluster,
            margin=margin,
            few=few,
        )
        ask = Ask(plan, Limits(trainings, minutes), tuple(Change(name, name, sets) for name, sets in own))
        result = _tuned(ask, loaded, paths, out)
        TERMINAL.say(
            f"done in {seconds(started)}: {result.search.trainings} trainings searched in "
            f"{result.search.seconds / 60:.1f} min; wrote {out / SURFACE_FOLDER} and {out / RESULT_FILE}"
        )
    if as_json:
        TERMINAL.json(result.model_dump(mode="json"))
    else:
        print_result(result)
    raise typer.Exit(exit_code(result))


def change(text: str) -> tuple[str, tuple[str, ...]]:
    """The name of a change of the user's own, and what it sets.

    Raises:
      InputError: It is not of the form.
    """
    from crosskd.experiment import OVERRIDE

    name, separator, rest = text.partition("=")
    if not separator or not name or "=" not in rest:
        raise InputError(f"--technique {text}: expected NAME=KEY=VALUE, for example kl=tasks.click.distil.loss=kl")
    return name, tuple(OVERRIDE.split(rest))


def exit_code(result: TuneResult) -> Exit:
    """0 where something better is written."""
    from evidence.search.result import Outcome

    return Exit.OK if result.outcome is Outcome.BETTER and result.against_control else Exit.NOTHING_BETTER


def _tuned(ask: Ask, loaded: SurfaceFolder, paths: RunPaths, out: Path) -> TuneResult:
    from crosskd.experiment import write_result
    from evidence.plot import halving
    from evidence.search.tune import tune
    from evidence.search.writing import write_surface
    from schema.loader import load_surface

    result = tune(
        ask,
        paths,
        lambda sets: load_surface(loaded.path, sets).surface,
        out / _TRAININGS_FOLDER,
        TERMINAL.say,
    )
    write_result(result.comparison, out)
    (out / RESULT_FILE).write_text(result.model_dump_json(indent=1), encoding="utf-8")
    (out / PLOT_FILE).write_text(halving(result), encoding="utf-8")
    write_surface(loaded.path, out / SURFACE_FOLDER, result, date.today())
    return result


def print_result(result: TuneResult) -> None:
    """Prints the search, the comparison, and what follows, for a person."""
    from crosskd.experiment import print_result as print_comparison
    from evidence.search.writing import sentences

    for each in result.search.rounds:
        TERMINAL.out.print()
        TERMINAL.out.print(_round_table(each))
    for name, why in {**result.search.left_out, **result.search.refused}.items():
        TERMINAL.out.print(f"not tried: {name}: {why}", markup=False, highlight=False)
    print_comparison(result.comparison)
    TERMINAL.out.print()
    for line in sentences(result, date.today()):
        TERMINAL.out.print(line, markup=False, highlight=False)


def _round_table(found: Round) -> Table:
    """The ways that came furthest, with the rung in which each fell."""
    table = Table(title=f"{found.name}: gain on held-out rows, of the losses", title_justify="left")
    table.add_column("way")
    for heading in ("rung", "trainings", "gain"):
        table.add_column(heading, justify="right")
    last = {each.name: each for each in found.falls}
    ordered = sorted(last.values(), key=lambda each: (-each.rung, not each.stays, -(each.gain or 0)))
    for each in ordered[:_SHOWN]:
        table.add_row(each.name, str(each.rung), str(each.trainings), "-" if each.gain is None else f"{each.gain:+.4f}")
    if len(ordered) > _SHOWN:
        table.add_row(f"and {len(ordered) - _SHOWN} more", "", "", "")
    return table
