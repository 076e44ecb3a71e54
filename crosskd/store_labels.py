"""`crosskd store-labels`: soft labels as a teacher that looks them up, for any number of surfaces and students."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from crosskd.terminal import TERMINAL


def command(
    labels: Annotated[
        list[Path], typer.Option(help="Folder of labelled examples, such as `crosskd label` names; may be repeated.")
    ],
    key_column: Annotated[str, typer.Option(help="Column that tells examples apart: one int or string in each.")],
    out: Annotated[Path, typer.Option(help="Where the SavedModel goes.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print what was stored as JSON.")] = False,
) -> None:
    """Store soft labels by key, as a SavedModel that `crosskd run` takes for --teacher."""
    with TERMINAL.quiet():
        from components.teacher_labeler.stored import store_labels

        stored = store_labels([str(folder) for folder in labels], key_column, str(out))
    TERMINAL.say(
        f"stored the labels of {stored.examples:,} examples in {out}: {', '.join(stored.outputs)}\n"
        f"surfaces that learn from them declare `teacher: {{features: {{{key_column}: {{dtype: {stored.key_kind}}}}}}}`"
    )
    if as_json:
        TERMINAL.json(asdict(stored))
