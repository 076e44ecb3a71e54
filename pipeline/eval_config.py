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
from evaluation.registry import COMPUTATIONS, PLOTS
from evaluation.slices import slicing_spec
from records.code import code_version
from schema.metrics import LABELLED_EXAMPLES, Metric, metrics_of
from schema.surface import Change, Gate, Surface, Task

SIGNATURE = "serving_default"
EXTRACTORS_MODULE = "evaluation.extractors"


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
    metrics = metrics_of(task.kind, grouped=surface.group is not None)
    return config_pb2.MetricsSpec(
        output_names=[name],
        metrics=[
            *(_metric(surface, task, metric, baseline) for metric in metrics),
            *(config_pb2.MetricConfig(class_name=plot.class_name, module=plot.module) for plot in PLOTS),
        ],
    )


def _metric(surface: Surface, task: Task, metric: Metric, baseline: ModelRole) -> config_pb2.MetricConfig:
    found = COMPUTATIONS[metric.name]
    settings = dict(found.settings)
    if metric.by_group:
        settings["group"] = surface.group
    if metric is LABELLED_EXAMPLES:  # every task has it
        settings["code"] = code_version("evaluation")
    return config_pb2.MetricConfig(
        class_name=found.class_name,
        module=found.module,
        config=json.dumps(settings) if settings else "",
        per_slice_thresholds=_thresholds(surface, task, metric, baseline),
    )


def _thresholds(
    surface: Surface, task: Task, metric: Metric, baseline: ModelRole
) -> list[config_pb2.PerSliceMetricThreshold]:
    specs = slicing_specs(surface)

    def gated_slice(gate: Gate) -> config_pb2.SlicingSpec:
        return specs[gate.slice] if gate.slice else config_pb2.SlicingSpec()

    return [
        config_pb2.PerSliceMetricThreshold(slicing_specs=[gated_slice(gate)], threshold=threshold)
        for gate in task.gates
        if gate.metric == metric.name
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
