"""How a metric of ours becomes TFMA's: what is gathered, what follows from it, and the difference to a baseline."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import apache_beam as beam
from tensorflow_model_analysis.api import types
from tensorflow_model_analysis.metrics import metric_types, metric_util
from tensorflow_model_analysis.proto import config_pb2
from tensorflow_model_analysis.utils import model_util

from evaluation.inputs import TaskInputs, inputs_preprocessor
from evaluation.jackknife import Floats, Jackknife, jackknife
from schema.metrics import METRICS


class TaskMetric(metric_types.Metric):
    """A metric that is computed for one model and task at a time; subclasses only say how."""

    def __init__(
        self,
        name: str,
        sums_name: str,
        combiner: Callable[[TaskInputs], beam.CombineFn],
        metric: Callable[[Any, Floats], float],
    ):
        """Initializes the metric.

        Args:
          name: Name under which TFMA reports it.
          sums_name: See `computations`, like the others.
          combiner: Makes what gathers the sums of a model.
          metric: The metric of the gathered sums.
        """

        def of_key(
            name: str,
            eval_config: config_pb2.EvalConfig | None = None,
            model_name: str = "",
            output_name: str = "",
            example_weighted: bool = False,
        ) -> metric_types.MetricComputations:
            key = metric_types.MetricKey(name, model_name, output_name, example_weighted=example_weighted)
            return computations(key, sums_name, eval_config, combiner, metric)

        super().__init__(metric_util.merge_per_key_computations(of_key), name=name)


def computations(
    key: metric_types.MetricKey,
    sums_name: str,
    eval_config: config_pb2.EvalConfig | None,
    combiner: Callable[[TaskInputs], beam.CombineFn],
    metric: Callable[[Any, Floats], float],
    part: Callable[[Any], Any] = lambda gathered: gathered,
) -> metric_types.MetricComputations:
    """All that TFMA has to do for one metric of one model and output.

    Args:
      key: The metric's key.
      sums_name: What the gathered sums are called.  TFMA gathers once what several metrics
        call by the same name.
      eval_config: The evaluation's configuration.
      combiner: Makes what gathers the sums of a model.
      metric: See `evaluation.jackknife.jackknife`.
      part: What of the gathered sums the metric takes, where several metrics share them.

    Returns:
      The gathering for the model, and for the baseline where the two are compared; then the
      metric, and its difference to the baseline's.
    """
    baseline = _baseline_of(eval_config, key.model_name)

    def sums_key(model: str) -> metric_types.MetricKey:
        return key._replace(name=sums_name, model_name=model)

    gathering = [
        metric_types.MetricComputation(
            keys=[sums_key(model)],
            preprocessors=[inputs_preprocessor()],
            combiner=combiner(TaskInputs(sums_key(model), eval_config)),
        )
        for model in [key.model_name, *([baseline] if baseline else [])]
    ]

    def replicates(metrics: Mapping[metric_types.MetricKey, Any], model: str) -> Jackknife:
        return jackknife(part(metrics[sums_key(model)]), metric)

    return [*gathering, _derived(key, replicates, baseline)]


def to_tfma(found: Jackknife) -> float | types.ValueWithTDistribution:
    """The value as TFMA writes it: with a 95% interval where there are folds, centred on the point estimate."""
    if found.degrees_of_freedom < 1:
        return found.value
    return types.ValueWithTDistribution(
        sample_mean=found.value,
        sample_standard_deviation=found.standard_error,
        sample_degrees_of_freedom=found.degrees_of_freedom,
        unsampled_value=found.value,
    )


def _derived(
    key: metric_types.MetricKey,
    replicates: Callable[[Mapping[metric_types.MetricKey, Any], str], Jackknife],
    baseline: str | None,
) -> metric_types.DerivedMetricComputation:
    """Computes `key` from gathered sums, and its difference to the baseline model where there is one."""
    diff_key = key.make_diff_key() if baseline else None

    def result(metrics: Mapping[metric_types.MetricKey, Any]) -> dict[metric_types.MetricKey, Any]:
        own = replicates(metrics, key.model_name)
        values = {key: to_tfma(own)}
        if baseline and diff_key:
            values[diff_key] = to_tfma(_change(key.name, own, replicates(metrics, baseline)))
        return values

    return metric_types.DerivedMetricComputation(keys=[key, diff_key] if diff_key else [key], result=result)


def _change(name: str, own: Jackknife, other: Jackknife) -> Jackknife:
    """The difference of two models; of a metric that is best at a target, how much nearer to it the first one is."""
    target = METRICS[name].target if name in METRICS else None
    return own - other if target is None else other.distance(target) - own.distance(target)


def _baseline_of(eval_config: config_pb2.EvalConfig | None, model_name: str) -> str | None:
    """Name of the model that `model_name` is compared with; None without one, and for the baseline itself."""
    if eval_config is None or len(eval_config.model_specs) < 2:
        return None
    spec = model_util.get_baseline_model_spec(eval_config)
    return str(spec.name) if spec is not None and spec.name != model_name else None
