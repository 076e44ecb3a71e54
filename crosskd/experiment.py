"""`crosskd experiment`: does distillation help here, and is the gain knowledge?"""

from __future__ import annotations

import re
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from contracts import keys, nodes
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
from crosskd.evidence_paths import artifact, labelled_spans, run_paths
from crosskd.intake import source_for_now
from crosskd.launch import EXAMPLES_HELP
from crosskd.terminal import TERMINAL, seconds
from schema.errors import InputError
from schema.metrics import NEGLIGIBLE, title_of
from schema.surface import EVAL_SPLIT, TRAIN_SPLIT

if TYPE_CHECKING:
    from evidence.explain import Labels
    from evidence.result import Difference, ExperimentResult, Finding
    from schema.loader import SurfaceFolder
    from schema.surface import Surface

_STYLES = {
    "knowledge": "bold green",
    "regularisation": "yellow",
    "none": "dim",
    "harm": "bold red",
    "inconclusive": "yellow",
}
# A comma may also be part of a value: one that is followed by a key ends it.
OVERRIDE = re.compile(r",(?=[\w.*]+=)")
RESULT_FILE = "experiment.json"
PLOT_FILE = "experiment.svg"


def command(
    surface: Annotated[str, typer.Option(help="Surface folder, or the name of a surface that crosskd ships.")],
    root: Annotated[
        list[Path],
        typer.Option(help="The --root of a finished `crosskd run`; again for each further split of the data."),
    ],
    out: Annotated[Path, typer.Option(help=f"Folder for {RESULT_FILE} and {PLOT_FILE}.")],
    seeds: SeedsOption = 5,
    tuning: TuningOption = 3,
    widen: WidenOption = 4,
    margin: MarginOption = NEGLIGIBLE,
    few: FewOption = False,
    technique: Annotated[
        list[str] | None,
        typer.Option(
            help="NAME=FOLDER, or NAME=KEY=VALUE,KEY=VALUE with keys of surface.yaml such as "
            "tasks.click.distil.loss=kl: another configuration of the surface, as a further candidate; may be repeated."
        ),
    ] = None,
    teacher: Annotated[
        list[str] | None,
        typer.Option(
            help="NAME=FOLDER, or FOLDER: the SavedModel of another teacher than the run's, which answers the same "
            "examples and teaches a further candidate; may be repeated."
        ),
    ] = None,
    references: Annotated[bool, typer.Option(help="Also train on the teacher's logits as inputs.")] = True,
    pooled: Annotated[
        bool, typer.Option("--pooled", help="Also train on the rows of --source beside the target's, as a reference.")
    ] = False,
    cluster: ClusterOption = None,
    explain: Annotated[bool, typer.Option("--explain", help="Say in sentences what the result rests on.")] = False,
    source: Annotated[Path | None, typer.Option(help="The source domain's folder, for --explain and --pooled.")] = None,
    source_examples: Annotated[
        Path | None, typer.Option(help=f"The source's examples, if not in that folder: {EXAMPLES_HELP}.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Compare the student with its control and with placebos, over seeds, and give a verdict on each task."""
    started = time.monotonic()
    from crosskd.launch import surface_folder
    from schema.loader import load_surface

    if pooled and source is None:
        raise InputError("--pooled trains on the source's rows; give its folder with --source")
    loaded = load_surface(surface_folder(surface))
    others = {name: folder.surface for name, folder in (_technique(each, loaded.path) for each in technique or [])}
    with source_for_now(source, source_examples) as source, TERMINAL.noise_to(out / "logs" / "experiment.log"):
        result = _experiment(
            loaded.surface,
            root,
            others,
            (tuning, widen),
            _teachers(teacher or []),
            seeds=seeds,
            references=references,
            pooled=source if pooled else None,
            clusters=cluster,
            margin=margin,
            few=few,
        )
        if explain:
            result = result.model_copy(update={"explanation": _explain(loaded, root[0], source, result)})
        write_result(result, out)
        TERMINAL.say(f"done in {seconds(started)}; wrote {out / RESULT_FILE} and {out / PLOT_FILE}")
    if as_json:
        TERMINAL.json(result.model_dump(mode="json"))
    else:
        print_result(result)


def print_result(result: ExperimentResult) -> None:
    """Prints the tables and the sentences for a person."""
    tables = [_means_table(result), _tuning_table(result), _verdict_table(result)]
    if result.comparisons:
        tables.append(_comparison_table(result))
    if any(each.slice for each in result.findings):
        tables.append(_slice_table(result))
    TERMINAL.out.print()
    for table in tables:
        TERMINAL.out.print(table)
    for line in _notes(result):
        TERMINAL.out.print(line, markup=False, highlight=False)
    for line in result.explanation:
        TERMINAL.out.print(f"- {line}", markup=False, highlight=False)


def _notes(result: ExperimentResult) -> list[str]:
    """How to read the tables, and what they leave open."""
    runs = f" and {len(result.runs)} runs" if len(result.runs) > 1 else ""
    lines = [
        f"Differences are paired over {result.seeds} seeds{runs}; the intervals hold jointly with "
        f"{result.confidence:.0%} (Bonferroni, {result.verdicts} verdicts).",
        f"A difference within {result.margin:g} is none.",
    ]
    if result.edges:
        lines.append("* A setting next to the chosen one was not tried, and may be better: a larger --widen goes on.")
    lines += cautions(result.held_out_rows)
    return lines + [
        f"{each.candidate}, {each.task}: the control is under-tuned: {' and '.join(each.under_tuned)}, from which "
        f"there is nothing to learn, beat it. To the best of control and placebos ({each.best.arm}) the difference is "
        f"{each.best.mean:+.4f} [{each.best.low:+.4f}, {each.best.high:+.4f}]."
        for each in result.findings
        if each.slice is None and each.under_tuned and each.best
    ]


def _technique(text: str, surface: Path) -> tuple[str, SurfaceFolder]:
    """A name, and either another folder or the surface's own with some keys changed."""
    from schema.loader import load_surface

    name, separator, rest = text.partition("=")
    if not separator or not name or "/" in name:
        raise InputError(
            f"--technique {text}: expected NAME=FOLDER or NAME=KEY=VALUE, for example listwise=surfaces/listwise or "
            "kl=tasks.click.distil.loss=kl"
        )
    return name, load_surface(surface, OVERRIDE.split(rest)) if "=" in rest else load_surface(rest)


def _teachers(given: list[str]) -> dict[str, Path]:
    """Further teachers by name; without one, by the name of the folder."""
    found: dict[str, Path] = {}
    for text in given:
        name, separator, rest = text.rpartition("=")
        folder = Path(rest)
        name = name if separator else folder.resolve().name
        if not re.fullmatch(r"\w+", name):
            raise InputError(
                f"--teacher {text}: expected NAME=FOLDER, the name in letters, digits and underscores, found {name!r}"
            )
        if name in found:
            raise InputError(f"--teacher {text}: two teachers are called {name}; write NAME=FOLDER")
        if not folder.is_dir():
            raise InputError(f"--teacher {text}: expected the folder of a SavedModel, found none at {folder}")
        found[name] = folder
    return found


def _experiment(
    surface: Surface,
    roots: list[Path],
    others: dict[str, Surface],
    tuning: tuple[int, int],
    teachers: dict[str, Path],
    **asked: Any,
) -> ExperimentResult:
    # Before TensorFlow is imported: a wrong path should not take ten seconds to be found.
    paths = [run_paths(root) for root in roots]

    from evidence.arms import technique
    from evidence.choosing import Budget
    from evidence.experiment import Plan, run

    techniques = tuple(technique(name, other) for name, other in others.items())
    plan = Plan(surface, techniques=techniques, tuning=Budget(*tuning), **asked)
    if teachers:
        from crosskd.other_teachers import answers_of

        plan = replace(plan, teachers=answers_of(surface, teachers, paths[0].labelled_train[0]))
    return run(plan, paths, TERMINAL.say)


def _explain(loaded: SurfaceFolder, root: Path, source: Path | None, result: ExperimentResult) -> list[str]:
    from crosskd.runs import newest_run
    from evidence.explain import gather, sentences

    run = newest_run(root)
    labelled = Path(artifact(root, run, nodes.TEACHER_LABELER, keys.LABELLED_EXAMPLES))
    facts = gather(
        loaded.surface,
        loaded.schema,
        [Path(span) / f"Split-{TRAIN_SPLIT}" for span in labelled_spans(root, run)],
        labelled / f"Split-{EVAL_SPLIT}",
        source,
        _labels(artifact(root, run, nodes.TEACHER_LABELER, keys.LABEL_REPORT)),
    )
    return sentences(facts, result)


def _labels(uri: str) -> Labels:
    from contracts.label_report import LabelReport
    from evidence.explain import Labels, TeacherQuality
    from records import documents

    found = documents.read(uri, LabelReport)
    split = found.splits[EVAL_SPLIT]
    return Labels(
        fill_rate=found.overall.fill_rate,
        filled=[name for name, feature in found.overall.features.items() if feature.fill_rate == 1],
        bad=sum(found.overall.bad.values()),
        read=found.overall.read,
        quality={
            task: TeacherQuality(each.metric, each.value)
            for task, each in split.counterparts.items()
            if each.metric is not None
        },
    )


def write_result(result: ExperimentResult, out: Path) -> None:
    """Writes the result and its picture into a folder."""
    from evidence.plot import forest

    out.mkdir(parents=True, exist_ok=True)
    (out / RESULT_FILE).write_text(result.model_dump_json(indent=1), encoding="utf-8")
    (out / PLOT_FILE).write_text(forest(result), encoding="utf-8")


def _means_table(result: ExperimentResult) -> Table:
    table = Table(title=f"{result.surface}: means on the evaluation split (standard deviation over seeds)")
    table.title_justify = "left"
    table.add_column("arm")
    tasks = list(result.tasks)
    for task in tasks:
        table.add_column(f"{task} {_metric(result, task)}", justify="right")
    means = {(each.arm, each.task): each for each in result.means if each.slice is None}
    for arm in dict.fromkeys(each.arm for each in result.means):
        cells = []
        for task in tasks:
            found = means.get((arm, task))
            spread = f" ({found.std:.4f})" if found and found.std is not None else ""
            cells.append("-" if found is None or found.mean is None else f"{found.mean:.4f}{spread}")
        table.add_row(arm, *cells)
    return table


def _tuning_table(result: ExperimentResult) -> Table:
    table = Table(title="Settings that held-out rows chose", title_justify="left")
    for heading in ("arm", *result.tasks):
        table.add_column(heading)
    edges = {(each.arm, each.task) for each in result.edges}
    for arm in result.arms:
        cells = [
            "\n".join(dict.fromkeys(each[task] for each in arm.chosen)) + (" *" if (arm.name, task) in edges else "")
            for task in result.tasks
        ]
        table.add_row(arm.name, *cells)
    return table


def _metric(result: ExperimentResult, task: str) -> str:
    return title_of(next(each.metric for each in result.findings if each.task == task))


def _verdict_table(result: ExperimentResult) -> Table:
    table = Table(title="Verdicts: differences of the candidate, with intervals", title_justify="left")
    for heading in ("candidate", "task"):
        table.add_column(heading)
    for heading in ("to control", "to shuffled", "to gaussian", "transfer ratio"):
        table.add_column(heading, justify="right")
    table.add_column("verdict")
    units = "runs" if len(result.runs) > 1 else "seeds"
    for each in result.findings:
        if each.slice is None:
            shown = [each.control, *each.placebos] if each.control else [None, None, None]
            row = (each.candidate, _task(each), *map(_interval, shown), _transfer(each), _verdict(each, units))
            table.add_row(*row)
    return table


def _comparison_table(result: ExperimentResult) -> Table:
    """One candidate, or control, minus another; these intervals hold jointly among themselves."""
    table = Table(title="Candidates and controls compared: the one minus the other", title_justify="left")
    for heading in ("the one", "the other", "task"):
        table.add_column(heading)
    table.add_column("difference", justify="right")
    for each in result.comparisons:
        table.add_row(each.candidate, each.difference.arm, each.task, _interval(each.difference))
    return table


def _transfer(finding: Finding) -> str:
    if finding.transfer is None:
        return "-"
    found = finding.transfer
    if found.ratio is None or found.low is None or found.high is None:
        return "ceiling too close"
    return f"{found.ratio:.2f}\n\\[{found.low:.2f}, {found.high:.2f}]"


def _slice_table(result: ExperimentResult) -> Table:
    """Differences to the control alone; those to the placebos are in the JSON."""
    table = Table(title="Slices: differences of the candidate to the control; no verdicts", title_justify="left")
    for heading in ("candidate", "task", "slice"):
        table.add_column(heading)
    for heading in ("examples", "to control"):
        table.add_column(heading, justify="right")
    for each in result.findings:
        if each.slice is not None:
            table.add_row(each.candidate, each.task, each.slice, f"{each.examples:,}", _interval(each.control))
    return table


def _task(finding: Finding) -> str:
    return finding.task if finding.distilled else f"{finding.task} (not distilled)"


def _interval(difference: Difference | None) -> str:
    if difference is None:
        return "undefined"
    # A backslash: rich would read the bracket as markup.
    return f"{difference.mean:+.4f}\n\\[{difference.low:+.4f}, {difference.high:+.4f}]"


def _verdict(finding: Finding, units: str) -> str:
    if finding.verdict is None:
        return finding.note or ""
    verdict = finding.verdict.value
    return f"[{_STYLES[verdict]}]{verdict}[/]" + would_decide(verdict, finding.units_to_decide, units)
