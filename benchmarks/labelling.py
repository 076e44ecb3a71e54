"""How fast a teacher labels examples: beside the limit, the usual Beam graph and TFX's BulkInferrer.

Claim (docs/labelling.md): TeacherLabeler runs at 80% of the speed of reading, parsing and
inferring alone, which is the best that tf.data can do: on all cores, with TensorFlow's reader
or with the labeller's, whichever is faster in a round; and at ten times that of BulkInferrer;
two worker processes label 1.7 times as much as one; and its memory does not grow with the
number of examples.

All ways take turns in one process, over examples with 20 of the teacher's 32 inputs, and each
ratio is the median over rounds of the ratio within a round: of times on the clock, and (`cpu`)
of CPU time, which says more where other work shares the machine.  TeacherLabeler and the limit
pay for loading the teacher; for the other two, which get fewer examples, the start is taken off.

    python -m benchmarks.labelling --json OUT
    python -m benchmarks.labelling --teachers 5M --teachers 20M --teachers 50M --only-teachers --json OUT
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from tfx.types import Artifact

from benchmarks.labels import ways, world
from benchmarks.labels.alone import LabellingRequest, run_alone
from benchmarks.labels.measuring import Way, fastest, measure, median_rates, ratio
from crosskd.terminal import TERMINAL, seconds

_LIMITS = {"limit_tensorflow_reader": ways.tensorflow_reader, "limit_fast_reader": ways.fast_reader}
_FEW = 2_000
_USUAL_SHARE, _BULK_SHARE = 16, 32  # of the examples; both ways are so much slower
_WORKER_TEACHER = "20M"
_WORKER_SHARDS, _WORKER_ROUNDS = 32, 2
# How many worker processes, and whether each is held to one thread.
_WORKERS = {"one": (1, True), "two": (2, True), "one_with_threads": (1, False)}
_SMALL_MEMORY_SHARE = 10
_LEAST_BY_TEACHER = 40_000
_AT_FULL_SIZE = 5e6  # parameters; larger teachers get fewer examples
_DAY = 24 * 60 * 60
_EXAMPLES_A_DAY = 10**9


def main(
    examples: Annotated[int, typer.Option(min=10_000, help="Examples that the labeller and the limit run over.")] = (
        600_000
    ),
    rounds: Annotated[int, typer.Option(min=1, help="Rounds in which all ways take turns.")] = 3,
    memory_examples: Annotated[
        int, typer.Option(help="Examples of the larger memory measurement; 0 to leave memory out.")
    ] = 2_000_000,
    worker_examples: Annotated[
        int, typer.Option(help="Examples for one and two worker processes; 0 to leave them out.")
    ] = 400_000,
    teachers: Annotated[
        list[str] | None, typer.Option(help=f"Sizes of teachers to compare: {', '.join(world.TEACHERS)}.")
    ] = None,
    only_teachers: Annotated[bool, typer.Option("--only-teachers", help="Measure nothing but --teachers.")] = False,
    out: Annotated[Path, typer.Option("--json", help="Where the figures go.")] = Path(
        "benchmarks/results/labelling.json"
    ),
) -> None:
    """Measure the labeller."""
    started = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="crosskd-labelling-"))
    try:
        figures: dict[str, Any] = {"cores": len(os.sched_getaffinity(0))}
        if not only_teachers:
            figures |= _ways(folder, examples, rounds)
            figures |= _memory(folder, memory_examples) if memory_examples else {}
            figures |= _workers(folder, worker_examples, min(rounds, _WORKER_ROUNDS)) if worker_examples else {}
        if teachers:
            figures["by_teacher"] = {name: _by_teacher(folder, name, examples, rounds) for name in teachers}
    finally:
        shutil.rmtree(folder)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(figures, indent=2) + "\n")
    TERMINAL.json(figures)
    TERMINAL.say(f"done in {seconds(started)}")


def _ways(folder: Path, rows: int, rounds: int) -> dict[str, Any]:
    """All four ways, and the labeller with a signature of serialized examples."""
    teacher, parameters = _teacher(folder, world.DEFAULT_TEACHER)
    usual_rows, bulk_rows = _FEW + rows // _USUAL_SHARE, _FEW + rows // _BULK_SHARE
    many, some, fewer, few = (_examples(folder, count) for count in (rows, usual_rows, bulk_rows, _FEW))
    out = folder / "out"
    # What happens once in a process, such as TensorFlow's own start, is nobody's.
    _warm_up(teacher, few)
    ways.run_labeler(teacher, few, out)
    ways.run_usual_graph(teacher, few, out)
    ways.run_bulk_inferrer(teacher, few, out)
    rates = measure(
        {
            **{name: Way(partial(ways.reach_the_limit, teacher, many, read), rows) for name, read in _LIMITS.items()},
            "labeler": Way(lambda: ways.run_labeler(teacher, many, out), rows),
            "labeler_takes_examples": Way(lambda: ways.run_labeler(teacher, many, out, "examples"), rows),
            "usual_graph": Way(
                lambda: ways.run_usual_graph(teacher, some, out),
                usual_rows,
                lambda: ways.run_usual_graph(teacher, few, out),
                _FEW,
            ),
            "bulk_inferrer": Way(
                lambda: ways.run_bulk_inferrer(teacher, fewer, out),
                bulk_rows,
                lambda: ways.run_bulk_inferrer(teacher, few, out),
                _FEW,
            ),
        },
        rounds,
        TERMINAL.say,
    )
    rates["limit"] = fastest(rates, list(_LIMITS))
    return {
        "examples": rows,
        "rounds": rounds,
        "teacher_parameters": parameters,
        "teacher_inputs": len(world.present_features()) + len(world.absent_features()),
        "teacher_inputs_absent": len(world.absent_features()),
        "examples_per_second": median_rates(rates),
        **_ratios(rates),
    }


def _ratios(rates: Any) -> dict[str, Any]:
    compared = {
        "limit": ("labeler", "limit"),
        "bulk_inferrer": ("labeler", "bulk_inferrer"),
        "usual_graph": ("labeler", "usual_graph"),
        "limit_takes_examples": ("labeler_takes_examples", "limit"),
    }
    figures: dict[str, Any] = {}
    for name, (way, other) in compared.items():
        figures[f"ratio_to_{name}"] = ratio(rates, way, other, "wall")["median"]
        figures[f"ratio_to_{name}_spread"] = ratio(rates, way, other, "wall")
        figures[f"ratio_to_{name}_cpu"] = ratio(rates, way, other, "cpu")["median"]
    return figures


def _memory(folder: Path, rows: int) -> dict[str, Any]:
    """Peak memory over `rows` examples and over a tenth of them, each in a process of its own."""
    teacher, _ = _teacher(folder, world.DEFAULT_TEACHER)
    peaks = []
    for count in (rows // _SMALL_MEMORY_SHARE, rows):
        artifact = _examples(folder, count)
        answer = run_alone(LabellingRequest(str(teacher), artifact.uri, str(folder / "alone")))
        TERMINAL.say(f"{answer.rows} examples in a process of their own: {answer.peak_mib:.0f} MiB at most")
        peaks.append(answer.peak_mib)
    return {
        "peak_mib": {str(rows // _SMALL_MEMORY_SHARE): round(peaks[0]), str(rows): round(peaks[1])},
        "ratio_of_peak_memory": round(peaks[1] / peaks[0], 3),
    }


def _workers(folder: Path, rows: int, rounds: int) -> dict[str, Any]:
    """Beam's worker processes, each held to one thread, and one that is not, once they are at work."""
    teacher, parameters = _teacher(folder, _WORKER_TEACHER)
    artifact = world.write_examples(folder / "examples-for-workers", rows, _WORKER_SHARDS)
    rates: dict[str, list[float]] = {kind: [] for kind in _WORKERS}
    for number in range(rounds):
        for kind, (workers, pinned) in _WORKERS.items():
            request = LabellingRequest(str(teacher), artifact.uri, str(folder / "workers"), workers, pinned)
            rates[kind].append(run_alone(request).steady_rate(workers))
            TERMINAL.say(f"round {number + 1} of {rounds}: workers: {kind}: {rates[kind][-1]:,.0f} examples a second")
    return {
        "workers": {
            "teacher_parameters": parameters,
            "examples": rows,
            "examples_per_second": {kind: round(statistics.median(each)) for kind, each in rates.items()},
        },
        "ratio_of_two_workers": _median_ratio(rates["two"], rates["one"]),
        "ratio_of_two_workers_to_one_with_threads": _median_ratio(rates["two"], rates["one_with_threads"]),
    }


def _median_ratio(rates: list[float], others: list[float]) -> float:
    return round(statistics.median(rate / other for rate, other in zip(rates, others, strict=True)), 3)


def _by_teacher(folder: Path, size: str, most: int, rounds: int) -> dict[str, Any]:
    """What a teacher of this size costs, its loading and Beam's start taken off."""
    teacher, parameters = _teacher(folder, size)
    rows = max(_LEAST_BY_TEACHER, int(most * min(1.0, _AT_FULL_SIZE / parameters)))
    many, few = _examples(folder, rows), _examples(folder, _FEW)
    out = folder / "out"
    _warm_up(teacher, few)
    ways.run_labeler(teacher, few, out)
    rates = measure(
        {
            **{
                name: Way(
                    partial(ways.reach_the_limit, teacher, many, read),
                    rows,
                    partial(ways.reach_the_limit, teacher, few, read),
                    _FEW,
                )
                for name, read in _LIMITS.items()
            },
            "labeler": Way(
                lambda: ways.run_labeler(teacher, many, out), rows, lambda: ways.run_labeler(teacher, few, out), _FEW
            ),
        },
        rounds,
        lambda line: TERMINAL.say(f"teacher {size}: {line}"),
    )
    rates["limit"] = fastest(rates, list(_LIMITS))
    per_core = statistics.median(rates["labeler"]["cpu"])
    return {
        "parameters": parameters,
        "examples": rows,
        "examples_per_second": median_rates(rates)["labeler"]["wall"],
        "examples_per_second_per_core": round(per_core),
        "ratio_to_limit_cpu": ratio(rates, "labeler", "limit", "cpu")["median"],
        "core_hours_for_1e9_examples": round(_EXAMPLES_A_DAY / per_core / 3600, 1),
        "cores_for_1e9_examples_a_day": round(_EXAMPLES_A_DAY / per_core / _DAY, 2),
    }


def _warm_up(teacher: Path, examples: Artifact) -> None:
    for read in _LIMITS.values():
        ways.reach_the_limit(teacher, examples, read)


def _teacher(folder: Path, size: str) -> tuple[Path, int]:
    target = folder / f"teacher-{size}"
    count = folder / f"teacher-{size}.parameters"
    if not count.exists():
        TERMINAL.say(f"exporting a teacher of about {size} parameters")
        count.write_text(str(world.save_teacher(target / "Format-Serving", world.TEACHERS[size])))
    return target, int(count.read_text())


def _examples(folder: Path, rows: int) -> Artifact:
    target = folder / f"examples-{rows}"
    if target.exists():
        return world.examples_artifact(target)
    TERMINAL.say(f"writing {rows:,} examples")
    return world.write_examples(target, rows)


if __name__ == "__main__":
    typer.run(main)
