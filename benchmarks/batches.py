"""How much reading and writing examples in batches saves in Transform and in the statistics.

Claim (docs/results.md): both take less time than TFX's own executors on the same examples, and
come to the same.

All ways take turns in one process; each ratio is the median over rounds of the ratio within a
round, with the 95% interval of that median.

    python -m benchmarks.batches --root runs/demo/homepage --json OUT
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from tfx.components.statistics_gen import executor as statistics_gen
from tfx.components.transform import executor as transform
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.types import Artifact, artifact_utils, standard_artifacts

from benchmarks.evaluation import output_of
from benchmarks.serving import median
from benchmarks.turns import in_turn
from components.raw_statistics import executor as raw_statistics
from components.transform import executor as batched_transform
from contracts import keys, nodes
from crosskd.runs import Run, newest_run
from crosskd.terminal import TERMINAL
from models import preprocessing
from pipeline.beam_options import beam_args
from schema.loader import load_surface
from schema.surface import EVAL_SPLIT, TRAIN_SPLIT, Surface

_SPLITS = [TRAIN_SPLIT, EVAL_SPLIT]


def main(
    root: Annotated[Path, typer.Option(help="Root of a finished `crosskd run`.")] = Path("runs/demo/homepage"),
    surface: Annotated[Path, typer.Option(help="Its surface folder.")] = Path("schema/homepage"),
    rounds: Annotated[int, typer.Option(min=5, help="Turns of each way.")] = 5,
    out: Annotated[Path, typer.Option("--json", help="Where the figures go.")] = Path(
        "benchmarks/results/batches.json"
    ),
) -> None:
    """Measure Transform and the statistics against TFX's own."""
    figures = measure(newest_run(root), load_surface(surface).surface, rounds)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(figures, indent=2) + "\n")
    TERMINAL.json(figures)


def measure(run: Run, surface: Surface, rounds: int) -> dict[str, Any]:
    """Seconds of each way and the ratios between them, in one process; `benchmarks.turns` has the clocks."""
    ways = {
        "transform": partial(_transform, batched_transform.Executor, run, surface),
        "transform_of_tfx": partial(_transform, transform.Executor, run, surface),
        "statistics": partial(_statistics, raw_statistics.Executor, run),
        "statistics_of_tfx": partial(_statistics, statistics_gen.Executor, run),
    }
    ways["statistics"]()  # what is made once in a process is not what is compared
    seconds = in_turn(ways, rounds)
    return {"rounds": rounds, **{clock: _figures(of) for clock, of in seconds.items()}}


def _figures(seconds: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """The seconds of every way, and the ratios that the claim is about, by the seconds of each round."""
    return {
        "seconds": {name: round(float(np.median(each)), 2) for name, each in seconds.items()},
        **{f"{name}_to_tfx": median(seconds[name] / seconds[f"{name}_of_tfx"]) for name in ("transform", "statistics")},
    }


def _artifact(kind: type[Artifact], uri: str, splits: list[str] | None = None) -> Artifact:
    artifact = kind()
    artifact.uri = uri
    if splits:
        artifact.split_names = artifact_utils.encode_split_names(splits)
    return artifact


def _transform(executor: type[BaseBeamExecutor], run: Run, surface: Surface) -> None:
    schema = _artifact(standard_artifacts.Schema, output_of(run, nodes.IMPORT_SCHEMA_GEN, "schema"))
    properties = {
        "preprocessing_fn": f"{preprocessing.__name__}.{preprocessing.preprocessing_fn.__name__}",
        "custom_config": json.dumps({keys.SURFACE: surface.model_dump_json(by_alias=True)}),
        "disable_statistics": 1,
        "force_tf_compat_v1": 0,
    }
    made = {
        keys.TRANSFORM_GRAPH: standard_artifacts.TransformGraph,
        keys.TRANSFORMED_EXAMPLES: standard_artifacts.Examples,
    }
    _do(executor, {"examples": [_examples(run)], "schema": [schema]}, made, properties)


def _statistics(executor: type[BaseBeamExecutor], run: Run) -> None:
    _do(
        executor,
        {"examples": [_examples(run)]},
        {"statistics": standard_artifacts.ExampleStatistics},
        {"exclude_splits": "[]"},
    )


def _examples(run: Run) -> Artifact:
    uri = output_of(run, nodes.TEACHER_LABELER, keys.LABELLED_EXAMPLES)
    return _artifact(standard_artifacts.Examples, uri, _SPLITS)


def _do(
    executor: type[BaseBeamExecutor],
    inputs: dict[str, list[Artifact]],
    made: Mapping[str, type[Artifact]],
    properties: dict[str, Any],
) -> None:
    """Runs an executor into a folder that is removed."""
    with tempfile.TemporaryDirectory() as folder:
        outputs = {name: [_artifact(kind, f"{folder}/{name}")] for name, kind in made.items()}
        context = BaseBeamExecutor.Context(beam_pipeline_args=[*beam_args([])], tmp_dir=f"{folder}/tmp")
        executor(context).Do(inputs, outputs, properties)


if __name__ == "__main__":
    typer.run(main)
