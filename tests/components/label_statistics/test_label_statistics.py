"""Statistics after labelling: of soft labels and drifting columns alone, and the guard's promises of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tensorflow_metadata.proto.v0 import statistics_pb2
from tfx.components.statistics_gen.stats_artifact_utils import load_statistics
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.types import artifact_utils, standard_artifacts

from components.example_guard.executor import Executor as ExampleGuard
from components.label_statistics.executor import Executor
from schema.errors import InputError
from tests.evaluation.evaluating import BEAM_ARGS, write_examples

SCHEMA = """
default_environment: "RAW"
default_environment: "TRAINING"
feature { name: "position" type: INT presence { min_fraction: 1 } shape {} }
feature {
  name: "price" type: FLOAT presence { min_fraction: 1 } shape {}
  drift_comparator { jensen_shannon_divergence { threshold: 0.1 } }
}
feature {
  name: "teacher/click" type: FLOAT presence { min_fraction: 1 } shape {} float_domain { min: -50 max: 50 }
  not_in_environment: "RAW"
}
"""
Rows = Sequence[Mapping[str, Any]]


def rows(price: float = 0.0, **changed: Any) -> list[dict[str, Any]]:
    rng = np.random.default_rng(0)
    logits, prices = rng.normal(size=(2, 300))
    return [
        {"position": 3, "price": price + each, "teacher/click": logit, **changed}
        for each, logit in zip(prices, logits, strict=True)
    ]


def schema_in(folder: Path) -> standard_artifacts.Schema:
    artifact = standard_artifacts.Schema()
    artifact.uri = str(folder / "schema")
    (folder / "schema").mkdir(parents=True, exist_ok=True)
    (folder / "schema" / "schema.pbtxt").write_text(SCHEMA)
    return artifact


def statistics_of(folder: Path, train: Rows) -> standard_artifacts.ExampleStatistics:
    examples = write_examples(folder / "examples", train, "train")
    examples.split_names = artifact_utils.encode_split_names(["train"])
    statistics = standard_artifacts.ExampleStatistics()
    statistics.uri = str(folder / "statistics")
    context = BaseBeamExecutor.Context(beam_pipeline_args=BEAM_ARGS, tmp_dir=str(folder / "tmp"))
    inputs = {"examples": [examples], "schema": [schema_in(folder)]}
    properties = {"exclude_splits": "[]", "soft_labels": '["teacher/click", "teacher/stay"]'}
    Executor(context).Do(inputs, {"statistics": [statistics]}, properties)
    return statistics


def judge(folder: Path, train: Rows, previous: Rows | None = None) -> None:
    anomalies = standard_artifacts.ExampleAnomalies()
    anomalies.uri = str(folder / "anomalies")
    earlier = [] if previous is None else [statistics_of(folder / "previous", previous)]
    ExampleGuard().Do(
        {
            "statistics": [statistics_of(folder, train)],
            "schema": [schema_in(folder)],
            "previous_statistics": earlier,
        },
        {"anomalies": [anomalies]},
        {"exclude_splits": "[]", "environment": "TRAINING", "labelled": 1},
    )


def found_in(statistics: standard_artifacts.ExampleStatistics) -> statistics_pb2.DatasetFeatureStatistics:
    return load_statistics(statistics, "train").proto().datasets[0]


def test_statistics_are_of_soft_labels_and_of_what_may_drift(tmp_path: Path) -> None:
    found = found_in(statistics_of(tmp_path, rows()))
    assert {feature.path.step[0] for feature in found.features} == {"price", "teacher/click"}
    assert found.num_examples == 300


def test_good_labels_pass(tmp_path: Path) -> None:
    judge(tmp_path, rows(), previous=rows())


@pytest.mark.parametrize(
    ("train", "told"),
    [
        (rows(**{"teacher/click": None}), "feature 'teacher/click': Column dropped"),
        (rows(**{"teacher/click": 60.0}), "feature 'teacher/click': Out-of-range values"),
        (rows(**{"teacher/stay": 1.0}), "feature 'teacher/stay': New column"),
        ([], "it has no examples"),
    ],
    ids=["absent", "out of range", "unknown", "no rows"],
)
def test_soft_labels_are_judged_as_ever(tmp_path: Path, train: Rows, told: str) -> None:
    with pytest.raises(InputError, match=told):
        judge(tmp_path, train)


def test_the_drift_of_a_raw_column_is_judged_as_ever(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="feature 'price': High approximate Jensen-Shannon divergence"):
        judge(tmp_path, rows(price=5.0), previous=rows())
