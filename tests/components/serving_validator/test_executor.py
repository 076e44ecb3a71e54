"""Real models, served by a real process."""

from __future__ import annotations

import os
import signal
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2
from tfx.components.util import model_utils
from tfx.types import standard_artifacts

from components.serving_validator.executor import Executor, validate
from contracts.artifacts import ServingReportArtifact as ReportArtifact
from contracts.decision import Verdict
from contracts.serving_report import ServingReport
from records import documents
from records.content import content_fingerprint
from records.sessions import SessionModel
from schema.errors import InputError
from tests.components.serving_validator.handmade import REQUIREMENTS, write_examples, write_model


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_examples(tmp_path_factory.mktemp("examples") / "1")


@pytest.fixture(scope="module")
def control(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_model(tmp_path_factory.mktemp("control") / "model", weight=1.0)


def run(student: str, control: str, examples: str) -> ServingReport:
    return validate({"student": student, "control": control}, [examples], REQUIREMENTS, "uri")


def failures(report: ServingReport) -> dict[str, str]:
    return {check.name: check.sentence for check in report.checks if check.verdict is Verdict.FAIL}


def artifact(kind: type, folder: Path, identity: int):
    made = kind()
    made.uri, made.id = str(folder), identity
    return made


def warmed_up(requests: Path, model: str) -> list[tuple[int, np.ndarray]]:
    """Replays warm-up requests as TensorFlow Serving does: by name of signature and input."""
    served = SessionModel(model)
    answers = []
    for record in tf.data.TFRecordDataset(str(requests)):
        request = prediction_log_pb2.PredictionLog.FromString(record.numpy()).predict_log.request
        assert (request.model_spec.name, request.model_spec.signature_name) == ("tiny", "serving_default")
        assert list(request.inputs) == served.inputs
        batch = tf.make_ndarray(request.inputs[served.inputs[0]])
        answers.append((len(batch), served.predict(list(batch))["click"]))
    served.close()
    return answers


def test_what_misses_an_absolute_budget_is_not_blessed(tmp_path: Path, control: str, examples: str) -> None:
    serving = REQUIREMENTS.serving.model_copy(update={"max_size_mb": 0.001, "max_p99_ms": 10_000.0})
    asked = REQUIREMENTS.model_copy(update={"serving": serving})
    student = write_model(tmp_path / "model")
    report = validate({"student": student, "control": control}, [examples], asked, "uri")
    assert list(failures(report)) == ["budget of size"]
    assert [each.what for each in report.budgets] == ["size", "p99, batches of 1", "p99, batches of 4"]
    assert report.budgets[0].found == report.models["student"].megabytes > 0.001
    assert not report.blessed


def test_what_lies_where_a_run_is_started_is_not_taken_for_a_library(tmp_path, monkeypatch, control, examples) -> None:
    (tmp_path / "six.py").write_text("raise RuntimeError('not the library')")  # TensorFlow imports one of that name
    monkeypatch.chdir(tmp_path)
    assert run(write_model(tmp_path / "model"), control, examples).blessed


def test_a_good_student_is_blessed_and_compared(tmp_path: Path, control: str, examples: str) -> None:
    model = artifact(standard_artifacts.Model, tmp_path / "student", 7)
    write_model(tmp_path / "student/Format-Serving")
    other = artifact(standard_artifacts.Model, tmp_path / "control", 8)
    (tmp_path / "control").mkdir()
    (tmp_path / "control/Format-Serving").symlink_to(control)
    blessing = artifact(standard_artifacts.InfraBlessing, tmp_path / "blessing", 9)
    report = artifact(ReportArtifact, tmp_path / "report", 10)
    Executor().Do(
        {
            "model": [model],
            "control": [other],
            "baseline_model": [other],
            "examples": [artifact(standard_artifacts.Examples, Path(examples), 11)],
        },
        {"blessing": [blessing], "report": [report]},
        {"requirements": REQUIREMENTS.model_dump_json()},
    )
    found = documents.read(report.uri, ServingReport)
    assert failures(found) == {}
    # signature, leftovers, variables, clients, loading, predictions, all rows, malformed, and 2 batch sizes against
    # 2 models
    assert found.sentence == "The student can be served: 12 checks passed."
    assert found.requests == 8
    assert [(row.against, row.batch_size, row.calls) for row in found.latencies] == [
        ("control", 1, 60),
        ("control", 4, 60),
        ("last_blessed", 1, 60),
        ("last_blessed", 4, 60),
    ]
    assert set(found.models) == {"student", "control", "last_blessed"}
    answers = warmed_up(tmp_path / "blessing/tf_serving_warmup_requests", str(tmp_path / "student/Format-Serving"))
    assert [size for size, _ in answers] == [1, 4]
    assert all(np.isfinite(values).all() and len(values) == size for size, values in answers)
    assert all(cost.load_seconds and cost.first_request_seconds for cost in found.models.values())
    files = [path for path in (tmp_path / "student/Format-Serving").rglob("*") if path.is_file()]
    assert found.models["student"].megabytes == pytest.approx(sum(path.stat().st_size for path in files) / 1e6)
    # As TFX's InfraValidator writes it, and about which model.
    assert {path.name for path in Path(blessing.uri).iterdir()} == {"INFRA_BLESSED", "tf_serving_warmup_requests"}
    assert model_utils.is_infra_validated(blessing)
    assert blessing.get_string_custom_property("current_model") == model.uri
    assert blessing.get_int_custom_property("current_model_id") == 7
    fingerprint = content_fingerprint(str(tmp_path / "student/Format-Serving"))
    assert blessing.get_string_custom_property("model_fingerprint") == fingerprint


def test_a_student_that_reads_the_label_is_found_out_twice(tmp_path: Path, control: str, examples: str) -> None:
    report = run(write_model(tmp_path / "student", flaw="label"), control, examples)
    found = failures(report)
    assert not report.blessed
    assert found["no leftovers of training"] == (
        "The student's export still holds the input clicked, a label that does not exist when serving."
    )
    # It adds the label to the logit where it finds one: at best sigmoid(.5 * 2 + 1) - sigmoid(.5 * 2) = .15.
    assert found["predictions"].startswith("click: a server's predictions differ from those of the evaluation by 0.")


def test_a_student_that_answers_what_it_cannot_know(tmp_path: Path, control: str, examples: str) -> None:
    report = run(write_model(tmp_path / "student", flaw="lenient"), control, examples)
    assert failures(report) == {"malformed requests": "A request without match was answered instead of refused."}


def test_a_slow_student(tmp_path: Path, control: str, examples: str) -> None:
    serving = REQUIREMENTS.serving.model_copy(update={"max_p99_ratio_vs_control": 1.5})
    models = {"student": write_model(tmp_path / "student", flaw="slow"), "control": control}
    report = validate(models, [examples], REQUIREMENTS.model_copy(update={"serving": serving}), "uri")
    assert not report.blessed
    assert {row.calls for row in report.latencies} == {180}  # measured again before it counts
    assert min(row.p99_ratio for row in report.latencies) > 1.5
    assert set(failures(report)) == {"latency against the control"}
    assert "the student's p99 is" in report.sentence


def test_predictions_that_are_no_numbers(tmp_path: Path, control: str, examples: str) -> None:
    report = run(write_model(tmp_path / "student", flaw="nan"), control, examples)
    assert failures(report)["predictions"] == "click: 8 of 8 predictions are not finite."
    assert failures(report)["all rows"] == "click: 10 of 10 predictions are not finite."


def test_rows_after_the_requests_count_too(tmp_path: Path, control: str, examples: str) -> None:
    """Of ten rows eight are sent as requests; the last has a match of 4.5."""
    report = run(write_model(tmp_path / "student", flaw="last rows"), control, examples)
    assert failures(report) == {"all rows": "click: 1 of 10 predictions are not finite."}


def test_probabilities_that_are_none(tmp_path: Path, control: str, examples: str) -> None:
    """AUC does not mind: the order is the same."""
    report = run(write_model(tmp_path / "student", flaw="large"), control, examples)
    assert failures(report)["all rows"].startswith(
        "click: 10 of 10 predictions are no probabilities, which lie in [0, 1]: they go from 123.4 to 9.999e+05."
    )


def test_a_signature_of_tensors_that_answers_otherwise(tmp_path: Path, control: str, examples: str) -> None:
    report = run(write_model(tmp_path / "student", flaw="tensors"), control, examples)
    assert failures(report) == {
        "predictions": "minutes: a server's predictions differ from those of the signature that takes tensors by 0.25."
    }  # half a minute of two, the least that is served


@pytest.mark.parametrize(
    ("flaw", "ways"),
    [
        ("company", ["the same requests in two halves", "the same requests one by one"]),
        ("order", ["the same requests in another order", "the same requests in two halves"]),
    ],
)
def test_an_answer_that_depends_on_the_other_rows(
    tmp_path: Path, control: str, examples: str, flaw: str, ways: list[str]
) -> None:
    report = run(write_model(tmp_path / "student", flaw=flaw), control, examples)
    assert set(failures(report)) == {"predictions"}
    for way in ways:
        assert f"click: a server's predictions differ from those of {way} by " in failures(report)["predictions"]


def test_one_answer_for_all_rows(tmp_path: Path, control: str, examples: str) -> None:
    report = run(write_model(tmp_path / "student", flaw="one answer"), control, examples)
    assert "one by one by inf" in failures(report)["predictions"]


def server_of(folder: Path) -> int | None:
    """The process that serves from a folder; the tests' own process has other children, too."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes().split(b"\0")
        except OSError:  # it ended meanwhile
            continue
        if os.fsencode(folder) in command:
            return int(path.parent.name)
    return None


def test_a_student_whose_server_dies(
    tmp_path: Path, control: str, examples: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It answers one request, and for more of them works until it is killed."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    killed: list[int] = []

    def kill() -> None:
        while not (loaded := list(tmp_path.glob("serving-*/loaded.json"))):
            time.sleep(0.1)
        server = server_of(loaded[0].parent)
        assert server is not None
        os.kill(server, signal.SIGKILL)
        killed.append(server)

    student = write_model(tmp_path / "student", flaw="stuck")
    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    report = run(student, control, examples)
    killer.join(timeout=10)
    assert len(killed) == 1
    assert failures(report) == {
        "serving": "Serving the student failed while answering requests: the process crashed with SIGKILL."
    }
    assert report.models["student"].load_seconds
    assert report.models["control"].load_seconds is None


def test_a_student_without_its_variables(tmp_path: Path, control: str, examples: str) -> None:
    student = Path(write_model(tmp_path / "student"))
    (student / "variables/variables.data-00000-of-00001").unlink()
    report = run(str(student), control, examples)
    assert not report.blessed
    assert "expected the variables of a SavedModel, but" in failures(report)["files"]


def test_a_damaged_student(tmp_path: Path, control: str, examples: str) -> None:
    student = Path(write_model(tmp_path / "student"))
    (student / "saved_model.pb").write_bytes(b"half a mod")
    report = run(str(student), control, examples)
    assert list(failures(report)) == ["files"]
    assert "expected a TensorFlow SavedModel, found bytes that do not parse" in report.sentence


def test_without_examples_there_is_nothing_to_send(tmp_path: Path, control: str) -> None:
    with pytest.raises(InputError, match=r"Split-eval: expected examples to make requests of, found none"):
        run(control, control, str(tmp_path))
