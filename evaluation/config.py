"""The TFMA configuration that follows from a surface: slices, metrics and thresholds.

There are two, since TFMA compares a candidate with one baseline at a time: the student
against the last blessed model (absolute bounds hold there, too, so that they are checked
even on the first run, when TFMA drops baseline and change thresholds), and the student
against the control.

Every bound is a per-slice threshold, the overall one with an empty `SlicingSpec`: TFMA
applies a metric's plain `threshold` to each slice.  Minimum counts have no form in TFMA;
`components.blessing_gate` applies them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from tensorflow_model_analysis.proto import config_pb2

from contracts.roles import ModelRole
from evaluation.registry import COMPUTATIONS, PLOTS
from evaluation.slices import slicing_spec
from schema.gates import Gate, Limits
from schema.metrics import Metric, metrics_of, metrics_of_score
from schema.score import SCORE, Score
from schema.serving import Serving
from schema.surface import Surface, Task
from schema.training import Training

SIGNATURE = "serving_default"
_JUDGED_ELSEWHERE = "TFMA is asked for nothing"


def eval_config(surface: Surface, baseline: ModelRole) -> config_pb2.EvalConfig:
    """Derives the configuration of a comparison.

    The model is named once and without a name: TFMA's defaults copy it for the baseline, name
    the two `candidate` and `baseline`, and leave the baseline out when there is none.

    Args:
      surface: The surface.
      baseline: Which of the two comparisons this is.

    Returns:
      The configuration; without any threshold if no gate asks for this comparison.

    Raises:
      InputError: A slice's value cannot be expressed in TFMA.
    """
    labels = {name: task.label for name, task in surface.tasks.items()}
    weights = surface.weight_column if surface.weighted_evaluation else None
    model = config_pb2.ModelSpec(signature_name=SIGNATURE, label_keys=labels, example_weight_key=weights)
    # TFMA takes a task for weighted if it has a key of its own; `evaluation.scoring` makes the weights.
    for name in (name for name, task in surface.tasks.items() if task.sampled and not weights):
        model.example_weight_keys[name] = labels[name]
    return config_pb2.EvalConfig(
        model_specs=[model],
        slicing_specs=all_slices(surface),
        metrics_specs=[
            *(_task_spec(surface, name, task, baseline) for name, task in surface.tasks.items()),
            *([_score_spec(surface, surface.score, baseline)] if surface.score else []),
        ],
        options=config_pb2.Options(include_default_metrics={"value": False}),
    )


def evaluated(surface: Surface) -> Surface:
    """The surface with everything that its evaluation does not depend on as it is by default.

    It is part of the cache key: what is asked of serving, how many examples a slice needs to be judged, or why
    a task has no gate must not evaluate again what is already evaluated.
    """
    tasks = {
        name: task.model_copy(
            update={"gates": _asked_of_tfma(task.gates), "ungated": None if task.gates else _JUDGED_ELSEWHERE}
        )
        for name, task in surface.undistilled().tasks.items()
    }
    score = surface.score and surface.score.model_copy(update={"gates": _asked_of_tfma(surface.score.gates)})
    default: dict[str, Any] = {"joint_gates": (), "teacher_age": None, "serving": Serving(), "training": Training()}
    return surface.undistilled().model_copy(update={"tasks": tasks, "score": score, "teacher": None, **default})


def _asked_of_tfma(gates: Sequence[Gate]) -> tuple[Gate, ...]:
    elsewhere = {"min_examples": 1, "min_positives": 1, "may_be_unjudged": False}
    return tuple(gate.model_copy(update=elsewhere) for gate in gates)


def slicing_specs(surface: Surface) -> dict[str, config_pb2.SlicingSpec]:
    """TFMA's form of the surface's slices, by name; the overall slice is not among them."""
    return {name: slicing_spec(name, part) for name, part in surface.slices.items()}


def all_slices(surface: Surface) -> list[config_pb2.SlicingSpec]:
    """The overall slice and those of the surface."""
    return [config_pb2.SlicingSpec(), *slicing_specs(surface).values()]


def _task_spec(surface: Surface, name: str, task: Task, baseline: ModelRole) -> config_pb2.MetricsSpec:
    metrics = metrics_of(task.kind, grouped=surface.group is not None)
    plots = () if task.classes is not None else PLOTS
    return config_pb2.MetricsSpec(
        output_names=[name],
        metrics=[
            *(_metric(surface, metric, task, baseline) for metric in metrics),
            *(config_pb2.MetricConfig(class_name=plot.class_name, module=plot.module) for plot in plots),
        ],
    )


def _score_spec(surface: Surface, score: Score, baseline: ModelRole) -> config_pb2.MetricsSpec:
    """The score is judged by how it ranks the rows of a group, by their gains."""
    metrics = metrics_of_score(grouped=surface.group is not None)
    made = [_metric(surface, metric, score, baseline, ranked="gains") for metric in metrics]
    return config_pb2.MetricsSpec(output_names=[SCORE], metrics=made)


def _metric(
    surface: Surface,
    metric: Metric,
    of: Task | Score,
    baseline: ModelRole,
    ranked: str | None = None,
) -> config_pb2.MetricConfig:
    """A metric of one output.

    Args:
      surface: The surface.
      metric: The metric.
      of: The output.
      baseline: Which comparison this is for.
      ranked: What the rows of a group are ranked by, where it is not what a task of such a kind has.
    """
    found = COMPUTATIONS[metric.name]
    settings, class_name = dict(found.settings), found.class_name
    if isinstance(of, Task) and of.classes is not None:
        settings["classes_count"], class_name = of.size, found.class_of_classes
    if metric.by_group:
        settings |= {"group": surface.group} | ({"of": ranked} if ranked else {})
    return config_pb2.MetricConfig(
        class_name=class_name,
        module=found.module,
        config=json.dumps(settings) if settings else "",
        per_slice_thresholds=_thresholds(surface, of.gates, metric, baseline),
    )


def _thresholds(
    surface: Surface, gates: Sequence[Gate], metric: Metric, baseline: ModelRole
) -> list[config_pb2.PerSliceMetricThreshold]:
    specs = slicing_specs(surface)

    def gated_slice(gate: Gate) -> config_pb2.SlicingSpec:
        return specs[gate.slice] if gate.slice else config_pb2.SlicingSpec()

    return [
        config_pb2.PerSliceMetricThreshold(slicing_specs=[gated_slice(gate)], threshold=threshold)
        for gate in gates
        if gate.metric == metric.name
        for threshold in _bounds(gate, baseline)
    ]


def _bounds(gate: Gate, baseline: ModelRole) -> Iterator[config_pb2.MetricThreshold]:
    """What TFMA is to check as well; it knows no limits of intervals, so only what holds of the point, too."""
    absolute = gate.absolute()
    if baseline is ModelRole.LAST_BLESSED and absolute and absolute.also_of_the_point:
        yield config_pb2.MetricThreshold(value_threshold=_value(absolute))
    change = gate.vs_control if baseline is ModelRole.CONTROL else gate.vs_last_blessed
    if change and (limits := gate.of_change(change)).also_of_the_point:
        yield config_pb2.MetricThreshold(change_threshold=_change(limits))


def _value(limits: Limits) -> config_pb2.GenericValueThreshold:
    ends = {"lower_bound": limits.least, "upper_bound": limits.most}
    return config_pb2.GenericValueThreshold(
        **{name: {"value": bound} for name, bound in ends.items() if bound is not None}
    )


def _change(limits: Limits) -> config_pb2.GenericChangeThreshold:
    higher, lower = config_pb2.MetricDirection.HIGHER_IS_BETTER, config_pb2.MetricDirection.LOWER_IS_BETTER
    if limits.least is not None:
        return config_pb2.GenericChangeThreshold(absolute={"value": limits.least}, direction=higher)
    return config_pb2.GenericChangeThreshold(absolute={"value": limits.most}, direction=lower)
