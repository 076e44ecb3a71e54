"""Folders of artifacts with what `handmade` makes, as the components write them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import tensorflow as tf
import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import statistics_pb2
from tensorflow_model_analysis.proto import metrics_for_slice_pb2

from contracts.decision import MadeOf
from records import documents
from tests.components.evaluation_report import handmade

NAMES = ("decision", "last", "control", "labels", "serving", "student-run", "control-run", "statistics", "pushed")


def write(folder: Path, *, student: float = 0.7, mean_label: float = -2.0) -> None:
    """One folder an artifact, named as `NAMES`; evaluations hold calibration curves and nothing else."""
    for name in NAMES:
        (folder / name).mkdir(parents=True, exist_ok=True)
    write_decision(folder / "decision", student)
    documents.write(str(folder / "labels"), handmade.labels(mean_label))
    documents.write(str(folder / "serving"), handmade.serving())
    (folder / "student-run" / "history.json").write_text('{"hard_loss": [1, 0.5]}')
    write_plots(folder / "control")
    write_statistics(folder / "statistics")


def write_decision(folder: Path, student: float, made_of: MadeOf | None = None) -> None:
    decision = handmade.decision(handmade.two_tasks(), student)
    documents.write(str(folder), decision.model_copy(update={"made_of": made_of}))


def write_plots(folder: Path) -> None:
    """The overall curve of candidate and baseline, and one of a slice, as TFMA writes them."""
    with tf.io.TFRecordWriter(str(folder / "plots-00000-of-00001.tfrecord")) as writer:
        for slice_value in (None, 3):
            plots = metrics_for_slice_pb2.PlotsForSlice()
            if slice_value:
                plots.slice_key.single_slice_keys.add(column="shelf", int64_value=slice_value)
            for model, label in (("candidate", 30.0), ("baseline", 50.0)):
                entry = plots.plot_keys_and_values.add()
                entry.key.model_name, entry.key.output_name = model, "click"
                entry.value.calibration_histogram_buckets.buckets.add(
                    num_weighted_examples={"value": 100.0},
                    total_weighted_label={"value": label},
                    total_weighted_refined_prediction={"value": 40.0},
                )
            writer.write(plots.SerializeToString())


def statistics_of(examples: pd.DataFrame) -> statistics_pb2.DatasetFeatureStatisticsList:
    """What StatisticsGen finds in examples."""
    return tfdv.generate_statistics_from_dataframe(examples)


def write_training_statistics(folder: Path, examples: pd.DataFrame) -> None:
    """Statistics of a training split, as StatisticsGen writes them."""
    path = folder / "Split-train" / "FeatureStats.pb"
    path.parent.mkdir(parents=True)
    path.write_bytes(statistics_of(examples).SerializeToString())


def write_statistics(folder: Path) -> None:
    """Of `minutes`, the deciles 0, 1, ..., 10; of `clicked`, a mean and nothing else."""
    statistics = statistics_pb2.DatasetFeatureStatisticsList()
    dataset = statistics.datasets.add()
    minutes = dataset.features.add()
    minutes.path.step.append("minutes")
    minutes.num_stats.common_stats.num_non_missing = 40
    minutes.num_stats.mean = 5.0
    histogram = minutes.num_stats.histograms.add(type=statistics_pb2.Histogram.QUANTILES)
    for decile in range(10):
        histogram.buckets.add(low_value=decile, high_value=decile + 1)
    clicked = dataset.features.add()
    clicked.path.step.append("clicked")
    clicked.num_stats.common_stats.num_non_missing = 100
    clicked.num_stats.mean = 0.15
    path = folder / "Split-eval" / "FeatureStats.pb"
    path.parent.mkdir()
    path.write_bytes(statistics.SerializeToString())
