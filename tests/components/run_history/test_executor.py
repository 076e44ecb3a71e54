import pytest
from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import standard_artifacts

from components.run_history.component import RunHistory
from components.run_history.executor import Executor
from components.run_history.records import RunRecords
from contracts.artifacts import GateDecision, LabelReportArtifact
from contracts.decision import Decision, MadeOf
from contracts.label_report import LabelReport
from records import documents
from records.versions import Versions
from schema.errors import InputError
from tests.components.evaluation_report import handmade
from tests.kubeflow.object_store import ObjectStore, reach


@pytest.fixture(params=["disk", "bucket"])
def serving(request, tmp_path, monkeypatch):
    if request.param == "disk":
        yield str(tmp_path / "serving")
        return
    store = ObjectStore("served")
    reach(store, monkeypatch)
    yield "s3://served/library"
    store.close()


@pytest.fixture
def run(serving, tmp_path):
    """One run: what it found, and what its outputs stand for."""
    count = iter(range(100))

    def once(
        sentence: str,
        model: str = "s3://b/model",
        most: int = 60,
        blessed: bool = True,
        made_of: MadeOf | None = None,
    ):
        folder = tmp_path / str(next(count))
        decision, labels, blessing = GateDecision(), LabelReportArtifact(), standard_artifacts.ModelBlessing()
        decision.uri, labels.uri = str(folder / "decision"), str(folder / "labels")
        documents.write(decision.uri, decision_of(sentence, blessed).model_copy(update={"made_of": made_of}))
        documents.write(labels.uri, handmade.labels())
        blessing.set_string_custom_property("current_model", model)
        decisions, reports = GateDecision(), LabelReportArtifact()
        decisions.uri, reports.uri = str(folder / "earlier"), str(folder / "earlier-labels")
        outputs = {"earlier_decisions": [decisions], "earlier_label_reports": [reports]}
        Executor(base_executor.BaseExecutor.Context()).Do(
            {"decision": [decision], "label_report": [labels], "model_blessing": [blessing]},
            outputs,
            {"serving": serving, "most": most},
        )
        return outputs

    return once


def decision_of(sentence: str, blessed: bool = True) -> Decision:
    return Decision(surface="s", blessed=blessed, first_run=True, sentence=sentence, gates=(), checks=(), metrics=())


def sentences(outputs) -> list[str]:
    return [documents.read(each.uri, Decision).sentence for each in outputs["earlier_decisions"]]


def test_the_first_run_finds_none(run):
    outputs = run("first")
    for found in outputs.values():
        (artifact,) = found
        assert artifact.get_int_custom_property("absent") == 1


def test_later_runs_find_the_earlier_ones_oldest_first_with_when_they_were(run):
    run("first", "s3://b/1")
    run("second", "s3://b/2", blessed=False)
    outputs = run("third", "s3://b/3")
    assert sentences(outputs) == ["first", "second"]
    times = [each.get_int_custom_property("recorded_at") for each in outputs["earlier_decisions"]]
    assert times == sorted(times)
    assert times[0] > 1_700_000_000_000
    assert [documents.read(each.uri, LabelReport) for each in outputs["earlier_label_reports"]] == [
        handmade.labels()
    ] * 2


def test_later_runs_learn_what_the_earlier_ones_were_made_of(run):
    """So that the report of a backend without our resolvers tells what changed, and how features moved."""
    made_of = MadeOf(version="1.0", configuration={"training": {"epochs": 5}}, statistics="s3://b/statistics/1")
    run("first", "s3://b/1", made_of=made_of)
    (found,) = run("second", "s3://b/2")["earlier_decisions"]
    assert documents.read(found.uri, Decision).made_of == made_of


def test_a_repetition_is_the_same_run(run, serving):
    run("first", "s3://b/1")
    run("second", "s3://b/2")
    assert run("first, judged again", "s3://b/1")["earlier_decisions"][0].get_int_custom_property("absent") == 1
    again = run("second, judged again", "s3://b/2")
    assert sentences(again) == ["first"]
    assert len(RunRecords(serving).all()) == 2


def test_other_gates_for_the_same_student_are_another_run(run):
    run("blessed", "s3://b/1")
    assert sentences(run("not blessed", "s3://b/1", blessed=False)) == ["blessed"]


def test_of_many_the_newest_are_found(run):
    for place in range(4):
        run(str(place), f"s3://b/{place}")
    assert sentences(run("now", "s3://b/now", most=2)) == ["2", "3"]


def test_records_that_are_half_or_no_records_are_passed_over(run, serving):
    run("first", "s3://b/1")
    run("half", "s3://b/2")
    newest = RunRecords(serving).all()[-1]
    with fileio.open(f"{newest.folder}/decision.json", "w") as file:
        file.write('{"surface": ')
    with fileio.open(f"{serving}/.runs/notes.txt", "w") as file:
        file.write("of an operator")
    assert sentences(run("now", "s3://b/now")) == ["first"]


def test_a_model_server_passes_them_over(run, serving):
    run("first")
    assert Versions(serving).versions() == []


def test_what_the_component_needs():
    with pytest.raises(InputError, match="RunHistory: serving: expected the push destination"):
        RunHistory(decision=None, label_report=None, model_blessing=None, serving="", most=60)
    with pytest.raises(InputError, match="RunHistory: most: expected at least one, found 0"):
        RunHistory(decision=None, label_report=None, model_blessing=None, serving="/s", most=0)
