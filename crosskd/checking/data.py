"""Checks of a sample against schema and surface: what RawExampleGuard, trainers and gates would find later."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import tfx  # noqa: F401  tensorflow_data_validation cannot be imported before it
from numpy.typing import NDArray
from tensorflow_data_validation import StatsOptions, validate_statistics
from tensorflow_data_validation.statistics.stats_impl import generate_statistics_in_memory
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2
from tfx_bsl.coders import example_coder

from components.example_guard.classes import foreign_classes
from components.example_guard.executor import MEND, problems_of
from components.example_guard.numbers import problems_among
from components.example_guard.precision import lost_columns
from crosskd.checking.findings import CheckReport, LabelRates, SliceRows
from crosskd.checking.sample import Sample
from evaluation.slice_finder import SliceFinder, kept_values
from evaluation.slices import slicing_spec
from records.labels import first_texts, is_of_texts, label_of_array
from records.tf_example import parse
from schema.base import TaskKind
from schema.checks import Problems
from schema.gates import Gate
from schema.loader import RAW, SurfaceFolder
from schema.metrics import METRICS
from schema.surface import EVAL_SPLIT, TRAIN_SPLIT, Surface, Task

# Of these, a sample does not tell: another part of the data may be otherwise.
_ONLY_OF_ALL = frozenset(
    {
        anomalies_pb2.AnomalyInfo.FEATURE_TYPE_LOW_NUMBER_PRESENT,
        anomalies_pb2.AnomalyInfo.FEATURE_TYPE_LOW_UNIQUE,
        anomalies_pb2.AnomalyInfo.ENUM_TYPE_UNEXPECTED_STRING_VALUES,
        anomalies_pb2.AnomalyInfo.DATASET_LOW_NUM_EXAMPLES,
        anomalies_pb2.AnomalyInfo.DATASET_HIGH_NUM_EXAMPLES,
    }
)


def check_split(folder: SurfaceFolder, sample: Sample, report: CheckReport) -> pa.RecordBatch | None:
    """Checks the sample of a split against schema and surface.

    Args:
      folder: The surface.
      sample: The sample.
      report: Takes what is found.

    Returns:
      The sample's columns; None if they cannot be read.
    """
    records = [record for record in sample.records if parse(record) is not None]
    if not records:
        report.problem(f"{sample.folder}: expected records that are tf.Examples, found none of {len(sample.records):,}")
        return None
    try:
        batch = example_coder.ExamplesToRecordBatchDecoder().DecodeBatch(records)
    except (ValueError, RuntimeError) as error:
        report.problem(f"{sample.folder}: a column is of several types: {error}")
        return None
    statistics = generate_statistics_in_memory(batch, StatsOptions())
    anomalies = validate_statistics(statistics, folder.schema, environment=RAW)
    contradictions = list(_anomalies(statistics, anomalies, folder.schema))
    for number, (sentence, certain) in enumerate(contradictions, start=1):
        remedy = f". {MEND}" if number == len(contradictions) else ""  # once, since there may be many
        report.add(f"split {sample.split}: {sentence.rstrip('.')}{remedy}", certain=sample.whole or certain)
    for sentence in problems_among([records], statistics, folder.surface):
        report.problem(f"split {sample.split}: {sentence}")
    for sentence in foreign_classes([records], folder.surface):
        report.problem(f"split {sample.split}: {sentence}")
    for sentence in lost_columns(statistics, folder.surface):
        report.problem(f"split {sample.split}: {sentence}")
    return batch


def _anomalies(
    statistics: statistics_pb2.DatasetFeatureStatisticsList,
    anomalies: anomalies_pb2.Anomalies,
    schema: schema_pb2.Schema,
) -> Iterator[tuple[str, bool]]:
    """What contradicts the schema, and whether it does so however few examples were looked at."""
    always = {column.name for column in schema.feature if column.presence.min_fraction in (0.0, 1.0)}
    certain = anomalies_pb2.Anomalies()
    certain.CopyFrom(anomalies)
    certain.ClearField("dataset_anomaly_info")
    for name, found in anomalies.anomaly_info.items():
        del certain.anomaly_info[name].reason[:]
        for reason in found.reason:
            rests_on_rate = reason.type == anomalies_pb2.AnomalyInfo.FEATURE_TYPE_LOW_FRACTION_PRESENT
            if reason.type not in _ONLY_OF_ALL and (name in always or not rests_on_rate):
                certain.anomaly_info[name].reason.append(reason)
        if found.reason and not certain.anomaly_info[name].reason:
            del certain.anomaly_info[name]
    surely = set(problems_of(statistics, certain))
    for sentence in problems_of(statistics, anomalies):
        yield sentence, sentence in surely


def check_labels(surface: Surface, sample: Sample, batch: pa.RecordBatch, report: CheckReport) -> None:
    """Notes how many labels each task has, and warns of a task that cannot be learned from them.

    Args:
      surface: The surface.
      sample: The sample of a split.
      batch: Its columns.
      report: Takes rates and findings.
    """
    for name, task in surface.tasks.items():
        labels = _labels(batch, task)
        known = labels[~np.isnan(labels)]
        mean = float(known.mean()) if len(known) else None
        places = task.classes is not None  # whose mean says nothing
        report.labels.append(
            LabelRates(
                split=sample.split,
                task=name,
                labelled=len(known),
                label_rate=len(known) / len(labels),
                mean_label=None if places else mean,
            )
        )
        if sample.split != TRAIN_SPLIT:
            continue
        rows = f"{'all' if sample.whole else 'the sampled'} {len(labels):,} examples of split {sample.split}"
        if mean is None:
            sentence = f"task {name!r}: none of {rows} has its label {task.label!r}; a task needs labelled examples"
            report.add(sentence, certain=sample.whole)
        elif places and len(np.unique(known)) == 1:
            report.warning(f"task {name!r}: its label {task.label!r} is the same class in each of {rows} that has it")
        elif task.kind is TaskKind.BINARY and mean in (0.0, 1.0):
            report.warning(f"task {name!r}: its label {task.label!r} is {mean:.0f} in each of {rows} that has it")


def _labels(batch: pa.RecordBatch, task: Task) -> NDArray[np.float64]:
    """The labels of a task, float [rows]; NaN where they are absent, or the column is of another type."""
    if task.rule is None or not task.rule.of_text:
        return label_of_array(task.rule, label_values(batch, task.label))
    there = task.label in batch.schema.names and not pa.types.is_null(batch.column(task.label).type)
    if not there or not is_of_texts(batch.column(task.label)):
        return np.full(batch.num_rows, math.nan)
    return label_of_array(task.rule, first_texts(batch.column(task.label)))


def label_values(batch: pa.RecordBatch, column: str) -> NDArray[np.float64]:
    """A column with one number in each example, float [rows]; NaN where it is absent."""
    values = np.full(batch.num_rows, math.nan)
    if column not in batch.schema.names or pa.types.is_null(batch.column(column).type):
        return values
    found = batch.column(column)
    lengths = found.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
    flat = found.flatten()
    if pa.types.is_integer(flat.type) or pa.types.is_floating(flat.type):
        starts = np.cumsum(lengths) - lengths
        there = lengths > 0
        values[there] = flat.to_numpy(zero_copy_only=False)[starts[there].astype(np.int64)]
    return values


def check_several(surface: Surface, sample: Sample, batch: pa.RecordBatch, report: CheckReport) -> None:
    """Warns of features of which examples have more values than the surface reads."""
    for name, feature in surface.features.items():
        if feature.listed or name not in batch.schema.names or pa.types.is_null(batch.column(name).type):
            continue
        lengths = batch.column(name).value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
        longer = int((lengths > feature.size).sum())
        if longer and feature.several == "first":
            report.warning(
                f"split {sample.split}: feature {name!r}: {longer:,} of {len(lengths):,} sampled examples have more "
                f"than {feature.size} value(s), up to {int(lengths.max())}, and the first {feature.size} count. If "
                "that is a list of which all count, declare in surface.yaml how they are read: `many: true`, or the "
                "`sequence:` that it is a part of"
            )


def check_batches(surface: Surface, sample: Sample, rows: int | None, report: CheckReport) -> None:
    """Warns of a batch size beyond the examples that are fitted.

    Args:
      surface: The surface.
      sample: The sample of the training split.
      rows: Its examples, if somebody counted them.
      report: Takes the warning.
    """
    training = surface.training
    needed = math.ceil(training.batch_size / (1 - training.validation_fraction))
    known = rows if rows is not None else sample.count_up_to(needed)
    if known < needed:
        report.warning(
            f"training.batch_size: found {training.batch_size:,}, and of {known:,} examples "
            f"{int(known * (1 - training.validation_fraction)):,} are fitted: each of the {training.epochs} epochs is "
            "a single step. Expected a smaller one"
        )


def check_gates(surface: Surface, sample: Sample, batch: pa.RecordBatch, report: CheckReport) -> None:
    """Counts the examples of all slices, and finds gates that could not be judged or ask nothing.

    Args:
      surface: The surface.
      sample: The sample of the evaluation split.
      batch: Its columns.
      report: Takes counts and findings.
    """
    members = _members(surface, batch, report)
    for name, task in surface.tasks.items():
        labels = _labels(batch, task)
        for index, gate in enumerate(task.gates):
            if gate.slice is None or gate.slice in members:
                inside = np.ones(len(labels), bool) if gate.slice is None else members[gate.slice]
                where = f"tasks.{name}.gates.{index}"
                _check_gate(where, gate, task.kind, labels[inside & ~np.isnan(labels)], sample, report)


def _members(surface: Surface, batch: pa.RecordBatch, report: CheckReport) -> dict[str, NDArray[np.bool_]]:
    """Which rows the Evaluator would find in each slice; without those that it would refuse."""
    members, problems = dict[str, NDArray[np.bool_]](), Problems()
    derived = [each for part in surface.slices.values() for each in part.derived]
    kept = kept_values(batch, derived)
    with problems.noted():
        specs = {name: slicing_spec(name, part) for name, part in surface.slices.items()}
        for name, spec in specs.items():
            found = SliceFinder([spec], derived).rows_by_slice(batch, kept)
            members[name] = np.isin(np.arange(batch.num_rows), [row for rows in found.values() for row in rows])
            report.slices.append(SliceRows(name=name, rows=int(members[name].sum()), values=len(found)))
        SliceFinder([*specs.values()], derived).rows_by_slice(batch, kept)  # all of them together may be too many
    report.problem(*problems.found)
    return members


def _check_gate(
    where: str, gate: Gate, kind: TaskKind, labels: NDArray[np.float64], sample: Sample, report: CheckReport
) -> None:
    """A gate on all examples that cannot be judged blocks, and one on a slice without a single labelled example."""
    blocks = not gate.may_be_unjudged and (gate.slice is None or not len(labels))
    of = f"slice {gate.slice!r}" if gate.slice else f"split {EVAL_SPLIT}"
    asked = [("labelled examples", len(labels), gate.min_examples)]
    if kind is TaskKind.BINARY:
        asked.append(("positives", int((labels == 1).sum()), gate.min_positives))
    for what, found, least in asked:
        if found < least and (sample.whole or not found):
            end = "and such a gate blocks the push" if blocks else "so that the gate is not judged"
            among = "" if sample.whole else f" among the {len(sample.records):,} sampled examples"
            report.add(
                f"{where}: {of} has {found:,} {what}{among}, at least {least:,} are asked, {end}",
                certain=blocks and sample.whole,
            )
            break
    no_skill = METRICS[gate.metric].no_skill
    if gate.at_least is not None and no_skill is not None and gate.at_least < no_skill:
        report.warning(
            f"{where}.at_least: found {gate.at_least:g}, and a model that predicts the same for everyone has "
            f"{METRICS[gate.metric].title} {no_skill:g}"
        )
