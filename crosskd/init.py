"""`crosskd init`: drafts a surface folder from a sample of examples, and a teacher if there is one."""

from __future__ import annotations

import shlex
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import BaseModel

from crosskd.launch import EXAMPLES_HELP
from crosskd.terminal import TERMINAL
from schema.errors import InputError

if TYPE_CHECKING:
    from crosskd.draft.files import Draft
    from crosskd.draft.sample import ExampleSample


_HOW_TO_ANSWER = (
    "  answer in surface.yaml; or remove {folder}, and give --ask, or --feature, --not-served and --label with a "
    "column, --same-id with an input of the teacher"
)


class Drafted(BaseModel):
    """What was written; the shape of `--json`.

    Attributes:
      folder: The surface folder.
      files: What is in it.
      tasks: Tasks that were found.
      features: Columns that the student reads.
      left_out: Why another column is no feature, by column.
      open: All that is open: what no sample tells, by the place in surface.yaml.
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
    open: dict[str, str]
    guesses: int
    loads: bool
    gap: str | None
    next: str


@dataclass(frozen=True)
class Answers:
    """What the user says, which goes before any guess.

    Attributes:
      labels: Columns with hard labels; empty for those that look like some.
      features: Columns that a server has, whatever they look like.
      not_served: Columns that it does not have.
      same_ids: Inputs of the teacher whose ids mean the same in both products.
    """

    labels: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    not_served: tuple[str, ...] = ()
    same_ids: tuple[str, ...] = ()


@dataclass(frozen=True)
class DraftSources:
    """What is read: the examples and how many of them, the teacher if there is one, and its signature."""

    examples: Path
    rows: int
    teacher: Path | None = None
    signature: str | None = None


def command(
    examples: Annotated[Path, typer.Option(help=f"{EXAMPLES_HELP}.")],
    out: Annotated[Path, typer.Option(help="The surface folder to write; it must not hold a surface yet.")],
    teacher: Annotated[Path | None, typer.Option(help="The teacher's SavedModel; fills in `teacher:`.")] = None,
    signature: Annotated[str | None, typer.Option(help="Its signature, if it has several.")] = None,
    labels: Annotated[
        list[str] | None, typer.Option("--label", help="A column with a hard label; again for each.")
    ] = None,
    features: Annotated[
        list[str] | None, typer.Option("--feature", help="A column that a server has when it ranks; again for each.")
    ] = None,
    not_served: Annotated[
        list[str] | None, typer.Option(help="A column that a server does not have, so no feature; again for each.")
    ] = None,
    same_id: Annotated[
        list[str] | None,
        typer.Option(help="An input of the teacher whose ids are the target's own; again for each."),
    ] = None,
    rows: Annotated[int, typer.Option(min=1, help="Examples to look at.")] = 10_000,
    ask: Annotated[bool, typer.Option("--ask", help="Ask on the terminal what no sample tells.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was written as JSON.")] = False,
) -> None:
    """Draft a commented surface folder (surface.yaml, schema.pbtxt) from your examples."""
    from schema.loader import SURFACE_FILE

    if (out / SURFACE_FILE).exists():
        raise InputError(f"{out / SURFACE_FILE}: is there already; choose another --out, or remove it")
    answers = Answers(*(tuple(each or ()) for each in (labels, features, not_served, same_id)))
    sources = DraftSources(examples, rows, teacher, signature)
    with tempfile.TemporaryDirectory(prefix="crosskd-") as folder, TERMINAL.noise_to(Path(folder) / "init.log"):
        TERMINAL.say(f"reading up to {rows:,} examples of {examples}")
        from crosskd.draft.asking import answered
        from crosskd.draft.sample import read_sample

        sample = read_sample(examples, rows)
        if ask:
            answers = answered(sources, sample, answers)
        drafted = draft_folder(sources, out, answers, sample)
    if as_json:
        TERMINAL.json(drafted.model_dump(mode="json"))
    else:
        _print(drafted)


def draft_folder(sources: DraftSources, out: Path, answers: Answers, sample: ExampleSample | None = None) -> Drafted:
    """Writes the folder `out`, and tries it as `crosskd run` would; nothing is left of it if that fails.

    Args:
      sources: What is read.
      out: The folder.
      answers: What the user says.
      sample: The examples, where they were read already.

    Raises:
      InputError: There are no examples, no teacher, or no such column or signature.
    """
    from crosskd.draft import files
    from crosskd.draft.drafting import draft_of
    from crosskd.draft.sample import read_sample

    draft = draft_of(sources, files.task_name(out.name), sample or read_sample(sources.examples, sources.rows), answers)
    made = not out.exists()
    try:
        files.write(draft, out)
        return _drafted(draft, out, sources)
    except BaseException:
        for name in files.NAMES:
            (out / name).unlink(missing_ok=True)
        if made and out.exists():
            out.rmdir()
        raise


def _drafted(draft: Draft, out: Path, sources: DraftSources) -> Drafted:
    from crosskd.draft.drafting import open_of
    from crosskd.draft.files import NAMES, task_name
    from schema.loader import SURFACE_FILE

    asked = list(draft.teacher.asked) if draft.teacher else []
    gap = f"answer what is asked of teacher.features.{', '.join(asked)}" if asked else _gap(out, sources.teacher)
    return Drafted(
        folder=str(out),
        files=list(NAMES),
        tasks=[task_name(label) for label in draft.tasks],
        features=list(draft.features),
        left_out=dict(draft.left_out),
        open=open_of(draft),
        guesses=(out / SURFACE_FILE).read_text(encoding="utf-8").count("# guess:"),
        loads=gap is None,
        gap=gap,
        next=shlex.join(
            [
                *("crosskd", "run", "--surface", str(out), "--examples", str(sources.examples)),
                *("--teacher", str(sources.teacher or "TEACHER"), "--root", f"runs/{out.name}"),
            ]
        ),
    )


def _gap(out: Path, teacher: Path | None) -> str | None:
    """What keeps `crosskd run` from taking the folder."""
    from components.teacher_labeler.signature import read_signature
    from schema.loader import load_surface

    try:
        surface = load_surface(out).surface
        if teacher is None or surface.teacher is None:
            return "the surface has no `teacher:` section yet; give --teacher, or write it"
        read_signature(str(teacher), surface.teacher)
    except InputError as error:
        return str(error)
    if surface.distillations():
        return None
    names = ", ".join(surface.teacher.tasks)
    return f"no task learns from the teacher yet; write `distil: {{from: ...}}` under one (of {names})"


def _print(drafted: Drafted) -> None:
    lines = [
        f"wrote {drafted.folder}: {', '.join(drafted.files)}",
        f"  {len(drafted.features)} features, tasks: {', '.join(drafted.tasks) or 'none found'}",
        *(f"  left out: {name}: {why}" for name, why in drafted.left_out.items()),
        f"  {drafted.guesses} lines rest on a guess: look for `# guess:` in surface.yaml",
        *([f"  open, {len(drafted.open)}:"] if drafted.open else []),
        *(f"    {place}: {what}" for place, what in drafted.open.items()),
        *([_HOW_TO_ANSWER.format(folder=drafted.folder)] if drafted.open else []),
        "it loads as it is; when you have read it:" if drafted.loads else f"to be filled in: {drafted.gap}; then:",
        f"  {drafted.next}",
    ]
    for line in lines:
        TERMINAL.out.print(line, markup=False, highlight=False, soft_wrap=True)
