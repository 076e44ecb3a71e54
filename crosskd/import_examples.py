"""`crosskd import`: writes examples of any format as folders of gzipped TFRecords, once and for all."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from crosskd.launch import EXAMPLES_HELP, SurfaceOption, surface_folder
from crosskd.terminal import TERMINAL, seconds


def command(
    surface: SurfaceOption,
    examples: Annotated[Path, typer.Option(help=f"{EXAMPLES_HELP}.")],
    out: Annotated[Path, typer.Option(help="Where train/ and eval/ go; replaced where the examples have changed.")],
    split: Annotated[
        str | None,
        typer.Option(
            help="How to divide them, instead of `split:` of surface.yaml, in the same words: "
            "'{by: time, column: shown_at}', '{by: group, column: user_id}' or '{by: random}'."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was written as JSON.")] = False,
) -> None:
    """Write Parquet, CSV or undivided examples as train/ and eval/ of gzipped TFRecords."""
    from schema.loader import load_surface

    started = time.monotonic()
    loaded = load_surface(surface_folder(surface))
    if split is not None:
        loaded = load_surface(loaded.path, [f"split={split}"])
    log = out.parent / f"{out.name}.log"
    with TERMINAL.noise_to(log):
        from records.intake import reading_of, take_in

        found = take_in(examples, reading_of(loaded), out)
    log.unlink()
    rows = ", ".join(f"{count:,} {name}" for name, count in found.rows.items())
    TERMINAL.say(f"{rows} examples ({found.what}){', as before' if found.again else ''}, {seconds(started)}: {out}")
    if as_json:
        TERMINAL.json({"out": str(out), "rows": dict(found.rows), "divided": found.what, "again": found.again})
