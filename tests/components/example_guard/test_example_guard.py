from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx.components.example_validator.executor import DEFAULT_FILE_NAME
from tfx.components.statistics_gen.executor import Executor as StatisticsGen
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.types import artifact_utils, channel_utils, standard_artifacts

from components.example_guard.component import ExampleGuard
from components.example_guard.executor import Executor
from schema.errors import InputError
from tests.evaluation.evaluating import BEAM_ARGS, write_examples

SCHEMA = """
default_environment: "RAW"
default_environment: "TRAINING"
feature { name: "position" type: INT presence { min_fraction: 1 } shape {} int_domain { min: 0 max: 7 } }
feature { name: "price" type: FLOAT value_count { min: 1 max: 1 } }
feature {
  name: "teacher/click" type: FLOAT presence { min_fraction: 1 } value_count { min: 1 max: 1 }
  float_domain { min: -50 max: 50 } not_in_environment: "RAW"
  drift_comparator { jensen_shannon_divergence { threshold: 0.1 } }
}
"""
GOOD = [{"position": 1, "price": 2.0}, {"position": 7, "price": None}]


def statistics_of(
    folder: Path, splits: Mapping[str, Sequence[Mapping[str, Any]]]
) -> standard_artifacts.ExampleStatistics:
    """Runs StatisticsGen on the rows."""
    examples = standard_artifacts.Examples()
    for split, rows in splits.items():
        examples = write_examples(folder / "examples", rows, split)
    examples.split_names = artifact_utils.encode_split_names(sorted(splits))
    statistics = standard_artifacts.ExampleStatistics()
    statistics.uri = str(folder / "statistics")
    context = BaseBeamExecutor.Context(beam_pipeline_args=BEAM_ARGS, tmp_dir=str(folder / "tmp"))
    StatisticsGen(context).Do({"examples": [examples]}, {"statistics": [statistics]}, {"exclude_splits": "[]"})
    return statistics


def guard(
    tmp_path: Path,
    splits: Mapping[str, Sequence[Mapping[str, Any]]],
    environment: str = "RAW",
    previous: Sequence[standard_artifacts.ExampleStatistics] = (),
    announced: Mapping[str, int] | None = None,
) -> Path:
    """Runs StatisticsGen and ExampleGuard on the rows; returns the anomalies' folder."""
    schema, anomalies = standard_artifacts.Schema(), standard_artifacts.ExampleAnomalies()
    for artifact, name in ((schema, "schema"), (anomalies, "anomalies")):
        artifact.uri = str(tmp_path / name)
    (tmp_path / "schema").mkdir(parents=True)
    (tmp_path / "schema" / "schema.pbtxt").write_text(SCHEMA)
    counted = {"announced": json.dumps(announced)} if announced else {}
    Executor().Do(
        {"statistics": [statistics_of(tmp_path, splits)], "schema": [schema], "previous_statistics": list(previous)},
        {"anomalies": [anomalies]},
        {"exclude_splits": "[]", "environment": environment, "soft_labels_only": '["unlabelled"]', **counted},
    )
    return tmp_path / "anomalies"


def anomalies_in(folder: Path, split: str) -> anomalies_pb2.Anomalies:
    content = (folder / f"Split-{split}" / DEFAULT_FILE_NAME).read_bytes()
    return anomalies_pb2.Anomalies.FromString(content)


def test_raw_examples_need_no_soft_labels(tmp_path: Path) -> None:
    folder = guard(tmp_path, {"train": GOOD, "eval": GOOD})
    assert not anomalies_in(folder, "train").anomaly_info
    assert not anomalies_in(folder, "eval").anomaly_info


def test_labelled_examples_need_them_in_every_split(tmp_path: Path) -> None:
    labelled = [{**row, "teacher/click": -1.5} for row in GOOD]
    with pytest.raises(InputError) as error:
        guard(tmp_path, {"train": labelled, "eval": GOOD}, environment="TRAINING")
    lines = str(error.value).splitlines()
    assert lines[0] == "The examples do not fit their schema (environment TRAINING):"
    assert lines[1].startswith("  split eval: feature 'teacher/click': Column dropped: ")
    assert len(lines) == 3


def test_every_problem_is_named_and_the_anomalies_are_written_first(tmp_path: Path) -> None:
    rows = [{"position": 9, "price": "cheap"}, {"position": None, "price": None}]
    with pytest.raises(InputError) as error:
        guard(tmp_path, {"train": GOOD, "eval": rows})
    message = str(error.value)
    assert "split eval: feature 'position': Out-of-range values: Unexpectedly large value: 9." in message
    assert "minimum fraction = 1.000000, actual = 0.500000" in message
    assert "split eval: feature 'price': Unexpected data type: Expected data of type: FLOAT but got STRING" in message
    assert "split train" not in message
    assert sorted(anomalies_in(tmp_path / "anomalies", "eval").anomaly_info) == ["position", "price"]


def test_an_empty_split_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="split eval: it has no examples"):
        guard(tmp_path, {"train": GOOD, "eval": []})


def test_the_message_fits_on_a_screen(tmp_path: Path) -> None:
    unknown = {f"column_{index:02}": 1.0 for index in range(40)}
    with pytest.raises(InputError) as error:
        guard(tmp_path, {"train": [{**row, **unknown} for row in GOOD]})
    lines = str(error.value).splitlines()
    assert lines[1].startswith("  split train: feature 'column_00': New column")
    assert lines[-2] == "  ... and 25 more"
    assert len(lines) == 18


def soft(logits: Sequence[float]) -> list[dict[str, Any]]:
    return [{"position": 1, "price": None, "teacher/click": logit} for logit in logits]


@pytest.fixture(scope="module")
def yesterday(tmp_path_factory: pytest.TempPathFactory) -> standard_artifacts.ExampleStatistics:
    logits = np.random.default_rng(0).normal(size=1000)
    return statistics_of(tmp_path_factory.mktemp("yesterday"), {"train": soft(logits), "eval": soft(logits[:500])})


def test_soft_labels_that_drifted_since_the_last_span(
    tmp_path: Path, yesterday: standard_artifacts.ExampleStatistics
) -> None:
    logits = np.random.default_rng(1).normal(size=1000)
    with pytest.raises(InputError) as error:
        guard(tmp_path, {"train": soft(logits + 2), "eval": soft(logits)}, "TRAINING", [yesterday])
    lines = str(error.value).splitlines()
    assert lines[1].startswith("  split train: feature 'teacher/click': High approximate Jensen-Shannon divergence ")
    assert "above the threshold 0.1" in lines[1]
    assert "raise the feature's `drift_comparator` in schema.pbtxt" in lines[-1]
    assert len(lines) == 4
    (reason,) = anomalies_in(tmp_path / "anomalies", "train").anomaly_info["teacher/click"].reason
    assert reason.type == anomalies_pb2.AnomalyInfo.COMPARATOR_JENSEN_SHANNON_DIVERGENCE_HIGH


@pytest.mark.parametrize("first", [False, True], ids=["same-as-before", "first-span"])
def test_soft_labels_that_did_not_drift_or_have_nothing_to_be_compared_with(
    tmp_path: Path, yesterday: standard_artifacts.ExampleStatistics, first: bool
) -> None:
    logits = np.random.default_rng(1).normal(size=1000) + (2 if first else 0)
    folder = guard(tmp_path, {"train": soft(logits)}, "TRAINING", [] if first else [yesterday])
    assert not anomalies_in(folder, "train").anomaly_info


def test_a_split_that_the_last_span_did_not_have_is_not_compared(
    tmp_path: Path, yesterday: standard_artifacts.ExampleStatistics
) -> None:
    folder = guard(tmp_path, {"unlabelled": soft([9.0, 9.5, 10.0])}, "TRAINING", [yesterday])
    assert not anomalies_in(folder, "unlabelled").anomaly_info


def test_of_pairs_never_shown_the_soft_labels_are_looked_at_and_nothing_else(tmp_path: Path) -> None:
    pairs = [{"teacher/click": logit, "shelf_of_the_item": 3} for logit in (0.5, -60.0)]
    with pytest.raises(InputError) as error:
        guard(tmp_path, {"train": soft([0.5]), "unlabelled": pairs}, "TRAINING")
    lines = str(error.value).splitlines()
    assert lines[1].startswith("  split unlabelled: feature 'teacher/click': Out-of-range values: ")
    assert len(lines) == 3


def test_pairs_without_soft_labels_do_not_pass(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="split unlabelled: feature 'teacher/click': Column dropped"):
        guard(tmp_path, {"unlabelled": GOOD}, "TRAINING")


def test_component_hands_the_environment_to_its_executor() -> None:
    component = ExampleGuard(
        statistics=channel_utils.as_channel([standard_artifacts.ExampleStatistics()]),
        schema=channel_utils.as_channel([standard_artifacts.Schema()]),
        environment="TRAINING",
        soft_labels_only=["unlabelled"],
    )
    assert component.exec_properties["environment"] == "TRAINING"
    assert component.exec_properties["soft_labels_only"] == '["unlabelled"]'
    assert len(component.exec_properties["code"]) == 16
    assert component.outputs["anomalies"].type is standard_artifacts.ExampleAnomalies


def test_another_number_of_examples_than_announced_is_an_error(tmp_path: Path) -> None:
    guard(tmp_path / "right", {"train": GOOD, "eval": GOOD}, announced={"train": 2, "eval": 2})
    with pytest.raises(InputError, match="split eval: 3 examples were counted before the run, and 2 were taken in"):
        guard(tmp_path / "wrong", {"train": GOOD, "eval": GOOD}, announced={"train": 2, "eval": 3})
