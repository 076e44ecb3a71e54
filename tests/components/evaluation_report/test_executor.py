"""What the executor reads from artifacts, and what it makes of those that are damaged."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

import pandas as pd
import pytest
import tensorflow as tf
from tfx.types import standard_artifacts

from components.evaluation_report import spec
from components.evaluation_report.configuration import NO_RUN_BEFORE
from components.evaluation_report.executor import Executor, read_sources
from components.evaluation_report.sources import Bin, HardLabels
from contracts.artifacts import GateDecision, HtmlPage, LabelReportArtifact, ServingReportArtifact
from contracts.decision import MadeOf
from contracts.held_out import HeldOut, HeldOutRows
from contracts.measurements import Measurements, NodeMeasurement
from records import documents
from schema.errors import InputError
from tests.components.evaluation_report import folders, handmade

PROPERTIES = {
    spec.SURFACE_KEY: handmade.two_tasks().model_dump_json(by_alias=True),
    spec.ORIGIN_KEY: json.dumps({"surface": "tiny", "teacher_fingerprint": "abc", "data_span": "7"}),
}


def artifact(kind, folder: Path, number: int = 1, day: int | None = None):
    made = kind()
    made.uri, made.id = str(folder), number
    if day is not None:
        made.mlmd_artifact.create_time_since_epoch = int(handmade.FIRST_DAY.replace(day=day).timestamp() * 1000)
    folder.mkdir(exist_ok=True, parents=True)
    return made


def decided(folder: Path, number: int, day: int, student: float = 0.7, made_of: MadeOf | None = None):
    made = artifact(GateDecision, folder, number, day)
    folders.write_decision(folder, student, made_of)
    return made


@pytest.fixture
def inputs(tmp_path):
    made = {
        spec.DECISION_KEY: decided(tmp_path / "decision", 30, day=3),
        spec.EVALUATION_KEY: artifact(standard_artifacts.ModelEvaluation, tmp_path / "last"),
        spec.CONTROL_EVALUATION_KEY: artifact(standard_artifacts.ModelEvaluation, tmp_path / "control"),
        spec.LABEL_REPORT_KEY: artifact(LabelReportArtifact, tmp_path / "labels", 5, day=3),
        spec.SERVING_REPORT_KEY: artifact(ServingReportArtifact, tmp_path / "serving"),
        spec.STUDENT_RUN_KEY: artifact(standard_artifacts.ModelRun, tmp_path / "student-run"),
        spec.CONTROL_RUN_KEY: artifact(standard_artifacts.ModelRun, tmp_path / "control-run"),
        spec.STATISTICS_KEY: artifact(standard_artifacts.ExampleStatistics, tmp_path / "statistics"),
        spec.PUSHED_MODEL_KEY: artifact(standard_artifacts.PushedModel, tmp_path / "pushed"),
    }
    folders.write(tmp_path)
    made[spec.PUSHED_MODEL_KEY].set_string_custom_property("sentence", "Pushed as version 7.")
    return {key: [each] for key, each in made.items()}


def test_what_the_control_noted_of_held_out_rows_is_read(inputs, tmp_path):
    assert read_sources(inputs, PROPERTIES).held_out is None
    rows = HeldOutRows(slice="user without a training row", held_out=0.0, evaluation=0.5, last=False)
    documents.write(str(tmp_path / "control-run"), HeldOut(rows=(rows,)))
    assert read_sources(inputs, PROPERTIES).held_out == HeldOut(rows=(rows,))
    (tmp_path / "control-run" / HeldOut.FILE).write_text("{")
    assert read_sources(inputs, PROPERTIES).held_out is None


def test_everything_is_read_from_its_artifact(inputs):
    found = read_sources(inputs, PROPERTIES)
    assert found.decision == handmade.decision(handmade.two_tasks())
    assert found.when == handmade.FIRST_DAY.replace(day=3)
    assert found.labels == handmade.labels()
    assert found.serving == handmade.serving()
    assert found.histories == {"student": {"hard_loss": [1.0, 0.5]}, "control": {}}
    assert found.curves == {("student", "click"): [Bin(100, 0.4, 0.3)], ("control", "click"): [Bin(100, 0.4, 0.5)]}
    assert found.hard_labels == {
        "click": HardLabels(100, 0.15, ()),
        "minutes": HardLabels(40, 5.0, tuple(map(float, range(11)))),
    }
    assert found.push == "Pushed as version 7."
    assert (found.facts["teacher fingerprint"], found.facts["data span"]) == ("abc", "7")
    assert found.facts["decision"] == inputs[spec.DECISION_KEY][0].uri
    assert found.facts["tensorflow"] == tf.__version__


def test_an_evaluation_that_is_missing_is_named(inputs):
    found = read_sources(inputs, PROPERTIES)
    assert "expected an evaluation, found no such file" in found.against_last


def test_earlier_runs_come_in_their_order_and_those_that_are_gone_are_left_out(inputs, tmp_path):
    gone = artifact(GateDecision, tmp_path / "gone", 15, day=2)
    inputs[spec.EARLIER_DECISIONS_KEY] = [
        decided(tmp_path / "second", 20, day=2, student=0.65),
        gone,
        decided(tmp_path / "first", 10, day=1, student=0.5),
    ]
    found = read_sources(inputs, PROPERTIES)
    assert [when.day for when, _ in found.decisions] == [1, 2, 3]
    assert [decision.blessed for _, decision in found.decisions] == [False, True, True]
    assert [when.day for when, _ in found.label_reports] == [3]


@pytest.mark.parametrize("content", ["{", "[1, 2]"])
def test_a_damaged_history_is_left_out(inputs, content):
    (Path(inputs[spec.STUDENT_RUN_KEY][0].uri) / "history.json").write_text(content)
    assert read_sources(inputs, PROPERTIES).histories["student"] == {}


def test_damaged_curves_are_left_out(inputs):
    plots = Path(inputs[spec.CONTROL_EVALUATION_KEY][0].uri) / "plots-00000-of-00001.tfrecord"
    plots.write_bytes(plots.read_bytes()[:-5])
    assert read_sources(inputs, PROPERTIES).curves == {}


def test_without_a_decision_there_is_no_report(inputs):
    (Path(inputs[spec.DECISION_KEY][0].uri) / "decision.json").unlink()
    with pytest.raises(InputError, match="expected a gate decision"):
        read_sources(inputs, PROPERTIES)


def test_the_page_is_written_into_its_artifact(inputs, tmp_path):
    page = artifact(HtmlPage, tmp_path / "page")
    Executor().Do(inputs, {spec.PAGE_KEY: [page]}, PROPERTIES)
    html = (tmp_path / "page" / "index.html").read_text()
    assert html.lstrip().startswith("<!doctype html>")
    assert "Pushed as version 7." in html


def test_a_first_run_has_no_features_to_compare_with(inputs):
    found = read_sources(inputs, PROPERTIES)
    assert found.shifts == NO_RUN_BEFORE
    assert found.last_run is None
    assert found.version == version("crosskd")


def of_examples(folder: Path, age: float) -> MadeOf:
    """Inputs of a run whose examples had an age."""
    folders.write_training_statistics(folder, pd.DataFrame({"age": [age, age + 1, age + 2]}))
    return MadeOf(version="1", configuration={}, statistics=str(folder))


def test_features_are_compared_by_the_statistics_that_the_two_decisions_name(inputs, tmp_path):
    then, now = of_examples(tmp_path / "then", 20.0), of_examples(tmp_path / "now", 50.0)
    inputs[spec.DECISION_KEY] = [decided(tmp_path / "later", 30, day=3, made_of=now)]
    inputs[spec.EARLIER_DECISIONS_KEY] = [decided(tmp_path / "earlier", 10, day=1, made_of=then)]
    found = read_sources(inputs, PROPERTIES)
    assert found.last_run[1].made_of == then
    assert [(each.name, each.before.mean, each.now.mean) for each in found.shifts] == [("age", 21.0, 51.0)]
    assert found.shifts[0].divergence == pytest.approx(1)


@pytest.mark.parametrize(
    ("then", "now", "said"),
    [
        (None, "/now", "is not known: its version of crosskd did not note it"),
        ("/same", "/same", "The last run had the same examples."),
        ("/gone", "/now", "/gone/Split-train/FeatureStats.pb: expected the statistics of training examples, found no"),
    ],
)
def test_why_features_cannot_be_compared_is_said(inputs, tmp_path, then, now, said):
    made = [MadeOf(version="1", configuration={}, statistics=each) if each else None for each in (then, now)]
    inputs[spec.EARLIER_DECISIONS_KEY] = [decided(tmp_path / "earlier", 10, day=1, made_of=made[0])]
    inputs[spec.DECISION_KEY] = [decided(tmp_path / "later", 30, day=3, made_of=made[1])]
    assert said in read_sources(inputs, PROPERTIES).shifts


def test_what_the_runner_measured_is_read_and_why_nothing_was_is_said(inputs, tmp_path):
    assert "each node in a container of its own" in read_sources(inputs, PROPERTIES).measurements
    properties = {**PROPERTIES, spec.MEASUREMENTS_KEY: str(tmp_path / "logs")}
    assert read_sources(inputs, properties).measurements == "The runner of this run did not measure its nodes."
    measured = Measurements(nodes={"Transform": NodeMeasurement(seconds=2.5, peak_memory=2**30)})
    documents.write(str(tmp_path / "logs"), measured)
    assert read_sources(inputs, properties).measurements == measured
