"""What serving the student costs: beside the control, which it must equal, and beside the teacher.

Claim (docs/results.md): distillation does not change the latency of serving, p99 within
1.00 +- 0.05 of the control's; the teacher is so much slower.

All models are loaded as servers load them, and answer the same requests in turn in one
process; each ratio is the median over rounds of the ratio within a round.  The claim is
judged on the rounds of all batch sizes together, by the 95% interval of their median.  The
control is loaded twice: its ratio to itself says how much of the other ratios is noise.  The teacher is
fed tensors that were adapted beforehand, so that the student's time includes parsing and
the teacher's does not.

    python -m benchmarks.serving --root runs/demo/homepage --json OUT
    python -m benchmarks.serving --student DIR --control DIR --teacher DIR --examples DIR --json OUT
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tensorflow as tf
import typer

from components.serving_validator.latency import measure, percentile_ratio, round_ratios
from components.serving_validator.requests import Requests, read_requests
from components.serving_validator.requirements import requirements_of
from components.teacher_labeler.adaptation import adapt
from components.teacher_labeler.columns import needed_columns
from components.teacher_labeler.parsing import parse_ragged
from components.teacher_labeler.signature import read_signature
from contracts import keys, nodes
from contracts.roles import ModelRole
from crosskd.runs import newest_run
from crosskd.terminal import TERMINAL
from records.sessions import SessionModel, as_batch
from records.tf_example import observe_kinds
from schema.loader import load_surface
from schema.surface import DistilledSurface, Surface, distilled

_BATCHES = 32
_SEED = 0
_SLOW_SHARE = 10  # the teacher is called in one of so many rounds
_OUTPUTS = {
    "student": (nodes.trainer(ModelRole.STUDENT), keys.MODEL),
    "control": (nodes.trainer(ModelRole.CONTROL), keys.MODEL),
    "teacher": (nodes.TEACHER, keys.IMPORTED),
    "examples": (nodes.TEACHER_LABELER, keys.LABELLED_EXAMPLES),
}

Batches = dict[int, list[np.ndarray]]


def main(
    root: Annotated[Path, typer.Option(help="Root of a finished `crosskd run`.")] = Path("runs/demo/homepage"),
    surface: Annotated[Path, typer.Option(help="Its surface folder.")] = Path("schema/homepage"),
    student: Annotated[Path | None, typer.Option(help="SavedModel; by default the run's.")] = None,
    control: Annotated[Path | None, typer.Option(help="SavedModel; by default the run's.")] = None,
    teacher: Annotated[Path | None, typer.Option(help="SavedModel; by default the run's.")] = None,
    examples: Annotated[Path | None, typer.Option(help="Folder with Split-eval/; by default the run's.")] = None,
    rounds: Annotated[int, typer.Option(min=3, help="Rounds per batch size.")] = 101,
    calls: Annotated[int, typer.Option(min=10, help="Calls per model and round.")] = 200,
    out: Annotated[Path, typer.Option("--json", help="Where the figures go.")] = Path(
        "benchmarks/results/serving.json"
    ),
) -> None:
    """Measure the student's latency beside the control's and the teacher's."""
    given = {"student": student, "control": control, "teacher": teacher, "examples": examples}
    paths = {name: str(path) if path else of_run(root, name) for name, path in given.items()}
    figures, _ = compare(paths, load_surface(surface).surface, rounds, calls)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(figures, indent=2) + "\n")
    TERMINAL.json(figures)


def compare(paths: dict[str, str], surface: Surface, rounds: int, calls: int) -> tuple[dict[str, Any], np.ndarray]:
    """Latencies and their ratios, by batch size, and sizes; and the p99 ratios of student and control of all rounds.

    Args:
      paths: The paths of `student`, `control` and `teacher` (SavedModels) and `examples`.
      surface: The surface, for the requests and the feature adaptation.
      rounds: Rounds per batch size; a tenth of them with the teacher.
      calls: Calls per model and round.
    """
    requests = read_requests([paths["examples"]], requirements_of(surface))
    models = {
        "student": SessionModel(paths["student"]),
        "control": SessionModel(paths["control"]),
        "control_again": SessionModel(paths["control"]),
    }
    teacher = _Teacher(paths["teacher"], distilled(surface), requests.full)
    sizes, of_rounds = {}, []
    for size in surface.serving.batch_sizes:
        sizes[str(size)], ratios = _of_size(models, teacher, requests, size, rounds, calls)
        of_rounds.append(ratios)
    every = np.concatenate(of_rounds)
    weights = {name: bytes_of(Path(paths[name])) for name in ("student", "control")}
    figures = {"rounds_per_batch_size": rounds, "calls_per_round": calls, "batch_sizes": sizes, "bytes": weights}
    return {**figures, **judged(every)}, every


def bytes_of(model: Path) -> int:
    """What all files of a SavedModel take."""
    return sum(each.stat().st_size for each in model.rglob("*") if each.is_file())


def judged(ratios: np.ndarray) -> dict[str, Any]:
    """The claim, by the p99 ratios of rounds."""
    middle, lower, upper = median(ratios)
    return {
        "p99_student_to_control": middle,
        "p99_student_to_control_interval": [lower, upper],
        "within_5_percent": lower >= 0.95 and upper <= 1.05,
    }


def median(values: np.ndarray) -> tuple[float, float, float]:
    """Median with its 95% interval, by ranks (the sign test's): no shape of the noise is assumed."""
    ordered = np.sort(values)
    half = 0.98 * np.sqrt(len(ordered))
    ranks = (len(ordered) / 2 - half, len(ordered) / 2 + half)
    lower, upper = (float(ordered[int(np.clip(rank, 0, len(ordered) - 1))]) for rank in ranks)
    return round(float(np.median(ordered)), 3), round(lower, 3), round(upper, 3)


def _of_size(
    models: dict[str, SessionModel],
    teacher: _Teacher,
    sent: Requests,
    size: int,
    rounds: int,
    calls: int,
) -> tuple[dict[str, float], np.ndarray]:
    """Figures of one batch size, and the rounds' p99 ratios of student and control."""
    rng = np.random.default_rng(_SEED)
    rows = [rng.integers(len(sent.full), size=size) for _ in range(_BATCHES)]
    requests = [as_batch([sent.stripped[row] for row in each]) for each in rows]
    adapted = [teacher.adapt([sent.full[row] for row in each]) for each in rows]
    by_index = {name: _on(model, requests) for name, model in models.items()}
    seconds = measure(by_index, range(_BATCHES), rounds, calls)
    two = {"student": by_index["student"], "teacher": lambda index: teacher.call(*adapted[index])}
    beside = measure(two, range(_BATCHES), max(3, rounds // _SLOW_SHARE), calls)
    ratios = {}
    for percent in (50, 99):
        student = seconds["student"]
        ratios[f"p{percent}_student_to_control"] = percentile_ratio(student, seconds["control"], percent)
        ratios[f"p{percent}_control_to_itself"] = percentile_ratio(
            seconds["control_again"], seconds["control"], percent
        )
        ratios[f"p{percent}_teacher_to_student"] = percentile_ratio(beside["teacher"], beside["student"], percent)
        ratios[f"p{percent}_student_ms"] = float(np.percentile(student, percent) * 1e3)
        ratios[f"p{percent}_teacher_ms"] = float(np.percentile(beside["teacher"], percent) * 1e3)
    of_rounds = round_ratios(seconds["student"], seconds["control"], 99)
    return {name: round(value, 3) for name, value in ratios.items()}, of_rounds


def _on(model: SessionModel, requests: Sequence[np.ndarray]) -> Callable[[int], Any]:
    return lambda index: model.call(requests[index])


class _Teacher:
    """The teacher in a session, and the target's examples as it takes them."""

    def __init__(self, uri: str, surface: DistilledSurface, records: Sequence[bytes]) -> None:
        signature = read_signature(uri, surface.teacher)
        model = SessionModel(signature.model_dir, signature.name)
        self.call = model.call
        self._surface, self._inputs, self._names = surface, signature.inputs, model.inputs
        columns = needed_columns(surface)
        self._kinds = {**columns, **observe_kinds(records, columns)}

    def adapt(self, records: Sequence[bytes]) -> list[np.ndarray]:
        """The teacher's inputs for serialized target examples, in the order of `call`."""
        if self._surface.teacher.takes == "examples":
            return [as_batch(records)]
        dtypes = {name: each.dtype for name, each in self._inputs.items()}
        found = adapt(tf.constant(list(records)), self._surface, self._kinds, dtypes, parse_ragged).inputs
        return [
            found[name].numpy() if self._inputs[name].rank == 2 else found[name].numpy()[:, 0] for name in self._names
        ]


def of_run(root: Path, name: str) -> str:
    """The path of what the newest run under a root made: its student, control, teacher or labelled examples."""
    node, key = _OUTPUTS[name]
    found = newest_run(root).output(node, key)
    if found is None:
        raise SystemExit(f"the run under --root has no output {key!r} of {node}; finish a `crosskd run` first")
    served = Path(found[0]) / "Format-Serving"
    return str(served) if served.is_dir() else found[0]


if __name__ == "__main__":
    typer.run(main)
