"""Where the Evaluator's time goes: shares of what its threads were seen doing.

Claim (docs/results.md): its largest costs, net of loading the models.

Every few milliseconds the stacks of all threads but this one are looked at; one counts for the
first of `WORK` that a function in it belongs to.  Threads that wait are left out.

    python -m benchmarks.evaluation_profile --root runs/demo/homepage --json OUT
"""

from __future__ import annotations

import json
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from benchmarks.evaluation import evaluate, examples_of, model_of
from contracts.roles import ModelRole
from crosskd.runs import newest_run
from crosskd.terminal import TERMINAL
from schema.loader import load_surface

_PAUSE = 0.004
LOADING = "loading the models"
OTHER = "Beam's own steps, and what else there is"
# What is done, by a part of FILE:FUNCTION that tells it; the first that fits a stack counts.
WORK = {
    LOADING: ("saved_model/load.py:load",),
    "jackknife of gathered sums": ("evaluation/jackknife.py:jackknife",),
    "gathering sums and histograms of each slice": ("gathering.py:add_input", "grouped.py:add_input"),
    "merging what was gathered": ("evaluation/gathering.py", "evaluation/grouped.py"),
    "models' answers": ("evaluation/scoring.py:_predict",),
    "slices of rows": ("slice_finder.py:rows_by_slice",),
    "a hash of each row or group, for its fold": ("evaluation/scoring.py:groups_of",),
    "labels, and arrays divided by slice": ("evaluation/scoring.py", "evaluation/scored.py"),
    "decoding tf.Examples into columns": ("example_coder.py:DecodeBatch",),
    "Beam's options, parsed anew for each step": ("pipeline_options.py:view_as",),
    "setting up Beam's functions": ("bundle_processor.py:__init__",),
    "building and translating Beam's graph": ("apache_beam/pipeline.py:apply", ":to_runner_api", "translations.py"),
    "TFMA's preprocessing and slicing": ("evaluators/metrics_plots", "slicer_lib.py", "metric_types.py"),
    "reading records": ("records/batched.py", "tfrecordio.py", "tf_example_record.py", "telemetry.py"),
    "writing results": ("metrics_plots_and_validations_writer.py", "filebasedsink.py"),
}
_WAITING = ("threading.py", "queue.py", "selectors.py", "socket.py", "socketserver.py")


def main(
    root: Annotated[Path, typer.Option(help="Root of a finished `crosskd run`.")] = Path("runs/demo/homepage"),
    surface: Annotated[Path, typer.Option(help="Its surface folder.")] = Path("schema/homepage"),
    examples: Annotated[
        Path | None, typer.Option(help="Folder with `eval/` to score, in place of what the run labelled.")
    ] = None,
    out: Annotated[Path, typer.Option("--json", help="Where the figures go.")] = Path(
        "benchmarks/results/evaluation_profile.json"
    ),
) -> None:
    """Say where the time of the Evaluator goes, with three models: the control stands for what serves as well."""
    run, loaded = newest_run(root), load_surface(surface).surface
    student, control = model_of(run, ModelRole.STUDENT), model_of(run, ModelRole.CONTROL)
    with tempfile.TemporaryDirectory() as folder:
        work = partial(evaluate, loaded, student, examples_of(run, examples, Path(folder)), control, served=control)
        work()  # imports are not what is looked at
        cpu = time.process_time()
        figures = {"percent": shares(sampled(work)), "cpu_seconds": round(time.process_time() - cpu, 1)}
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(figures, indent=2) + "\n")
    TERMINAL.json(figures)


def sampled(work: Callable[[], object]) -> Counter[str]:
    """How often threads were seen at each kind of work while `work` was done."""
    seen, done = Counter[str](), threading.Event()

    def watch() -> None:
        while not done.wait(_PAUSE):
            for ident, frame in sys._current_frames().items():
                if ident != threading.get_ident():
                    seen.update(kind_of(_stack(frame)))

    watching = threading.Thread(target=watch, daemon=True)
    watching.start()
    work()
    done.set()
    watching.join()
    return seen


def _stack(frame: FrameType | None) -> Iterable[str]:
    """FILE:FUNCTION from the innermost call outwards."""
    while frame:
        yield f"{frame.f_code.co_filename}:{frame.f_code.co_name}"
        frame = frame.f_back


def kind_of(stack: Iterable[str]) -> list[str]:
    """What a thread does; nothing if it waits."""
    calls = list(stack)
    if calls[0].rpartition(":")[0].endswith(_WAITING):
        return []
    kinds = (name for name, parts in WORK.items() if any(part in call for part in parts for call in calls))
    return [next(kinds, OTHER)]


def shares(seen: Counter[str]) -> dict[str, float]:
    """Percent of all but loading, the largest first; and what loading takes beside that."""
    total = sum(seen.values()) - seen[LOADING]
    return {name: round(100 * count / total, 1) for name, count in seen.most_common()}


if __name__ == "__main__":
    typer.run(main)
