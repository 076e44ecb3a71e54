import pytest

from pipeline.kfp import refusals
from tests.kubeflow.metadata_service import MetadataService

OUTPUT = "/s3/bucket/root/pipeline/run/trainer/0f/output_metadata.json"


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    running = MetadataService(tmp_path_factory.mktemp("metadata") / "mlmd.db")
    yield running
    running.close()


@pytest.fixture
def attempt(service, monkeypatch):
    monkeypatch.setenv(refusals.HOST_VARIABLE, "127.0.0.1")
    monkeypatch.setenv(refusals.PORT_VARIABLE, str(service.port))

    def set_attempt(number):
        monkeypatch.setenv(refusals.ATTEMPT_VARIABLE, number)

    return set_attempt


def test_a_later_attempt_at_the_same_task_knows_of_bad_input(attempt):
    attempt("0")
    refusals.remember(OUTPUT, "expected a teacher, found none")
    assert refusals.recall(OUTPUT) is None
    attempt("1")
    assert refusals.recall(OUTPUT) == "expected a teacher, found none"
    assert refusals.recall(OUTPUT.replace("0f", "1f")) is None


@pytest.mark.parametrize("number", ["", "0"])
def test_a_first_attempt_asks_nobody(attempt, monkeypatch, number):
    attempt(number)
    monkeypatch.setattr(refusals, "_store", lambda: pytest.fail("asked"))
    assert refusals.recall(OUTPUT) is None


def test_without_metadata_everything_is_tried_again(monkeypatch):
    monkeypatch.delenv(refusals.HOST_VARIABLE, raising=False)
    monkeypatch.setenv(refusals.ATTEMPT_VARIABLE, "1")
    refusals.remember(OUTPUT, "bad")
    assert refusals.recall(OUTPUT) is None


def test_metadata_out_of_reach_hide_nothing(attempt, monkeypatch, caplog):
    monkeypatch.setenv(refusals.PORT_VARIABLE, "1")
    monkeypatch.setattr(refusals, "_SECONDS", 2.0)
    attempt("1")
    refusals.remember(OUTPUT, "bad")
    assert refusals.recall(OUTPUT) is None
    assert "The next attempt will not know that the input is bad" in caplog.text
