"""`crosskd init`: drafts a surface folder from a sample of examples, and a teacher if there is one."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import BaseModel

from crosskd.terminal import TERMINAL
from schema.errors import InputError

if TYPE_CHECKING:
    from crosskd.draft.files import Draft
    from crosskd.draft.sample import ExampleSample

_LOG = "init.log"


class Drafted(BaseModel):
    """What was written; the shape of `--json`.

    Attributes:
      folder: The surface folder.
      files: What is in it.
      tasks: Tasks that were found.
      features: Columns that the student reads.
      left_out: Why another column is no feature, by column.
      guesses: Lines of surface.yaml that rest on a guess.
      loads: Whether `crosskd run` takes it as it is.
      gap: What must be filled in first, as the loader says it; None if nothing.
      next: The command that runs the surface, for a shell.
    """

    folder: str
    files: list[str]
    tasks: list[str]
    features: list[str]
    left_out: dict[str, str]
    guesses: int
    loads: bool
    gap: str | None
    next: str


def command(
    examples: Annotated[Path, typer.Option(help="Folder with train/, gzipped TFRecords of tf.Example.")],
    out: Annotated[Path, typer.Option(help="The surface folder to write; it must not hold a surface yet.")],
    teacher: Annotated[Path | None, typer.Option(help="The teacher's SavedModel; fills in `teacher:`.")] = None,
    signature: Annotated[str | None, typer.Option(help="Its signature, if it has several.")] = None,
    labels: Annotated[
        list[str] | None, typer.Option("--label", help="A column with a hard label; again for each.")
    ] = None,
    not_served: Annotated[
        list[str] | None, typer.Option(help="A column that a server does not have, so no feature; again for each.")
    ] = None,
    rows: Annotated[int, typer.Option(min=1, help="Examples to look at.")] = 10_000,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was written as JSON.")] = False,
) -> None:
    """Draft a commented surface folder (surface.yaml, schema.pbtxt) from your examples."""
    from schema.loader import SURFACE_FILE

    if (out / SURFACE_FILE).exists():
        raise InputError(f"{out / SURFACE_FILE}: is there already; choose another --out, or remove it")
    with TERMINAL.noise_to(out / _LOG):
        drafted = draft_folder(examples, out, teacher, signature, labels, not_served or [], rows)
    (out / _LOG).unlink()
    if as_json:
        TERMINAL.json(drafted.model_dump(mode="json"))
    else:
        _print(drafted)


def draft_folder(
    examples: Path,
    out: Path,
    teacher: Path | None,
    signature: str | None,
    labels: list[str] | None,
    not_served: list[str],
    rows: int,
) -> Drafted:
    """Writes the folder `out`, and tries it as `crosskd run` would.

    Raises:
      InputError: There are no examples, no teacher, or no such column or signature.
    """
    TERMINAL.say(f"reading up to {rows:,} examples of {examples}")
    from crosskd.draft import files, guesses
    from crosskd.draft.sample import read_sample
    from crosskd.draft.teacher import draft_teacher

    sample = read_sample(examples, rows)
    _expect_columns("--label", labels or [], sample)
    _expect_columns("--not-served", not_served, sample)
    labels = labels or [name for name in guesses.labels(sample.columns.values()) if name not in not_served]
    tasks = {label: guesses.task_kind(sample.columns[label]) for label in labels}
    left_out = {name: why for name, column in sample.columns.items() if (why := guesses.left_out(column))}
    left_out |= dict.fromkeys(not_served, "a server does not have it")
    features = {name: column for name, column in sample.columns.items() if name not in {*left_out, *labels}}
    named = {files.task_name(label): kind for label, kind in tasks.items()}
    draft = files.Draft(
        name=files.task_name(out.name),
        examples=examples,
        sample=sample,
        features={name: guesses.feature(column, features.values()) for name, column in features.items()},
        tasks=tasks,
        left_out={name: why for name, why in left_out.items() if name not in labels},
        group=guesses.group(sample.columns.values()),
        teacher=draft_teacher(teacher, signature, features, named) if teacher else None,
    )
    files.write(draft, out)
    return _drafted(draft, out, teacher, examples)


def _expect_columns(option: str, names: list[str], sample: ExampleSample) -> None:
    for name in names:
        if name not in sample.columns:
            raise InputError(f"{option} {name}: no such column; the examples have {', '.join(sorted(sample.columns))}")


def _drafted(draft: Draft, out: Path, teacher: Path | None, examples: Path) -> Drafted:
    from components.teacher_labeler.signature import read_signature
    from crosskd.draft.files import JSON_SCHEMA_FILE, task_name
    from schema.loader import SCHEMA_FILE, SURFACE_FILE, load_surface

    gap = None if teacher else "the surface has no `teacher:` section yet; give --teacher, or write it"
    try:
        loaded = load_surface(out)
        if teacher and loaded.surface.teacher:
            read_signature(str(teacher), loaded.surface.teacher)
            if not loaded.surface.distillations():
                names = ", ".join(loaded.surface.teacher.tasks)
                gap = f"no task learns from the teacher yet; write `distil: {{from: ...}}` under one (of {names})"
    except InputError as error:
        gap = str(error)
    return Drafted(
        folder=str(out),
        files=[SURFACE_FILE, SCHEMA_FILE, JSON_SCHEMA_FILE],
        tasks=[task_name(label) for label in draft.tasks],
        features=list(draft.features),
        left_out=dict(draft.left_out),
        guesses=(out / SURFACE_FILE).read_text(encoding="utf-8").count("# guess:"),
        loads=gap is None,
        gap=gap,
        next=shlex.join(
            [
                *("crosskd", "run", "--surface", str(out), "--examples", str(examples)),
                *("--teacher", str(teacher or "TEACHER"), "--root", f"runs/{out.name}"),
            ]
        ),
    )


def _print(drafted: Drafted) -> None:
    lines = [
        f"wrote {drafted.folder}: {', '.join(drafted.files)}",
        f"  {len(drafted.features)} features, tasks: {', '.join(drafted.tasks) or 'none found'}",
        *(f"  left out: {name}: {why}" for name, why in drafted.left_out.items()),
        f"  {drafted.guesses} lines rest on a guess: look for `# guess:` in surface.yaml",
        "it loads as it is; when you have read it:" if drafted.loads else f"to be filled in: {drafted.gap}; then:",
        f"  {drafted.next}",
    ]
    for line in lines:
        TERMINAL.out.print(line, markup=False, highlight=False, soft_wrap=True)
