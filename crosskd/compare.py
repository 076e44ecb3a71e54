"""`crosskd compare`: two runs on one page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from contracts import keys, nodes
from contracts.roles import ModelRole
from crosskd.terminal import TERMINAL
from schema.errors import InputError

if TYPE_CHECKING:
    from components.evaluation_report.comparison import ComparedRun
    from crosskd.runs import Run
    from evaluation.results import Evaluation

_RUN = re.compile(r"(?P<root>.+?)(?:@(?P<which>-\d+|[^/@]+))?")
_MOST_RUNS = 10_000


def command(
    first: Annotated[
        str, typer.Argument(help="A run: its --root for the newest one, ROOT@-1 for the one before, or ROOT@RUN_ID.")
    ],
    second: Annotated[str, typer.Argument(help="The run that is compared with it, likewise.")],
    out: Annotated[Path, typer.Option(help="The page to write, .html.")] = Path("comparison.html"),
    as_json: Annotated[bool, typer.Option("--json", help="Print what was written, and what differs, as JSON.")] = False,
) -> None:
    """Write one page about two runs: metrics, gates, configuration, data, durations and slices."""
    if out.suffix != ".html":
        raise InputError(f"--out {out}: expected a name ending in .html")
    runs = [_find(text) for text in (first, second)]
    log = out.parent / f"{out.name}.log"
    with TERMINAL.noise_to(log):
        from components.evaluation_report.comparison import changed_keys, compare
        from components.evaluation_report.page import render_comparison

        one, other = (_read(root, run) for root, run in runs)
        out.write_text(render_comparison(compare(one, other)), encoding="utf-8")
    log.unlink()
    if as_json:
        changed = [
            {"key": key, "first": was, "second": now} for key, was, now in changed_keys(one.surface, other.surface)
        ]
        TERMINAL.json({"page": str(out), "first": one.name, "second": other.name, "configuration": changed})
    else:
        TERMINAL.out.print(str(out), markup=False, highlight=False, soft_wrap=True)


def _find(text: str) -> tuple[Path, Run]:
    """The root and the run that a text names.

    Raises:
      InputError: There is no such root, or no such run in it.
    """
    from crosskd.runs import newest_runs

    match = _RUN.fullmatch(text)
    assert match is not None  # the pattern takes any text but an empty one, which typer does not hand on
    root, which = Path(match["root"]), match["which"]
    if not root.is_dir():
        raise InputError(f"{text}: expected the --root of a `crosskd run`, or ROOT@RUN_ID; {root} is no folder")
    runs = newest_runs(root, _MOST_RUNS)
    if which is None:
        return root, runs[0]
    if which.startswith("-") and which[1:].isdigit():
        if int(which[1:]) >= len(runs):
            raise InputError(f"{text}: {root} has {len(runs)} run(s); expected ROOT@-0 to ROOT@-{len(runs) - 1}")
        return root, runs[int(which[1:])]
    found = [run for run in runs if run.run_id == which]
    if not found:
        ids = ", ".join(run.run_id for run in runs[:5])
        raise InputError(f"{text}: {root} has no run {which!r}; the newest are {ids}")
    return root, found[0]


def _read(root: Path, run: Run) -> ComparedRun:
    from components.evaluation_report.comparison import ComparedRun
    from components.evaluation_report.slicer import SlicedRun
    from contracts.decision import Decision
    from contracts.label_report import LabelReport
    from crosskd.frames import surface
    from records import documents

    decided = run.output(nodes.BLESSING_GATE, keys.DECISION)
    if decided is None:
        raise InputError(f"{root}: the run {run.run_id} came to no decision, so there is nothing to compare")
    labels = run.output(nodes.TEACHER_LABELER, keys.LABEL_REPORT)
    name = f"{root.name} {run.run_id}"
    evaluations = [_evaluation(run, role) for role in (ModelRole.CONTROL, ModelRole.LAST_BLESSED)]
    return ComparedRun(
        name=name,
        surface=surface(run),
        decision=documents.read(decided[0], Decision),
        labels=documents.read(labels[0], LabelReport) if labels else None,
        sliced=SlicedRun(name, *evaluations),
        seconds={node: each.seconds for node, each in run.nodes.items() if each.state == "COMPLETE"},
    )


def _evaluation(run: Run, baseline: ModelRole) -> Evaluation | None:
    """What the Evaluator wrote; None where it did not, or where that is gone."""
    from crosskd.runs import evaluation_of
    from evaluation import results

    found = evaluation_of(run, baseline)
    if found is None:
        return None
    try:
        return results.read(found)
    except InputError as error:
        TERMINAL.say(str(error))
        return None
