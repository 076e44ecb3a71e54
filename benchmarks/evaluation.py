"""How much the Evaluator costs beside one plain pass of the model over the same rows.

Claim (docs/results.md): judging a student takes less than half of what the Evaluator takes
with TFMA's own extractors and metrics, without dropping a check; and all metrics that gates may ask
for take at most 1.3 of the time of the first ten.

    python -m benchmarks.evaluation --root runs/demo/homepage --json OUT
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import tensorflow as tf
import typer
from google.protobuf import json_format
from tensorflow_model_analysis.proto import config_pb2
from tfx.components.evaluator.executor import Executor
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.types import artifact_utils, standard_artifacts

from contracts import keys, nodes
from contracts.roles import ModelRole
from crosskd.runs import Run, newest_run
from crosskd.terminal import TERMINAL
from evaluation import extractors
from evaluation.registry import PLOTS, name_of
from models.export import EXAMPLES_INPUT, SIGNATURE
from pipeline.beam_options import beam_args
from pipeline.eval_config import eval_config
from records.record_files import first_records
from schema import metrics
from schema.base import TaskKind
from schema.loader import load_surface
from schema.surface import EVAL_SPLIT, Surface

_BATCH = 512
# What there was before gates could ask for more; the calibration curve is a plot.
FIRST_METRICS = frozenset(
    {
        *(each.name for each in (metrics.AUC, metrics.R2, metrics.LABELLED_EXAMPLES, metrics.POSITIVES)),
        *(each.name for each in (metrics.MEAN_LABEL, metrics.MEAN_PREDICTION, metrics.CALIBRATION, metrics.BRIER)),
        *(each.name for each in (metrics.SQUARED_ERROR, metrics.LOG_LOSS, metrics.NDCG)),
        *(plot.class_name for plot in PLOTS),
    }
)


def main(
    root: Annotated[Path, typer.Option(help="Root of a finished `crosskd run`.")] = Path("runs/demo/homepage"),
    surface: Annotated[Path, typer.Option(help="Its surface folder.")] = Path("schema/homepage"),
    out: Annotated[Path, typer.Option("--json", help="Where the figures go.")] = Path(
        "benchmarks/results/evaluation.json"
    ),
) -> None:
    """Measure the Evaluator against a plain pass and against TFMA's own way."""
    run, loaded = newest_run(root), load_surface(surface).surface
    figures = measure(run, loaded)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(figures, indent=2) + "\n")
    TERMINAL.json(figures)


def measure(run: Run, surface: Surface) -> dict[str, float]:
    """Seconds of each way, in one process and one run, and their ratios."""
    student, control = (_model(run, role) for role in (ModelRole.STUDENT, ModelRole.CONTROL))
    examples = _examples(run)
    rows = _rows(examples)
    _plain_pass(student, rows[: 4 * _BATCH])  # tracing and loading are not what is compared
    seconds = {
        "plain_pass": _timed(lambda: _plain_pass(student, rows)),
        "evaluator": _timed(lambda: _evaluate(surface, student, examples, None)),
        "evaluator_with_baseline": _timed(lambda: _evaluate(surface, student, examples, control)),
        "first_metrics": _timed(lambda: _evaluate(surface, student, examples, None, FIRST_METRICS)),
        "first_metrics_with_baseline": _timed(lambda: _evaluate(surface, student, examples, control, FIRST_METRICS)),
        "usual_evaluator": _timed(lambda: _evaluate_as_usual(surface, student, examples, None)),
        "usual_evaluator_with_baseline": _timed(lambda: _evaluate_as_usual(surface, student, examples, control)),
    }
    return {
        "rows": float(len(rows)),
        **{f"seconds_{name}": round(value, 2) for name, value in seconds.items()},
        "ratio_to_plain_pass": round(seconds["evaluator"] / seconds["plain_pass"], 2),
        "ratio_to_plain_pass_with_baseline": round(seconds["evaluator_with_baseline"] / seconds["plain_pass"], 2),
        "ratio_to_first_metrics": round(seconds["evaluator"] / seconds["first_metrics"], 2),
        "ratio_to_first_metrics_with_baseline": round(
            seconds["evaluator_with_baseline"] / seconds["first_metrics_with_baseline"], 2
        ),
        "ratio_to_usual": round(seconds["evaluator"] / seconds["usual_evaluator"], 3),
        "ratio_to_usual_with_baseline": round(
            seconds["evaluator_with_baseline"] / seconds["usual_evaluator_with_baseline"], 3
        ),
    }


def _timed(work: Callable[[], None]) -> float:
    started = time.monotonic()
    work()
    return time.monotonic() - started


def _output(run: Run, node: str, key: str) -> str:
    found = run.output(node, key)
    if found is None:
        raise SystemExit(f"the run under --root has no output {key!r} of {node}; finish a `crosskd run` first")
    return found[0]


def _model(run: Run, role: ModelRole) -> standard_artifacts.Model:
    artifact = standard_artifacts.Model()
    artifact.uri = _output(run, nodes.trainer(role), keys.MODEL)
    return artifact


def _examples(run: Run) -> standard_artifacts.Examples:
    artifact = standard_artifacts.Examples()
    artifact.uri = _output(run, nodes.TEACHER_LABELER, keys.LABELLED_EXAMPLES)
    artifact.split_names = artifact_utils.encode_split_names([EVAL_SPLIT])
    return artifact


def _rows(examples: standard_artifacts.Examples) -> list[bytes]:
    files = sorted(map(str, (Path(examples.uri) / f"Split-{EVAL_SPLIT}").glob("*.gz")))
    return first_records(files)


def _plain_pass(model: standard_artifacts.Model, rows: list[bytes]) -> None:
    signature = tf.saved_model.load(f"{model.uri}/Format-Serving").signatures[SIGNATURE]
    for batch in _batches(rows):
        signature(**{EXAMPLES_INPUT: tf.constant(batch)})


def _batches(rows: list[bytes]) -> Iterator[list[bytes]]:
    for start in range(0, len(rows), _BATCH):
        yield rows[start : start + _BATCH]


def _evaluate(surface: Surface, student: Any, examples: Any, control: Any, only: frozenset[str] | None = None) -> None:
    """The Evaluator as the pipeline runs it; with `only`, with no other metrics than these."""
    config = eval_config(surface, ModelRole.CONTROL)
    for spec in config.metrics_specs if only else ():
        kept = [each for each in spec.metrics if _name_of(each) in (only or ())]
        del spec.metrics[:]
        spec.metrics.extend(kept)
    _run_executor(config, extractors.__name__, student, examples, control)


def _name_of(metric: config_pb2.MetricConfig) -> str:
    return name_of(metric.class_name, json.loads(metric.config or "{}"))


def _evaluate_as_usual(surface: Surface, student: Any, examples: Any, control: Any) -> None:
    """TFMA's own extractors and metrics.

    Only binary tasks: TFMA has no way to leave out the rows whose label is absent.
    """
    tasks = {name: task for name, task in surface.tasks.items() if task.kind is TaskKind.BINARY}
    metrics = [config_pb2.MetricConfig(class_name=name) for name in ("AUC", "Calibration", "ExampleCount")]
    config = config_pb2.EvalConfig()
    config.CopyFrom(eval_config(surface, ModelRole.CONTROL))
    del config.metrics_specs[:], config.model_specs[:]
    labels = {name: task.label for name, task in tasks.items()}
    config.model_specs.append(config_pb2.ModelSpec(signature_name=SIGNATURE, label_keys=labels))
    config.metrics_specs.append(config_pb2.MetricsSpec(output_names=list(tasks), metrics=metrics))
    _run_executor(config, None, student, examples, control)


def _run_executor(config: config_pb2.EvalConfig, module: str | None, student: Any, examples: Any, control: Any) -> None:
    folder = Path(tempfile.mkdtemp())
    try:
        evaluation, blessing = standard_artifacts.ModelEvaluation(), standard_artifacts.ModelBlessing()
        evaluation.uri, blessing.uri = str(folder / "evaluation"), str(folder / "blessing")
        inputs = {"examples": [examples], "model": [student], **({"baseline_model": [control]} if control else {})}
        context = BaseBeamExecutor.Context(beam_pipeline_args=[*beam_args([])], tmp_dir=str(folder / "tmp"))
        Executor(context).Do(
            inputs,
            {"evaluation": [evaluation], "blessing": [blessing]},
            {
                "eval_config": json_format.MessageToJson(config),
                "example_splits": json.dumps([EVAL_SPLIT]),
                "module_path": module,
            },
        )
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    typer.run(main)
