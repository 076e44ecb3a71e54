"""`crosskd days`: does it pay to go on from day to day, and what does a teacher's age cost?"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from contracts.held_out import cautions
from crosskd.evidence_options import ClusterOption, FewOption, MarginOption, SeedsOption
from crosskd.launch import expect_saved_model, is_saved_model, surface_folder
from crosskd.terminal import TERMINAL, seconds
from records.spans import SpanFolders, choose, span_folders
from schema.errors import InputError
from schema.metrics import NEGLIGIBLE, title_of

if TYPE_CHECKING:
    from evidence.days.cells import Layout
    from evidence.days.result import CellReport, DaysResult, SpanDifference

RESULT_FILE = "days.json"
PLOT_FILE = "days.svg"


def command(
    surface: Annotated[str, typer.Option(help="Surface folder, or the name of a surface that crosskd ships.")],
    examples: Annotated[
        Path, typer.Option(help="Examples in spans: a folder that holds span-1/, span-2/ ..., or a path with {SPAN}.")
    ],
    teacher: Annotated[
        Path,
        typer.Option(
            help="The teacher's SavedModel; or a folder that holds span-0/, span-1/ ..., the teacher as of each span, "
            "and then teachers of several ages are compared."
        ),
    ],
    out: Annotated[Path, typer.Option(help=f"Folder for {RESULT_FILE} and {PLOT_FILE}.")],
    span: Annotated[str | None, typer.Option(help="A:B, the spans to go through. Default: all of them.")] = None,
    window: Annotated[int, typer.Option(min=1, help="Spans that arms which go on are trained on each time.")] = 2,
    cold: Annotated[
        str, typer.Option(help="Comma-separated: spans that arms which start cold are trained on.")
    ] = "2,7",
    ages: Annotated[
        str, typer.Option(help="Comma-separated: spans that teachers stay behind, with a teacher for each span.")
    ] = "0,1,3,7",
    replace_at: Annotated[
        int | None,
        typer.Option(help="The span at which the oldest teacher is replaced by the one as of it. Default: the middle."),
    ] = None,
    seeds: SeedsOption = 5,
    margin: MarginOption = NEGLIGIBLE,
    few: FewOption = False,
    cluster: ClusterOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Compare arms that go on from span to span with arms that start cold, and teachers of several ages."""
    started = time.monotonic()
    folder = surface_folder(surface)
    lengths, chosen = _numbers("--cold", cold, least=1), _numbers("--ages", ages, least=0)
    found = _expect_spans("--examples", examples)
    spans = tuple(choose(found, span or _all(found), None).spans)
    teachers = _teachers(teacher)
    with TERMINAL.noise_to(out / "logs" / "days.log"):
        from crosskd.labelled_spans import LabelledSpans
        from evidence import plot
        from evidence.days import study
        from evidence.days.answers import answers
        from evidence.days.examples import Examples
        from schema.loader import load_surface

        loaded = load_surface(folder)
        layout = _layout(window, lengths, spans, [*teachers], chosen, replace_at)
        plan = study.Plan(loaded.surface, spans, layout, seeds=seeds, margin=margin, clusters=cluster, few=few)
        study.check(plan)
        labelled = LabelledSpans(loaded.surface, found, teachers, TERMINAL.say)
        result = study.run(plan, Examples(loaded, spans, labelled, cluster), TERMINAL.say)
        (out / RESULT_FILE).write_text(result.model_dump_json(indent=1), encoding="utf-8")
        (out / PLOT_FILE).write_text(plot.days(result), encoding="utf-8")
        TERMINAL.say(f"done in {seconds(started)}; wrote {out / RESULT_FILE} and {out / PLOT_FILE}")
    if as_json:
        TERMINAL.json(result.model_dump(mode="json"))
    else:
        print_result(result, answers(result))


def _numbers(option: str, text: str, least: int) -> tuple[int, ...]:
    """Whole numbers with commas between, each once, in order.

    Raises:
      InputError: They are not, or one is too small.
    """
    parts = [each.strip() for each in text.split(",")]
    if not all(each.isdigit() and int(each) >= least for each in parts):
        raise InputError(f"{option} {text}: expected whole numbers of {least} or more with commas between, like 2,7")
    return tuple(sorted({int(each) for each in parts}))


def _expect_spans(option: str, folder: Path) -> SpanFolders:
    found = span_folders(folder)
    if found is None or not found.available():
        raise InputError(
            f"{option} {folder}: expected examples in spans: a folder that holds span-1/, span-2/ and so on, or a path "
            "with {SPAN} or {YYYY}-{MM}-{DD} in it; found none"
        )
    return found


def _all(folders: SpanFolders) -> str:
    available = folders.available()
    return f"{folders.title(available[0])}:{folders.title(available[-1])}"


def _teachers(teacher: Path) -> dict[int, Path]:
    """The SavedModels by the span as of which each was trained; one that stays what it is stands under 0.

    Raises:
      InputError: There is none.
    """
    folders = None if is_saved_model(teacher) else span_folders(teacher)
    if folders is None:
        expect_saved_model(teacher)
        return {0: teacher}
    found = {each: folders.folder(each) for each in folders.available()}
    if not found:
        raise InputError(f"--teacher {teacher}: expected a SavedModel for each span, found none")
    for each in found.values():
        expect_saved_model(each)
    return found


def _layout(
    window: int,
    cold: tuple[int, ...],
    spans: tuple[int, ...],
    teachers: list[int],
    ages: tuple[int, ...],
    replace_at: int | None,
) -> Layout:
    from evidence.days.cells import Layout, by_age, one_teacher, replaced

    if len(teachers) == 1:
        return Layout(window, cold, one_teacher(spans, teachers[0]))
    middle = spans[len(spans) // 2 - 1] if replace_at is None else replace_at
    apart = replaced(spans, teachers, middle)
    return Layout(window, cold, (*by_age(spans, teachers, ages), *apart), kept_apart=len(apart))


def print_result(result: DaysResult, sentences: list[str]) -> None:
    """Prints what each arm came to, the differences on all examples, and what follows."""
    tasks = [(each.task, each.metric) for each in result.cells[0].values if each.slice is None]
    table = Table(title=f"{result.surface}: spans {result.judged[0]} to {result.judged[-1]}", title_justify="left")
    table.add_column("arm")
    for heading in ("rows", "seconds", *(f"{task} {title_of(metric)}" for task, metric in tasks)):
        table.add_column(heading, justify="right")
    for cell in result.cells:
        table.add_row(cell.name, f"{cell.rows:,.0f}", f"{cell.seconds:.2f}", *_means(cell))
    TERMINAL.out.print(table)
    _print_differences(result)
    for line in [*cautions(result.held_out_rows), *sentences]:
        TERMINAL.out.print(f"- {line}", markup=False, highlight=False)


def _means(cell: CellReport) -> Iterator[str]:
    for each in cell.values:
        if each.slice is None:
            yield "-" if each.mean is None else f"{each.mean:.4f}"


def _print_differences(result: DaysResult) -> None:
    """Prints what was found on all examples; of slices, the sentences tell, and the JSON has all."""
    for question in dict.fromkeys(each.question for each in result.differences):
        table = Table(title=f"{question} ({result.examples['']:,} examples)", title_justify="left")
        for heading in ("arm", "minus", "task"):
            table.add_column(heading)
        table.add_column("difference", justify="right", no_wrap=True)
        table.add_column("answer")
        for each in result.differences:
            if each.slice is None and each.question is question:
                table.add_row(each.arm, each.other, each.task, _interval(each), each.answer)
        TERMINAL.out.print(table)


def _interval(difference: SpanDifference) -> str:
    if difference.mean is None:
        return "undefined"
    # A backslash: rich would read the bracket as markup.
    return f"{difference.mean:+.4f} \\[{difference.low:+.4f}, {difference.high:+.4f}]"
