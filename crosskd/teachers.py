"""`crosskd teachers`: a new teacher beside the one that it is to replace, on the same examples, before it labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer
from pydantic import BaseModel
from rich.box import SIMPLE_HEAD
from rich.table import Table

from contracts.decision import Measurement
from contracts.outcome import Exit
from contracts.two_teachers import Compared
from crosskd.intake import at_hand_for_now
from crosskd.launch import EXAMPLES_HELP, SurfaceOption, check_surface_and_teacher, choose_window, surface_folder
from crosskd.terminal import TERMINAL
from schema.errors import InputError


class TwoTeachers(BaseModel):
    """What was compared; the shape of `--json`.

    Attributes:
      surface: Name of the surface.
      old: The teacher that labels today, and its fingerprint.
      new: The one that is tried, likewise.
      span: The span that both answered; None where the examples are not divided into spans.
      compared: Agreement and quality.
    """

    surface: str
    old: tuple[str, str]
    new: tuple[str, str]
    span: str | None
    compared: Compared


def command(
    surface: SurfaceOption,
    examples: Annotated[
        Path,
        typer.Option(help=f"{EXAMPLES_HELP}; or spans, as `crosskd run` takes them, of which one is answered."),
    ],
    teacher: Annotated[list[Path], typer.Option(help="Twice: the SavedModel that labels today, then the new one.")],
    span: Annotated[str | None, typer.Option(help="Which span; the newest by default.")] = None,
    page: Annotated[Path | None, typer.Option(help="Write a page as well, .html.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Have two teachers answer the same examples: do they agree, and which is nearer to what happened?

    Exit codes: 0 the new one is worse on no task; 6 it is worse on one, by AUC or R2 over all examples.
    """
    if len(teacher) != 2:
        raise InputError(
            f"--teacher: expected it twice, the old teacher's SavedModel and the new one's; found {len(teacher)}"
        )
    if page is not None and page.suffix != ".html":
        raise InputError(f"--page {page}: expected a name ending in .html")
    for each in teacher:
        check_surface_and_teacher(surface, each)
    with TERMINAL.quiet(), at_hand_for_now(surface, examples, span, None) as (found, chosen, length):
        window = choose_window(found, chosen, length)
        from crosskd.trying_teachers import try_both
        from records.fingerprint import fingerprint
        from schema.loader import load_surface

        told = TwoTeachers(
            surface=load_surface(surface_folder(surface)).surface.name,
            old=(str(teacher[0]), fingerprint(str(teacher[0]))),
            new=(str(teacher[1]), fingerprint(str(teacher[1]))),
            span=window.folders.title(window.last) if window else None,
            compared=try_both(surface, window.folders.folder(window.last) if window else found, teacher),
        )
    if page is not None:
        from crosskd import teachers_page

        teachers_page.write(told, page)
    if as_json:
        TERMINAL.json(told.model_dump(mode="json"))
    else:
        _print(told)
    raise typer.Exit(Exit.ALERT if told.compared.side_by_side.worse else Exit.OK)


def _print(told: TwoTeachers) -> None:
    compared, of = told.compared, f" of span {told.span}" if told.span else ""
    TERMINAL.out.print(f"{compared.examples:,} examples{of}, {compared.left_out:,} left out", highlight=False)
    TERMINAL.out.print(_agreement(told))
    TERMINAL.out.print(_quality(told))
    for line in remarks(told):
        TERMINAL.out.print(line, markup=False, highlight=False, soft_wrap=True)


def _agreement(told: TwoTeachers) -> Table:
    rows = (
        (
            each.task,
            each.slice or "overall",
            f"{each.examples:,}",
            measured(each.correlation),
            measured(each.shift),
            "-" if each.spread is None else f"{each.spread:.2f}",
        )
        for each in told.compared.side_by_side.agreement
    )
    return _table(
        "what they say of each other",
        ("task of the teacher", "slice"),
        ("examples", "correlation", "new - old, mean", "spread, new / old"),
        rows,
    )


def _quality(told: TwoTeachers) -> Table:
    rows = (
        (
            each.task,
            each.slice or "overall",
            each.metric,
            f"{each.examples:,}",
            measured(each.old),
            measured(each.new),
            measured(each.difference),
        )
        for each in told.compared.side_by_side.quality
    )
    return _table("what happened", ("task", "slice", "metric"), ("labelled", "old", "new", "new - old"), rows)


def _table(title: str, texts: Sequence[str], numbers: Sequence[str], rows: Iterator[tuple[str, ...]]) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    for text in texts:
        table.add_column(text)
    for number in numbers:
        table.add_column(number, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*(cell.replace("[", r"\[") for cell in row))
    return table


def measured(found: Measurement) -> str:
    """A number with its 95% interval."""
    if found.value is None:
        return "-"
    return f"{found.value:.4f} [{found.lower:.4f}, {found.upper:.4f}]"


def remarks(told: TwoTeachers) -> Iterator[str]:
    """What a reader should know beside the numbers, one sentence each."""
    found = told.compared.side_by_side
    if told.old[1] == told.new[1]:
        yield "Both are the same teacher: their files have one fingerprint."
    for task in found.worse:
        yield f"WORSE on {task}: a student would learn it from a teacher that knows less than today's."
    for task in found.better:
        yield f"Better on {task}."
    for each in found.not_compared:
        yield f"Not compared: {each}"
