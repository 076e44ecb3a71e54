"""What distillation costs in training, and what the Trainer's input costs.

Claims (docs/results.md): a step with distillation heads takes at most 1.05 of the
control's; the Trainer's input keeps at least 0.8 of the speed of the same model fed with
batches that lie ready in memory.

All ways train the model of the surface as the Trainer does, some epochs in turn, in one
process; each ratio is the median over rounds of the ratio within a round, with the 95%
interval of that median.  The control is measured twice: its ratio to itself says how much
of the other ratios is noise.

    python -m benchmarks.training --root runs/demo/homepage --json OUT
    python -m benchmarks.training --vocabulary 10000 --vocabulary 1000000 --json OUT
    python -m benchmarks.training --memory-rows 1000000 --json OUT
    python -m benchmarks.training --kinds --json OUT

The second says what a step costs by the size of a vocabulary, the third what it takes to have
the data at hand, and the fourth what each kind of feature, network and optimizer adds to a
step; see `benchmarks.steps`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
import typer

from benchmarks.serving import median
from benchmarks.steps import kinds as steps_of_kinds
from benchmarks.steps import reading, vocabularies
from benchmarks.turns import in_turn
from crosskd.evidence_paths import run_paths
from crosskd.terminal import TERMINAL
from evidence.levels import resized
from models import inputs, training, vocabulary
from models.columns import hard_label_columns, input_columns, soft_label_columns, split_labels, training_columns
from models.epochs import Batch, Batches, TrainingData, at_once
from models.ranker import build
from models.scales import label_statistics, soft_statistics
from models.store import Store
from models.terms import head_losses
from schema.loader import load_surface
from schema.surface import Surface

_STEP_RATIO = 1.05
_INPUT_RATIO = 0.8
# Batches that are read again and again; enough that no cache of the processor holds them all.
_READY = 48

# Epochs of one turn: a fit has a start, which the Trainer's many epochs share.
EPOCHS = 5

Fit = Callable[[], None]


def main(
    root: Annotated[Path, typer.Option(help="Root of a finished `crosskd run`.")] = Path("runs/demo/homepage"),
    surface: Annotated[Path, typer.Option(help="Its surface folder.")] = Path("schema/homepage"),
    rounds: Annotated[int, typer.Option(min=5, help=f"Turns of each way, of {EPOCHS} epochs.")] = 15,
    widths: Annotated[float, typer.Option(min=0.1, help="Factor on the widths of the surface's model.")] = 1.0,
    vocabulary: Annotated[list[int] | None, typer.Option(min=1, help="Measure a step with so many users.")] = None,
    memory_rows: Annotated[int, typer.Option(help="Measure what holding or streaming so many rows takes.")] = 0,
    kinds: Annotated[bool, typer.Option("--kinds", help="Measure a step of each kind of feature and network.")] = False,
    out: Annotated[Path, typer.Option("--json", help="Where the figures go.")] = Path(
        "benchmarks/results/training.json"
    ),
) -> None:
    """Measure the student's step beside the control's, and the Trainer's input beside memory."""
    if kinds:
        figures = steps_of_kinds.measure(rounds)
    else:
        figures = {"widths": widths, **_of_surface(surface, root, rounds, widths, vocabulary, memory_rows)}
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(figures, indent=2) + "\n")
    TERMINAL.json(figures)


def _of_surface(
    folder: Path, root: Path, rounds: int, widths: float, vocabulary: list[int] | None, memory_rows: int
) -> dict[str, Any]:
    loaded = resized(load_surface(folder).surface, widths)
    if vocabulary:
        return vocabularies.measure(loaded, sorted(vocabulary), rounds)
    if memory_rows:
        return reading.measure(loaded, memory_rows)
    return measure(*prepare(loaded, root), rounds)


def measure(ways: Mapping[str, Fit], steps: int, rounds: int) -> dict[str, Any]:
    """Milliseconds a step of every way, and the ratios that the claims are about.

    `benchmarks.turns` has the clocks.
    """
    for fit in ways.values():
        fit()  # tracing, and reading what is then kept in memory
    seconds = in_turn(ways, rounds)
    figures = {clock: _figures({name: each / steps for name, each in of.items()}) for clock, of in seconds.items()}
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
        "streamed_speed_to_held_in_memory": median(seconds["student"] / seconds["streamed"]),
        "streamed_input_speed_to_memory": median(seconds["from_memory"] / seconds["streamed"]),
    }


def prepare(surface: Surface, root: Path) -> tuple[dict[str, Fit], int]:
    """Some epochs of every way to train, ready to be called, and the steps of them all."""
    paths = run_paths(root)
    transform = tft.TFTransformOutput(paths.transform_graph)
    patterns, spec = [f"{folder}/*" for folder in paths.train], transform.transformed_feature_spec()
    hard = list(hard_label_columns(surface).values())
    stores = {
        distil: Store(
            patterns,
            {name: spec[name] for name in [*input_columns(surface), *training_columns(surface, distil=distil)]},
        )
        for distil in (False, True)
    }
    labels = stores[False].columns(hard)

    def data(distil: bool, memory_limit: int = inputs.MEMORY_LIMIT) -> TrainingData:
        return inputs.transformed(stores[distil], surface.training, memory_limit=memory_limit)

    def way(batches: TrainingData, distil: bool) -> Fit:
        soft = set(soft_label_columns(surface).values()) if distil else set()
        statistics = label_statistics(surface, labels) | soft_statistics(soft, transform)
        ranker = build(surface, vocabulary.sizes(surface, transform), statistics, distil=distil)
        loop = training.Loop(ranker, surface, head_losses(surface, statistics, distil=distil))
        return lambda: _train(loop, batches)

    student = data(distil=True)
    first = student.epoch(0)
    return {
        "control": way(data(distil=False), distil=False),
        "student": way(student, distil=True),
        "control_again": way(data(distil=False), distil=False),
        "from_memory": way(_ready(first, surface.training.batch_size), distil=True),
        "streamed": way(data(distil=True, memory_limit=0), distil=True),
    }, first.steps * EPOCHS


def _train(loop: training.Loop, data: TrainingData) -> None:
    """The epochs of a turn, without the held-out part, which all ways measure alike."""
    for number in range(EPOCHS):
        loop.epoch(data.epoch(number), number)


class Ready(tf.experimental.ExtensionType):
    """Whole batches that lie ready, one after the other and again from the first: no row is looked for.

    Attributes:
      columns: Features and labels, [batches, size, ...] each.
      count: How many batches there are.
      size: Rows of each of them, an int64 scalar.
    """

    columns: Mapping[str, tf.Tensor]
    count: tf.Tensor
    size: tf.Tensor

    def batch(self, step: tf.Tensor) -> Batch:
        """Features and labels of a step, by column."""
        return split_labels({name: column[step % self.count] for name, column in self.columns.items()})


@dataclass(frozen=True)
class _Again:
    """The same batches in every epoch."""

    batches: Batches

    @property
    def steps(self) -> int:
        return self.batches.steps

    def epoch(self, number: int) -> Batches:
        return self.batches

    def held_out(self) -> Batches:
        return self.batches


def _ready(batches: Batches, size: int) -> TrainingData:
    """As many steps as `batches` have, of its first whole batches, each put together before."""
    part = next(batches.parts())
    whole = []
    for step in range(min(part.steps, _READY)):
        features, labels = part.feed.batch(tf.constant(step, tf.int64))
        whole.append({**features, **labels})
    full = [each for each in whole if len(next(iter(each.values()))) == size]
    columns = {name: tf.stack([each[name] for each in full]) for name in full[0]}
    ready = Ready(columns, tf.constant(len(full), tf.int64), tf.constant(size, tf.int64))
    return _Again(at_once(ready, batches.steps))


if __name__ == "__main__":
    typer.run(main)
