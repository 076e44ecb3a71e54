"""What serving a student with a sequence of 50 events and attention costs, beside its control, which it must equal.

Claim (docs/results.md): p99 within 1.00 +- 0.05 of the control's.

A world of its own is made, whose people go on with what they chose lately; a teacher is trained
on the half of it that is the source, the pipeline is run on the other half, and the run's student
and control are measured as `benchmarks.serving` does, with ServingValidator's measurement.  It is
repeated with models that are loaded anew, since what is loaded where decides a part of a latency.

    python -m benchmarks.sequences --folder runs/sequences --json OUT
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tensorflow as tf
import typer

from benchmarks.serving import compare, judged, median, of_run
from crosskd import run as run_command
from crosskd import train_teacher
from crosskd.terminal import TERMINAL
from records.shards import ShardWriter
from schema.loader import load_surface

LENGTH = 50
_PEOPLE, _ITEMS, _TASTES = 400, 600, 12
_ROWS = {"train": 6000, "eval": 2000}
_LEVEL = 1

_FEATURES = f"""
features:
  user_id: {{kind: categorical, side: user, embedding: 16}}
  item_id: {{kind: categorical, side: item, embedding: 16}}
  recent_items: {{kind: categorical, side: user, sequence: recent, embedding_of: item_id}}
  price: {{kind: numeric, side: item}}
sequences:
  recent: {{length: {LENGTH}, newest: first, read: attention}}
model: {{trunk: [64, 32], tower: [16]}}
"""
_SOURCE = f"""name: source
{_FEATURES}
tasks:
  click: {{kind: binary, label: click, ungated: reference teacher}}
training: {{epochs: 3}}
"""
_TARGET = f"""name: target
{_FEATURES}
tasks:
  click: {{kind: binary, label: click, distil: {{from: click}}, ungated: what is measured is latency}}
teacher:
  tasks:
    click: {{kind: binary}}
  features:
    user_id: {{dtype: int}}
    item_id: {{dtype: int}}
    recent_items: {{dtype: int, size: {LENGTH}, pad: -1}}
    price: {{dtype: float}}
serving: {{max_p99_ratio_vs_control: 100}}
training: {{epochs: 3}}
"""
_SCHEMA = """
default_environment: "RAW" default_environment: "TRAINING" default_environment: "SERVING"
feature { name: "user_id" type: INT presence { min_fraction: 1 } shape {} }
feature { name: "item_id" type: INT presence { min_fraction: 1 } shape {} }
feature { name: "recent_items" type: INT }
feature { name: "price" type: FLOAT presence { min_fraction: 1 } shape {} }
feature { name: "click" type: INT presence { min_fraction: 1 } shape {} not_in_environment: "SERVING" }
"""
_SOFT_LABEL = """
feature {
  name: "teacher/click" type: FLOAT presence { min_fraction: 1 } shape {}
  not_in_environment: "RAW" not_in_environment: "SERVING"
}
"""


def main(
    folder: Annotated[Path, typer.Option(help="Where world, teacher and runs go; what is there is used.")] = Path(
        "runs/sequences"
    ),
    repetitions: Annotated[int, typer.Option(min=1, help="How often models are loaded and measured.")] = 5,
    rounds: Annotated[int, typer.Option(min=3, help="Rounds per batch size and repetition.")] = 25,
    calls: Annotated[int, typer.Option(min=10, help="Calls per model and round.")] = 200,
    out: Annotated[Path, typer.Option("--json", help="Where the figures go.")] = Path(
        "benchmarks/results/sequences.json"
    ),
) -> None:
    """Measure the latency of a student with a sequence beside its control's."""
    make(folder)
    surface = load_surface(folder / "target").surface
    paths = {name: of_run(folder / "root", name) for name in ("student", "control", "teacher", "examples")}
    figures = summed_up([compare(paths, surface, rounds, calls) for _ in range(repetitions)])
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(figures, indent=2) + "\n")
    TERMINAL.json(figures)


def make(folder: Path) -> None:
    """World, teacher and a finished run."""
    if not (folder / "source").exists():
        for seed, (name, surface, schema) in enumerate(
            (("source", _SOURCE, _SCHEMA), ("target", _TARGET, _SCHEMA + _SOFT_LABEL))
        ):
            _write(folder / name, surface, schema, seed)
    if not (folder / "teacher").exists():
        train_teacher.train(folder / "source", folder / "source", folder / "teacher")
    if not (folder / "root").exists():
        target = folder / "target"
        run_command.run(str(target), target, folder / "teacher", folder / "root", as_json=True)


def summed_up(repetitions: list[tuple[dict[str, Any], np.ndarray]]) -> dict[str, Any]:
    """The claim by the rounds of all repetitions and of each, and medians over repetitions by batch size."""
    found = [figures for figures, _ in repetitions]
    names = ("p99_student_to_control", "p99_control_to_itself", "p50_student_to_control", "p99_student_ms")
    return {
        "repetitions": len(found),
        **judged(np.concatenate([ratios for _, ratios in repetitions])),
        "of_each": [judged(ratios) for _, ratios in repetitions],
        "batch_sizes": {
            size: {name: median(np.array([each["batch_sizes"][size][name] for each in found])) for name in names}
            for size in found[0]["batch_sizes"]
        },
    }


def _write(folder: Path, surface: str, schema: str, seed: int) -> None:
    folder.mkdir(parents=True)
    (folder / "surface.yaml").write_text(surface.lstrip())
    (folder / "schema.pbtxt").write_text(schema)
    rng = np.random.default_rng(seed)
    for split, rows in _ROWS.items():
        (folder / split).mkdir()
        with ShardWriter(str(folder / split / "part-0.gz"), _LEVEL) as writer:
            writer.write(list(_records(rng, rows)))


def _records(rng: np.random.Generator, rows: int) -> Iterator[bytes]:
    """Clicks are likely on items of the taste that the recent ones are of; half of the lists are full or longer."""
    taste = np.arange(_ITEMS) % _TASTES
    for _ in range(rows):
        liked, item = rng.integers(_TASTES), int(rng.integers(_ITEMS))
        length = rng.integers(LENGTH, 80) if rng.random() < 0.5 else rng.integers(LENGTH)
        recent = rng.integers(_ITEMS, size=length)
        recent = np.where(rng.random(length) < 0.5, recent // _TASTES * _TASTES + liked, recent)
        row = tf.train.Example()
        features = row.features.feature
        features["user_id"].int64_list.value.append(int(rng.integers(_PEOPLE)))
        features["item_id"].int64_list.value.append(item)
        features["recent_items"].int64_list.value.extend(recent.tolist())
        features["price"].float_list.value.append(float(rng.normal()))
        features["click"].int64_list.value.append(int(rng.random() < (0.7 if taste[item] == liked else 0.2)))
        yield row.SerializeToString()


if __name__ == "__main__":
    typer.run(main)
