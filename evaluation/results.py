"""Reads what TFX's Evaluator wrote: metrics per slice, and TFMA's own verdict."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import tensorflow as tf
import tensorflow_model_analysis as tfma
from google.protobuf import json_format
from google.protobuf.message import DecodeError
from tensorflow_model_analysis.proto import config_pb2, metrics_for_slice_pb2, validation_result_pb2
from tensorflow_model_analysis.slicer import slicer_lib
from tfx.dsl.io import fileio

from contracts.decision import Measurement
from evaluation.registry import name_of
from schema.errors import InputError
from schema.metrics import LABELLED_EXAMPLES, POSITIVES

SliceKey = tuple[tuple[str, int | float | str], ...]
OVERALL: SliceKey = ()

_CONFIG_FILE = "eval_config.json"
_SHARD = re.compile(r"metrics-(\d{5})-of-(\d{5})\.tfrecord$")
_AGAIN = "Run the Evaluator again."


@dataclass(frozen=True)
class Bound:
    """A threshold as TFMA knows it.

    Attributes:
      task: Output name.
      metric: The metric's name.
      spec: The slices it holds for.
      change: True for a bound on the difference to the baseline.
      at_least: The bound from below; None where there is none.
      at_most: The bound from above, likewise.
    """

    task: str
    metric: str
    spec: slicer_lib.SingleSliceSpec
    change: bool
    at_least: float | None = None
    at_most: float | None = None


@dataclass(frozen=True)
class ViolatedBound:
    """A threshold that TFMA found violated in a slice; None as slice when TFMA found no such slice."""

    bound: Bound
    slice_key: SliceKey | None


@dataclass(frozen=True)
class StandardError:
    """How uncertain a measurement is.

    Attributes:
      value: Its standard error.
      degrees_of_freedom: Those of Student's t.
    """

    value: float
    degrees_of_freedom: int


@dataclass(frozen=True)
class TaskMetrics:
    """One task in one slice: measurements by metric name.

    Attributes:
      student: Those of the student.
      baseline: Those of the model that it is compared with.
      difference: student - baseline or, of a metric that is best at a target, how much nearer to
        it the student is.
      errors: The standard errors of the differences.
    """

    student: Mapping[str, Measurement] = field(default_factory=dict)
    baseline: Mapping[str, Measurement] = field(default_factory=dict)
    difference: Mapping[str, Measurement] = field(default_factory=dict)
    errors: Mapping[str, StandardError] = field(default_factory=dict)

    @property
    def examples(self) -> int:
        return self._count(LABELLED_EXAMPLES.name)

    @property
    def positives(self) -> int:
        return self._count(POSITIVES.name)

    def _count(self, metric: str) -> int:
        found = self.student.get(metric)
        return int(found.value) if found and found.value is not None else 0


@dataclass(frozen=True)
class Evaluation:
    """One evaluation of the student, alone or against a baseline.

    Attributes:
      slices: Task metrics by slice key, then by task.
      has_baseline: Whether there was a model to compare with.
      bounds: The thresholds that TFMA was given.
      failures: Those it found violated.
      model: Path of the student that was evaluated.
    """

    slices: Mapping[SliceKey, Mapping[str, TaskMetrics]]
    has_baseline: bool
    bounds: frozenset[Bound] = frozenset()
    failures: tuple[ViolatedBound, ...] = ()
    model: str = ""


def read(uri: str) -> Evaluation:
    """Reads a ModelEvaluation artifact.

    Args:
      uri: The artifact's folder.

    Returns:
      The evaluation.

    Raises:
      InputError: Files are missing, cannot be read, or hold no metrics.
    """
    folder = uri.rstrip("/")
    content = _read_config(folder)
    config = json_format.ParseDict(content["evalConfig"], config_pb2.EvalConfig())
    _check_shards(folder)
    try:
        slices = {
            slicer_lib.deserialize_slice_key(record.slice_key): _tasks(record) for record in tfma.load_metrics(folder)
        }
    except (tf.errors.OpError, DecodeError) as error:
        raise InputError(f"{folder}: the metrics cannot be read ({error}). {_AGAIN}") from error
    if OVERALL not in slices:
        raise InputError(f"{folder}: no metrics of the overall slice: no example was evaluated. {_AGAIN}")
    validation = _validation_result(folder) if any(_bounds(config)) else validation_result_pb2.ValidationResult()
    _check_slices(folder, slices, validation)
    models: Mapping[str, str] = content.get("modelLocations", {})
    return Evaluation(
        slices=slices,
        has_baseline=any(spec.is_baseline for spec in config.model_specs),
        bounds=frozenset(_bounds(config)),
        failures=tuple(_failures(validation, config)),
        model=models.get("candidate", models.get("", "")),
    )


def slice_text(key: SliceKey) -> str:
    """A slice key for people: `shelf=3, city=b`; "" for the overall slice."""
    return ", ".join(f"{column}={value}" for column, value in key)


def _read_config(folder: str) -> dict[str, dict[str, str]]:
    path = f"{folder}/{_CONFIG_FILE}"
    if not fileio.exists(path):
        raise InputError(f"{path}: expected an evaluation, found no such file: it was not finished. {_AGAIN}")
    try:
        with fileio.open(path, "r") as file:
            content = json.loads(file.read())
    except json.JSONDecodeError as error:
        raise InputError(f"{path}: not valid JSON ({error}). {_AGAIN}") from error
    if not isinstance(content, dict) or "evalConfig" not in content:
        raise InputError(f"{path}: expected the key evalConfig. {_AGAIN}")
    return content


def _check_shards(folder: str) -> None:
    shards = [match for name in fileio.listdir(folder) if (match := _SHARD.search(str(name)))]
    expected = int(shards[0].group(2)) if shards else 1
    if len(shards) != expected:
        raise InputError(f"{folder}: expected {expected} metrics files, found {len(shards)}. {_AGAIN}")


def _check_slices(folder: str, slices: Iterable[SliceKey], validation: validation_result_pb2.ValidationResult) -> None:
    """A metrics file cut between two records reads as a whole one; TFMA's validation counted what it held.

    Without this, a slice that is lost counts as one without examples, which is not judged.
    """
    for details in validation.validation_details.slicing_details:
        spec = slicer_lib.SingleSliceSpec(spec=details.slicing_spec)
        found = sum(spec.is_slice_applicable(key) for key in slices)
        if found < details.num_matching_slices:
            raise InputError(
                f"{folder}: the metrics are not whole: TFMA validated {details.num_matching_slices} slices of "
                f"{spec}, the file holds {found}. {_AGAIN}"
            )


def _tasks(record: metrics_for_slice_pb2.MetricsForSlice) -> dict[str, TaskMetrics]:
    found: dict[str, dict[str, dict[str, Measurement]]] = {}
    errors: dict[str, dict[str, StandardError]] = {}
    for entry in record.metric_keys_and_values:
        if entry.key.is_diff:
            role = "difference"
        else:
            role = "baseline" if entry.key.model_name == tfma.BASELINE_KEY else "student"
        task = found.setdefault(entry.key.output_name, {"student": {}, "baseline": {}, "difference": {}})
        task[role][entry.key.name] = _measurement(entry)
        if entry.key.is_diff and entry.HasField("confidence_interval"):
            errors.setdefault(entry.key.output_name, {})[entry.key.name] = StandardError(
                entry.confidence_interval.standard_error.double_value.value,
                entry.confidence_interval.degrees_of_freedom.value,
            )
    return {task: TaskMetrics(**roles, errors=errors.get(task, {})) for task, roles in found.items()}


def _measurement(entry: metrics_for_slice_pb2.MetricKeyAndValue) -> Measurement:
    lower = upper = None
    if entry.HasField("confidence_interval"):
        lower = _finite(entry.confidence_interval.lower_bound.double_value.value)
        upper = _finite(entry.confidence_interval.upper_bound.double_value.value)
    return Measurement(value=_finite(entry.value.double_value.value), lower=lower, upper=upper)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _bounds(config: config_pb2.EvalConfig) -> Iterator[Bound]:
    for spec in config.metrics_specs:
        for metric in spec.metrics:
            name = name_of(metric.class_name, json.loads(metric.config or "{}"))
            for threshold in metric.per_slice_thresholds:
                for slicing_spec in threshold.slicing_specs:
                    for task in spec.output_names:
                        yield from _bound(task, name, slicing_spec, threshold.threshold)


def _bound(
    task: str, metric: str, spec: config_pb2.SlicingSpec, threshold: config_pb2.MetricThreshold
) -> Iterator[Bound]:
    part = slicer_lib.SingleSliceSpec(spec=spec)
    if threshold.HasField("value_threshold"):
        yield Bound(task, metric, part, False, *_value_ends(threshold.value_threshold))
    if threshold.HasField("change_threshold"):
        yield Bound(task, metric, part, True, *_change_ends(threshold.change_threshold))


def _value_ends(threshold: config_pb2.GenericValueThreshold) -> tuple[float | None, float | None]:
    return (
        threshold.lower_bound.value if threshold.HasField("lower_bound") else None,
        threshold.upper_bound.value if threshold.HasField("upper_bound") else None,
    )


def _change_ends(threshold: config_pb2.GenericChangeThreshold) -> tuple[float | None, float | None]:
    lower = threshold.direction == config_pb2.MetricDirection.LOWER_IS_BETTER
    return (None, threshold.absolute.value) if lower else (threshold.absolute.value, None)


def _failures(result: validation_result_pb2.ValidationResult, config: config_pb2.EvalConfig) -> Iterator[ViolatedBound]:
    bounds = list(_bounds(config))
    for part in result.metric_validations_per_slice:
        key = slicer_lib.deserialize_slice_key(part.slice_key)
        for failure in part.failures:
            yield ViolatedBound(_failed_bound(failure, bounds, key), key)
    for spec in result.missing_slices:
        missing = slicer_lib.SingleSliceSpec(spec=spec)
        yield from (ViolatedBound(bound, None) for bound in bounds if bound.spec == missing)


def _failed_bound(failure: validation_result_pb2.ValidationFailure, bounds: list[Bound], key: SliceKey) -> Bound:
    threshold = failure.metric_threshold
    change = threshold.HasField("change_threshold")
    ends = _change_ends(threshold.change_threshold) if change else _value_ends(threshold.value_threshold)
    task, metric = failure.metric_key.output_name, failure.metric_key.name
    for bound in bounds:
        same = (bound.task, bound.metric, bound.change, bound.at_least, bound.at_most) == (task, metric, change, *ends)
        if same and bound.spec.is_slice_applicable(key):
            return bound
    return Bound(task, metric, slicer_lib.SingleSliceSpec(features=key), change, *ends)


def _validation_result(folder: str) -> validation_result_pb2.ValidationResult:
    try:
        return tfma.load_validation_result(folder)
    except (AssertionError, tf.errors.OpError, DecodeError) as error:
        raise InputError(f"{folder}: TFMA's validation result is missing or cannot be read. {_AGAIN}") from error
