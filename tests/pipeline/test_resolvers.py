from tfx.types import standard_artifacts

from contracts.artifacts import GateDecision, LabelReportArtifact
from pipeline.resolvers import MOST_EARLIER_RUNS, EarlierRuns, Present


def model(number: int, *, absent: bool = False) -> standard_artifacts.Model:
    artifact = standard_artifacts.Model()
    artifact.id = number
    if absent:
        artifact.set_int_custom_property("absent", 1)
    return artifact


def present(*models):
    found = Present().resolve_artifacts(None, {"model": list(models), "candidate": [model(7)]})
    assert [each.id for each in found["candidate"]] == [7]
    return [each.id for each in found["model"]]


def test_a_model_that_serves_is_the_baseline():
    assert present(model(10)) == [10]


def test_an_artifact_that_stands_for_none_is_left_out():
    assert present(model(10, absent=True)) == []
    assert present() == []


def numbered(kind, *numbers):
    artifacts = [kind() for _ in numbers]
    for artifact, number in zip(artifacts, numbers, strict=True):
        artifact.id = number
    return artifacts


def earlier(decisions, decision, reports=(1,), report=1):
    found = EarlierRuns().resolve_artifacts(
        None,
        {
            "decision": numbered(GateDecision, decision),
            "label_report": numbered(LabelReportArtifact, report),
            "earlier_decisions": numbered(GateDecision, *decisions),
            "earlier_label_reports": numbered(LabelReportArtifact, *reports),
        },
    )
    assert [each.id for each in found["decision"]] == [decision]
    return [each.id for each in found["earlier_decisions"]], [each.id for each in found["earlier_label_reports"]]


def test_runs_before_this_one_are_earlier_oldest_first():
    assert earlier([30, 10, 20, 40], 40, reports=[5, 15], report=15) == ([10, 20, 30], [5])


def test_a_run_that_comes_back_from_the_cache_finds_what_it_found_before():
    assert earlier([10, 20], 20) == earlier([10, 20, 30], 20) == ([10], [])


def test_the_first_run_finds_none():
    assert earlier([10], 10) == ([], [])


def test_of_very_many_runs_the_newest_are_shown():
    decisions, _ = earlier(range(1, 200), 150)
    assert decisions == list(range(150 - MOST_EARLIER_RUNS, 150))
