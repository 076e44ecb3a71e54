import pytest
from tfx.types import standard_artifacts

from contracts.artifacts import GateDecision, LabelReportArtifact
from pipeline.resolvers import MOST_EARLIER_RUNS, EarlierRuns, LastBlessedBefore


def model(number: int) -> standard_artifacts.Model:
    artifact = standard_artifacts.Model()
    artifact.id = number
    return artifact


def blessing(number: int, of: int, *, blessed: bool = True) -> standard_artifacts.ModelBlessing:
    artifact = standard_artifacts.ModelBlessing()
    artifact.id = number
    artifact.set_int_custom_property("current_model_id", of)
    artifact.set_int_custom_property("blessed", int(blessed))
    return artifact


MODELS = [model(number) for number in (10, 20, 30, 40)]


def resolved(blessings, candidate, models=MODELS):
    found = LastBlessedBefore().resolve_artifacts(
        None, {"model": models, "model_blessing": blessings, "candidate": [model(candidate)]}
    )
    assert [each.id for each in found["candidate"]] == [candidate]
    assert len(found["model"]) == len(found["model_blessing"])
    return [each.id for each in found["model"]]


def test_before_the_first_blessing_there_is_nothing():
    assert resolved([], 10) == []


def test_the_last_blessed_model_is_resolved():
    assert resolved([blessing(1, 10), blessing(2, 20)], 30) == [20]


def test_a_model_that_was_not_blessed_is_passed_over():
    assert resolved([blessing(1, 10), blessing(2, 20, blessed=False)], 30) == [10]


@pytest.mark.parametrize("candidate", [20, 30])
def test_the_candidate_itself_never_is_even_when_it_was_blessed(candidate):
    assert resolved([blessing(1, 10), blessing(2, candidate)], candidate) == [10]


def test_a_candidate_that_was_replaced_is_compared_with_what_took_its_place():
    assert resolved([blessing(1, 10), blessing(2, 20), blessing(3, 40)], 20) == [40]


def test_an_older_model_that_was_never_judged_is_compared_with_the_last_blessed():
    assert resolved([blessing(1, 40)], 20) == [40]


def test_models_count_in_the_order_of_their_blessings():
    assert resolved([blessing(3, 10), blessing(2, 20)], 30) == [10]


@pytest.mark.parametrize("candidate", [20, 30])
def test_being_blessed_twice_changes_nothing(candidate):
    assert resolved([blessing(1, 10), blessing(2, candidate), blessing(3, candidate)], candidate) == [10]


def test_a_model_that_was_rolled_back_counts_no_more():
    rolled_back = model(20)
    rolled_back.set_int_custom_property("rolled_back", 1)
    models = [model(10), rolled_back, model(30)]
    assert resolved([blessing(1, 10), blessing(2, 20)], 30, models) == [10]
    assert resolved([blessing(1, 10), blessing(2, 20)], 20, models) == [10]


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
