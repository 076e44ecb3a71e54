"""How much the Evaluator costs beside one plain pass of the model over the same rows.

Claim (docs/results.md): judging a student takes less than half of what the Evaluator takes
with TFMA's own extractors and metrics, without dropping a check; and all metrics that gates may ask
for take at most 1.3 of the time of the first ten; and one pass that compares the student with what
serves and with the control takes less than two passes.  Asked for, and not reached: at most 3 plain
passes net of loading the models at 40,000 rows, and 1.5 at a million.

All ways take turns in one process; each ratio is the median over rounds of the ratio within a
round, with the 95% interval of that median.

    python -m benchmarks.evaluation --root runs/demo/homepage --json OUT
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any
from unittest import mock

import numpy as np
import tensorflow as tf
import typer
from google.protobuf import json_format
from tensorflow_model_analysis.proto import config_pb2
from tfx.components.evaluator.executor import Executor as UsualExecutor
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.types import artifact_utils, standard_artifacts

from benchmarks.serving import median
from benchmarks.turns import in_turn
from components.evaluator import comparison, spec
from components.evaluator.executor import Executor
from contracts import keys, nodes
from contracts.roles import ModelRole
from crosskd.runs import Run, newest_run
from crosskd.terminal import TERMINAL
from evaluation.config import eval_config
from evaluation.registry import PLOTS, name_of
from models.export import EXAMPLES_INPUT, SIGNATURE
from pipeline.beam_options import beam_args
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
    rounds: Annotated[int, typer.Option(min=5, help="Turns of each way.")] = 7,
    usual: Annotated[bool, typer.Option("--usual", help="Measure TFMA's own way as well, of many times the time.")] = (
        False
    ),
    first: Annotated[
        bool, typer.Option("--first/--no-first", help="Measure the first ten metrics by themselves as well.")
    ] = True,
    examples: Annotated[
        Path | None, typer.Option(help="Folder with `eval/` to score, in place of what the run labelled.")
    ] = None,
    out: Annotated[Path, typer.Option("--json", help="Where the figures go.")] = Path(
        "benchmarks/results/evaluation.json"
    ),
) -> None:
    """Measure the Evaluator against a plain pass and against TFMA's own way."""
    run, loaded = newest_run(root), load_surface(surface).surface
    with tempfile.TemporaryDirectory() as folder:
        rows = examples_of(run, examples, Path(folder))
        figures = measure(run, loaded, rounds, rows, first=first, usual=usual)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(figures, indent=2) + "\n")
    TERMINAL.json(figures)


def measure(
    run: Run, surface: Surface, rounds: int, examples: standard_artifacts.Examples, *, first: bool, usual: bool
) -> dict[str, Any]:
    """Seconds of each way and the ratios between them, in one process; `benchmarks.turns` has the clocks."""
    student, control, rows = model_of(run, ModelRole.STUDENT), model_of(run, ModelRole.CONTROL), _rows(examples)
    ways = {
        "loading": partial(_load, student),
        "plain_pass": partial(plain_pass, student, rows),
        "evaluator": partial(evaluate, surface, student, examples, None),
        "evaluator_with_baseline": partial(evaluate, surface, student, examples, control),
        # As what serves, the control is loaded and asked once more.
        "evaluator_with_both": partial(evaluate, surface, student, examples, control, served=control),
        "two_passes": partial(_evaluate_twice, surface, student, examples, control),
    }
    if first:
        ways["first_metrics"] = partial(evaluate, surface, student, examples, None, only=FIRST_METRICS)
        ways["first_metrics_with_baseline"] = partial(evaluate, surface, student, examples, control, only=FIRST_METRICS)
    if usual:
        ways["usual_evaluator"] = partial(_evaluate_as_usual, surface, student, examples, None)
        ways["usual_evaluator_with_baseline"] = partial(_evaluate_as_usual, surface, student, examples, control)
    for warm_up in (ways["plain_pass"], ways["evaluator_with_baseline"]):  # tracing is not what is compared
        warm_up()
    seconds = in_turn(ways, rounds)
    return {"rows": len(rows), "rounds": rounds, **{clock: _figures(of) for clock, of in seconds.items()}}


def _figures(seconds: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """The seconds of every way, and the ratios that the claims are about, by the seconds of each round."""
    ratios: dict[str, tuple[float, float, float]] = {}
    plain = seconds["plain_pass"] - seconds["loading"]
    for models, suffix in enumerate(("", "_with_baseline", "_with_both"), 1):
        evaluator = seconds[f"evaluator{suffix}"]
        ratios[f"ratio_net_of_loading{suffix}"] = median((evaluator - models * seconds["loading"]) / plain)
        others = {
            "plain_pass": "plain_pass",
            "first_metrics": f"first_metrics{suffix}",
            "usual": f"usual_evaluator{suffix}",
            **({"two_passes": "two_passes"} if models == 3 else {}),
        }
        ratios |= {
            f"ratio_to_{name}{suffix}": median(evaluator / seconds[other])
            for name, other in others.items()
            if other in seconds
        }
    return {"seconds": {name: round(float(np.median(each)), 2) for name, each in seconds.items()}, **ratios}


def output_of(run: Run, node: str, key: str) -> str:
    """The folder of a node's output in a finished run."""
    found = run.output(node, key)
    if found is None:
        raise SystemExit(f"the run under --root has no output {key!r} of {node}; finish a `crosskd run` first")
    return found[0]


def model_of(run: Run, role: ModelRole) -> standard_artifacts.Model:
    """The model that a finished run trained in this role."""
    artifact = standard_artifacts.Model()
    artifact.uri = output_of(run, nodes.trainer(role), keys.MODEL)
    return artifact


def _examples(run: Run) -> standard_artifacts.Examples:
    artifact = standard_artifacts.Examples()
    artifact.uri = output_of(run, nodes.TEACHER_LABELER, keys.LABELLED_EXAMPLES)
    artifact.split_names = artifact_utils.encode_split_names([EVAL_SPLIT])
    return artifact


def examples_of(run: Run, examples: Path | None, folder: Path) -> standard_artifacts.Examples:
    """What is scored: the evaluation split of `examples`, laid out in `folder`, or the rows that the run labelled."""
    if examples is None:
        return _examples(run)
    (folder / f"Split-{EVAL_SPLIT}").symlink_to((examples / EVAL_SPLIT).absolute())
    artifact = standard_artifacts.Examples()
    artifact.uri = str(folder)
    artifact.split_names = artifact_utils.encode_split_names([EVAL_SPLIT])
    return artifact


def model_and_rows(run: Run, role: ModelRole) -> tuple[standard_artifacts.Model, list[bytes]]:
    """A model of a finished run, and the evaluation rows that it labelled: what `plain_pass` takes."""
    return model_of(run, role), _rows(_examples(run))


def _rows(examples: standard_artifacts.Examples) -> list[bytes]:
    return first_records(sorted(map(str, (Path(examples.uri) / f"Split-{EVAL_SPLIT}").glob("*.gz"))))


def _load(model: standard_artifacts.Model) -> Any:
    return tf.saved_model.load(f"{model.uri}/Format-Serving").signatures[SIGNATURE]


def plain_pass(model: standard_artifacts.Model, rows: list[bytes]) -> None:
    """Loads the model, asks it for its answers on all rows once, and does nothing with them."""
    signature = _load(model)
    for batch in _batches(rows):
        signature(**{EXAMPLES_INPUT: tf.constant(batch)})


def _batches(rows: list[bytes]) -> Iterator[list[bytes]]:
    for start in range(0, len(rows), _BATCH):
        yield rows[start : start + _BATCH]


def evaluate(
    surface: Surface,
    student: Any,
    examples: Any,
    control: Any,
    *,
    served: Any = None,
    only: frozenset[str] | None = None,
) -> None:
    """The Evaluator as the pipeline runs it.

    Args:
      surface: The surface.
      student: The student.
      examples: What is scored.
      control: Its control; without one the student is evaluated by itself.
      served: What it is compared with beside the control; without one it is compared with the control alone.
      only: The names of the metrics, where it is not all.
    """
    inputs = {spec.CONTROL_KEY: [control]} if control else {}
    inputs |= {spec.BASELINE_KEY: [served]} if served else {}
    asked = [spec.CONTROL_EVALUATION_KEY] if control else [spec.EVALUATION_KEY]
    asked += [spec.EVALUATION_KEY] if served else []
    with mock.patch.object(comparison, "eval_config", partial(_with_metrics, only=only)):
        _run_executor(
            Executor,
            {spec.EXAMPLES_KEY: [examples], spec.MODEL_KEY: [student], **inputs},
            {key: standard_artifacts.ModelEvaluation() for key in asked},
            {spec.SURFACE_KEY: surface.model_dump_json(by_alias=True)},
        )


def _evaluate_twice(surface: Surface, student: Any, examples: Any, control: Any) -> None:
    """Both comparisons, one after the other."""
    for _ in range(2):
        evaluate(surface, student, examples, control)


def _with_metrics(surface: Surface, baseline: ModelRole, only: frozenset[str] | None) -> config_pb2.EvalConfig:
    config = eval_config(surface, baseline)
    for each in config.metrics_specs if only else ():
        kept = [metric for metric in each.metrics if _name_of(metric) in (only or ())]
        del each.metrics[:]
        each.metrics.extend(kept)
    return config


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
    _run_executor(
        UsualExecutor,
        {"examples": [examples], "model": [student], **({"baseline_model": [control]} if control else {})},
        {"evaluation": standard_artifacts.ModelEvaluation(), "blessing": standard_artifacts.ModelBlessing()},
        {"eval_config": json_format.MessageToJson(config), "example_splits": json.dumps([EVAL_SPLIT])},
    )


def _run_executor(
    kind: type[BaseBeamExecutor], inputs: dict[str, Any], outputs: Mapping[str, Any], settings: dict[str, Any]
) -> None:
    folder = Path(tempfile.mkdtemp())
    try:
        for key, artifact in outputs.items():
            artifact.uri = str(folder / key)
        context = BaseBeamExecutor.Context(beam_pipeline_args=[*beam_args([])], tmp_dir=str(folder / "tmp"))
        kind(context).Do(inputs, {key: [artifact] for key, artifact in outputs.items()}, settings)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    typer.run(main)
