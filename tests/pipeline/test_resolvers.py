import pytest
from tfx.types import standard_artifacts

from pipeline.resolvers import LastBlessedBefore


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


def resolved(blessings, candidate):
    found = LastBlessedBefore().resolve_artifacts(
        None, {"model": MODELS, "model_blessing": blessings, "candidate": [model(candidate)]}
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
