"""The TFMA configuration that follows from a surface: slices, metrics and thresholds.

Two Evaluators run, since TFMA compares a candidate with one baseline at a time: the
student against the last blessed model (absolute bounds hold there, too, so that they are
checked even on the first run, when TFX drops baseline and change thresholds), and the
student against the control.

Every bound is a per-slice threshold, the overall one with an empty `SlicingSpec`: TFMA
applies a metric's plain `threshold` to each slice.  Minimum counts have no form in TFMA;
`components.blessing_gate` applies them.
"""

from __future__ import annotations

import json

from tensorflow_model_analysis.proto import config_pb2

from contracts.roles import ModelRole
from evaluation.slices import slicing_spec
from records.code import code_version
from schema.loader import metric_of
from schema.surface import Change, Gate, Surface, Task, TaskKind

SIGNATURE = "serving_default"
EXTRACTORS_MODULE = "evaluation.extractors"
NDCG_RANKS = 10

_METRICS = {
    TaskKind.BINARY: {
        "RocAuc": "evaluation.auc",
        "Positives": "evaluation.moments",
    },
    TaskKind.REGRESSION: {
        "R2": "evaluation.r2",
    },
}
_METRICS_OF_ALL = {
    **dict.fromkeys(
        ("LabelledExamples", "LabelMean", "PredictionMean", "CalibrationRatio", "SquaredError"),
        "evaluation.moments",
    ),
    "CalibrationCurve": "evaluation.calibration",
}
_CLASS_OF = {"auc": "RocAuc", "r2": "R2"}


def eval_config(surface: Surface, baseline: ModelRole) -> config_pb2.EvalConfig:
    """Derives an Evaluator's configuration.

    The model is named once and without a name: TFX copies it for the baseline, names the
    two `candidate` and `baseline`, and leaves the baseline out when there is none.

    Args:
      surface: The surface.
      baseline: Which of the two comparisons this is.

    Returns:
      The configuration; without any threshold if no gate asks for this comparison.

    Raises:
      InputError: A slice's value cannot be expressed in TFMA.
    """
    labels = {name: task.label for name, task in surface.tasks.items()}
    return config_pb2.EvalConfig(
        model_specs=[config_pb2.ModelSpec(signature_name=SIGNATURE, label_keys=labels)],
        slicing_specs=[config_pb2.SlicingSpec(), *slicing_specs(surface).values()],
        metrics_specs=[_metrics_spec(surface, name, task, baseline) for name, task in surface.tasks.items()],
        options=config_pb2.Options(include_default_metrics={"value": False}),
    )


def slicing_specs(surface: Surface) -> dict[str, config_pb2.SlicingSpec]:
    """TFMA's form of the surface's slices, by name; the overall slice is not among them."""
    return {name: slicing_spec(name, part) for name, part in surface.slices.items()}


def _metrics_spec(surface: Surface, name: str, task: Task, baseline: ModelRole) -> config_pb2.MetricsSpec:
    gated = _CLASS_OF[metric_of(task.kind)]
    metrics = []
    for class_name, module in {**_METRICS[task.kind], **_METRICS_OF_ALL}.items():
        config = config_pb2.MetricConfig(class_name=class_name, module=module)
        if class_name == gated:
            config.per_slice_thresholds.extend(_thresholds(surface, task, baseline))
        if class_name == "LabelledExamples":
            config.config = json.dumps({"code": code_version("evaluation")})
        metrics.append(config)
    if surface.group is not None and task.kind is TaskKind.BINARY:
        metrics.append(_ndcg(surface.group))
    return config_pb2.MetricsSpec(output_names=[name], metrics=metrics)


def _ndcg(group: str) -> config_pb2.MetricConfig:
    settings = {"group": group, "k": NDCG_RANKS, "name": f"ndcg_at_{NDCG_RANKS}"}
    return config_pb2.MetricConfig(class_name="Ndcg", module="evaluation.ndcg", config=json.dumps(settings))


def _thresholds(surface: Surface, task: Task, baseline: ModelRole) -> list[config_pb2.PerSliceMetricThreshold]:
    specs = slicing_specs(surface)

    def gated_slice(gate: Gate) -> config_pb2.SlicingSpec:
        return specs[gate.slice] if gate.slice else config_pb2.SlicingSpec()

    return [
        config_pb2.PerSliceMetricThreshold(slicing_specs=[gated_slice(gate)], threshold=threshold)
        for gate in task.gates
        for threshold in _bounds(gate, baseline)
    ]


def _bounds(gate: Gate, baseline: ModelRole) -> list[config_pb2.MetricThreshold]:
    if baseline is ModelRole.CONTROL:
        return [_change(gate.vs_control)] if gate.vs_control else []
    bounds = []
    if gate.at_least is not None:
        lower = config_pb2.GenericValueThreshold(lower_bound={"value": gate.at_least})
        bounds.append(config_pb2.MetricThreshold(value_threshold=lower))
    if gate.vs_last_blessed:
        bounds.append(_change(gate.vs_last_blessed))
    return bounds


def _change(change: Change) -> config_pb2.MetricThreshold:
    return config_pb2.MetricThreshold(
        change_threshold=config_pb2.GenericChangeThreshold(
            absolute={"value": change.at_least}, direction=config_pb2.MetricDirection.HIGHER_IS_BETTER
        )
    )
