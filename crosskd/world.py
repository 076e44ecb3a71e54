"""`crosskd world`: writes a data set to run on, with its surface folders."""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from crosskd.terminal import TERMINAL, seconds
from schema.errors import InputError

app = typer.Typer(help="Write a data set (examples and surface folders) to run on.", no_args_is_help=True)

Out = Annotated[Path, typer.Option(help="Folder to write; one folder a domain or surface is made in it.")]
Seed = Annotated[int, typer.Option(help="Seed; the same seed gives the same bytes.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the folders that were written as JSON.")]
Rows = Annotated[int, typer.Option(help="Target rows for training; the rest is for evaluation.")]
People = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Only so many people have training rows, equally many each; catalogues of people and items are written.",
    ),
]


class Size(StrEnum):
    """How large the simulated world is."""

    TINY = "tiny"
    SMALL = "small"
    PAPER = "paper"


@app.command("simulated")
def simulated(
    out: Out,
    size: Annotated[Size, typer.Option(help="Row counts.")] = Size.SMALL,
    days: Annotated[
        int | None,
        typer.Option(
            help="Write one folder of examples a day, span-1 to span-DAYS, with people and items that come and go and "
            "tastes that move; video has span-0 too, its history."
        ),
    ] = None,
    unknown: Annotated[
        float, typer.Option(help="Part of all people of whom video has no examples, so that a teacher knows none.")
    ] = 0.0,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Write the embedded two-surface world: video (source), homepage and radio (targets)."""

    def write() -> list[Path]:
        if days is not None and unknown:
            raise InputError("--unknown: of a world in days all people are known; leave one of the two out")
        if days is not None:
            from worlds.days import write_days

            return write_days(out, size.value, days, seed=seed, progress=TERMINAL.say)
        from worlds import simulated

        return simulated.write(out, size=size.value, seed=seed, progress=TERMINAL.say, unknown_people=unknown)

    _report(out, write, as_json)


@app.command("ciao")
def ciao(
    ratings: Annotated[Path, typer.Option(help="The file ratings.tsv.gz.")],
    target: Annotated[int, typer.Option(help="Category that is the target; all others are the source.")],
    out: Out,
    as_json: AsJson = False,
) -> None:
    """Write one category of the Ciao ratings as target, all others as source."""

    def write() -> list[Path]:
        from worlds import ciao

        return ciao.write(ratings, target, out)

    _report(out, write, as_json)


@app.command("movielens")
def movielens(
    data: Annotated[Path, typer.Option(help="Folder with the three files of MovieLens-1M, GroupLens's or RecBole's.")],
    genre: Annotated[str, typer.Option(help="Genre whose films are the target, such as Musical.")],
    out: Out,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Write one genre of MovieLens-1M as target, all other films as source."""

    def write() -> list[Path]:
        from worlds import movielens

        return movielens.write(data, genre, out, seed=seed, progress=TERMINAL.say)

    _report(out, write, as_json)


@app.command("coat")
def coat(
    data: Annotated[Path, typer.Option(help="Folder with train.ascii, test.ascii and the feature files.")],
    out: Out,
    rows: Rows = 1000,
    people: People = None,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Write the Coat ratings: self-chosen ones as source, randomly shown ones as target."""

    def write() -> list[Path]:
        from worlds import two_exposures

        return two_exposures.write_coat(data, two_exposures.Draw(rows, seed, people), out)

    _report(out, write, as_json)


@app.command("yahoo-r3")
def yahoo_r3(
    chosen: Annotated[Path, typer.Option(help="Self-chosen ratings, lines of user,item,rating.")],
    shown: Annotated[Path, typer.Option(help="Randomly shown ratings, lines of user,item,rating.")],
    out: Out,
    rows: Rows = 10000,
    people: People = None,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Write Yahoo! R3, or any set of its two-file form, as source and target."""

    def write() -> list[Path]:
        from worlds import two_exposures

        return two_exposures.write_yahoo_r3(chosen, shown, two_exposures.Draw(rows, seed, people), out)

    _report(out, write, as_json)


def _report(out: Path, write: Callable[[], list[Path]], as_json: bool) -> None:
    """Writes, and says what; what libraries print on the way goes into a log beside `out`."""
    started = time.monotonic()
    log = out.parent / f"{out.name}.log"
    with TERMINAL.noise_to(log):
        TERMINAL.say(f"writing {out} (log: {log})")
        folders = write()
        for folder in folders:
            TERMINAL.say(f"wrote {folder}")
        TERMINAL.say(f"done in {seconds(started)}")
    if as_json:
        TERMINAL.json({folder.name: str(folder) for folder in folders})
