"""Everything that a report is made of, as the run's artifacts hold it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import tensorflow as tf
import tensorflow_model_analysis as tfma
from google.protobuf.message import DecodeError
from tensorflow_metadata.proto.v0 import statistics_pb2
from tfx.dsl.io import fileio

from components.evaluation_report.charts import CONTROL, LAST_BLESSED, STUDENT
from contracts.continuation import Continued
from contracts.decision import Decision, Measurement
from contracts.held_out import HeldOut
from contracts.history import HISTORY_FILE
from contracts.label_report import LabelReport
from contracts.measurements import Measurements
from contracts.serving_report import ServingReport
from evaluation.results import OVERALL, Evaluation, SliceKey, TaskMetrics
from schema.base import TaskKind
from schema.errors import InputError
from schema.metrics import NDCG, Metric, main_metric
from schema.score import SCORE
from schema.surface import EVAL_SPLIT, Surface

History = Mapping[str, Sequence[float]]


@dataclass(frozen=True)
class Bin:
    """Examples of nearly equal predictions.

    Attributes:
      examples: How many (the sum of their weights).
      prediction: Their mean prediction.
      label: Their mean label.
    """

    examples: float
    prediction: float
    label: float


@dataclass(frozen=True)
class HardLabels:
    """How the hard label of a task is distributed over the labelled examples.

    Attributes:
      count: Examples that have it.
      mean: Its mean.
      deciles: The values under which 0%, 10%, ..., 100% of them lie; empty where unknown.
    """

    count: int
    mean: float
    deciles: tuple[float, ...]


@dataclass(frozen=True)
class ShiftEnd:
    """One feature in one run.

    Attributes:
      missing: The part of the examples without a value.
      mean: The mean of a number; None for anything else.
      distinct: How many different values there are of a text; None for anything else.
    """

    missing: float | None
    mean: float | None
    distinct: int | None


@dataclass(frozen=True)
class Shift:
    """How one feature moved.

    Attributes:
      name: Its column.
      divergence: The Jensen-Shannon divergence of its distributions, from 0 (alike) to 1 (nothing in common);
        None where TFDV cannot tell.
      before: In the run before; None where the feature is new.
      now: In this run; None where it is gone.
    """

    name: str
    divergence: float | None
    before: ShiftEnd | None
    now: ShiftEnd | None


@dataclass(frozen=True)
class Sources:
    """Everything that a report is made of; what is not there is None, empty, or a text that says why.

    Attributes:
      surface: The surface.
      decision: The gate's.
      when: When it was made.
      against_last: The student against the last blessed model, or alone; a text says why it
        cannot be read.
      against_control: The student against the control; likewise.
      labels: The label report.
      serving: The serving report.
      histories: Losses per epoch, by model (`student`, `control`).
      continued: What went on from an earlier run, by model; empty where the surface does not continue.
      held_out: How new people are to the rows that chose the epochs, of the control's training; None where it does
        not say.
      curves: Calibration, by model and task.
      hard_labels: The hard labels by task.
      decisions: Those of earlier runs, oldest first, then this run's.
      label_reports: Likewise; one per labelling, which several runs may share.
      facts: Where the run comes from, by name.
      push: What became of the student, in a sentence.
      measurements: What was measured of the run's nodes; a text says why nothing was.
      shifts: How features moved since the last run, most first; a text says why that is not known.
      version: The version of crosskd that makes the page.
    """

    surface: Surface
    decision: Decision
    when: datetime | None
    against_last: Evaluation | str
    against_control: Evaluation | str
    labels: LabelReport | None = None
    serving: ServingReport | None = None
    histories: Mapping[str, History] = field(default_factory=dict)
    continued: Mapping[str, Continued] = field(default_factory=dict)
    held_out: HeldOut | None = None
    curves: Mapping[tuple[str, str], Sequence[Bin]] = field(default_factory=dict)
    hard_labels: Mapping[str, HardLabels] = field(default_factory=dict)
    decisions: Sequence[tuple[datetime | None, Decision]] = ()
    label_reports: Sequence[tuple[datetime | None, LabelReport]] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    push: str = ""
    measurements: Measurements | str = "Nobody measured the nodes."
    shifts: Sequence[Shift] | str = "Nobody compared the features."
    version: str = ""

    @property
    def last_run(self) -> tuple[datetime | None, Decision] | None:
        """The decision of the run before this one, and when it was made; None for a first run."""
        return self.decisions[-2] if len(self.decisions) > 1 else None

    def metric(self, task: str) -> Metric:
        """The metric that a task, or the score, is first of all judged on."""
        return NDCG if task == SCORE else main_metric(self.surface.tasks[task].kind)

    @property
    def judged(self) -> tuple[str, ...]:
        """The tasks and, where it is judged within groups, the score."""
        scored = self.surface.score is not None and self.surface.group is not None
        return (*self.surface.tasks, *((SCORE,) if scored else ()))

    def measured(self, task: str, key: SliceKey = OVERALL) -> dict[str, Measurement]:
        """The task's own metric in a slice, by model; models without it are left out."""
        metric = self.metric(task).name
        last, control = (_in_slice(each, key, task) for each in (self.against_last, self.against_control))
        found = {
            CONTROL: control.baseline.get(metric),
            STUDENT: control.student.get(metric) or last.student.get(metric),
            LAST_BLESSED: last.baseline.get(metric),
        }
        return {model: each for model, each in found.items() if each is not None}

    def student(self, task: str, metric: str) -> Measurement | None:
        """Any metric of the student, overall."""
        found = (_in_slice(each, OVERALL, task).student for each in (self.against_control, self.against_last))
        return next((metrics[metric] for metrics in found if metric in metrics), None)

    def change(self, task: str, model: str, key: SliceKey = OVERALL) -> Measurement | None:
        """Student minus `model` (control or last blessed), with its paired interval."""
        evaluation = self.against_control if model == CONTROL else self.against_last
        return _in_slice(evaluation, key, task).difference.get(self.metric(task).name)

    def counts(self, task: str, key: SliceKey = OVERALL) -> tuple[int, int | None]:
        """Labelled examples in a slice, and the positive ones of a binary task."""
        found = _in_slice(self.against_control, key, task)
        if not found.student:
            found = _in_slice(self.against_last, key, task)
        binary = task != SCORE and self.surface.tasks[task].kind is TaskKind.BINARY
        return found.examples, found.positives if binary else None

    def slice_keys(self) -> list[SliceKey]:
        """All slices but the overall one, in the order of the surface, new releases first."""
        known = [each for each in (self.against_control, self.against_last) if not isinstance(each, str)]
        keys = {key for evaluation in known for key in evaluation.slices if key != OVERALL}
        features = [
            frozenset([*part.features, *(each.name for each in part.derived)]) for part in self.surface.slices.values()
        ]

        def order(key: SliceKey) -> tuple[bool, int, str]:
            names = frozenset(name for name, _ in key)
            place = features.index(names) if names in features else len(features)
            return not any("new" in name for name in names), place, str(key)

        return sorted(keys, key=order)


def _in_slice(evaluation: Evaluation | str, key: SliceKey, task: str) -> TaskMetrics:
    if isinstance(evaluation, str):
        return TaskMetrics()
    return evaluation.slices.get(key, {}).get(task, TaskMetrics())


def read_curves(uri: str, baseline: str) -> dict[tuple[str, str], list[Bin]]:
    """The overall calibration curves in a ModelEvaluation artifact.

    Args:
      uri: The artifact's folder.
      baseline: What the evaluation's baseline is called here.

    Returns:
      Bins by model and task; tasks without any are left out.

    Raises:
      InputError: The file is damaged.
    """
    try:
        records = list(tfma.load_plots(uri))
    except (tf.errors.OpError, DecodeError) as error:
        raise InputError(f"{uri}: the calibration curves cannot be read ({error}). Run the Evaluator again.") from error
    found = {}
    for record in records:
        if record.slice_key.single_slice_keys:
            continue
        for entry in record.plot_keys_and_values:
            model = baseline if entry.key.model_name == tfma.BASELINE_KEY else STUDENT
            bins = [
                Bin(
                    count, each.total_weighted_refined_prediction.value / count, each.total_weighted_label.value / count
                )
                for each in entry.value.calibration_histogram_buckets.buckets
                if (count := each.num_weighted_examples.value)
            ]
            if bins:
                found[model, entry.key.output_name] = bins
    return found


def read_history(uri: str) -> dict[str, list[float]]:
    """The losses per epoch in a ModelRun artifact.

    Raises:
      InputError: There is no such file, or it holds something else.
    """
    path = f"{uri.rstrip('/')}/{HISTORY_FILE}"
    if not fileio.exists(path):
        raise InputError(f"{path}: expected the losses of a training, found no such file")
    with fileio.open(path, "r") as file:
        text = file.read()
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"{path}: not valid JSON ({error}). Run the Trainer again.") from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected one list of losses per name, found {type(content).__name__}")
    return {name: [float(value) for value in values] for name, values in content.items()}


def read_hard_labels(uri: str, surface: Surface) -> dict[str, HardLabels]:
    """How hard labels are distributed, from the evaluation split of an ExampleStatistics artifact."""
    path = f"{uri.rstrip('/')}/Split-{EVAL_SPLIT}/FeatureStats.pb"
    if not fileio.exists(path):
        raise InputError(f"{path}: expected the statistics of the examples, found no such file")
    with fileio.open(path, "rb") as file:
        statistics = statistics_pb2.DatasetFeatureStatisticsList.FromString(file.read())
    features = {feature.path.step[0]: feature.num_stats for feature in statistics.datasets[0].features}
    return {
        name: _hard_labels(features[task.label])
        for name, task in surface.tasks.items()
        if task.rule is None  # of the label, not of the column that it follows from
        and task.label in features
        and features[task.label].common_stats.num_non_missing
    }


def _hard_labels(found: statistics_pb2.NumericStatistics) -> HardLabels:
    quantiles = statistics_pb2.Histogram.QUANTILES
    buckets = [bucket for each in found.histograms if each.type == quantiles for bucket in each.buckets]
    deciles = (buckets[0].low_value, *(bucket.high_value for bucket in buckets)) if len(buckets) == 10 else ()
    return HardLabels(int(found.common_stats.num_non_missing), found.mean, tuple(deciles))
