"""What a whole run costs by the rows it has, node by node, beside the work that nobody can avoid.

Claim (docs/results.md): what a run costs beyond its start follows its rows, and the daily run of a
million rows takes at most twice its unavoidable work: one read of the records with one pass of the
teacher, the epochs of both arms fed from memory, and one pass of each of the two models over the
evaluation rows.

For each size the embedded world is drawn with so many rows, four fifths of them to train on, the
whole command runs in a process of its own, and runs again, to find everything in the cache.  The
unavoidable work is then measured here, on what that run left.  Ratios are given by the clock and in
processor time, which other work on the machine disturbs less.

    python -m benchmarks.pipeline --rows 20000 --rows 200000 --rows 1000000 --json OUT
"""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import tensorflow as tf
import typer
import yaml

from benchmarks import evaluation, training
from benchmarks.turns import CLOCKS
from components.teacher_labeler.options import LabelOptions
from components.teacher_labeler.plan import LabelPlan
from components.teacher_labeler.program import TeacherProgram
from components.teacher_labeler.signature import read_signature
from contracts import keys, nodes
from contracts.history import HARD_LOSS, HISTORY_FILE
from contracts.outcome import Exit
from contracts.roles import ModelRole
from crosskd import train_teacher
from crosskd.runs import Run, newest_run
from crosskd.summary import RunSummary
from crosskd.terminal import TERMINAL, seconds
from records.fingerprint import fingerprint
from records.shards import read_batches
from schema.loader import SURFACE_FILE, load_surface
from schema.surface import EVAL_SPLIT, TRAIN_SPLIT, Surface, distilled
from worlds import simulated

_EVAL_SHARE = 5  # one row in so many
_ENDED = (Exit.OK, Exit.NOT_BLESSED, Exit.NOT_PUSHED)
_MEBIBYTE = 2**20

# Seconds by clock.
Spent = dict[str, float]


def main(
    rows: Annotated[list[int] | None, typer.Option(min=2_000, help="Rows of the target, once for each run.")] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Epochs of both arms; without it, those of the surface.")
    ] = None,
    folder: Annotated[
        Path | None, typer.Option(help="Keeps what the runs make; without it, it is removed at the end.")
    ] = None,
    out: Annotated[Path, typer.Option("--json", help="Where the figures go.")] = Path(
        "benchmarks/results/pipeline.json"
    ),
) -> None:
    """Measure whole runs of several sizes."""
    started = time.monotonic()
    place = folder or Path(tempfile.mkdtemp(prefix="crosskd-pipeline-"))
    try:
        found = {count: measure(place, count, epochs) for count in sorted(rows or [20_000, 200_000])}
    finally:
        if folder is None:
            shutil.rmtree(place)
    figures = {"runs": {str(count): each for count, each in found.items()}, "slopes": slopes(found)}
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(figures, indent=2) + "\n")
    TERMINAL.json(figures)
    TERMINAL.say(f"done in {seconds(started)}")


def measure(folder: Path, rows: int, epochs: int | None = None) -> dict[str, Any]:
    """A run of so many rows, the same again from the cache, and its unavoidable work.

    Args:
      folder: Keeps the teacher, which all sizes share, and the worlds and roots.
      rows: Rows of the target, training and evaluation together.
      epochs: Epochs of both arms, where they are not those of the surface.
    """
    world, root, teacher = folder / f"world-{rows}", folder / f"root-{rows}", folder / "teacher"
    sizes = simulated.Sizes(target_train=rows - rows // _EVAL_SHARE, target_eval=rows // _EVAL_SHARE)
    simulated.write(world, sizes, seed=0, progress=TERMINAL.say)
    if not teacher.exists():
        train_teacher.train(world / simulated.VIDEO, world / simulated.VIDEO, teacher)
    target = world / simulated.HOMEPAGE
    if epochs:
        _train_for(epochs, target)
    spent, summary = _run(target, teacher, root)
    cached, _ = _run(target, teacher, root)
    run, surface = newest_run(root), load_surface(target).surface
    work = unavoidable(run, surface, target, teacher, root)
    TERMINAL.say(f"{rows:,} rows: {spent['wall']:,.0f} s, of which unavoidable {_sum(work, 'wall'):,.0f} s")
    return {
        "seconds": _rounded(spent),
        "seconds_cached": _rounded(cached),
        "nodes": {
            name: {"seconds": round(each.seconds, 1), "peak_mib": round((each.peak_memory or 0) / _MEBIBYTE)}
            for name, each in summary.nodes.items()
        },
        "unavoidable": {name: _rounded(each) for name, each in work.items()},
        "ratio_to_unavoidable": {clock: round(spent[clock] / _sum(work, clock), 2) for clock in CLOCKS},
    }


def _train_for(epochs: int, target: Path) -> None:
    file = target / SURFACE_FILE
    content = yaml.safe_load(file.read_text())
    content.setdefault("training", {})["epochs"] = epochs
    file.write_text(yaml.safe_dump(content, sort_keys=False))


def slopes(found: Mapping[int, Mapping[str, Any]]) -> dict[str, float]:
    """Seconds that a million more rows take, by node, between the smallest and the largest run; empty for one run."""
    few, many = min(found), max(found)
    if few == many:
        return {}
    small, large = found[few]["nodes"], found[many]["nodes"]
    return {
        name: round((large[name]["seconds"] - small[name]["seconds"]) / (many - few) * 1e6, 1)
        for name in large
        if name in small
    }


def _run(target: Path, teacher: Path, root: Path) -> tuple[Spent, RunSummary]:
    """`crosskd run` in a process of its own: what it took, and its summary."""
    command = [
        str(Path(sys.executable).with_name("crosskd")),
        "run",
        "--surface",
        str(target),
        "--examples",
        str(target),
    ]
    started = {"wall": time.perf_counter(), "cpu": _children()}
    done = subprocess.run(
        [*command, "--teacher", str(teacher), "--root", str(root), "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode not in _ENDED:
        raise SystemExit(f"the run in {root} failed with {done.returncode}:\n{done.stderr[-4000:]}")
    spent = {"wall": time.perf_counter() - started["wall"], "cpu": _children() - started["cpu"]}
    return spent, RunSummary.model_validate_json(done.stdout)


def _children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def unavoidable(run: Run, surface: Surface, target: Path, teacher: Path, root: Path) -> dict[str, Spent]:
    """Seconds of each piece of work that a run of these examples cannot do without.

    Args:
      run: The finished run.
      surface: Its surface.
      target: Its examples.
      teacher: Its teacher's folder.
      root: Its root.
    """
    program = _program(surface, teacher)
    examples = [str(path) for split in (TRAIN_SPLIT, EVAL_SPLIT) for path in sorted((target / split).iterdir())]
    _label(program, examples[:1])  # traces
    work = {"read_and_label": _timed(partial(_label, program, examples))}
    ways, steps = training.prepare(surface, root)
    fit = ways["from_memory"]
    fit()  # traces
    turn = _timed(fit)
    for role in (ModelRole.STUDENT, ModelRole.CONTROL):
        share = _steps(run, role, steps) / steps
        work[f"epochs_{role}"] = {clock: each * share for clock, each in turn.items()}
        work[f"evaluate_{role}"] = _timed(partial(evaluation.plain_pass, *evaluation.model_and_rows(run, role)))
    return work


def _program(surface: Surface, teacher: Path) -> TeacherProgram:
    of_teacher = distilled(surface)
    signature = read_signature(str(teacher), of_teacher.teacher)
    return TeacherProgram(LabelPlan(of_teacher, signature, fingerprint(str(teacher)), {}, LabelOptions()))


def _label(program: TeacherProgram, files: list[str]) -> None:
    """Reads and scores everything, and writes nothing."""
    for path in files:
        for number, records in enumerate(read_batches(path, program.plan.options.batch_size)):
            if not number:
                program.learn_kinds(records, path)
            program(tf.constant(records))


def _steps(run: Run, role: ModelRole, of_a_turn: int) -> float:
    """Steps that an arm took in all its epochs, by those of a turn of `benchmarks.training`."""
    found = run.output(nodes.trainer(role), keys.MODEL_RUN)
    if found is None:
        raise SystemExit("the run has no history of its training")
    epochs = len(json.loads((Path(found[0]) / HISTORY_FILE).read_text())[HARD_LOSS])
    return of_a_turn / training.EPOCHS * epochs


def _timed(work: Callable[[], object]) -> Spent:
    started = {clock: now() for clock, now in CLOCKS.items()}
    work()
    return {clock: now() - started[clock] for clock, now in CLOCKS.items()}


def _sum(work: Mapping[str, Spent], clock: str) -> float:
    return sum(each[clock] for each in work.values())


def _rounded(spent: Spent) -> Spent:
    return {clock: round(each, 2) for clock, each in spent.items()}


if __name__ == "__main__":
    typer.run(main)
