"""What distillation costs in training, and what the Trainer's input costs.

Claims (docs/results.md): a step with distillation heads takes at most 1.05 of the
control's; the Trainer's input keeps at least 0.8 of the speed of the same model fed with
batches that lie ready in memory.

All ways train the model of the surface as the Trainer does, some epochs in turn, in one
process; each ratio is the median over rounds of the ratio within a round, with the 95%
interval of that median.  The control is measured twice: its ratio to itself says how much
of the other ratios is noise.

    python -m benchmarks.training --root runs/demo/homepage --json OUT
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
import typer

from benchmarks.serving import median
from crosskd.experiment import run_paths
from crosskd.terminal import TERMINAL
from evidence.levels import resized
from models import inputs, training
from models.columns import hard_label_columns, soft_label_columns, training_columns
from models.ranker import build
from models.scales import label_statistics, soft_statistics
from models.terms import head_losses
from schema.loader import load_surface
from schema.surface import FeatureKind, Surface

_STEP_RATIO = 1.05
_INPUT_RATIO = 0.8
# Batches that are read again and again; enough that no cache of the processor holds them all.
_READY = 48

# Epochs of one turn: a fit has a start, which the Trainer's many epochs share.
_EPOCHS = 5

Fit = Callable[[], None]


def main(
    root: Annotated[Path, typer.Option(help="Root of a finished `crosskd run`.")] = Path("runs/demo/homepage"),
    surface: Annotated[Path, typer.Option(help="Its surface folder.")] = Path("schema/homepage"),
    rounds: Annotated[int, typer.Option(min=5, help=f"Turns of each way, of {_EPOCHS} epochs.")] = 15,
    widths: Annotated[float, typer.Option(min=0.1, help="Factor on the widths of the surface's model.")] = 1.0,
    out: Annotated[Path, typer.Option("--json", help="Where the figures go.")] = Path(
        "benchmarks/results/training.json"
    ),
) -> None:
    """Measure the student's step beside the control's, and the Trainer's input beside memory."""
    ways, steps = prepare(resized(load_surface(surface).surface, widths), root)
    figures = {"widths": widths, **measure(ways, rounds, steps)}
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(figures, indent=2) + "\n")
    TERMINAL.json(figures)


def measure(ways: Mapping[str, Fit], rounds: int, steps: int) -> dict[str, Any]:
    """Milliseconds a step of every way, and the ratios that the claims are about.

    By the clock, which is what is claimed, and in processor time, which other work on the
    machine disturbs less, and which counts what a second core does at the same time.
    """
    clocks = {"wall": time.perf_counter, "cpu": time.process_time}
    taken: dict[str, dict[str, list[float]]] = {clock: {name: [] for name in ways} for clock in clocks}
    for fit in ways.values():
        fit()  # tracing, and reading what is then kept in memory
    names = list(ways)
    for number in range(rounds):
        # Every way in every place of the turn.
        for name in names[number % len(names) :] + names[: number % len(names)]:
            started = {clock: now() for clock, now in clocks.items()}
            ways[name]()
            for clock, now in clocks.items():
                taken[clock][name].append((now() - started[clock]) / steps)
    figures = {clock: _figures({name: np.array(each) for name, each in of.items()}) for clock, of in taken.items()}
    wall = figures["wall"]
    return {
        "rounds": rounds,
        "steps_per_round": steps,
        **figures,
        "step_within_5_percent": wall["step_student_to_control"][2] <= _STEP_RATIO,
        "input_keeps_80_percent": wall["input_speed_to_memory"][1] >= _INPUT_RATIO,
    }


def _figures(seconds: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Ratios with their intervals, by the seconds a step of each round."""
    return {
        "ms_per_step": {name: round(float(np.median(values)) * 1e3, 3) for name, values in seconds.items()},
        "step_student_to_control": median(seconds["student"] / seconds["control"]),
        "step_control_to_itself": median(seconds["control_again"] / seconds["control"]),
        "input_speed_to_memory": median(seconds["from_memory"] / seconds["student"]),
        "streamed_input_speed_to_memory": median(seconds["from_memory"] / seconds["streamed"]),
    }


def prepare(surface: Surface, root: Path) -> tuple[dict[str, Fit], int]:
    """Some epochs of every way to train, ready to be called, and the steps of them all."""
    paths = run_paths(root)
    transform = tft.TFTransformOutput(paths.transform_graph)
    patterns, spec = [f"{folder}/*" for folder in paths.train], transform.transformed_feature_spec()
    hard = list(hard_label_columns(surface).values())
    labels = inputs.transformed_columns(patterns, spec, hard)
    rows = len(labels[hard[0]])

    def data(distil: bool, memory_limit: int = inputs.MEMORY_LIMIT) -> tf.data.Dataset:
        names = [*surface.features, *training_columns(surface, distil=distil)]
        return inputs.transformed(
            patterns,
            {name: spec[name] for name in names},
            rows=rows,
            batch_size=surface.training.batch_size,
            validation_fraction=surface.training.validation_fraction,
            seed=surface.training.seed,
            memory_limit=memory_limit,
        )[0]

    def way(batches: tf.data.Dataset, distil: bool) -> Fit:
        soft = set(soft_label_columns(surface).values()) if distil else set()
        statistics = label_statistics(surface, labels) | soft_statistics(soft, transform)
        ranker = build(surface, _sizes(surface, transform), statistics, distil=distil)
        model = training.trainable(ranker, surface, head_losses(surface, statistics, distil=distil))
        return lambda: model.fit(batches, epochs=_EPOCHS, steps_per_epoch=steps, verbose=0)

    student = data(distil=True)
    steps = int(student.cardinality())
    return {
        "control": way(data(distil=False), distil=False),
        "student": way(student, distil=True),
        "control_again": way(data(distil=False), distil=False),
        "from_memory": way(_ready(student, surface.training.batch_size, steps), distil=True),
        "streamed": way(data(distil=True, memory_limit=0), distil=True),
    }, steps * _EPOCHS


def _ready(batches: tf.data.Dataset, size: int, steps: int) -> tf.data.Dataset:
    """As many whole batches, each put together before."""
    whole = list(batches.unbatch().batch(size, drop_remainder=True).take(_READY))
    stacked = tf.nest.map_structure(lambda *parts: tf.stack(parts), *whole)
    return tf.data.Dataset.from_tensor_slices(stacked).repeat().take(steps).prefetch(tf.data.AUTOTUNE)


def _sizes(surface: Surface, transform: tft.TFTransformOutput) -> dict[str, int]:
    return {
        name: transform.num_buckets_for_transformed_feature(name)
        for name, feature in surface.features.items()
        if feature.kind is FeatureKind.CATEGORICAL
    }


if __name__ == "__main__":
    typer.run(main)
